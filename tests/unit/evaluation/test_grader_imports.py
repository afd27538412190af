"""The grader starts in milliseconds and touches nothing: standard library only, no I/O."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import evaluation.toolcalls

FOLDER = Path(evaluation.toolcalls.__file__).parent
# Modules that read or write, evaluate, or take long to import.
FORBIDDEN = {
    "os",
    "io",
    "pathlib",
    "subprocess",
    "socket",
    "urllib",
    "pickle",
    "importlib",
    "asyncio",
    "logging",
}


def imported_roots(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {
        alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names
    }
    return plain | {str(node.module).split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


def test_it_imports_the_standard_library_alone_and_nothing_that_does_io() -> None:
    files = list(FOLDER.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        roots = imported_roots(path) - {"evaluation"}
        assert roots <= sys.stdlib_module_names, path.name
        assert not roots & FORBIDDEN, path.name


def test_it_never_evaluates_text() -> None:
    for path in FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "compile", "open", "__import__"}, path.name


def test_importing_it_loads_no_package_of_others() -> None:
    code = "import sys; import evaluation.toolcalls; import json; print(json.dumps(sorted(sys.modules)))"
    root = FOLDER.parent.parent
    answer = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
        capture_output=True,
        check=True,
        text=True,
    )
    loaded = {name.split(".")[0] for name in json.loads(answer.stdout)}
    heavy = {"numpy", "pandas", "torch", "transformers", "boto3", "scipy", "yaml", "asyncio", "socket"}
    # Half the start time of the whole grader, by itself.
    heavy |= {"dataclasses", "inspect"}
    assert not loaded & heavy
