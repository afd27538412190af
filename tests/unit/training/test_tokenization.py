"""Rows into tokens: the loss is on the answer alone, and no answer is ever cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from data.rows import Expected, Row
from data.template import load_tokenizer, render_completion, render_prompt
from data.tokens import load_rendering
from jobs.doors import BadInput
from tests.unit.training.conftest import TOOLS, ask, call, make_rows, say, write_rows
from training.tokenization import IGNORED, tokenize_preference_rows, tokenize_sft_rows


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny_model, None)


def test_labels_are_the_answer_and_nothing_else(
    tokenizer: PreTrainedTokenizerBase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    answers = st.one_of(
        st.text(min_size=1, max_size=40).map(say),
        st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3).map(lambda a: call(**a)),
    )

    @given(st.text(min_size=1, max_size=60), answers)
    @settings(max_examples=40, deadline=None)
    def check(question: str, answer: dict[str, Any]) -> None:
        row = {"id": "1", "tools": TOOLS, "messages": [ask(question), answer]}
        path = write_rows(folder / "rows.jsonl", [row])
        tokens = tokenize_sft_rows(path, tokenizer, "hermes", None).dataset[0]
        learnt = [label for label in tokens["labels"] if label != IGNORED]
        start = len(tokens["labels"]) - len(learnt)
        assert tokens["labels"] == [IGNORED] * start + tokens["input_ids"][start:]
        assert learnt[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(learnt) == render_completion(tokenizer, [ask(question)], TOOLS, answer)
        prompt = render_prompt(tokenizer, [ask(question)], TOOLS)
        assert tokens["input_ids"][:start] == tokenizer(prompt, add_special_tokens=False)["input_ids"]

    check()


def test_a_preference_row_shares_its_prompt(
    tokenizer: PreTrainedTokenizerBase, preference_rows: Path
) -> None:
    tokens = tokenize_preference_rows(preference_rows, tokenizer, "hermes", None).dataset
    row = make_rows(1)[0]
    assert tokenizer.decode(tokens[0]["prompt_ids"]) == render_prompt(tokenizer, row["prompt"], TOOLS)
    assert tokenizer.decode(tokens[0]["chosen_ids"]).endswith("</tool_call><|im_end|>")
    assert tokenizer.decode(tokens[0]["rejected_ids"]) == "Which city do you mean?<|im_end|>"


def test_the_report_measures_what_training_counts(
    tiny_model: Path, tokenizer: PreTrainedTokenizerBase, sft_rows: Path, preference_rows: Path
) -> None:
    measure = load_rendering(tiny_model, None, []).measure
    assert measure is not None
    trained = [
        *tokenize_sft_rows(sft_rows, tokenizer, None, None).dataset["length"],
        *tokenize_preference_rows(preference_rows, tokenizer, None, None).dataset["length"],
    ]
    rows = [json.loads(line) for path in (sft_rows, preference_rows) for line in path.open(encoding="utf-8")]
    canonical = [
        Row(
            id=row["id"],
            source="",
            tools=row["tools"],
            messages=tuple(row["messages"]),
            expected=Expected("direct"),
            chosen=tuple(row.get("chosen", ())) or None,
            rejected=tuple(row.get("rejected", ())) or None,
        )
        for row in rows
    ]
    assert [sum(measure.lengths(row)) for row in canonical] == trained


def test_a_row_that_is_too_long_is_left_out_and_counted(
    tokenizer: PreTrainedTokenizerBase, sft_rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = sorted(tokenize_sft_rows(sft_rows, tokenizer, "hermes", None).dataset["length"])
    limit = lengths[len(lengths) // 2]
    rows = tokenize_sft_rows(sft_rows, tokenizer, "hermes", limit)
    assert max(rows.dataset["length"]) == limit
    assert rows.dropped == sum(length > limit for length in lengths) > 0
    assert f"{rows.dropped} of {len(lengths)} rows are longer than {limit} tokens" in capsys.readouterr().out


GOOD = {"id": "a", "tools": TOOLS, "messages": [ask("?"), say("!")]}
BAD_ROWS = [
    ("{", "line 2: not JSON", "a cut line"),
    ("[]", "line 2: a row is a JSON object, found list", "not an object"),
    (json.dumps({"id": "b", "messages": []}), "line 2: not a row as data.prepare writes it", "no messages"),
    (
        json.dumps({**GOOD, "messages": [1, 2]}),
        "line 2, row a: a message is not in the canonical",
        "no message",
    ),
    (json.dumps({"id": "b", "messages": [ask("?"), say("!")]}), "line 2: the row has no 'tools'", "no tools"),
    (json.dumps({**GOOD, "tools": "x"}), "line 2, row a: tools: not JSON", "tools that are no JSON"),
]


@pytest.mark.parametrize(("line", "message", "why"), BAD_ROWS, ids=[row[2] for row in BAD_ROWS])
def test_a_bad_row_is_named_by_file_and_line(
    line: str, message: str, why: str, tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    path = tmp_path / "train_sft.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(BadInput) as error_info:
        tokenize_sft_rows(path, tokenizer, "hermes", None)
    assert str(path) in str(error_info.value)
    assert message in str(error_info.value)


def test_a_call_that_does_not_survive_its_format_stops_the_run(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    row = {"id": "a", "tools": TOOLS, "messages": [ask("?"), call(city="Oslo")]}
    path = write_rows(tmp_path / "train_sft.jsonl", [row])
    with pytest.raises(BadInput, match=r"does not survive.*toolcall_tag(.|\n)*answer: (.|\n)*rendered: "):
        tokenize_sft_rows(path, tokenizer, "toolcall_tag", None)
    with pytest.raises(BadInput, match="tool_call_format 'herms' is unknown; known are hermes"):
        tokenize_sft_rows(path, tokenizer, "herms", None)


def test_no_rows_left_is_an_error(tokenizer: PreTrainedTokenizerBase, sft_rows: Path) -> None:
    with pytest.raises(BadInput, match=r"no row to train on \(24 are longer than max_length 3\)"):
        tokenize_sft_rows(sft_rows, tokenizer, "hermes", 3)
