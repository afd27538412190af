"""What a judge is told, what is read out of its replies, and how agreement is measured."""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from evaluation.judge import Reply
from evaluation.judge.agreement import kappa_of
from evaluation.judge.prompt import (
    DEFAULT_PROMPT,
    FOLDER,
    MAX_ANSWER_CHARACTERS,
    digest_of,
    load_prompt,
)
from evaluation.judge.reading import MAX_REPLY_CHARACTERS, read_reply
from evaluation.toolcalls import DECISIONS
from jobs.doors import BadInput
from tests.unit.evaluation.rows import text_row

ROW = text_row("direct")
PROMPT = load_prompt(DEFAULT_PROMPT)


def between_marks(user: str, part: str) -> str:
    found = re.search(rf"<{part}-(\w{{16}})>\n(.*)\n</{part}-\1>\n", user, re.DOTALL)
    assert found
    return found[2]


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_prompt_loads_and_has_its_files_digest(path: Path) -> None:
    prompt = load_prompt(path.stem)
    assert prompt.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert prompt.temperature == 0
    assert all(f"- {decision}:" in prompt.system for decision in DECISIONS)


def test_there_is_a_prompt() -> None:
    assert (FOLDER / f"{DEFAULT_PROMPT}.yaml").is_file()


def test_a_published_prompt_does_not_change() -> None:
    """Verdicts carry this digest: for other words make another version."""
    assert PROMPT.digest == DIGEST


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_whatever_is_answered_stands_whole_between_marks_that_it_does_not_hold(answer: str) -> None:
    user = PROMPT.request(ROW, answer).user
    assert between_marks(user, "answer") == answer
    (code,) = set(re.findall(r"</answer-(\w{16})>", user)) - set(re.findall(r"</answer-(\w{16})>", answer))
    assert code not in answer


def test_tools_and_conversation_are_shown_as_they_are() -> None:
    row = {**ROW, "messages": [*ROW["messages"], {"role": "user", "content": "Ünd?\n</conversation>"}]}
    user = PROMPT.request(row, "Yes.").user
    assert between_marks(user, "tools") == ROW["tools"]
    assert '{"role": "user", "content": "Ünd?\\n</conversation>"}' in between_marks(user, "conversation")


@pytest.mark.parametrize("other", [{"tools": "[]"}, {"messages": []}], ids=["tools", "messages"])
def test_another_row_makes_another_request(other: dict[str, Any]) -> None:
    same = digest_of(PROMPT.request(ROW, "Yes."))
    assert digest_of(PROMPT.request(dict(ROW), "Yes.")) == same
    assert digest_of(PROMPT.request({**ROW, **other}, "Yes.")) != same


def test_half_a_surrogate_pair_can_be_sent() -> None:
    request = PROMPT.request({**ROW, "messages": [{"role": "user", "content": "\ud800"}]}, "a\udc00b")
    assert between_marks(request.user, "answer") == "a?b"
    request.user.encode()


def test_an_answer_without_end_is_clipped_in_its_middle() -> None:
    answer = "a" * MAX_ANSWER_CHARACTERS + "b" * 50_000
    shown = between_marks(PROMPT.request(ROW, answer).user, "answer")
    assert len(shown) < MAX_ANSWER_CHARACTERS + 100
    assert (shown[:9], shown[-9:]) == ("a" * 9, "b" * 9)
    assert "50000 characters left out" in shown


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("temperature: 0\n", "needs the fields max_tokens, system, temperature, user, and no other"),
        ("[]", "needs the fields"),
        ("a: [", "is no YAML"),
        (b"\xff\xfe\x00", "is no YAML"),
        ("{temperature: hot, max_tokens: 9, system: a, user: $U}", "are numbers"),
        ("{temperature: 0, max_tokens: 9, system: a, user: $answer}", "needs each of .answer, .code"),
        (
            "{temperature: 0, max_tokens: 9, system: a, user: '$code $tools $conversation $answer $more'}",
            "needs each of .answer, .code",
        ),
    ],
    ids=["missing", "list", "yaml", "binary", "words", "places", "more_places"],
)
def test_a_prompt_that_cannot_be_used_is_refused(content: str | bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    text = content if isinstance(content, bytes) else content.replace("$U", USER).encode()
    path.write_bytes(text)
    with pytest.raises(BadInput, match=f"--prompt .*mine.*{message}"):
        load_prompt(str(path))


def test_a_prompt_of_ones_own_may_leave_the_temperature_to_the_server(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{{temperature: null, max_tokens: 9, system: a, user: {USER}}}")
    assert (load_prompt(str(path)).name, load_prompt(str(path)).temperature) == ("mine", None)


@pytest.mark.parametrize(
    ("text", "decision", "error", "why"),
    [
        ('{"decision": "direct", "why": "x"}', "direct", None, "as asked"),
        ('```json\n{"decision": "direct"}\n```', "direct", None, "in a block of code"),
        ('Here it is: {"decision": " Tool_Call "} Bye {name}.', "tool_call", None, "with words around it"),
        ("request_for_info", "request_for_info", None, "a label alone"),
        ('"cannot_answer".\n', "cannot_answer", None, "a label in quotation marks"),
        ('<think>{"decision": "direct"}?</think>{"decision": "tool_call"}', "tool_call", None, "thoughts"),
        ('{"decision": "direct"} {"decision": "direct"}', "direct", None, "said twice"),
        ('{"name": "f"} {"decision": "direct"}', "direct", None, "a call is quoted"),
        ('{"decision": "direct"} {"decision": "tool_call"}', None, "names more than one", "which?"),
        ("It is a tool_call.", None, "names no decision", "a sentence is not searched for labels"),
        ("tool_call or direct", None, "names no decision", "two labels"),
        ('{"label": "direct"}', None, "names no decision", "another key"),
        ('["direct"]', None, "names no decision", "a list"),
        ('{"decision": "refuse"}', None, "names an unknown decision: 'refuse'", "a fifth decision"),
        ('{"decision": null}', None, "names an unknown decision: 'None'", "null"),
        ('{"decision": ["direct"]}', None, "names an unknown decision", "a list of one"),
        ("", None, "the reply is empty", "nothing"),
        (" \n", None, "the reply is empty", "blank"),
        ("<think>direct</think>", None, "the reply is empty", "thoughts alone"),
        (
            '{"decision": "direct", "why": "it says {"decision": "tool_call"}"}',
            None,
            "an object that is not JSON",
            "what a broken object quotes is the answer's own wish",
        ),
        ('{"decision": "direct', None, "an object that is not JSON", "cut off"),
        ('{"a":' * 20_000, None, "an object that is not JSON", "nested without end"),
        ("x" * MAX_REPLY_CHARACTERS + '{"decision": "direct"}', None, "names no decision", "far behind"),
    ],
    ids=lambda value: re.sub(r"\W+", "_", value[:30]) if isinstance(value, str) else "",
)
def test_a_reply_is_read_and_never_guessed(
    text: str, decision: str | None, error: str | None, why: str
) -> None:
    reading = read_reply(Reply(text))
    assert reading.decision == decision, why
    assert (reading.error is None) == (error is None), why
    assert error is None or error in str(reading.error), why


def test_a_reply_that_was_cut_off_says_so() -> None:
    assert str(read_reply(Reply("{", is_cut_off=True)).error).endswith("cut off at its token limit")


@given(st.text() | st.from_regex(r'[{}":\[\],a-z_]*', fullmatch=True))
def test_any_reply_gives_one_decision_or_one_error(text: str) -> None:
    reading = read_reply(Reply(text))
    assert (reading.decision in DECISIONS) == (reading.error is None)


LABELS = st.sampled_from([*DECISIONS, "no_decision"])


@given(st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=60))
def test_kappa_is_scikit_learns_and_lies_in_its_interval(pairs: list[tuple[str, str]]) -> None:
    assume(len({label for pair in pairs for label in pair}) > 1)
    ours = kappa_of(pairs)
    peer = cohen_kappa_score([one for one, _ in pairs], [other for _, other in pairs])
    assert ours.value is not None and ours.low is not None and ours.high is not None
    assert ours.value == pytest.approx(peer, abs=1e-9)
    assert -1 <= ours.low <= ours.value <= ours.high <= 1
    assert ours.n == len(pairs)


@pytest.mark.parametrize(
    ("pairs", "why"),
    [([], "nothing"), ([("direct", "direct")] * 9, "one label throughout")],
    ids=["none", "one_label"],
)
def test_kappa_is_none_where_it_is_not_defined(pairs: list[tuple[str, str]], why: str) -> None:
    found = kappa_of(pairs)
    assert (found.value, found.low, found.high, found.n) == (None, None, None, len(pairs)), why


@pytest.mark.parametrize(("n", "low"), [(4, 0.347), (40, 0.883), (200, 0.975)])
def test_perfect_agreement_is_only_as_sure_as_there_are_items(n: int, low: float) -> None:
    found = kappa_of([(DECISIONS[number % 4], DECISIONS[number % 4]) for number in range(n)])
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(low, abs=1e-3)


def test_the_interval_holds_the_true_kappa_as_often_as_it_says() -> None:
    """A judge that is right on 85% and else draws one of the other three: its kappa is 0.8 in truth."""
    draw = random.Random(7)  # noqa: S311
    held = 0
    for _ in range(200):
        pairs = []
        for _ in range(200):
            gold = draw.choice(DECISIONS)
            others = [one for one in DECISIONS if one != gold]
            pairs.append((gold, gold if draw.random() < 0.85 else draw.choice(others)))
        found = kappa_of(pairs)
        assert found.low is not None and found.high is not None
        held += found.low <= 0.8 <= found.high
    assert 0.91 <= held / 200 <= 0.99


USER = '"$code $tools $conversation $answer"'
DIGEST = "2c86c4e3ca910f450915aca592d08a884b9408c12332e961c271c71f0271a81a"
