"""A judge in Amazon Bedrock, by the Converse API.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
Retries and the client-side rate limit are botocore's adaptive mode:
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore import exceptions
from botocore.config import Config

from evaluation.judge.clients import (
    DEFAULT_RETRIES,
    DEFAULT_TIMEOUT_SECONDS,
    Reply,
    Request,
    RequestFailed,
    short,
    usage_of,
)
from jobs.doors import BadInput

# What every further request would be answered with too.
_REFUSALS = frozenset(
    (
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "ResourceNotFoundException",
        "UnrecognizedClientException",
    )
)
# Converse says these of a model's name in a ValidationException, which it also raises for a long input.
_FAULTS_OF_NAMES = ("model identifier", "on-demand throughput")
_WITHHELD = frozenset(("content_filtered", "guardrail_intervened"))
_CUT_OFF = frozenset(("max_tokens", "model_context_window_exceeded"))
_UNREACHABLE = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.TokenRetrievalError,
    exceptions.SSOError,
)


class BedrockJudge:
    """A judge by its model id or inference profile; `region` None is the session's own.

    Credentials are found as boto3 finds them. Raises BadInput where no region is known.
    """

    def __init__(
        self,
        model: str,
        region: str | None = None,
        *,
        max_retries: int = DEFAULT_RETRIES,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        connections: int = 10,
    ) -> None:
        self.model = model
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": max_retries + 1},
            read_timeout=timeout_seconds,
            max_pool_connections=connections,
        )
        try:
            self._client = boto3.client("bedrock-runtime", region_name=region, config=config)
        except exceptions.BotoCoreError as error:
            raise BadInput(f"--bedrock: {short(error)}") from error

    def ask(self, request: Request) -> Reply:
        """As JudgeClient has it."""
        limits: dict[str, Any] = {"maxTokens": request.max_tokens}
        if request.temperature is not None:
            limits["temperature"] = request.temperature
        try:
            answer = self._client.converse(
                modelId=self.model,
                system=[{"text": request.system}],
                messages=[{"role": "user", "content": [{"text": request.user}]}],
                inferenceConfig=limits,
            )
        except exceptions.ClientError as error:
            raise self._refusal(error) from error
        except _UNREACHABLE as error:
            raise BadInput(f"--bedrock: {short(error)}") from error
        except exceptions.BotoCoreError as error:
            raise RequestFailed(short(error)) from error
        return _reply(answer)

    def _refusal(self, error: exceptions.ClientError) -> BadInput | RequestFailed:
        code = str(error.response.get("Error", {}).get("Code", ""))
        cause = short(error)
        unknown_name = code == "ValidationException" and any(one in cause for one in _FAULTS_OF_NAMES)
        if code in _REFUSALS or unknown_name:
            return BadInput(f"--bedrock, --model {self.model}: {cause}")
        return RequestFailed(cause)


def _reply(answer: Mapping[str, Any]) -> Reply:
    stop = str(answer.get("stopReason"))
    if stop in _WITHHELD:
        raise RequestFailed(f"Bedrock withheld the reply ({stop})")
    # A model that thinks gives its thoughts as blocks without text.
    blocks = answer.get("output", {}).get("message", {}).get("content", [])
    return Reply(
        text="".join(str(block["text"]) for block in blocks if "text" in block),
        usage=usage_of(answer.get("usage"), "inputTokens", "outputTokens"),
        is_cut_off=stop in _CUT_OFF,
    )
