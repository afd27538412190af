"""What recipes make of a model's tokenizer: lengths, limits by split, and the round trip."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from data.recipe_format import RECIPES, read_format, read_recipe
from data.tokens import load_rendering
from jobs.doors import BadInput

TokenizerOf = Callable[[str], PreTrainedTokenizerFast]
SMOLLM2 = [RECIPES / stage / "smollm2-135m-lora.yaml" for stage in ("sft", "dpo")]
HIDES_TOOLS = "{% for m in messages %}{{ m.content }}{% endfor %}"


def write_recipe(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def model(tokenizer_of: TokenizerOf, tmp_path: Path) -> Path:
    tokenizer_of("qwen3").save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def model_that_hides_tools(tokenizer_of: TokenizerOf, tmp_path: Path) -> Path:
    tokenizer = tokenizer_of("qwen3")
    tokenizer.chat_template = HIDES_TOOLS
    tokenizer.save_pretrained(tmp_path / "hides")
    return tmp_path / "hides"


def test_shipped_recipes_give_a_template_and_limits_by_split(model_that_hides_tools: Path) -> None:
    rendering = load_rendering(model_that_hides_tools, None, SMOLLM2)
    limit = read_format(read_recipe(SMOLLM2[0]), SMOLLM2[0]).max_length
    assert rendering.max_length == {"train_sft": limit, "train_pref": limit}
    assert rendering.measure is not None
    assert rendering.measure.unit == "tokens"
    assert rendering.round_trip is not None
    assert rendering.round_trip.tool_call_format == "hermes"


def test_without_a_recipe_the_models_own_template_is_used(model: Path, model_that_hides_tools: Path) -> None:
    own = load_rendering(model, None, [])
    assert (own.round_trip and own.round_trip.tool_call_format, own.max_length) == ("qwen3", {})
    hiding = load_rendering(model_that_hides_tools, None, [])
    assert (hiding.measure, hiding.round_trip) == (None, None)


def test_a_recipe_for_a_template_that_hides_tools_stops_the_run(
    model_that_hides_tools: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "sft" / "r.yaml", "tool_call_format: hermes")
    with pytest.raises(BadInput, match="leaves the tools out of the prompt"):
        load_rendering(model_that_hides_tools, None, [recipe])


LIMITS = [
    ("sft/r.yaml", "max_length: 7", {"train_sft": 7}, "the stage's folder"),
    ("dpo/r.yaml", "max_length: 7", {"train_pref": 7}, "the other stage's folder"),
    ("mine/r.yaml", "max_length: 7", {"train_sft": 7, "train_pref": 7}, "any other folder"),
    ("sft/r.yaml", "method: full", {"train_sft": 1024}, "TRL's own limit"),
    ("sft/r.yaml", "max_length: null", {"train_sft": None}, "no limit"),
]


@pytest.mark.parametrize(("name", "text", "limits", "why"), LIMITS, ids=[case[3] for case in LIMITS])
def test_a_recipe_limits_the_rows_of_its_stage(
    name: str, text: str, limits: dict[str, int | None], why: str, model: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / name, text)
    assert load_rendering(model, None, [recipe]).max_length == limits


FAULTS = [
    (
        "tool_call_format: hermse",
        "tool_call_format 'hermse' is unknown; known are hermes",
        "an unknown format",
    ),
    ("tools_rendering: short", "tools_rendering 'short': say full or compact", "an unknown rendering"),
    ("tools_rendering: compact", "prints tools in one way only", "the model's own template has no choice"),
    ("chat_template: no.jinja", "no.jinja: there is no such file", "no template"),
    ("max_length: 1.5", "max_length 1.5: give a number of tokens", "half a token"),
    ("max_length: true", "max_length True: give a number of tokens", "a switch"),
    ("- a", "'field: value' lines; found list", "no mapping"),
    ("a: [", "not YAML", "broken"),
]


@pytest.mark.parametrize(("text", "said", "why"), FAULTS, ids=[case[2] for case in FAULTS])
def test_a_recipe_that_cannot_be_used_says_why(
    text: str, said: str, why: str, model: Path, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        load_rendering(model, None, [write_recipe(tmp_path / "sft" / "r.yaml", text)])
    assert said in str(caught.value)


def test_an_absent_recipe_lists_those_there_are(model: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"training/recipes/sft/qwen3-1\.7b-lora\.yaml"):
        load_rendering(model, None, [tmp_path / "none.yaml"])


def test_two_recipes_must_render_alike(model: Path, tmp_path: Path) -> None:
    one = write_recipe(tmp_path / "sft" / "r.yaml", "tool_call_format: qwen3\nmax_length: 9")
    other = write_recipe(tmp_path / "dpo" / "r.yaml", "tool_call_format: hermes\nmax_length: 8")
    with pytest.raises(BadInput, match="render rows differently"):
        load_rendering(model, None, [one, other])
    write_recipe(other, "tool_call_format: qwen3\nmax_length: 8")
    assert load_rendering(model, None, [one, other]).max_length == {"train_sft": 9, "train_pref": 8}
