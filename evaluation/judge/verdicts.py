"""Verdicts: one a request, and the file that keeps every one of them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from evaluation.jsonl import line_of
from evaluation.judge.prompt import Prompt
from evaluation.toolcalls import DECISIONS
from jobs.doors import BadInput

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
    """Verdicts by request, appended and flushed; a killed run goes on where it stopped.

    A line that was cut off by a kill is dropped. A request that failed is asked again in a later run, and its
    later line counts. Raises BadInput where the file holds another judge's verdicts or another prompt's.
    """

    def __init__(self, path: Path, model: str, prompt: Prompt) -> None:
        self._path = path
        self._judge = (model, prompt.digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.verdicts = {one.key: one for one in self._whole_verdicts()}
        except OSError as error:
            raise BadInput(f"{path}: cannot be used: {error.strerror}; name another --out") from error

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
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line_of(asdict(verdict)))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise BadInput(
                f"{self._path}: cannot be written: {error.strerror}; the same command goes on"
            ) from error
        self.verdicts[verdict.key] = verdict

    def _whole_verdicts(self) -> list[Verdict]:
        content = self._path.read_bytes() if self._path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        # Read before the rest is cut off: the file may be another program's.
        read = [self._read(line, number) for number, line in enumerate(whole.splitlines(), 1) if line.strip()]
        if len(whole) < len(content):
            if not whole and not content.startswith(b'{"id": '):
                raise BadInput(f"{self._path}: holds no verdicts of this program; move the file away")
            with self._path.open("r+b") as file:
                file.truncate(len(whole))
        return read

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
