"""The client of OpenAI-compatible servers, against a server on this machine that misbehaves as planned."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import httpx2
import pytest

from evaluation.judge import Reply, Request, RequestFailed
from evaluation.judge.openai_client import NO_KEY, OpenAIJudge
from jobs.doors import BadInput

KEY = "sk-very-secret-0123"
REQUEST = Request("Sort.", "This answer.", 0.0, 1024)


class Answer(NamedTuple):
    """What the server says to one request; `drops` closes the connection without a word."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}
    drops: bool = False


class Asked(NamedTuple):
    """What the server was asked."""

    path: str
    key: str | None
    body: Mapping[str, Any]

    @property
    def user(self) -> str:
        return str(self.body["messages"][-1]["content"])


class JudgeServer:
    """Answers each request by `behave`, which gets the request and how many came before it."""

    def __init__(self, behave: Callable[[Asked, int], Answer]) -> None:
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # One packet an answer: a second one would wait for the client's delayed acknowledgement.
            wbufsize = 1 << 16

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                asked = Asked(self.path, self.headers["Authorization"], body)
                with server._lock:
                    number = len(server.asked)
                    server.asked.append(asked)
                answer = behave(asked, number)
                if answer.drops:
                    self.close_connection = True
                    return
                content = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
                self.send_response(answer.status)
                for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content.encode())))
                self.end_headers()
                self.wfile.write(content.encode())

            def log_message(self, format: str, *args: Any) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                # A client that stopped waiting is part of the tests.
                return

        self._server = Server(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serve(behave: Callable[[Asked, int], Answer]) -> Iterator[JudgeServer]:
    server = JudgeServer(behave)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def completion(content: object, finish: str = "stop") -> Answer:
    """A chat completion as OpenAI's API reference has it."""
    return Answer(
        body={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "judge-2026-01-01",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": finish,
                }
            ],
            "usage": {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107},
        }
    )


def refusal(status: int, message: str = "no", code: str | None = None, wait: str = "0.01") -> Answer:
    """An error as OpenAI-compatible servers write it, with a short wait for those that are tried again."""
    return Answer(status, {"error": {"message": message, "code": code}}, {"Retry-After": wait})


def judge(server: JudgeServer, **options: Any) -> OpenAIJudge:
    return OpenAIJudge("judge", server.endpoint, **options)


@pytest.fixture(autouse=True)
def own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def test_a_request_holds_the_prompt_and_the_limits_and_the_reply_is_read() -> None:
    with serve(lambda asked, number: completion("direct")) as server:
        reply = judge(server).ask(REQUEST)
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.key == f"Bearer {KEY}"
    assert asked.body == {
        "model": "judge",
        "messages": [
            {"role": "system", "content": "Sort."},
            {"role": "user", "content": "This answer."},
        ],
        "temperature": 0.0,
        "max_tokens": 1024,
    }
    assert reply == Reply("direct", "judge-2026-01-01", {"input_tokens": 100, "output_tokens": 7})


def test_a_temperature_that_is_left_to_the_server_is_not_sent() -> None:
    with serve(lambda asked, number: completion("direct")) as server:
        judge(server).ask(Request("Sort.", "This.", None, 10))
    assert "temperature" not in server.asked[0].body


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("api.openai.com", "max_completion_tokens"),
        ("mine.openai.azure.com", "max_completion_tokens"),
        ("api.openai.com.example", "max_tokens"),
        ("localhost:8000", "max_tokens"),
    ],
)
def test_a_replys_bound_has_the_name_that_the_server_knows(host: str, name: str) -> None:
    sent: list[dict[str, Any]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json=completion("direct").body)

    judge = OpenAIJudge("judge", f"https://{host}/v1")
    judge._client = judge._client.copy(http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))
    judge.ask(REQUEST)
    assert {key for key in sent[0] if key.startswith("max_")} == {name}


def test_a_local_server_without_a_key_gets_a_placeholder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with serve(lambda asked, number: completion("direct")) as server:
        judge(server).ask(REQUEST)
    assert server.asked[0].key == f"Bearer {NO_KEY}"


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        ([refusal(429)], "a rate limit that says how long to wait"),
        ([refusal(429), refusal(429)], "twice"),
        ([refusal(500), refusal(503)], "a server that recovers"),
        ([Answer(drops=True)], "a connection that is lost"),
    ],
    ids=["429", "429_twice", "500", "dropped"],
)
def test_what_passes_is_tried_again(faults: list[Answer], why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    plan = [*faults, completion("direct")]
    with serve(lambda asked, number: plan[number]) as server:
        assert judge(server).ask(REQUEST).text == "direct", why
    assert len(server.asked) == len(plan)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(401, f"Incorrect API key provided: {KEY}"), r"refuses the key in OPENAI_API_KEY.*\[key\]"),
        (refusal(403), "refuses the key in OPENAI_API_KEY"),
        (refusal(404, "The model `judge` does not exist"), r"by --model judge; check both.*does not exist"),
        (refusal(429, "You exceeded your quota", "insufficient_quota"), "the account's quota is used up"),
    ],
    ids=["401", "403", "404", "quota"],
)
def test_what_every_request_would_meet_is_bad_input(answer: Answer, message: str) -> None:
    with serve(lambda asked, number: answer) as server:
        with pytest.raises(BadInput, match=message) as raised:
            judge(server, max_retries=1).ask(REQUEST)
        assert f"--endpoint {server.endpoint}" in str(raised.value)
    assert KEY not in f"{raised.value!r} {raised.value.__cause__!r}"


@pytest.mark.parametrize(
    ("answer", "message", "tries"),
    [
        (refusal(400, "maximum context length is 8192"), "^HTTP 400: .*maximum context length", 1),
        (refusal(422, f"key {KEY}"), r"^HTTP 422: .*\[key\]", 1),
        (refusal(429), "^HTTP 429", 3),
        (refusal(500), "^HTTP 500", 3),
        (completion("", "content_filter"), "content filter withheld the reply", 1),
        (Answer(body="<html>Welcome</html>"), "no chat completion came back: <html>Welcome", 1),
        (Answer(body="<html>", headers={"Content-Type": "text/html"}), "no chat completion", 1),
        (Answer(body=[]), "no chat completion", 1),
        (Answer(body={"choices": []}), "no chat completion", 1),
        (Answer(body={"choices": [{"message": None}]}), "no chat completion", 1),
        (Answer(body="[" * 100_000), "no chat completion", 1),
    ],
    ids=[
        "context",
        "echo",
        "429",
        "500",
        "filtered",
        "html",
        "html_type",
        "list",
        "no_choice",
        "no_message",
        "deep",
    ],
)
def test_what_one_request_meets_is_its_own_failure(answer: Answer, message: str, tries: int) -> None:
    with serve(lambda asked, number: answer) as server, pytest.raises(RequestFailed, match=message) as raised:
        judge(server, max_retries=2).ask(REQUEST)
    assert len(server.asked) == tries
    assert KEY not in str(raised.value)


@pytest.mark.parametrize("content", [None, [{"type": "text"}], 5], ids=repr)
def test_a_message_without_text_is_an_empty_reply(content: object) -> None:
    with serve(lambda asked, number: completion(content)) as server:
        assert judge(server).ask(REQUEST).text == ""


def test_a_reply_that_ran_out_of_tokens_says_so() -> None:
    with serve(lambda asked, number: completion("{", "length")) as server:
        assert judge(server).ask(REQUEST).is_cut_off


def test_a_server_that_does_not_reply_fails_that_request() -> None:
    released = threading.Event()

    def hang(asked: Asked, number: int) -> Answer:
        released.wait(10)
        return completion("direct")

    with serve(hang) as server:
        with pytest.raises(RequestFailed, match=r"no reply in 0\.2 s, asked 1 times"):
            judge(server, max_retries=0, timeout_seconds=0.2).ask(REQUEST)
        released.set()


def test_a_port_where_nothing_listens_is_bad_input() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://user:word@127.0.0.1:{port}/v1?token=word"
    with pytest.raises(BadInput, match=rf"http://127\.0\.0\.1:{port}/v1: cannot be reached") as raised:
        OpenAIJudge("judge", endpoint, max_retries=0).ask(REQUEST)
    assert "word" not in str(raised.value)


@pytest.mark.parametrize("endpoint", ["", "localhost:8000", "ftp://host/v1", "http://", "http://[::1/v1"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str) -> None:
    with pytest.raises(BadInput, match="--endpoint: is no URL; give one such as http://localhost:8000/v1"):
        OpenAIJudge("judge", endpoint)


@pytest.mark.parametrize("key", ["sk-\u2026", "sk-\n-1"], ids=["not_ascii", "two_lines"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(BadInput, match="OPENAI_API_KEY: holds signs that no header can carry") as raised:
        OpenAIJudge("judge", "http://localhost:1/v1")
    assert "sk-" not in str(raised.value)


def test_a_key_with_a_line_end_behind_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with serve(lambda asked, number: completion("direct")) as server:
        judge(server).ask(REQUEST)
    assert server.asked[0].key == f"Bearer {KEY}"
