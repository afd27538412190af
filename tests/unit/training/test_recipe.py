"""Recipes: every one that ships is read by the real parser, and a wrong one says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from trl import DPOConfig, SFTConfig

from data.recipe_format import DEFAULT_MAX_LENGTH, RECIPES, ROOT
from jobs.doors import BadInput
from training.recipe import build_config, build_lora, load_recipe

SHIPPED = sorted(RECIPES.rglob("*.yaml"))
STAGES = {"sft": SFTConfig, "dpo": DPOConfig}


def test_there_are_recipes_and_each_model_has_both_stages() -> None:
    names = {stage: {path.name for path in SHIPPED if path.parent.name == stage} for stage in STAGES}
    assert len(SHIPPED) >= 8
    assert names["sft"] == names["dpo"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_shipped_recipe_builds(path: Path, tmp_path: Path) -> None:
    stage = path.parent.name
    recipe = load_recipe(path, STAGES[stage])
    config = build_config(recipe, tmp_path)
    lora = build_lora(recipe)
    assert (lora is None) == (recipe.method == "full")
    assert config.save_total_limit >= 2, "with one, a kill while saving leaves no whole checkpoint"
    assert config.max_length
    command = path.read_text(encoding="utf-8").splitlines()[0]
    assert command.startswith(f"# python -m training.{stage} {path.relative_to(ROOT)}")


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    return path


FAULTS = [
    (
        "method: lora\nlerning_rate: 1e-4",
        "'lerning_rate'; the nearest known one is 'learning_rate'",
        "a typo",
    ),
    ("method: lora\nbeta: 0.1", "unknown key 'beta'", "a field of the other stage"),
    ("method: lora\nr: many", "'r': expected int, found 'many'", "a wrong type"),
    ("method: lora\nbf16: 1.5", "'bf16': expected bool or null, found 1.5", "a number for a switch"),
    ("method: lora\nmax_steps: true", "'max_steps': expected int, found True", "true is no number"),
    ("learning_rate: 1e-4", "'method' is absent", "what to train is not guessed"),
    ("method: half", "'method': expected 'lora' or 'full', found 'half'", "a closed list"),
    ("method: full\nr: 8", "r belong to method: lora", "a field that would be ignored"),
    ("method: full\noutput_dir: x", "'output_dir' cannot be set: --out", "the job decides"),
    ("method: full\nassistant_only_loss: true", "the loss is on the completion alone", "the job decides"),
    ("method: full\nchat_template: no.jinja", "there is no such file", "a template that is not there"),
    ("method: full\nfew_shot_prompt: no.yaml", "few_shot_prompt no.yaml: there is no such file", "no prompt"),
    ("method: full\ntools_rendering: short", "expected 'full' or 'compact', found 'short'", "a closed list"),
    ("method: full\ntool_call_format: herms", "'herms' is unknown; known are hermes", "an unknown format"),
    ("method: full\nmax_length: 0", "max_length 0: give a number of tokens", "no row would be left"),
    ("method: full\nlr_scheduler_type: zigzag", "zigzag", "what TRL itself refuses"),
    ("- method", "a recipe is a mapping", "a list"),
    ("method: [", "not YAML", "broken YAML"),
]


@pytest.mark.parametrize(("text", "message", "why"), FAULTS, ids=[row[2] for row in FAULTS])
def test_a_fault_names_the_file_the_key_and_the_remedy(
    text: str, message: str, why: str, tmp_path: Path
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as error_info:
        build_config(load_recipe(path, SFTConfig), tmp_path)
    assert message in str(error_info.value)
    assert str(path) in str(error_info.value)


def test_an_absent_recipe_lists_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"training/recipes/sft/qwen3-1\.7b-lora\.yaml"):
        load_recipe(tmp_path / "absent.yaml", SFTConfig)


OVERRIDES = [
    ({"learning_rate": "1e-4"}, "learning_rate", 1e-4, "YAML reads 1e-4 as text"),
    ({"max_steps": "3"}, "max_steps", 3, "a whole number"),
    ({"num_train_epochs": "3"}, "num_train_epochs", 3.0, "a whole number for a float"),
    ({"packing": "true"}, "packing", True, "a switch"),
    ({"run_name": "7"}, "run_name", "7", "text that looks like a number"),
    ({"model_init_kwargs": "{attn_implementation: sdpa}"}, "model_init_kwargs", None, "a mapping"),
]


@pytest.mark.parametrize(
    ("overrides", "field", "expected", "why"), OVERRIDES, ids=[row[3] for row in OVERRIDES]
)
def test_an_override_takes_the_fields_own_type(
    overrides: dict[str, str], field: str, expected: object, why: str, tmp_path: Path
) -> None:
    recipe = load_recipe(write(tmp_path, "method: full"), SFTConfig, overrides)
    wanted = {"attn_implementation": "sdpa"} if expected is None else expected
    assert recipe.training_fields[field] == wanted
    assert type(recipe.training_fields[field]) is type(wanted)


def test_a_wrong_override_names_its_option(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--lerning_rate: unknown key"):
        load_recipe(write(tmp_path, "method: full"), SFTConfig, {"lerning_rate": "1"})


def test_the_hash_follows_the_fields_and_not_the_file(tmp_path: Path) -> None:
    one = load_recipe(write(tmp_path, "# a comment\nmethod: full\nseed: 1"), SFTConfig)
    two = load_recipe(write(tmp_path, "seed: 1\nmethod: full"), SFTConfig)
    three = load_recipe(write(tmp_path, "seed: 1\nmethod: full"), SFTConfig, {"seed": "2"})
    assert one.hash == two.hash != three.hash


def test_the_few_shot_prompt_is_no_part_of_a_training(tmp_path: Path) -> None:
    """Another prompt must not keep a training from being resumed."""
    plain = load_recipe(write(tmp_path, "method: full"), SFTConfig)
    named = "few_shot_prompt: training/few_shot/when_to_call.yaml"
    prompted = load_recipe(write(tmp_path, f"method: full\n{named}"), SFTConfig)
    assert prompted.format.few_shot_prompt == ROOT / "training" / "few_shot" / "when_to_call.yaml"
    assert plain.format.few_shot_prompt is None
    assert "few_shot_prompt" not in prompted.training_fields
    assert prompted.hash == plain.hash


@pytest.mark.parametrize("config_class", STAGES.values())
def test_a_silent_recipe_has_trls_own_limit(config_class: type, tmp_path: Path) -> None:
    recipe = load_recipe(write(tmp_path, "method: full"), config_class)
    assert build_config(recipe, tmp_path).max_length == recipe.format.max_length == DEFAULT_MAX_LENGTH


def test_an_override_reaches_the_format_of_rows(tmp_path: Path) -> None:
    changed = {"tools_rendering": "compact", "max_length": "99"}
    recipe = load_recipe(write(tmp_path, "method: full\ntools_rendering: full"), SFTConfig, changed)
    assert (recipe.format.tools_rendering, recipe.format.max_length) == ("compact", 99)
    assert recipe.all_fields["tools_rendering"] == "compact"
