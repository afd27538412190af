"""A judge behind any OpenAI-compatible endpoint: POST {endpoint}/chat/completions.

Retries, exponential backoff and Retry-After are the `openai` package's own:
https://github.com/openai/openai-python#retries
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import openai

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

KEY_VARIABLE = "OPENAI_API_KEY"
# Local servers ask for no key, and the client sends none that is empty.
NO_KEY = "no-key"
# OpenAI's newer models refuse `max_tokens`, and many compatible servers pass over its successor in silence,
# so that a reply would have no end: https://github.com/ggml-org/llama.cpp/issues/13700
OPENAIS_HOSTS = (".openai.com", ".openai.azure.com", ".services.ai.azure.com")


class OpenAIJudge:
    """A judge called `model` at `endpoint`, such as ``https://api.openai.com/v1``.

    The key is OPENAI_API_KEY's, and appears in nothing that is written or raised. Raises BadInput for an
    endpoint that is no URL, and a key that no header can carry.
    """

    def __init__(
        self,
        model: str,
        endpoint: str,
        *,
        max_retries: int = DEFAULT_RETRIES,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        self.model = model
        self._place = _place_of(endpoint)
        self._is_openais = (urlsplit(endpoint).hostname or "").endswith(OPENAIS_HOSTS)
        self._key = _read_key()
        self._client = openai.OpenAI(
            base_url=endpoint, api_key=self._key, max_retries=max_retries, timeout=timeout_seconds
        )

    def ask(self, request: Request) -> Reply:
        """As JudgeClient has it."""
        try:
            answer = self._client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=[
                    {"role": "system", "content": request.system},
                    {"role": "user", "content": request.user},
                ],
                temperature=openai.omit if request.temperature is None else request.temperature,
                **self._bound(request.max_tokens),
            )
        except openai.OpenAIError as error:
            raise self._failure(error) from None
        return self._reply(answer.text)

    def _bound(self, max_tokens: int) -> dict[str, Any]:
        return {"max_completion_tokens" if self._is_openais else "max_tokens": max_tokens}

    def _failure(self, error: openai.OpenAIError) -> BadInput | RequestFailed:
        cause = self._without_key(short(error))
        if isinstance(error, openai.APITimeoutError):
            return RequestFailed(
                f"no reply in {self._client.timeout:g} s, asked {self._client.max_retries + 1} times"
            )
        refusal = self._refusal(error)
        if refusal is not None:
            return BadInput(f"--endpoint {self._place}: {refusal} ({cause})")
        status = f"HTTP {error.status_code}: " if isinstance(error, openai.APIStatusError) else ""
        return RequestFailed(f"{status}{cause}")

    def _refusal(self, error: openai.OpenAIError) -> str | None:
        """Why every other request would fail too, or None."""
        if isinstance(error, openai.APIConnectionError):
            return "cannot be reached; check that it is served there"
        if isinstance(error, openai.AuthenticationError | openai.PermissionDeniedError):
            return f"refuses the key in {KEY_VARIABLE}"
        if isinstance(error, openai.NotFoundError):
            return f"knows no chat completions by --model {self.model}; check both"
        used_up = isinstance(error, openai.APIError) and error.code == "insufficient_quota"
        return "the account's quota is used up" if used_up else None

    def _reply(self, body: str) -> Reply:
        # Read here and not by the library, which takes servers at their word about the shape.
        try:
            answer: Mapping[str, Any] = json.loads(body)
            choice = answer["choices"][0]
            content, finish = choice["message"].get("content"), choice.get("finish_reason")
            served, usage = answer.get("model"), answer.get("usage")
        except (ValueError, RecursionError, KeyError, IndexError, TypeError, AttributeError):
            raise RequestFailed(self._without_key(f"no chat completion came back: {short(body)}")) from None
        if finish == "content_filter":
            raise RequestFailed("the server's content filter withheld the reply")
        return Reply(
            text=self._without_key(content) if isinstance(content, str) else "",
            served_model=served if isinstance(served, str) else None,
            usage=usage_of(usage, "prompt_tokens", "completion_tokens"),
            is_cut_off=finish == "length",
        )

    def _without_key(self, text: str) -> str:
        # Some servers quote the key that they refuse.
        return text if self._key == NO_KEY else text.replace(self._key, "[key]")


def _read_key() -> str:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise BadInput(f"{KEY_VARIABLE}: holds signs that no header can carry; copy the key again")
    return key or NO_KEY


def _place_of(endpoint: str) -> str:
    """The endpoint as it may be shown: without the user, password and query that a URL can hold."""
    try:
        parts = urlsplit(endpoint)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise BadInput("--endpoint: is no URL; give one such as http://localhost:8000/v1")
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path}"
