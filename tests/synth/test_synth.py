"""Synthesis is pure, offline, and ships exactly what it names; the scanners have nothing to say."""

from __future__ import annotations

import filecmp
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.synth.conftest import CODE_FOLDERS, ROOT, Synthesis, Synthesize

NO_NETWORK = ("unshare", "--map-root-user", "--net")


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_the_same_settings_give_the_same_assembly_without_a_network(
    dev: Synthesis, synthesize: Synthesize, tmp_path: Path
) -> None:
    isolated = subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    again = synthesize(prefix=NO_NETWORK if isolated else (), cwd=tmp_path)
    assert again.returncode == 0, again.output
    names = [n for n in _files(dev.assembly) if n != "validation-report.json"]
    assert names == [n for n in _files(again.assembly) if n != "validation-report.json"]
    _, different, unreadable = filecmp.cmpfiles(dev.assembly, again.assembly, names, shallow=False)
    assert (different, unreadable) == ([], [])
    if not isolated:
        pytest.skip("equal, but this machine cannot take the network away (unshare --net)")


def test_an_unknown_setting_ends_synthesis_with_its_name(synthesize: Synthesize) -> None:
    wrong = synthesize('{"mlflow_server_siez": "Small"}')
    assert wrong.returncode != 0
    last = wrong.output.strip().splitlines()[-1]
    assert last.startswith("ERROR InvalidSettings: mlflow_server_siez")
    assert "mlflow_server_size" in last
    assert "Traceback" not in wrong.output


def test_the_embedded_aws_alone_is_said_to_bill_nothing(dev: Synthesis, local: Synthesis) -> None:
    assert [_billed(one) for one in (dev, local)] == [["true"], ["false"]]


def _billed(synthesis: Synthesis) -> list[str]:
    """Return what the functions are told about the bill, of those that are told."""
    (template,) = synthesis.assembly.glob("*-Pipelines.template.json")
    resources = json.loads(template.read_text(encoding="utf-8"))["Resources"].values()
    functions = (one["Properties"] for one in resources if one["Type"] == "AWS::Lambda::Function")
    told = (one.get("Environment", {}).get("Variables", {}) for one in functions)
    return [variables["BILLED"] for variables in told if "BILLED" in variables]


def _asset_folders(assembly: Path) -> dict[str, Path]:
    """Return the asset folders by what lies at their top: the job code, or the function's module."""
    found = {}
    for folder in assembly.glob("asset.*"):
        modules = {p.stem for p in (folder / "lambdas").glob("*.py")} & {
            "plan_run",
            "check_quotas",
            "score_predictions",
            "check_gate",
            "count_costs",
        }
        found[modules.pop() if modules else "job_code"] = folder
    return found


def _with_ending(root: Path, folders: tuple[str, ...], endings: tuple[str, ...]) -> Iterator[str]:
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.suffix in endings:
                yield str(path.relative_to(root))


def test_the_job_code_is_exactly_the_allow_list(dev: Synthesis, root: Path) -> None:
    expected = sorted(
        [
            *_with_ending(root, CODE_FOLDERS, (".py", ".yaml", ".jinja")),
            *_with_ending(root, ("evaluation",), (".css", ".js")),
            "training/requirements.txt",
        ]
    )
    staged = _files(_asset_folders(dev.assembly)["job_code"])
    assert staged == expected
    for needed in ("training/sft.py", "training/dpo.py", "data/prepare.py", "evaluation/predict.py"):
        assert needed in staged


RULE_FILES = ("__init__.py", "fields.py", "gate_rules.py", "gate_input.py")
FUNCTION_FILES = {
    "plan_run": {
        *RULE_FILES,
        *("plan_run.py", "plan_size.py", "run_jobs.py", "inputs.py", "costs.py", "prices.json"),
    },
    "check_quotas": {"__init__.py", "check_quotas.py", "costs.py"},
    "score_predictions": {"__init__.py", "score_predictions.py"},
    "check_gate": {*RULE_FILES, "check_gate.py", "gate.py", "gate_evidence.py", "gate_words.py"},
    "count_costs": {"__init__.py", "count_costs.py", "billing.py", "costs.py"},
}


NOT_TO_SCORE = re.compile(r"toolcalls/(detection|lenient|metrics|rewards)/")


@pytest.mark.parametrize("module", FUNCTION_FILES)
def test_a_function_ships_exactly_its_files_and_imports_alone(
    dev: Synthesis, root: Path, module: str
) -> None:
    folder = _asset_folders(dev.assembly)[module]
    expected = {f"lambdas/{name}" for name in FUNCTION_FILES[module]}
    if module == "score_predictions":
        grader = set(_with_ending(root, ("evaluation/toolcalls",), (".py",)))
        expected |= {"evaluation/__init__.py", *(path for path in grader if not NOT_TO_SCORE.search(path))}
        assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 210_000
    assert set(_files(folder)) == expected
    code = (
        f"import sys; sys.path.insert(0, {str(folder)!r}); import lambdas.{module} as m; print(m.handler, m)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(folder) in done.stdout


def _reports(synthesis: Synthesis) -> Iterator[dict[str, Any]]:
    report = json.loads((synthesis.assembly / "validation-report.json").read_text())
    yield from report["pluginReports"]


@pytest.mark.parametrize("stage", ["local", "dev", "prod"])
def test_security_checks_pass_and_each_acknowledgement_is_one_finding_with_its_reason(
    stage: str, request: pytest.FixtureRequest
) -> None:
    synthesis: Synthesis = request.getfixturevalue(stage)
    (report,) = [r for r in _reports(synthesis) if r["pluginName"] == "AwsSolutions"]
    assert report["violations"] == []
    suppressed = report["suppressedViolations"]
    assert suppressed, "the checks saw the wildcards that are acknowledged"
    for violation in suppressed:
        assert violation["acknowledgedId"] == f"AwsSolutions::{violation['ruleName']}"
        assert len(violation["reason"]) > 20
        if violation["ruleName"].startswith("AwsSolutions-IAM"):
            assert "[" in violation["ruleName"], "a wildcard is acknowledged by name, never all at once"


def test_no_acknowledgement_outlives_its_finding(dev: Synthesis) -> None:
    (report,) = _reports(dev)
    used = {(v["acknowledgedAt"], v["acknowledgedId"]) for v in report["suppressedViolations"]}
    written = set()
    for path in dev.assembly.glob("*.metadata.json"):
        for construct, entries in json.loads(path.read_text()).items():
            for entry in entries:
                if entry["type"] == "aws:cdk:acknowledged-rules":
                    written |= {(construct.strip("/"), finding) for finding in entry["data"]}
    assert written == used


def test_cfn_lint_is_clean(dev: Synthesis, prod: Synthesis, local: Synthesis) -> None:
    templates = [str(t) for s in (dev, prod, local) for t in sorted(s.assembly.glob("*.template.json"))]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "-t", *templates],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_in_the_app_runs_outside_cloudformation(dev: Synthesis) -> None:
    types = set()
    for path in dev.assembly.glob("*.template.json"):
        types |= {r["Type"] for r in json.loads(path.read_text())["Resources"].values()}
    assert not [t for t in types if t.startswith("Custom::") or t == "AWS::CloudFormation::CustomResource"]
    assert json.loads(next(dev.assembly.glob("*Pipelines.assets.json")).read_text())["dockerImages"] == {}


def test_the_cdk_cli_synthesizes_the_same(dev: Synthesis, root: Path, tmp_path: Path) -> None:
    cli = ROOT / "node_modules" / "aws-cdk" / "bin" / "cdk"
    node = Path(sys.executable).with_name("node")
    if not cli.exists() or not node.exists():
        pytest.skip("node_modules is missing: npm ci")
    done = subprocess.run(
        [
            *(str(node), str(cli), "synth", "--quiet", "--no-validation"),
            *("--output", str(tmp_path / "out"), "--app", f"{sys.executable} app.py"),
        ],
        cwd=root,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for template in dev.assembly.glob("*.template.json"):
        ours, theirs = (json.loads(p.read_text()) for p in (template, tmp_path / "out" / template.name))
        assert _without_metadata(ours) == _without_metadata(theirs)
    shutil.rmtree(tmp_path / "out")


def _without_metadata(template: dict[str, Any]) -> dict[str, Any]:
    resources = {
        name: {key: value for key, value in resource.items() if key != "Metadata"}
        for name, resource in template["Resources"].items()
    }
    return {**template, "Resources": resources}
