"""Send requests to a judge, several at a time, and keep every verdict as it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Lock

from evaluation.judge.clients import JudgeClient, Reply, RequestFailed
from evaluation.judge.items import Item
from evaluation.judge.prompt import Prompt
from evaluation.judge.reading import Reading, read_reply
from evaluation.judge.verdicts import Verdict, VerdictFile
from jobs.doors import BadInput
from jobs.progress import Progress

# So many failures one after the other are no accident, and each may have cost minutes of retries.
FAILURES_IN_A_ROW = 20
CHARACTERS_PER_TOKEN = 4


class Asking:
    """A judge with its prompt and its file of verdicts."""

    def __init__(self, client: JudgeClient, prompt: Prompt, file: VerdictFile, concurrency: int) -> None:
        self.client = client
        self.prompt = prompt
        self.file = file
        self._concurrency = concurrency

    def announce(self, gold: Sequence[Item], predictions: Sequence[Item]) -> None:
        """Say on stdout what is going to be sent, before anything is."""
        new_gold, new = self._unanswered(gold), self._unanswered(predictions)
        known = len(gold) + len(predictions) - len(new_gold) - len(new)
        characters = sum(len(one.request.system) + len(one.request.user) for one in (*new_gold, *new))
        model, most = self.client.model, self.prompt.max_tokens
        print(
            f"{len(new_gold) + len(new)} requests to {model}: {len(new_gold)} on gold answers, {len(new)} "
            f"on predictions if it agrees with gold; {known} were answered before. They hold {characters:,} "
            f"characters, about {characters // CHARACTERS_PER_TOKEN:,} tokens; a reply has at most {most:,}",
            flush=True,
        )

    def ask_all(self, items: Sequence[Item]) -> list[Verdict]:
        """The verdicts on these items, in their order; only those without a reply are asked.

        Raises BadInput where not one of them gets a reply, or so many in a row fail that the rest will too.
        What is under way then is still kept.
        """
        missing = self._unanswered(items)
        asking_round = _Round(self, len(items), done=len(items) - len(missing))
        with ThreadPoolExecutor(self._concurrency) as pool:
            futures = [pool.submit(asking_round.judge, item) for item in missing]
            try:
                for future in as_completed(futures):
                    future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        if asking_round.fatal is not None:
            raise asking_round.fatal
        verdicts = [self.file.verdicts[item.key] for item in items]
        if verdicts and all(one.reply is None for one in verdicts):
            raise BadInput(f"not one of {len(verdicts)} requests got a reply; the first: {verdicts[0].error}")
        return verdicts

    def _unanswered(self, items: Sequence[Item]) -> list[Item]:
        return [item for item in items if not self.file.is_answered(item.key, item.digest)]

    def ask(self, item: Item) -> Verdict:
        """Ask about one item. Raises BadInput where every other request would fail too."""
        try:
            reply = self.client.ask(item.request)
        except RequestFailed as failure:
            return self._verdict(item, None, Reading(error=str(failure)))
        return self._verdict(item, reply, read_reply(reply))

    def _verdict(self, item: Item, reply: Reply | None, reading: Reading) -> Verdict:
        return Verdict(
            id=item.id,
            kind=item.kind,
            expected=item.expected,
            decision=reading.decision,
            why=reading.why,
            error=reading.error,
            reply=reply.text if reply else None,
            model=self.client.model,
            served_model=reply.served_model if reply else None,
            prompt=self.prompt.name,
            prompt_digest=self.prompt.digest,
            request_digest=item.digest,
            usage=reply.usage if reply else None,
        )


class _Round:
    """Requests under way at the same time. A verdict is on disk before its thread asks for the next one."""

    def __init__(self, asking: Asking, total: int, done: int) -> None:
        self.fatal: BadInput | None = None
        self._asking = asking
        self._progress = Progress(total, done=done)
        self._done = done
        self._failures = 0
        self._lock = Lock()

    def judge(self, item: Item) -> None:
        """Ask about an item and keep the verdict, unless the round is over."""
        if self.fatal is not None:
            return
        try:
            verdict = self._asking.ask(item)
        except BadInput as error:
            self.fatal = self.fatal or error
            return
        with self._lock:
            self._keep(verdict)

    def _keep(self, verdict: Verdict) -> None:
        self._asking.file.append(verdict)
        self._done += 1
        self._progress.show(self._done)
        self._failures = self._failures + 1 if verdict.reply is None else 0
        if self._failures >= FAILURES_IN_A_ROW:
            cause = f"{self._failures} requests failed in a row; the last: {verdict.error}"
            self.fatal = self.fatal or BadInput(cause)
