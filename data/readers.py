"""Reading files of rows: good rows by purpose and id, bad ones with the place and the reason."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.rows import PURPOSES, Purpose, Rejection, Row, RowError, read_json, write_json
from data.shapes import for_purpose, read_row
from jobs.doors import BadInput

MAX_REJECTED_SHARE = 0.05
REASONS_SHOWN = 5


@dataclass(frozen=True)
class RowFile:
    """A file to read: where it lies, the name that the user knows it by, and what its rows are for.

    `purpose` None lets each row's own shape decide.
    """

    path: Path
    shown: str
    purpose: Purpose | None


@dataclass
class Collection:
    """All that was read; grows file by file. `rows` holds the rows of a purpose by id, in file order."""

    rows: dict[Purpose, dict[str, Row]] = field(default_factory=lambda: {purpose: {} for purpose in PURPOSES})
    rejections: list[Rejection] = field(default_factory=list)
    duplicates: Counter[Purpose] = field(default_factory=Counter)
    merged: int = 0
    read: int = 0

    def of(self, purpose: Purpose) -> list[Row]:
        """The rows of a purpose."""
        return list(self.rows[purpose].values())

    def add_file(self, file: RowFile) -> None:
        """Read one file of JSON Lines. Raises BadInput for a file that cannot be opened or holds nothing."""
        before = self.read
        try:
            with file.path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        self._add_line(line, file, number)
        except OSError as error:
            raise BadInput(f"{file.shown}: cannot be read: {error.strerror}") from error
        if self.read == before:
            raise BadInput(f"{file.shown}: the file is empty; give one JSON object a line")

    def _add_line(self, line: bytes, file: RowFile, number: int) -> None:
        self.read += 1
        try:
            self._add(read_line(line, file))
        except RowError as error:
            place = (file.shown, number)
            self.rejections.append(Rejection(*place, error.field, error.reason, error.mend))

    def _add(self, row: Row) -> None:
        """Keep a row; one that shares an earlier one's id is a duplicate, its other half, or an error."""
        rows = self.rows[row.purpose]
        earlier = rows.setdefault(row.id, row)
        if earlier is row:
            return
        if row.purpose == "test" and _is_same_item(earlier, row):
            self._join_tests(earlier, row)
        elif earlier.fingerprint() == row.fingerprint():
            self.duplicates[row.purpose] += 1
        else:
            raise RowError("id", "is taken by another row", f"give {row.id!r} an id of its own")

    def _join_tests(self, earlier: Row, row: Row) -> None:
        if (earlier.answers is None) == (row.answers is None):
            self.duplicates["test"] += 1
            return
        graded, choices = (row, earlier) if row.answers is None else (earlier, row)
        self.rows["test"][row.id] = replace(graded, answers=choices.answers)
        self.merged += 1


def _is_same_item(one: Row, other: Row) -> bool:
    """Whether two test rows ask the same of the same tools, whose schemas two files may word differently."""
    return (one.question, one.tool_names) == (other.question, other.tool_names)


def read_files(files: Iterable[RowFile]) -> Collection:
    """Read every file. Raises BadInput where one cannot be read; bad rows are left to `check_rejected`."""
    collection = Collection()
    for file in files:
        collection.add_file(file)
    return collection


def read_line(line: bytes, file: RowFile) -> Row:
    """Bring one line of a file to a canonical row. Raises RowError and nothing else, whatever is in it."""
    try:
        raw = read_json(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RowError("line", "is not UTF-8", f"byte {error.start}: save the file as UTF-8") from error
    except ValueError as error:
        raise RowError("line", "is not JSON", f"{error}: write one object a line") from error
    try:
        row = for_purpose(read_row(raw, file.path.stem), file.purpose)
        write_json(row.to_json())
    except RecursionError as error:
        raise RowError("row", "is nested too deeply", "flatten its schemas") from error
    except ValueError as error:
        raise RowError("row", "holds what JSON in UTF-8 cannot", str(error)) from error
    return row


def check_rejected(collection: Collection) -> None:
    """Stop where too many rows are bad to trust the rest. Raises BadInput with the most frequent reasons."""
    rejected = collection.rejections
    if len(rejected) <= MAX_REJECTED_SHARE * collection.read:
        return
    reasons = Counter(f"{rejection.field.split('[')[0]}: {rejection.reason}" for rejection in rejected)
    first = rejected[0]
    raise BadInput(
        f"{len(rejected)} of {collection.read} rows are rejected, more than {MAX_REJECTED_SHARE:.0%}. "
        + "; ".join(f"{count} × {reason}" for reason, count in reasons.most_common(REASONS_SHOWN))
        + f". First: {first.file} line {first.line}, {first.field}: {first.mend}. All are in rejected.jsonl"
    )
