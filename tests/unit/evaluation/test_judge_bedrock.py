"""The client of Bedrock's Converse: botocore checks the shapes, a server on this machine throttles."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore import exceptions
from botocore.stub import Stubber

from evaluation.judge import Reply, Request, RequestFailed
from evaluation.judge.bedrock_client import BedrockJudge
from jobs.doors import BadInput
from tests.unit.evaluation.test_judge_openai import Answer, serve

MODEL = "eu.amazon.nova-pro-v1:0"
REQUEST = Request("Sort.", "This answer.", 0.0, 1024)
SENT = {
    "modelId": MODEL,
    "system": [{"text": "Sort."}],
    "messages": [{"role": "user", "content": [{"text": "This answer."}]}],
    "inferenceConfig": {"temperature": 0.0, "maxTokens": 1024},
}


def converse(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """Converse's response, as its API reference has it."""
    return {
        "output": {"message": {"role": "assistant", "content": list(blocks)}},
        "stopReason": stop,
        "usage": {"inputTokens": 100, "outputTokens": 7, "totalTokens": 107},
        "metrics": {"latencyMs": 5},
    }


@pytest.fixture(autouse=True)
def own_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ENDPOINT_URL", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", "")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere/config")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")


@pytest.fixture
def judge() -> BedrockJudge:
    return BedrockJudge(MODEL, "eu-west-1")


@pytest.mark.parametrize(
    ("response", "reply", "why"),
    [
        (
            converse({"text": "direct"}),
            Reply("direct", None, {"input_tokens": 100, "output_tokens": 7}),
            "plain",
        ),
        (
            converse({"reasoningContent": {"reasoningText": {"text": "tool_call?"}}}, {"text": "direct"}),
            Reply("direct", None, {"input_tokens": 100, "output_tokens": 7}),
            "thoughts are no verdict",
        ),
        (converse(), Reply("", None, {"input_tokens": 100, "output_tokens": 7}), "nothing said"),
        (
            converse({"text": "{"}, stop="max_tokens"),
            Reply("{", None, {"input_tokens": 100, "output_tokens": 7}, is_cut_off=True),
            "out of tokens",
        ),
    ],
    ids=["text", "thoughts", "empty", "cut_off"],
)
def test_a_request_has_converses_shape_and_the_reply_is_read(
    response: dict[str, Any], reply: Reply, why: str, judge: BedrockJudge
) -> None:
    with Stubber(judge._client) as stub:
        stub.add_response("converse", response, SENT)
        assert judge.ask(REQUEST) == reply, why
        stub.assert_no_pending_responses()


def test_a_temperature_that_is_left_to_the_model_is_not_sent(judge: BedrockJudge) -> None:
    with Stubber(judge._client) as stub:
        sent = {**SENT, "inferenceConfig": {"maxTokens": 1024}}
        stub.add_response("converse", converse({"text": "direct"}), sent)
        assert judge.ask(Request("Sort.", "This answer.", None, 1024)).text == "direct"


@pytest.mark.parametrize("stop", ["content_filtered", "guardrail_intervened"])
def test_a_reply_that_bedrock_withholds_fails_that_request(stop: str, judge: BedrockJudge) -> None:
    with Stubber(judge._client) as stub:
        stub.add_response("converse", converse({"text": "Blocked."}, stop=stop), SENT)
        with pytest.raises(RequestFailed, match=f"Bedrock withheld the reply .{stop}."):
            judge.ask(REQUEST)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("AccessDeniedException", "You don't have access to the model", BadInput),
        ("ResourceNotFoundException", "Could not resolve the foundation model", BadInput),
        ("UnrecognizedClientException", "The security token is invalid", BadInput),
        ("ExpiredTokenException", "The security token is expired", BadInput),
        ("ValidationException", "The provided model identifier is invalid.", BadInput),
        ("ValidationException", "Invocation with on-demand throughput isn't supported.", BadInput),
        ("ValidationException", "Input is too long for requested model.", RequestFailed),
        ("ThrottlingException", "Too many requests", RequestFailed),
        ("ModelTimeoutException", "The model took too long", RequestFailed),
        ("InternalServerException", "Try again", RequestFailed),
        ("ServiceUnavailableException", "Try again", RequestFailed),
    ],
)
def test_errors_end_the_run_or_the_request(
    code: str, message: str, error: type[Exception], judge: BedrockJudge
) -> None:
    with Stubber(judge._client) as stub:
        stub.add_client_error("converse", code, message)
        with pytest.raises(error, match=f"{code}.*{message}"):
            judge.ask(REQUEST)


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (exceptions.NoCredentialsError(), BadInput),
        (exceptions.EndpointConnectionError(endpoint_url="https://nowhere"), BadInput),
        (exceptions.ReadTimeoutError(endpoint_url="https://slow"), RequestFailed),
        (exceptions.ConnectionClosedError(endpoint_url="https://gone"), RequestFailed),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_what_never_reaches_bedrock_ends_the_run_or_the_request(
    raised: Exception, error: type[Exception], judge: BedrockJudge, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**given: Any) -> None:
        raise raised

    monkeypatch.setattr(judge._client, "converse", fail)
    with pytest.raises(error):
        judge.ask(REQUEST)


@pytest.mark.parametrize(
    ("throttled", "retries", "passes"), [(2, 2, True), (3, 2, False)], ids=["passes", "gives_up"]
)
def test_throttling_is_met_by_botocores_own_retries(
    throttled: int, retries: int, passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def behave(asked: object, number: int) -> Answer:
        if number < throttled:
            return Answer(429, {"message": "slow down"}, {"x-amzn-ErrorType": "ThrottlingException"})
        return Answer(body=converse({"text": "direct"}))

    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    # After a throttled request the adaptive mode sends one every two seconds, at first.
    monkeypatch.setattr("botocore.retries.bucket.TokenBucket.acquire", lambda *given, **named: True)
    with serve(behave) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.endpoint.removesuffix("/v1"))
        judge = BedrockJudge(MODEL, "eu-west-1", max_retries=retries)
        if passes:
            assert judge.ask(REQUEST).text == "direct"
        else:
            with pytest.raises(RequestFailed, match=r"ThrottlingException.*slow down"):
                judge.ask(REQUEST)
    assert len(server.asked) == retries + 1
    assert server.asked[0].path == "/model/eu.amazon.nova-pro-v1%3A0/converse"


def test_no_region_is_bad_input() -> None:
    with pytest.raises(BadInput, match="--bedrock: You must specify a region"):
        BedrockJudge(MODEL)


def test_the_sessions_own_region_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert BedrockJudge(MODEL)._client.meta.region_name == "eu-central-1"


def test_every_error_of_converse_is_known() -> None:
    """A new error of the service would be a failure of single requests; look whether it is one."""
    model = botocore.session.get_session().get_service_model("bedrock-runtime")
    assert {shape.name for shape in model.operation_model("Converse").error_shapes} == {
        "AccessDeniedException",
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ResourceNotFoundException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "ValidationException",
    }
