"""The functions know the suites by name, since they ship none of their files: both must say the same."""

from __future__ import annotations

from data import suites
from evaluation.suites import SUITES
from evaluation.toolcalls.values import BFCL_RULES, DEFAULT_RULES
from lambdas import inputs
from lambdas.score_predictions import RULES

RULES_BY_NAME = {"default": DEFAULT_RULES, "bfcl": BFCL_RULES}


def test_an_execution_may_name_every_suite_and_no_other() -> None:
    assert list(inputs.SUITES) == list(SUITES)
    assert set(inputs.DEFAULT_SUITES) <= set(SUITES)


def test_bfcls_rows_are_for_the_suite_that_takes_them() -> None:
    assert [name for name, suite in SUITES.items() if suite.rows == "bfcl"] == [inputs.BFCL_SUITE]


def test_each_suite_is_graded_by_the_rules_that_its_file_names() -> None:
    wanted = {name: RULES_BY_NAME[suite.rules] for name, suite in SUITES.items()}
    assert {name: RULES.get(name, DEFAULT_RULES) for name in SUITES} == wanted
    assert set(RULES) <= set(SUITES)
    assert BFCL_RULES != DEFAULT_RULES


def test_a_run_that_names_no_suite_gets_what_a_preparation_writes_unasked() -> None:
    assert inputs.DEFAULT_SUITES == suites.DEFAULT
