"""What training on the rows, or testing with them, would do that nobody wants: each with its consequence."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

LOPSIDED_SHARE = 0.8
DUPLICATE_SHARE = 0.1
FEW_TEST_ROWS = 100
NAMES_SHOWN = 3

Profile = Mapping[str, Any]

NOT_TAUGHT = {
    "tool_call": "no SFT row calls a tool: SFT alone teaches over-refusal, also where a tool fits",
    "request_for_info": "no SFT row asks for what is missing: the model will invent argument values",
    "cannot_answer": "no SFT row declines: the model will call a tool that does not fit",
}
NOT_TESTED = {
    "tool_call": "no test row needs a call: that the model calls at all is not measured",
    "request_for_info": "no test row needs a question back: invented argument values go unseen",
    "cannot_answer": "no test row must be declined: calls where no tool fits go unseen",
}


def list_warnings(
    splits: Mapping[str, Profile],
    *,
    rows: Mapping[str, Any] | None = None,
    overlap: Mapping[str, Any] | None = None,
) -> list[str]:
    """Name what the profiles of the splits show, worst first.

    `splits`: profiles by file stem, as `SplitProfile.to_json` makes them. `rows` and `overlap`: those parts
    of the report, where there are any.
    """
    sft, preference = splits.get("train_sft", {}), splits.get("train_pref", {})
    return [
        *_absent(sft, preference),
        *_decisions(sft),
        *_too_long(splits),
        *_overlap(overlap or {}),
        *_test(splits.get("own", {}), sft),
        *_few(splits),
        *_duplicates(rows or {}),
        *_never_called(sft),
        *_unchecked(splits),
    ]


def _absent(sft: Profile, preference: Profile) -> Iterator[str]:
    if not sft.get("rows"):
        yield "no SFT rows: the sft and sft-dpo variants cannot be trained"
    if not preference.get("rows"):
        yield "no preference rows: the dpo and sft-dpo variants cannot be trained"


def _decisions(sft: Profile) -> Iterator[str]:
    if not sft.get("rows"):
        return
    for decision, count in sft["decisions"].items():
        if count > LOPSIDED_SHARE * sft["rows"]:
            share = count / sft["rows"]
            yield f"{share:.0%} of the SFT rows are {decision}: the model will lean to it whatever is asked"
    yield from (warning for decision, warning in NOT_TAUGHT.items() if not sft["decisions"][decision])


def _too_long(splits: Mapping[str, Profile]) -> Iterator[str]:
    for name, split in splits.items():
        found = split.get("too_long")
        if found and found["rows"]:
            about = "about " if split["lengths"]["measured_rows"] < split["rows"] else ""
            yield (
                f"{about}{found['rows']:,} of {split['rows']:,} {name} rows ({found['share']:.1%}) exceed "
                f"the recipe's max_length of {found['max_length']:,} tokens: their answers would be cut, so "
                "training leaves them out; raise max_length, or shorten their tools"
            )


def _overlap(overlap: Mapping[str, Any]) -> Iterator[str]:
    if overlap.get("allowed"):
        yield (
            f"{overlap['allowed']:,} test rows overlap with training rows and are allowed to: "
            "their scores may measure memory"
        )
    if overlap.get("dropped"):
        yield f"{overlap['dropped']:,} training rows are left out because test rows ask the same"


def _test(test: Profile, sft: Profile) -> Iterator[str]:
    rows = test.get("rows", 0)
    if not rows:
        return
    if rows < FEW_TEST_ROWS:
        yield f"the test set has {_known_to(rows)}"
    yield from (warning for decision, warning in NOT_TESTED.items() if not test["decisions"][decision])
    if sft.get("rows") and sft["decisions"]["direct"] and not test["decisions"]["direct"]:
        yield "no test row is answered directly, though SFT rows are: calling for small talk goes unseen"


def _duplicates(rows: Mapping[str, Any]) -> Iterator[str]:
    found = count_duplicates(rows)
    if found > DUPLICATE_SHARE * rows.get("read", 0):
        yield (
            f"{found:,} of {rows['read']:,} rows read were duplicates and are dropped: "
            "the source repeats itself, so count on fewer different rows than it has lines"
        )
    conflicts = rows.get("conflicts", 0)
    if conflicts:
        yield (
            f"{conflicts:,} SFT questions have gold answers that contradict each other: "
            "the model learns to guess between them"
        )


def _never_called(sft: Profile) -> Iterator[str]:
    found = sft.get("tools_never_called", {})
    if found.get("count") and sft["decisions"]["tool_call"]:
        yield (
            f"{found['count']:,} of {found['tools']:,} tools that {found['offered_in_rows']} or more SFT "
            f"rows offer are never called ({_some(found['first'], found['count'])}): the model learns to "
            "pass them by"
        )


def _unchecked(splits: Mapping[str, Profile]) -> Iterator[str]:
    for name, split in splits.items():
        found = split.get("unchecked_keywords", {})
        if found:
            listed = ", ".join(
                f"{keyword} ({_counted(tools, 'tool')})" for keyword, tools in sorted(found.items())
            )
            yield (
                f"tools of the {name} rows constrain values by keywords that are not checked: {listed}; "
                "a call that breaks them counts as valid, in these rows and in predictions"
            )


def count_duplicates(rows: Mapping[str, Any]) -> int:
    """Rows dropped as duplicates, from the counts by kind, or by purpose in reports that have no kinds."""
    duplicates = rows.get("duplicates", {})
    kinds = [duplicates[kind] for kind in ("exact", "normalised") if kind in duplicates]
    return sum(kinds or (count for count in duplicates.values() if isinstance(count, int)))


def _few(splits: Mapping[str, Profile]) -> Iterator[str]:
    """Suites that hold other rows than `own` does, and few of them."""
    for name in ("bfcl_single_turn", "multi_turn"):
        rows = splits.get(name, {}).get("rows", 0)
        if 0 < rows < FEW_TEST_ROWS:
            yield f"{name} has {_known_to(rows)}"


def _known_to(rows: int) -> str:
    return (
        f"{rows} rows: an accuracy of 50% is then known to ±{_half_width(rows):.0f} points, and smaller "
        "differences between variants are noise"
    )


def _half_width(rows: int) -> float:
    """Half of the 95% interval of a share of one half, in points."""
    return 100 * 1.96 * math.sqrt(0.25 / rows)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _some(names: Sequence[str], count: int) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    return f"{shown}, …" if count > NAMES_SHOWN else shown
