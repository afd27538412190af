"""SageMaker training jobs of the embedded AWS: one thread and one process a job, in SageMaker's life cycle.

Status, channels, artifacts, limits and final metrics follow
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
"""

from __future__ import annotations

import datetime
import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from infra.local.container import ContainerSpec, start_container, stop_container, write_input_config
from infra.local.job_log import failure_reason, metric_patterns, read_metrics
from infra.local.objects import ACCOUNT, NoSuchObjects, download_prefix, upload_directory
from infra.local.slots import Slots

FINISHED = frozenset({"Completed", "Failed", "Stopped"})
_FAILURE_CHARACTERS = 1024


def utcnow() -> datetime.datetime:
    """The time as boto3 returns it."""
    return datetime.datetime.now(tz=datetime.UTC)


class TrainingJob:
    """One training job: what was asked for and where it stands.

    moto's own lists and descriptions read `response_object`, which is DescribeTrainingJob's answer.
    """

    def __init__(self, request: dict[str, Any], region: str) -> None:
        self.request = request
        self.name: str = request["TrainingJobName"]
        self.arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:training-job/{self.name}"
        self.region = region
        self.status = "InProgress"
        self.secondary_status = "Pending"
        self.failure_reason: str | None = None
        self.creation_time = utcnow()
        self.training_start_time: datetime.datetime | None = None
        self.training_end_time: datetime.datetime | None = None
        self.metrics: dict[str, float] = {}
        self.stop_requested = threading.Event()
        self.transitions: list[dict[str, Any]] = []

    @property
    def max_runtime_seconds(self) -> int:
        """How long it may run before it is stopped."""
        return int(self.request["StoppingCondition"]["MaxRuntimeInSeconds"])

    @property
    def output_uri(self) -> str:
        """`S3OutputPath/<job>/output`, under which SageMaker lays what a job leaves."""
        return f"{self.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self.name}/output"

    @property
    def response_object(self) -> dict[str, Any]:
        """DescribeTrainingJob's answer."""
        answer = {
            **{key: value for key, value in self.request.items() if key != "Tags"},
            "TrainingJobArn": self.arn,
            "TrainingJobStatus": self.status,
            "SecondaryStatus": self.secondary_status,
            "SecondaryStatusTransitions": self.transitions,
            "CreationTime": self.creation_time,
            "LastModifiedTime": self.transitions[-1]["StartTime"] if self.transitions else self.creation_time,
            "TrainingStartTime": self.training_start_time,
            "TrainingEndTime": self.training_end_time,
            "FailureReason": self.failure_reason,
            "ModelArtifacts": {"S3ModelArtifacts": f"{self.output_uri}/model/"},
            "FinalMetricDataList": [
                {"MetricName": name, "Value": value, "Timestamp": utcnow()}
                for name, value in self.metrics.items()
            ],
        }
        if self.training_start_time and self.training_end_time:
            seconds = (self.training_end_time - self.training_start_time).total_seconds()
            answer["TrainingTimeInSeconds"] = answer["BillableTimeInSeconds"] = max(1, round(seconds))
        return {key: value for key, value in answer.items() if value is not None}

    def move_to(self, secondary_status: str, message: str) -> None:
        """Enter the next step of the life cycle."""
        now = utcnow()
        if self.transitions:
            self.transitions[-1]["EndTime"] = now
        self.transitions.append({"Status": secondary_status, "StartTime": now, "StatusMessage": message})
        self.secondary_status = secondary_status

    def end(self, status: str, secondary_status: str, message: str, reason: str | None = None) -> None:
        """Enter a final state; `reason` becomes FailureReason."""
        self.failure_reason = reason[:_FAILURE_CHARACTERS] if reason else None
        self.training_end_time = utcnow()
        self.move_to(secondary_status, message)
        self.status = status


class TrainingJobs:
    """All training jobs of one engine; at most `slots` run at once, the rest wait as Pending."""

    def __init__(
        self,
        folder: Path,
        scratch: Path,
        endpoint_url: str,
        *,
        slots: int,
        threads: int,
        grace_seconds: float,
    ) -> None:
        self.folder = folder
        self._scratch = scratch
        self._endpoint_url = endpoint_url
        self._slots = Slots(slots)
        self._threads = threads
        self._grace_seconds = grace_seconds
        self._closing = threading.Event()
        self._workers: list[threading.Thread] = []
        self._busy_lock = threading.Lock()
        self._running = 0
        self._busy_since = 0.0
        self._busy_seconds = 0.0
        self.jobs: dict[str, TrainingJob] = {}

    def create(self, request: dict[str, Any], region: str) -> TrainingJob:
        """Register a job and start its life; raises KeyError where the name is taken."""
        job = TrainingJob(request, region)
        if job.name in self.jobs:
            raise KeyError(job.name)
        self.jobs[job.name] = job
        worker = threading.Thread(target=self._live, args=(job,), name=f"job-{job.name}", daemon=True)
        self._workers.append(worker)
        worker.start()
        return job

    def stop(self, name: str) -> None:
        """StopTrainingJob: the process tree gets SIGTERM, then SIGKILL."""
        job = self.jobs[name]
        if job.status not in FINISHED:
            job.status = "Stopping"
        job.stop_requested.set()

    def close(self) -> None:
        """Kill whatever runs and wait until nothing does."""
        self._closing.set()
        for job in self.jobs.values():
            job.stop_requested.set()
        for worker in self._workers:
            worker.join()

    def _live(self, job: TrainingJob) -> None:
        folder = self.folder / job.name
        folder.mkdir(parents=True, exist_ok=True)
        ml = Path(tempfile.mkdtemp(prefix="ml-", dir=self._scratch))
        try:
            job.move_to("Pending", "Waiting for a free slot on this machine")
            if not self._slots.take(job.max_runtime_seconds, job.stop_requested):
                job.end("Stopped", "Stopped", "Stopped before it started")
                return
            try:
                self._run(job, ml, folder)
            finally:
                self._slots.release()
        except NoSuchObjects as error:
            job.end("Failed", "Failed", "Failed", f"ClientError: Data download failed: {error}")
        except Exception as error:
            job.end("Failed", "Failed", "Failed", f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(ml, ignore_errors=True)
            description = json.dumps(job.response_object, indent=2, default=str)
            (folder / "status.json").write_text(description + "\n")

    def _run(self, job: TrainingJob, ml: Path, folder: Path) -> None:
        spec = self._container_spec(job, ml)
        write_input_config(spec)
        job.move_to("Downloading", "Downloading the training data")
        job.training_start_time = utcnow()
        for channel in spec.channels:
            uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download_prefix(uri, ml / "input/data" / channel["ChannelName"], self._scratch / "objects")
        checkpoints = job.request.get("CheckpointConfig", {}).get("S3Uri")
        if checkpoints:
            self._restore_checkpoints(checkpoints, ml)
        job.move_to("Training", "Training image download completed. Training in progress.")
        with (folder / "log").open("wb") as log:
            self._processes_alive(+1)
            try:
                outcome = self._watch(job, spec, folder / "log", log)
            finally:
                self._processes_alive(-1)
        if checkpoints:
            upload_directory(ml / "checkpoints", checkpoints)
        self._finish(job, ml, outcome, folder / "log")

    def _container_spec(self, job: TrainingJob, ml: Path) -> ContainerSpec:
        algorithm = job.request["AlgorithmSpecification"]
        entrypoint = algorithm.get("ContainerEntrypoint")
        if not entrypoint:
            raise NoSuchObjects(
                "the embedded AWS runs jobs with a ContainerEntrypoint only; it pulls no image"
            )
        return ContainerSpec(
            name=job.name,
            ml=ml,
            command=(*entrypoint, *algorithm.get("ContainerArguments", ())),
            environment=job.request.get("Environment", {}),
            hyperparameters=job.request.get("HyperParameters", {}),
            channels=tuple(job.request.get("InputDataConfig", ())),
            instance_type=job.request["ResourceConfig"].get("InstanceType", "ml.local"),
            threads=self._threads,
            endpoint_url=self._endpoint_url,
            region=job.region,
        )

    @staticmethod
    def _restore_checkpoints(uri: str, ml: Path) -> None:
        try:
            download_prefix(uri.rstrip("/") + "/", ml / "checkpoints")
        except NoSuchObjects:
            return

    def _processes_alive(self, change: int) -> None:
        with self._busy_lock:
            if self._running == 0:
                self._busy_since = time.monotonic()
            self._running += change
            if self._running == 0:
                self._busy_seconds += time.monotonic() - self._busy_since

    @property
    def busy_seconds(self) -> float:
        """The time so far in which at least one job process was alive."""
        with self._busy_lock:
            alive = time.monotonic() - self._busy_since if self._running else 0.0
            return self._busy_seconds + alive

    def _watch(self, job: TrainingJob, spec: ContainerSpec, log_path: Path, log: Any) -> int | str:
        """Run the container; the exit code, or why it was stopped."""
        limit = job.max_runtime_seconds
        patterns = metric_patterns(job.request["AlgorithmSpecification"])
        process = start_container(spec, log)
        started = time.monotonic()
        offset = 0
        while True:
            finished = process.poll() is not None
            offset = read_metrics(log_path, offset, patterns, job.metrics)
            if finished:
                return process.returncode
            if job.stop_requested.is_set():
                stop_container(process, 0 if self._closing.is_set() else self._grace_seconds)
                return "Stopped"
            if time.monotonic() - started > limit:
                job.move_to("Stopping", "The job ran longer than MaxRuntimeInSeconds")
                stop_container(process, self._grace_seconds)
                return "MaxRuntimeExceeded"
            job.stop_requested.wait(0.2)

    def _finish(self, job: TrainingJob, ml: Path, outcome: int | str, log_path: Path) -> None:
        if self._closing.is_set():
            job.end("Stopped", "Stopped", "The embedded AWS was stopped")
            return
        job.move_to("Uploading", "Uploading generated training model")
        upload_directory(ml / "output" / "data", f"{job.output_uri}/data")
        if outcome == 0 or isinstance(outcome, str):
            upload_directory(ml / "model", f"{job.output_uri}/model")
        if outcome == 0:
            job.end("Completed", "Completed", "Training job completed")
        elif isinstance(outcome, str):
            job.end("Stopped", outcome, f"Training job stopped: {outcome}")
        else:
            job.end("Failed", "Failed", "Training job failed", failure_reason(ml, outcome, log_path))
