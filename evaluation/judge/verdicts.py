"""Verdicts: one a request, and the file that keeps every one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Literal, get_args

from evaluation.judge.prompt import Prompt
from evaluation.kept_lines import KeptLines
from evaluation.toolcalls import DECISIONS
from jobs.doors import BadInput, Stopped

Kind = Literal["prediction", "gold"]
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Verdict:
    """One request and what became of it: a line of the verdicts file.

    `expected`: the row's decision, for gold the answer's own. `decision`: the one that the judge named, None
    where it named none or the request failed; `error` then says why. `reply`: the judge's text as it came,
    None where none came. `request_digest`: the SHA-256 of all that was sent.
    """

    id: str
    kind: Kind
    expected: str
    decision: str | None
    why: str | None
    error: str | None
    reply: str | None
    model: str
    served_model: str | None
    prompt: str
    prompt_digest: str
    request_digest: str
    usage: Mapping[str, int] | None

    @property
    def key(self) -> Key:
        """What tells it from every other request of a run."""
        return key_of(self.kind, self.id, self.expected)


def key_of(kind: Kind, row_id: str, expected: str) -> Key:
    """A row has one prediction, and up to four gold answers."""
    return (kind, row_id, expected if kind == "gold" else "")


class VerdictFile:
    """Verdicts by request; a killed run goes on where it stopped.

    Used as a context, which one process at a time may enter. A request that failed is asked again in a later
    run, and its later line counts. Raises BadInput where the file is another process's, or holds another
    judge's verdicts or another prompt's.
    """

    def __init__(self, path: Path, model: str, prompt: Prompt) -> None:
        self._path = path
        self._judge = (model, prompt.digest)
        self._lines = KeptLines(path, self._read)
        self.verdicts = {one.key: one for one in self._lines.records}

    def __enter__(self) -> VerdictFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A run that is told to end leaves requests under way, whose verdicts are paid for and still written.
        if not isinstance(error, Stopped | KeyboardInterrupt):
            self._lines.close()

    def is_answered(self, key: Key, request_digest: str) -> bool:
        """Whether the judge replied to this request before. Raises BadInput if it was asked another."""
        known = self.verdicts.get(key)
        if known is None or known.reply is None:
            return False
        if known.request_digest != request_digest:
            raise BadInput(
                f"{self._path}: holds a verdict on another answer, or another row, with the id {known.id!r}; "
                "name another --out, or move the file away"
            )
        return True

    def append(self, verdict: Verdict) -> None:
        """Write a verdict so that a kill right after this call does not lose it. Raises BadInput."""
        self._lines.append([asdict(verdict)])
        self.verdicts[verdict.key] = verdict

    def _read(self, line: bytes, number: int) -> Verdict:
        try:
            record = json.loads(line)
            verdict = Verdict(**{field.name: record[field.name] for field in fields(Verdict)})
            _check(verdict)
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise BadInput(
                f"{self._path}, line {number}: no verdict of this program ({error!r}); move the file away"
            ) from error
        if (verdict.model, verdict.prompt_digest) != self._judge:
            raise BadInput(
                f"{self._path}: holds verdicts of {verdict.model} by the prompt {verdict.prompt} "
                f"({verdict.prompt_digest:.12}), now {self._judge[0]} ({self._judge[1]:.12}); "
                "name another --out, or move the file away"
            )
        return verdict


def _check(verdict: Verdict) -> None:
    """Refuse what no run writes and what later steps would stumble over. Raises ValueError."""
    named = verdict.decision in (None, *DECISIONS) and verdict.expected in DECISIONS
    if not named or not isinstance(verdict.id, str) or verdict.kind not in get_args(Kind):
        raise ValueError(f"{verdict.kind!r:.20} {verdict.id!r:.60}: {verdict.decision!r:.60}")
    if (verdict.decision is None) == (verdict.error is None):
        raise ValueError(f"{verdict.id!r:.60}: needs a decision, or an error")
