"""Send requests to a judge, several at a time, and keep every verdict as it arrives."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock, Thread
from typing import NamedTuple

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


class Batch(NamedTuple):
    """Items to ask about, and the file that keeps their verdicts."""

    items: Sequence[Item]
    file: VerdictFile

    def unanswered(self) -> list[Item]:
        """Those that have no reply yet. Raises BadInput where the file holds verdicts on something else."""
        return [item for item in self.items if not self.file.is_answered(item.key, item.digest)]


class Asking:
    """A judge with its prompt; `concurrency` requests go out at a time."""

    def __init__(self, client: JudgeClient, prompt: Prompt, concurrency: int) -> None:
        self.client = client
        self.prompt = prompt
        self._concurrency = concurrency

    def announce(self, gold: Batch, predictions: Batch) -> None:
        """Say on stdout what is going to be sent, before anything is."""
        new_gold, new = gold.unanswered(), predictions.unanswered()
        known = len(gold.items) + len(predictions.items) - len(new_gold) - len(new)
        characters = sum(len(one.request.system) + len(one.request.user) for one in (*new_gold, *new))
        model, most = self.client.model, self.prompt.max_tokens
        print(
            f"{len(new_gold) + len(new)} requests to {model}: {len(new_gold)} on gold answers, {len(new)} "
            f"on predictions if it agrees with gold; {known} were answered before. They hold {characters:,} "
            f"characters, about {characters // CHARACTERS_PER_TOKEN:,} tokens; a reply has at most {most:,}",
            flush=True,
        )

    def ask_all(self, batch: Batch) -> list[Verdict]:
        """The verdicts on a batch, in its order; only what has no reply yet is asked.

        Raises BadInput where not one of them gets a reply, or so many in a row fail that the rest will too.
        What is under way then is still kept.
        """
        missing = batch.unanswered()
        _Round(self, batch, missing).run(self._concurrency)
        verdicts = [batch.file.verdicts[item.key] for item in batch.items]
        if verdicts and all(one.reply is None for one in verdicts):
            raise BadInput(f"not one of {len(verdicts)} requests got a reply; the first: {verdicts[0].error}")
        return verdicts

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
    """Requests under way at the same time. A verdict is on disk before its thread asks for the next one.

    The threads are daemons, as an executor's cannot be: a run that is told to end does not wait minutes for
    a server that does not reply.
    """

    def __init__(self, asking: Asking, batch: Batch, missing: Sequence[Item]) -> None:
        self._asking = asking
        self._file = batch.file
        self._missing = iter(missing)
        self._done = len(batch.items) - len(missing)
        self._progress = Progress(len(batch.items), done=self._done)
        self._failures = 0
        self._is_over = False
        self._fault: Exception | None = None
        self._lock = Lock()

    def run(self, concurrency: int) -> None:
        """Ask about all that is missing; raises the first error that is not one request's own."""
        threads = [Thread(target=self._work, daemon=True) for _ in range(concurrency)]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            self._is_over = True
        if self._fault is not None:
            raise self._fault

    def _work(self) -> None:
        try:
            while (item := self._next()) is not None:
                self._keep(self._asking.ask(item))
        except Exception as error:  # raised again by `run`
            self._fault, self._is_over = self._fault or error, True

    def _next(self) -> Item | None:
        with self._lock:
            return None if self._is_over else next(self._missing, None)

    def _keep(self, verdict: Verdict) -> None:
        with self._lock:
            self._file.append(verdict)
            self._done += 1
            if not self._is_over:
                self._progress.show(self._done)
            self._failures = self._failures + 1 if verdict.reply is None else 0
            if self._failures >= FAILURES_IN_A_ROW:
                raise BadInput(f"{self._failures} requests failed in a row; the last: {verdict.error}")
