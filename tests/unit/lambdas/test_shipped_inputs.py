"""What ships together fits together: examples, recipes, settings, prices, SageMaker's instance types."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from infra.pipeline_functions import _recipes
from infra.settings import STAGES, read_settings
from lambdas.costs import read_prices
from lambdas.inputs import SUITES, VARIANTS, Defaults
from lambdas.plan_run import Environment, plan_run

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("tune-*.json"))
RECIPES = _recipes(ROOT)
PRICES = read_prices(ROOT / "lambdas" / "prices.json", {}, datetime.date(2026, 11, 22))
_SHAPE: Any = (
    botocore.session.get_session()
    .get_service_model("sagemaker")
    .operation_model("CreateTrainingJob")
    .input_shape
)
KNOWN_TYPES = set(_SHAPE.members["ResourceConfig"].members["InstanceType"].enum)


def _environment(stage: str) -> Environment:
    settings = read_settings({**json.loads((ROOT / "cdk.json").read_text())["context"], "stage": stage})
    defaults = Defaults(
        base_model=settings.base_model,
        recipe=settings.recipe,
        instances={kind: list(types) for kind, types in settings.instances.items()},
        max_runtime_minutes=settings.max_runtime_minutes,
        use_spot=settings.use_spot,
        budget_usd=settings.budget_usd,
    )
    return Environment("bucket", defaults, RECIPES, PRICES)


def test_there_are_examples_and_recipes() -> None:
    assert EXAMPLES
    for stage in ("sft", "dpo"):
        folder = ROOT / "training" / "recipes" / stage
        assert RECIPES[stage] == sorted(path.stem for path in folder.glob("*.yaml"))
        assert RECIPES[stage]


def test_the_examples_name_every_variant_and_every_suite() -> None:
    given = [json.loads(path.read_text()) for path in EXAMPLES]
    assert {name for one in given for name in one.get("variants", ())} == set(VARIANTS)
    assert {name for one in given for name in one.get("suites", ())} == set(SUITES)


FIELDS = [
    ("few_shot_prompt: training/few_shot/a.yaml", True, "named"),
    ("few_shot_prompt:  'a.yaml'  # ours", True, "in quotes"),
    ("few_shot_prompt:", False, "left empty"),
    ("few_shot_prompt: null", False, "null"),
    ("few_shot_prompt: ~", False, "YAML's other null"),
    ("few_shot_prompt: # none", False, "a remark alone"),
    ("# few_shot_prompt: a.yaml", False, "commented out"),
    ("", False, "not there"),
]


@pytest.mark.parametrize(("line", "expected", "reason"), FIELDS, ids=[row[2] for row in FIELDS])
def test_synthesis_finds_the_recipes_with_a_few_shot_prompt_as_yaml_does(
    tmp_path: Path, line: str, expected: bool, reason: str
) -> None:
    for stage in ("sft", "dpo"):
        folder = tmp_path / "training" / "recipes" / stage
        folder.mkdir(parents=True)
        (folder / "one.yaml").write_text(f"method: full\n{line}\nseed: 0\n")
    named = yaml.safe_load((folder / "one.yaml").read_text()).get("few_shot_prompt")
    assert (named is not None) is expected, reason
    assert _recipes(tmp_path) == {"sft": ["one"], "dpo": ["one"], "few_shot": ["one"] if expected else []}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("example", [None, *EXAMPLES], ids=lambda path: path.stem if path else "defaults")
def test_an_example_can_be_planned_and_priced_in_every_stage(example: Path | None, stage: str) -> None:
    given = json.loads(example.read_text()) if example else {"dataset": "nvidia/When2Call"}
    plan = plan_run("n", "arn:n", given, _environment(stage), lambda *_: True)
    types = {name for preferred in plan["input"]["instances"].values() for name in preferred}
    assert types <= KNOWN_TYPES
    assert types <= PRICES.usd_per_hour.keys(), "a price for each, or budget_usd cannot be used"
    assert plan["cost"]["at_most_usd"] > 0


def test_prices_are_for_types_that_exist_and_carry_their_source() -> None:
    table = json.loads((ROOT / "lambdas" / "prices.json").read_text())
    assert set(table["usd_per_hour"]) <= KNOWN_TYPES
    assert table["source"].endswith("https://aws.amazon.com/sagemaker/pricing/")
