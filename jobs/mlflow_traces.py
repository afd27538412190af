"""Traces in MLflow: one request each for what the server cannot take in bulk, one for all their spans."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mlflow
from mlflow.entities import (
    AssessmentSource,
    Expectation,
    Feedback,
    Span,
    SpanType,
    TraceInfo,
    TraceLocation,
    TraceState,
)
from mlflow.tracing.client import TracingClient
from mlflow.tracing.constant import (
    TRACE_SCHEMA_VERSION,
    TRACE_SCHEMA_VERSION_KEY,
    SpanAttributeKey,
    TraceMetadataKey,
    TraceTagKey,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from jobs.traces import SPAN_ID_CHARACTERS, TRACE_ID_CHARACTERS, Trace

# The grader: rules, no judge.
SOURCE = AssessmentSource(source_type="CODE", source_id="evaluation.toolcalls")
PREVIEW_CHARACTERS = 1000
THREADS = 4
# MLflow links at most so many traces to a run in one request, and lists at most so many.
LINKS_PER_REQUEST = 100
TRACES_PER_PAGE = 500
NS_PER_MS = 1_000_000


def log_traces(tracking_uri: str, experiment_id: str, parent_run_id: str, traces: Sequence[Trace]) -> None:
    """Log those of `traces` that the parent run does not have yet: each is its own run's and the parent's.

    Raises whatever MLflow raises, as does a server older than 3.4, which takes no spans by itself.
    """
    client = mlflow.MlflowClient(tracking_uri)
    known = _logged_ids(client, experiment_id, parent_run_id)
    fresh = [trace for trace in traces if trace.trace_id not in known]
    now_ms = int(time.time() * 1000)
    # MLflow lists the newest first: so they stand in the order in which they were given.
    infos = [_info(trace, experiment_id, now_ms - number) for number, trace in enumerate(fresh)]
    tracing = TracingClient(tracking_uri)
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(tracing.start_trace, infos))
    spans = [_span(trace, info) for trace, info in zip(fresh, infos, strict=True)]
    tracing.log_spans(experiment_id, spans)
    ids = [trace.trace_id for trace in fresh]
    for start in range(0, len(ids), LINKS_PER_REQUEST):
        client.link_traces_to_run(ids[start : start + LINKS_PER_REQUEST], parent_run_id)


def _logged_ids(client: mlflow.MlflowClient, experiment_id: str, run_id: str) -> set[str]:
    found: set[str] = set()
    token = None
    while True:
        page = client.search_traces(
            locations=[experiment_id],
            run_id=run_id,
            include_spans=False,
            max_results=TRACES_PER_PAGE,
            page_token=token,
        )
        found |= {str(trace.info.trace_id) for trace in page}
        token = page.token
        if not token:
            return found


def _info(trace: Trace, experiment_id: str, time_ms: int) -> TraceInfo:
    return TraceInfo(
        trace_id=trace.trace_id,
        trace_location=TraceLocation.from_experiment_id(experiment_id),
        request_time=time_ms,
        # When and how fast the answer was made is the prediction job's to say.
        execution_duration=0,
        state=TraceState.OK,
        request_preview=_clean(trace.asked)[:PREVIEW_CHARACTERS],
        response_preview=_clean(trace.answered)[:PREVIEW_CHARACTERS],
        trace_metadata={
            TraceMetadataKey.SOURCE_RUN: trace.run_id,
            TRACE_SCHEMA_VERSION_KEY: str(TRACE_SCHEMA_VERSION),
        },
        tags={TraceTagKey.TRACE_NAME: trace.name, **_clean(trace.tags)},
        assessments=_assessments(trace),
    )


def _assessments(trace: Trace) -> list[Feedback | Expectation]:
    expected = [
        Expectation(name=name, value=_clean(value), source=SOURCE, trace_id=trace.trace_id)
        for name, value in trace.expected.items()
    ]
    why = _clean(trace.why) or None
    found = [
        Feedback(name=name, value=_clean(value), source=SOURCE, trace_id=trace.trace_id, rationale=why)
        for name, value in trace.found.items()
    ]
    return [*expected, *found]


def _span(trace: Trace, info: TraceInfo) -> Span:
    trace_id = int(trace.digest[:TRACE_ID_CHARACTERS], 16)
    span_id = int(trace.digest[-SPAN_ID_CHARACTERS:], 16)
    attributes = {
        SpanAttributeKey.REQUEST_ID: trace.trace_id,
        SpanAttributeKey.SPAN_TYPE: SpanType.CHAT_MODEL,
        SpanAttributeKey.INPUTS: trace.inputs,
        SpanAttributeKey.OUTPUTS: trace.outputs,
        **trace.tags,
    }
    return Span(
        ReadableSpan(
            name=trace.name,
            context=SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(1)),
            start_time=info.request_time * NS_PER_MS,
            end_time=info.request_time * NS_PER_MS,
            attributes={name: json.dumps(_clean(value)) for name, value in attributes.items()},
            status=Status(StatusCode.OK),
            # Left out, the SDK would look for one on this machine.
            resource=Resource.get_empty(),
        )
    )


def _clean(value: Any) -> Any:
    """JSON without unpaired surrogates, which a model may write and no database takes."""
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
