"""How fast the grader is: `python -m bench.grader [--json] [--rounds N]`.

Three measurements, in CPU seconds of this machine:

- Rows a second, held against BFCL's own `ast_checker` over every AST row of BFCL v4. Each side starts from
  texts as they lie in files (the tools, the accepted answers, the model's output), decodes what it needs of
  them, and gives its verdict; ours gives a reason, parts and counts besides. The sides take turns in ABBA
  order, and every verdict is compared. Shown apart: right answers, which the ratio is of; wrong ones, which
  the peer leaves at the first fault and ours weighs in full; Java and JavaScript, whose values are literals
  that have to be read.
- What importing the grader costs over the bare interpreter, and how large its function's files are.
- One call of ScorePredictions on 3,652 predictions, the size of When2Call's test, in a fresh interpreter with
  S3 in memory: from its imports to the scores written.
"""

from __future__ import annotations

import gc
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from bench.bfcl import AST_CATEGORIES, LANGUAGES, BfclRow, NamedCall, language_of, load_ast_checker, load_rows
from evaluation.toolcalls import parse_completion, score_completion
from evaluation.toolcalls.values import BFCL_RULES
from infra.pipeline_functions import SCORE_FILES
from jobs.doors import BadInput, DoorParser, run_door

ROOT = Path(__file__).resolve().parent.parent
FORMAT = "hermes"
RIGHT = "right answers"
WHEN2CALL_ROWS = 3_652
IMPORTS_TIMED = 20
IMPORT = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import evaluation.toolcalls"
# The client answers from memory, so that only what runs in the function is measured, boto3's import included.
SCORE_IN_FUNCTION = """
import io, json, sys, time
sys.path.insert(0, sys.argv[1])
rows, predictions = (open(path, "rb").read() for path in sys.argv[2:4])
started = time.process_time()
import boto3
from lambdas.score_predictions import handler
files = {"data/suites/own.jsonl": rows, "predictions/own.jsonl": predictions}
class Body(io.BytesIO):
    def iter_lines(self):
        return iter(self.read().splitlines())
class Client:
    def get_paginator(self, name):
        return self
    def paginate(self, Bucket, Prefix):
        return [{"Contents": [{"Key": key, "LastModified": 0} for key in files if key.startswith(Prefix)]}]
    def get_object(self, Bucket, Key):
        return {"Body": Body(files[Key])}
    def put_object(self, Bucket, Key, Body, ContentType):
        files[Key] = Body
boto3.client = lambda name: Client()
event = {"variant": "sft", "data_uri": "s3://b/data/", "predictions_uri": "s3://b/predictions/",
         "scores_uri": "s3://b/scores/"}
answer = handler(event, None)
used = time.process_time() - started
print(json.dumps({"cpu_s": used, "scored": answer["suites"]["own"]["scored"]}))
"""


class Question(NamedTuple):
    """A row with one output, as the files of either side carry it."""

    category: str
    language: Any
    functions: str
    truth: str
    output: str
    row: dict[str, Any]
    completion: str


Grade = Callable[[Question], bool]


@dataclass(frozen=True)
class Comparison:
    """Rows a CPU second of either side. `ratio`: the median over the rounds, all of which are in `ratios`."""

    rows: int
    ours_cpu_s: float
    peer_cpu_s: float
    ours_rows_per_cpu_s: int
    peer_rows_per_cpu_s: int
    ratio: float
    ratios: Sequence[float]


@dataclass(frozen=True)
class Measurement:
    """`ratio` and the CPU seconds are those of right answers.

    `max_abs_diff`: the share of rows whose verdicts differ. No model runs here: `tokens` and `flops` are 0.
    """

    ours_cpu_s: float
    peer_cpu_s: float
    ratio: float
    max_abs_diff: float
    comparisons: Mapping[str, Comparison]
    import_ms: float
    function_cpu_s: float
    function_predictions: int
    asset_kb: float
    asset_zip_kb: float
    tokens: int = 0
    flops: int = 0


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print. Raises BadInput: no round, no BFCL wheel, or verdicts that differ."""
    parser = DoorParser(prog="python -m bench.grader", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="ABBA rounds of each comparison")
    given = parser.parse_args(arguments)
    if given.rounds < 1:
        raise BadInput(f"--rounds is {given.rounds}; give 1 or more")
    measured = measure(given.rounds)
    if measured.max_abs_diff:
        raise BadInput(f"{measured.max_abs_diff:.2%} of the verdicts differ; run python -m bench.parity")
    print(json.dumps(asdict(measured)) if given.json else _as_text(measured))


def measure(rounds: int) -> Measurement:
    """Run the three measurements."""
    sets = questions()
    every = [one for asked in sets.values() for one in asked]
    ours, peer = _ours(), _peer()
    differing = sum(ours(one) != peer(one) for one in every)
    comparisons = {name: compare(ours, peer, asked, rounds) for name, asked in sets.items()}
    in_function, scored = score_in_function(every)
    unzipped, zipped = asset_sizes()
    return Measurement(
        ours_cpu_s=comparisons[RIGHT].ours_cpu_s,
        peer_cpu_s=comparisons[RIGHT].peer_cpu_s,
        ratio=comparisons[RIGHT].ratio,
        max_abs_diff=differing / len(every),
        comparisons=comparisons,
        import_ms=round(import_ms(), 1),
        function_cpu_s=round(in_function, 3),
        function_predictions=scored,
        asset_kb=round(unzipped / 1e3, 1),
        asset_zip_kb=round(zipped / 1e3, 1),
    )


def questions() -> dict[str, list[Question]]:
    """What is compared, by name."""
    asked = {category: [ask(row) for row in load_rows(category)] for category in AST_CATEGORIES}
    spoken = [one for category, rows in asked.items() if category in LANGUAGES for one in rows]
    plain_rows = [one for category, rows in asked.items() if category not in LANGUAGES for one in rows]
    return {
        RIGHT: [right for right, _ in plain_rows],
        "wrong answers": [wrong for _, wrong in plain_rows],
        "Java and JavaScript": [right for right, _ in spoken],
    }


def compare(ours: Grade, peer: Grade, asked: Sequence[Question], rounds: int) -> Comparison:
    """Time both sides over the same questions, in ABBA order."""
    times = [_abba(ours, peer, asked) for _ in range(rounds)]
    ratios = [round(peer_s / ours_s, 3) for ours_s, peer_s in times]
    ours_s, peer_s = (statistics.median(side) for side in zip(*times, strict=True))
    return Comparison(
        rows=len(asked),
        ours_cpu_s=round(ours_s, 4),
        peer_cpu_s=round(peer_s, 4),
        ours_rows_per_cpu_s=round(len(asked) / ours_s),
        peer_rows_per_cpu_s=round(len(asked) / peer_s),
        ratio=statistics.median(ratios),
        ratios=ratios,
    )


def ask(bfcl: BfclRow) -> tuple[Question, Question]:
    """A row with its gold answer, and with the last argument of its last call left out."""
    gold = [
        (name, {key: plain(values[0]) for key, values in arguments.items() if values and values[0] != ""})
        for entry in bfcl.truth or ()
        for name, arguments in entry.items()
    ]
    *others, (name, arguments) = gold
    lacking: list[NamedCall] = [*others, (name, dict(list(arguments.items())[:-1]))]
    return _question(bfcl, gold), _question(bfcl, lacking)


def plain(value: Any) -> Any:
    """The first accepted answer of a value whose objects hold a list of them by key."""
    if isinstance(value, dict):
        return {
            key: plain(values[0]) if isinstance(values, list) and values else values
            for key, values in value.items()
            if not (isinstance(values, list) and values and values[0] == "")
        }
    return [plain(item) for item in value] if isinstance(value, list) else value


def asset_sizes() -> tuple[int, int]:
    """The bytes of the files that ScorePredictions ships, and of a ZIP of them."""
    paths = [path for pattern in SCORE_FILES for path in sorted(ROOT.glob(pattern))]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, path.relative_to(ROOT))
    return sum(path.stat().st_size for path in paths), len(packed.getvalue())


def import_ms() -> float:
    """CPU milliseconds that importing the grader takes over starting the interpreter; the median of pairs."""
    pairs = [_process_cpu_s(IMPORT) - _process_cpu_s("pass") for _ in range(IMPORTS_TIMED)]
    return statistics.median(pairs) * 1e3


def score_in_function(questions: Sequence[Question]) -> tuple[float, int]:
    """Score as many predictions as When2Call has rows; return the CPU seconds and how many were scored."""
    chosen = [questions[number % len(questions)] for number in range(WHEN2CALL_ROWS)]
    rows = [{**one.row, "id": f"row-{number}"} for number, one in enumerate(chosen)]
    predictions = [
        {"id": f"row-{number}", "completion": one.completion, "format": FORMAT}
        for number, one in enumerate(chosen)
    ]
    with tempfile.TemporaryDirectory(prefix="bench-grader-") as folder:
        paths = [_write(Path(folder, name), lines) for name, lines in (("rows", rows), ("said", predictions))]
        command = [sys.executable, "-c", SCORE_IN_FUNCTION, str(ROOT), *paths]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise BadInput(f"ScorePredictions ended with status {done.returncode}; its error stands above")
    answer = json.loads(done.stdout)
    return answer["cpu_s"], answer["scored"]


def _question(bfcl: BfclRow, calls: Sequence[NamedCall]) -> Question:
    said = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls]
    return Question(
        category=bfcl.category,
        language=language_of(bfcl.category),
        functions=json.dumps(bfcl.functions),
        truth=json.dumps(bfcl.truth),
        output=json.dumps([{name: arguments} for name, arguments in calls]),
        row=dict(bfcl.row),
        completion="\n".join(f"<tool_call>\n{one}\n</tool_call>" for one in said),
    )


def _ours() -> Grade:
    def grade(one: Question) -> bool:
        return score_completion(
            parse_completion(one.completion, FORMAT), one.row, rules=BFCL_RULES
        ).is_correct

    return grade


def _peer() -> Grade:
    checker = load_ast_checker()

    def grade(one: Question) -> bool:
        functions, output, truth = map(json.loads, (one.functions, one.output, one.truth))
        try:
            return bool(checker(functions, output, truth, one.language, one.category, "any-model")["valid"])
        # It dies of some outputs, and takes none of them.
        except Exception:
            return False

    return grade


def _abba(ours: Grade, peer: Grade, questions: Sequence[Question]) -> tuple[float, float]:
    spent = {ours: 0.0, peer: 0.0}
    for side in (ours, peer, peer, ours):
        gc.collect()
        # What was read beforehand is not looked through again.
        gc.freeze()
        started = time.process_time()
        for one in questions:
            side(one)
        spent[side] += time.process_time() - started
    return spent[ours] / 2, spent[peer] / 2


def _process_cpu_s(code: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-I", "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write(path: Path, lines: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def _as_text(measured: Measurement) -> str:
    lines = [
        f"{'rows a CPU second, every verdict the same':<42}{'rows':>7}{'ours':>9}{'peer':>9}{'ratio':>8}"
    ]
    for name, one in measured.comparisons.items():
        sides = f"{one.ours_rows_per_cpu_s:>9,}{one.peer_rows_per_cpu_s:>9,}"
        lines.append(f"{name:<42}{one.rows:>7,}{sides}{one.ratio:>8.2f}")
    return "\n".join(
        [
            *lines,
            "",
            f"import of the grader    {measured.import_ms:.1f} ms over the bare interpreter",
            f"ScorePredictions        {measured.function_cpu_s:.2f} s for {measured.function_predictions:,}",
            f"its files               {measured.asset_kb:.0f} kB, {measured.asset_zip_kb:.0f} kB as a ZIP",
        ]
    )


if __name__ == "__main__":
    run_door(main)
