"""Run the pipeline on this machine: `python -m infra.local tune …`, `… mlflow` and `… history`.

`tune` synthesizes the CDK app, deploys that template into the embedded AWS, starts the `tune` state machine
through boto3 and follows it. `history` asks the MLflow store of all local runs. Exit codes: 0 succeeded, 1
the execution failed, 2 bad input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any, NoReturn

from infra.local.deploy import Deployment, DeploymentFailed
from infra.local.engine import Engine, running_engine
from infra.local.objects import upload_directory
from infra.local.progress import Progress, clock
from infra.local.quotas import BadQuotas, Quotas
from infra.local.results import fetch_results, read_plan, write_execution
from infra.local.summary import print_costs, print_summary
from infra.local.tracking_server import (
    TrackingServerFailed,
    free_port,
    server_command,
    server_environment,
    tracking_server,
)

_ABORT_SECONDS = 10.0


class BadInput(Exception):
    """Something given on the command line cannot be used."""


class SynthesisFailed(Exception):
    """`python app.py` failed; its output was printed."""


def fail(name: str, cause: str, code: int) -> NoReturn:
    """Print the last line of a failure, on one line, and exit."""
    print(f"ERROR {name}: {' '.join(str(cause).split())}", flush=True)
    raise SystemExit(code)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Fail as every other bad input does."""
        fail("InvalidInput", message, 2)


def parse_arguments() -> argparse.Namespace:
    """The command line; `make local` fills it from its variables."""
    parser = _Parser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of all local runs")
    commands = parser.add_subparsers(dest="command", required=True)
    tune = commands.add_parser("tune", help="run the tune state machine")
    tune.add_argument("--input", type=Path, required=True, help="execution input (JSON)")
    tune.add_argument("--dataset", type=Path, help="directory to use as the data set")
    tune.add_argument("--variants", help="comma-separated subset of the variants")
    tune.add_argument("--limit", type=int, help="at most this many rows of each kind")
    tune.add_argument("--seed", type=int)
    tune.add_argument("--quotas", type=Path, help="JSON object of SageMaker quota names and values")
    tune.add_argument("--models", type=Path, default=Path(".cache/models"), help="folder of base models")
    tune.add_argument(
        "--examples", type=Path, default=Path("examples/rows"), help="the data set named examples"
    )
    commands.add_parser("mlflow", help="serve the MLflow pages of all local runs")
    # No character begins an option: they are evaluation.history's own to read.
    history = commands.add_parser(
        "history", help="runs over time, or two of them compared", add_help=False, prefix_chars="\0"
    )
    history.add_argument("rest", nargs="*", help="what evaluation.history takes")
    return parser.parse_args()


def execution_input(arguments: argparse.Namespace) -> dict[str, Any]:
    """The input file with the command line's changes laid over it; raises BadInput."""
    try:
        document = json.loads(arguments.input.read_text())
    except (OSError, ValueError) as error:
        raise BadInput(f"INPUT={arguments.input}: {error}") from error
    if not isinstance(document, dict):
        raise BadInput(f"INPUT={arguments.input}: expected a JSON object")
    if arguments.dataset:
        document["dataset"] = arguments.dataset.resolve().name
    if arguments.variants:
        document["variants"] = [name.strip() for name in arguments.variants.split(",")]
    if arguments.seed is not None:
        document["seed"] = arguments.seed
    if arguments.limit is not None:
        if arguments.limit < 1:
            raise BadInput(f"LIMIT={arguments.limit}: expected a whole number of at least 1")
        caps = document.get("rows") or {}
        kinds = ("sft", "preference", "test")
        if not isinstance(caps, dict) or not all(isinstance(caps.get(kind, 0), int) for kind in kinds):
            raise BadInput(f"INPUT={arguments.input}: rows: expected whole numbers for {', '.join(kinds)}")
        document["rows"] = {
            **caps,
            **{kind: min(arguments.limit, caps.get(kind) or arguments.limit) for kind in kinds},
        }
    return document


def synthesize(assembly: Path, tracking_uri: str) -> None:
    """Run the CDK app, as `cdk synth` would, with this machine's tracking URI."""
    context = {"stage": "local", "mlflow_tracking_uri": tracking_uri}
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "CDK_OUTDIR": str(assembly.resolve()),
        "CDK_CONTEXT_JSON": json.dumps(context),
        # The validator and cdk-nag belong to `make synth` and the tests; here they would cost ten seconds.
        "CDK_VALIDATION": "false",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    done = subprocess.run(
        [sys.executable, "app.py"], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SynthesisFailed((done.stderr.strip() or done.stdout.strip() or "no output")[-2000:])


def stage_inputs(given: dict[str, Any], arguments: argparse.Namespace, bucket: str) -> None:
    """Put the base model and the data set that the input names by a bare name into the bucket."""
    local = json.loads(Path("cdk.json").read_text())["context"]["local"]
    model = str(given.get("base_model", local["base_model"]))
    if model and "/" not in model and (arguments.models / model).is_dir():
        upload_directory(arguments.models / model, f"s3://{bucket}/models/{model}/")
    dataset = given.get("dataset")
    names = dataset.values() if isinstance(dataset, dict) else [dataset]
    # BFCL's own rows come in a wheel that the jobs install.
    for name in {name for name in names if isinstance(name, str) and "/" not in name} - {"bfcl-eval"}:
        source = arguments.dataset or (arguments.examples if name == "examples" else Path(name))
        if source.is_dir():
            upload_directory(source, f"s3://{bucket}/datasets/{name}/")
        else:
            print(f"        {source} is no directory: no data set was staged", flush=True)


def follow(engine: Engine, region: str, arn: str, progress: Progress) -> dict[str, Any]:
    """Show progress until the execution ends; its description."""
    client = engine.client("stepfunctions", region)
    while True:
        execution: dict[str, Any] = client.describe_execution(executionArn=arn)
        progress.show(engine.history(arn, region))
        if execution["status"] != "RUNNING":
            return execution
        time.sleep(0.5)


def abort(engine: Engine, region: str, arn: str) -> dict[str, Any]:
    """Stop an execution and wait until it says so; its description."""
    client = engine.client("stepfunctions", region)
    client.stop_execution(executionArn=arn, error="Interrupted", cause="The run was stopped by its user")
    deadline = time.monotonic() + _ABORT_SECONDS
    execution: dict[str, Any] = client.describe_execution(executionArn=arn)
    while execution["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.1)
        execution = client.describe_execution(executionArn=arn)
    return execution


def tune(arguments: argparse.Namespace) -> None:
    """Synthesize, deploy, execute, show, stop."""
    given = execution_input(arguments)
    quotas = Quotas.from_file(arguments.quotas)
    run_id = f"tune-{datetime.datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = arguments.runs / run_id
    folder.mkdir(parents=True)
    latest = arguments.runs / "latest"
    latest.unlink(missing_ok=True)
    latest.symlink_to(run_id)
    print(f"Run {run_id}: synthesizing the CDK app, starting MLflow", flush=True)
    with (
        tracking_server(arguments.runs / "mlflow") as server,
        running_engine(folder / "jobs", quotas) as engine,
    ):
        synthesize(folder / "cdk.out", server.url)
        deployment = engine.deploy(folder / "cdk.out")
        bucket = deployment.outputs["BucketName"]
        print(f"Deployed to the embedded AWS at {engine.endpoint_url}. Not emulated there:")
        print(f"  {', '.join(engine.stood_in)} (kept, without effect);")
        print("  IAM conditions, KMS encryption, CloudWatch, X-Ray, instance types, prices.", flush=True)
        stage_inputs(given, arguments, bucket)
        server.wait_until_ready()
        execute(engine, deployment, folder, given)


def execute(engine: Engine, deployment: Deployment, folder: Path, given: dict[str, Any]) -> None:
    """Start the execution that `folder` is named after, follow it, fetch and print what it left."""
    region = deployment.region
    started = time.monotonic()
    arn = engine.client("stepfunctions", region).start_execution(
        stateMachineArn=deployment.outputs["TuneStateMachineArn"], name=folder.name, input=json.dumps(given)
    )["executionArn"]
    try:
        execution = follow(engine, region, arn, Progress(engine.jobs))
    except KeyboardInterrupt:
        write_execution(folder, abort(engine, region, arn), 0.0)
        raise
    seconds = time.monotonic() - started
    orchestration = seconds - engine.jobs.busy_seconds
    write_execution(folder, execution, orchestration)
    fetch_results(deployment.outputs["BucketName"], folder.name, folder)
    if execution["status"] != "SUCCEEDED":
        print_costs(read_plan(folder))
        fail(execution.get("error") or execution["status"], execution.get("cause") or "no cause given", 1)
    print_summary(folder)
    print(f"Took {clock(seconds)}, of which orchestration {orchestration:.1f} s.")
    model = ", model/" if (folder / "model").is_dir() else ""
    print(
        f"Results: {folder}/ (report.html, comparison.json{model}). Open them in MLflow: make mlflow",
        flush=True,
    )


def show_history(store: Path, arguments: list[str]) -> int:
    """Run `evaluation.history` against the store of all local runs; its exit code."""
    _check_store(store)
    with tracking_server(store) as server:
        server.wait_until_ready()
        environment = {**os.environ, "MLFLOW_TRACKING_URI": server.url, "MLFLOW_DISABLE_TELEMETRY": "true"}
        # This server's address ends with the command; `make mlflow` gives the pages another.
        command = [sys.executable, "-m", "evaluation.history", "--pages", "/", *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


def _check_store(store: Path) -> None:
    if not (store / "mlflow.db").is_file():
        raise BadInput("there is no run to show yet; start one with `make local`")


def serve_mlflow(store: Path) -> None:
    """Replace this process by an MLflow server over all local runs."""
    _check_store(store)
    port = free_port()
    print(f"MLflow: http://127.0.0.1:{port}  (Ctrl-C stops it)", flush=True)
    os.execve(sys.executable, server_command(store, port), server_environment())  # noqa: S606


def run_command(arguments: argparse.Namespace) -> None:
    """Do what the command line asks for; SystemExit carries another program's exit code."""
    if arguments.command == "mlflow":
        serve_mlflow(arguments.runs / "mlflow")
    elif arguments.command == "history":
        raise SystemExit(show_history(arguments.runs / "mlflow", arguments.rest))
    else:
        tune(arguments)


def main() -> None:
    """Turn every failure into one last line and an exit code."""
    # A shell starts background commands with SIGINT ignored; here it must stop the run all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = parse_arguments()
    try:
        run_command(arguments)
    except (BadInput, BadQuotas) as error:
        fail("InvalidInput", str(error), 2)
    except (SynthesisFailed, TrackingServerFailed, DeploymentFailed) as error:
        fail(type(error).__name__, str(error), 1)
    except KeyboardInterrupt:
        fail("Interrupted", "the run was stopped; no process was left behind", 130)
    except Exception as error:
        traceback.print_exc()
        fail(type(error).__name__, str(error), 1)


if __name__ == "__main__":
    main()
