"""The files of rows that are written: sampled, tried in the model's format, and profiled as they pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.intake import COMPARED
from data.output import TRAIN_PREFERENCE, TRAIN_SFT, DataHash
from data.report.profile import SplitProfile
from data.request import Request
from data.rows import Purpose, write_json
from data.selection import count_suite, sample, sample_suite
from data.store import RowStore, StoredRow
from data.suites import BFCL, file_of, row_for
from evaluation.suites import SUITES
from jobs.doors import BadInput
from jobs.progress import Progress

if TYPE_CHECKING:
    from data.tokens import Rendering

# The last step is the end of the preparation.
WRITTEN = 99
TRAINED: Mapping[str, Purpose] = {TRAIN_SFT: "sft", TRAIN_PREFERENCE: "preference"}


@dataclass(frozen=True)
class Splits:
    """What was written: the hash of it, each file's profile by the file's stem, and what to warn of."""

    data_hash: str
    profiles: Mapping[str, dict[str, Any]]
    warnings: list[str]


@dataclass
class Misfits:
    """Published answers that do not survive the model's format, counted, with the first."""

    count: int = 0
    first: str = ""

    def add(self, said: str) -> None:
        """Count one."""
        self.count += 1
        self.first = self.first or said.splitlines()[0]

    def warnings(self) -> list[str]:
        """What to say of them."""
        if not self.count:
            return []
        return [
            f"{self.count:,} gold answers of {BFCL} cannot be written in the model's format: {self.first}"
        ]


def write_splits(
    store: RowStore, folder: Path, request: Request, rendering: "Rendering | None", progress: Progress
) -> Splits:
    """Write the files of rows. Raises BadInput where an answer cannot be written in the model's format."""
    data_hash = DataHash()
    profiles = {}
    misfits = Misfits()
    total = sum(store.count(purpose) for purpose in TRAINED.values())
    total += sum(count_suite(store, suite) for suite in request.suites)
    written = 0
    for file, entries in _samples(store, request):
        name = Path(file).stem
        profile = (
            SplitProfile(rendering.measure, rendering.max_length.get(name)) if rendering else SplitProfile()
        )
        with data_hash.open(file, folder) as lines:
            for entry in entries:
                lines.write(_line_of(entry, name, store, profile, rendering, misfits))
                written += 1
                progress.show(COMPARED + (WRITTEN - COMPARED) * written // max(total, 1))
        profiles[name] = profile.to_json()
    return Splits(data_hash.hexdigest(), profiles, misfits.warnings())


def _samples(store: RowStore, request: Request) -> Iterator[tuple[str, Iterator[StoredRow]]]:
    """The files to write, and what of the rows goes in each."""
    for file, purpose in TRAINED.items():
        yield file, sample(store, purpose, request.caps[purpose])
    for suite in request.suites:
        yield file_of(suite), sample_suite(store, suite, request.caps["test"])


def _line_of(
    entry: StoredRow,
    name: str,
    store: RowStore,
    profile: SplitProfile,
    rendering: "Rendering | None",
    misfits: Misfits,
) -> bytes:
    """A row as it is written, counted and tried in the model's format as it passes."""
    row = store.row(entry)
    if rendering is not None and rendering.round_trip is not None:
        try:
            rendering.round_trip.check(row, str(entry.place))
        except BadInput as error:
            # A benchmark's gold is what it is, and its own figures count it.
            if name != BFCL:
                raise
            misfits.add(str(error))
    if name in SUITES:
        row = row_for(name, row)
    profile.add(row)
    return write_json(row.to_json()).encode() if row.answers is None and name in SUITES else store.text(entry)
