"""Reward, the Lambda function: Nova's shape and the open models', and no entry that fails a batch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.toolcalls import reward
from lambdas.reward import BadEvent, BadSettings, handler, read_settings
from tests.unit.evaluation.rows import ANSWERS, TIMER, WEATHER, call_row, hermes, text_row

ROOT = Path(__file__).resolve().parents[3]
PARIS = ("get_weather", {"city": "Paris"})
ROW = call_row(PARIS)
REFERENCE = {"expected": ROW["expected"], "tools": ROW["tools"]}
RIGHT, WRONG = hermes(*PARIS), hermes("get_weather", {"city": "Rome"})
ENVIRONMENT = ("REWARD_RESPONSE", "REWARD_FORMAT", "REWARD_WEIGHTS")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)


def entry(text: Any = RIGHT, **fields: Any) -> dict[str, Any]:
    """An entry as the trainer sends it; None leaves a field out, `null` names one that is null."""
    messages = [*ROW["messages"], {"role": "assistant", "content": text}]
    given = {"id": "r1", "messages": messages, "reference_answer": REFERENCE, **fields}
    null = given.pop("null", None)
    kept = {name: value for name, value in given.items() if value is not None}
    return {**kept, null: None} if null else kept


def grade(*entries: Any) -> list[float]:
    answered = handler(list(entries), None)
    return [one["aggregate_reward_score"] for one in answered]


def metrics(answered: Mapping[str, Any]) -> dict[str, float]:
    return {one["name"]: one["value"] for one in answered["metrics_list"]}


def test_nova_is_answered_with_the_list_itself() -> None:
    answered = handler([entry(RIGHT, id="a"), entry(WRONG, id="b"), entry("<tool_call>", id="c")], None)
    assert [one["id"] for one in answered] == ["a", "b", "c"]
    assert [one["aggregate_reward_score"] for one in answered] == reward(
        [RIGHT, WRONG, "<tool_call>"], [ROW] * 3
    )
    for one in answered:
        assert set(one) == {"id", "aggregate_reward_score", "metrics_list"}
        assert {metric["type"] for metric in one["metrics_list"]} == {"Reward", "Metric"}
        assert all(set(metric) == {"name", "value", "type"} for metric in one["metrics_list"])


def test_open_models_are_answered_over_http(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = handler([entry(WRONG)], None)
    monkeypatch.setenv("REWARD_RESPONSE", "open")
    answered = handler([entry(WRONG)], None)
    assert set(answered) == {"statusCode", "headers", "body"}
    assert answered["statusCode"] == 200
    assert answered["headers"] == {"Content-Type": "application/json"}
    assert json.loads(answered["body"]) == expected


def test_the_metrics_hold_the_parts_and_factors() -> None:
    (answered,) = handler([entry(RIGHT + RIGHT)], None)
    assert metrics(answered) == {
        "decision": 1.0,
        "tool": 0.5,
        "arguments": 0.5,
        "values": 0.5,
        "schema": 1.0,
        "factor_calls": 0.5,
        "factor_order": 1.0,
        "factor_one_answer": 1.0,
        "factor_length": 1.0,
        "correct": 0.0,
        "graded": 1.0,
    }


def deep(levels: int = 5000) -> Any:
    value: dict[str, Any] = {}
    for _ in range(levels):
        value = {"inner": value}
    return value


REFERENCES = [
    ({"reference_answer": REFERENCE}, "as an object"),
    ({"reference_answer": json.dumps(REFERENCE)}, "as JSON"),
    ({"reference_answer": {**ROW["expected"], "tools": ROW["tools"]}}, "the expected answer itself"),
    ({"reference_answer": ROW["expected"], "tools": ROW["tools"]}, "with the tools beside it"),
    ({"reference_answer": {**REFERENCE, "expected": json.dumps(ROW["expected"])}}, "JSON within"),
    ({"reference_answer": {**REFERENCE, "tools": [WEATHER, TIMER]}}, "tools as a list"),
    (
        {"reference_answer": ROW["expected"], "tools": [{"type": "function", "function": WEATHER}]},
        "tools in OpenAI's shape",
    ),
    ({"reference_answer": None, "metadata": {"reference_answer": REFERENCE}}, "Bedrock's metadata"),
    ({"metadata": {"reference_answer": REFERENCE}, "null": "reference_answer"}, "null beside the metadata"),
    (
        {"reference_answer": None, "metadata": json.dumps({"reference_answer": REFERENCE})},
        "metadata as JSON",
    ),
    ({"reference_answer": None, "metadata": REFERENCE}, "a row's fields in the metadata"),
    ({"reference_answer": None, **REFERENCE}, "a row's fields in the entry"),
]


@pytest.mark.parametrize(("fields", "why"), REFERENCES, ids=[why for _, why in REFERENCES])
def test_the_reference_may_come_in_any_of_these_ways(fields: dict[str, Any], why: str) -> None:
    assert grade(entry(RIGHT, **fields), entry(WRONG, **fields)) == [1.0, pytest.approx(0.7)], why


def test_the_reference_goes_before_the_entry() -> None:
    assert grade(entry(RIGHT, expected=text_row("direct")["expected"])) == [1.0]


BATCHES = [
    ([entry()], "the list"),
    ({"body": json.dumps([entry()])}, "the body of a request"),
    ({"body": [entry()]}, "a decoded body"),
    ({"body": json.dumps({"samples": [entry()]})}, "a list within a body"),
    ({"samples": [entry()], "source": "rollout"}, "the one list of an object"),
    (entry(), "a lone entry"),
]


@pytest.mark.parametrize(("event", "why"), BATCHES, ids=[why for _, why in BATCHES])
def test_the_batch_may_come_in_any_of_these_ways(event: Any, why: str) -> None:
    assert [one["aggregate_reward_score"] for one in handler(event, None)] == [1.0], why


def test_an_empty_batch_has_an_empty_answer() -> None:
    assert handler([], None) == []


@pytest.mark.parametrize("event", [None, 7, "[]", {}, {"body": "{"}, {"body": None}, {"a": [], "b": []}])
def test_an_event_without_a_batch_is_refused(event: Any) -> None:
    with pytest.raises(BadEvent, match="no list"):
        handler(event, None)


UNGRADABLE = [
    (entry(reference_answer=None), "expected.decision"),
    (entry(reference_answer="no JSON"), "expected.decision"),
    (entry(reference_answer={"expected": {"decision": "shout"}}), "expected.decision"),
    (entry(reference_answer={**REFERENCE, "tools": "{"}), "tools"),
    (entry(reference_answer={"expected": ROW["expected"]}), "no 'tools'"),
    (entry(reference_answer={"expected": ROW["expected"], "tools": [{"parameters": deep()}]}), "tools"),
    (entry(messages=[]), "messages"),
    (entry(messages="hello"), "messages"),
    (entry(messages=ROW["messages"]), "messages"),
    (entry(messages=[None]), "messages"),
    (None, "messages"),
    ("entry", "messages"),
    ([entry()], "messages"),
]


@pytest.mark.parametrize(("bad", "named"), UNGRADABLE, ids=range(len(UNGRADABLE)))
def test_an_entry_that_cannot_be_graded_gets_the_minimum_says_so_and_fails_no_other(
    bad: Any, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = handler([bad, entry(id="fine")], None)
    assert first["aggregate_reward_score"] == 0.0
    assert metrics(first) == {"correct": 0.0, "graded": 0.0}
    assert second["aggregate_reward_score"] == 1.0
    (line,) = capsys.readouterr().out.splitlines()
    logged = json.loads(line)
    assert logged["id"] == first["id"]
    assert named in logged["not_graded"]


def test_an_expected_answer_of_any_depth_fails_no_batch() -> None:
    odd = {**REFERENCE, "expected": {**ROW["expected"], "note": deep()}}
    long = entry(RIGHT + " " * 400_000, reference_answer=odd)
    first, second = grade(long, entry())
    assert 0 < first < 1
    assert second == 1.0


def test_a_malformed_answer_is_graded_and_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    (answered,) = handler([entry("<tool_call>{")], None)
    assert metrics(answered) == {"decision": 0.0, "correct": 0.0, "graded": 1.0}
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("given_id", "answered"),
    [("a", "a"), (7, 7), ("", ""), (None, "entry-1"), ([], "entry-1"), (True, "entry-1"), (1.5, "entry-1")],
    ids=str,
)
def test_ids_are_handed_back_or_made_of_the_place(given_id: Any, answered: Any) -> None:
    assert handler([entry(), {**entry(), "id": given_id}], None)[1]["id"] == answered


def test_an_id_made_of_the_place_is_not_that_of_another_entry() -> None:
    assert [one["id"] for one in handler([entry(id="1"), entry(id=None)], None)] == ["1", "entry-1"]


def test_messages_are_read_in_each_shape() -> None:
    function = {"name": "get_weather", "arguments": json.dumps(PARIS[1])}
    structured = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    parts = {"role": "assistant", "content": [{"type": "text", "text": RIGHT}]}
    assert grade(entry(messages=[structured]), entry(messages=[parts])) == [1.0, 1.0]


def test_format_and_weights_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWARD_FORMAT", "toolcall_tag")
    monkeypatch.setenv("REWARD_WEIGHTS", '{"tool": 1, "values": 3}')
    wrong = '<TOOLCALL>[{"name": "get_weather", "arguments": {"city": "Rome"}}]</TOOLCALL>'
    assert grade(entry(wrong), entry(WRONG)) == [0.25, 0.0]


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"REWARD_RESPONSE": "bedrock"}, "nova or open"),
        ({"REWARD_FORMAT": "hermese"}, "known are hermes"),
        ({"REWARD_WEIGHTS": "{"}, "a JSON object of weights by part"),
        ({"REWARD_WEIGHTS": "[]"}, "a JSON object of weights by part"),
        ({"REWARD_WEIGHTS": '{"vlaues": 1}'}, "'vlaues'"),
        ({"REWARD_WEIGHTS": '{"values": NaN}'}, "'values' is nan"),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else "",
)
def test_settings_that_cannot_be_used_are_named(variables: dict[str, str], named: str) -> None:
    with pytest.raises(BadSettings, match=named) as raised:
        read_settings(variables)
    assert next(iter(variables)) in str(raised.value)


def test_variables_set_to_nothing_are_as_those_not_set() -> None:
    assert read_settings(dict.fromkeys(ENVIRONMENT, "")) == read_settings({})


ENTRY_KEYS = ["id", "messages", "reference_answer", "metadata", "expected", "decision", "calls", "tools"]
MESSAGE_KEYS = ["role", "content", "tool_calls", "allowed", "name", "arguments", "function", "text"]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([RIGHT, "assistant", "{", "[]"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*ENTRY_KEYS, *MESSAGE_KEYS]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANYTHING, max_size=3), ANYTHING, ANYTHING)
def test_no_entry_whatsoever_fails_a_batch(entries: list[Any], reference: Any, expected: Any) -> None:
    odd = [
        entry(reference_answer=reference),
        entry(reference_answer={"expected": expected, "tools": reference}),
        entry(reference_answer={**REFERENCE, "expected": {**ROW["expected"], "allowed": expected}}),
        entry(reference_answer={**REFERENCE, "tools": [{"name": "get_weather", "parameters": expected}]}),
    ]
    answered = handler([*entries, *odd, entry()], None)
    assert len(answered) == len(entries) + 5
    assert answered[-1]["aggregate_reward_score"] == 1.0
    assert all(0 <= one["aggregate_reward_score"] <= 1 for one in answered)
    json.dumps(answered, allow_nan=False)


def test_every_decision_is_graded() -> None:
    entries = [
        entry(ANSWERS[decision], reference_answer={"expected": text_row(decision)["expected"]})
        for decision in ("direct", "request_for_info", "cannot_answer")
    ]
    assert grade(*entries) == [1.0, 1.0, 1.0]


def test_it_runs_from_its_own_files_and_the_standard_library_alone(tmp_path: Path) -> None:
    patterns = ("lambdas/__init__.py", "lambdas/reward.py", "evaluation/__init__.py")
    for path in [
        *(ROOT / pattern for pattern in patterns),
        *(ROOT / "evaluation" / "toolcalls").rglob("*.py"),
    ]:
        copied = tmp_path / path.relative_to(ROOT)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from lambdas.reward import handler; "
        "handler([{}], None); print(*sys.modules)"
    )
    # -S leaves site-packages out.
    run = subprocess.run([sys.executable, "-IS", "-c", code], capture_output=True, check=True, text=True)
    assert not {"dataclasses", "inspect", "asyncio", "logging"} & set(run.stdout.split())
