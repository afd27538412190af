"""What an MLflow server says, or that it says nothing: one patience and one error for all calls of a job."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import requests
from mlflow.exceptions import MlflowException

from jobs.doors import DoorError
from jobs.run import TrackingUnavailable

# The client's own defaults ask a server that is down for four minutes a call, and one that hangs for sixteen.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "30"}
# With these the client reports that no answer came, or none to the question.
NO_ANSWER = ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "REQUEST_LIMIT_EXCEEDED")

# The first status by which a server says that the fault is its own.
SERVER_ERROR = 500

T = TypeVar("T")
P = ParamSpec("P")


class Addressed(Protocol):
    """What knows the address of its server."""

    uri: str


S = TypeVar("S", bound=Addressed)


def limit_patience() -> None:
    """Set how long a call waits for a server, where the environment does not say."""
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)


def is_refusal(error: Exception) -> bool:
    """Whether the server answered, and would not."""
    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code < SERVER_ERROR
    return isinstance(error, MlflowException) and error.error_code not in NO_ANSWER


def ask(uri: str, call: Callable[[], T]) -> T:
    """Call a server. Raises TrackingUnavailable for whatever goes wrong but with a file of this machine."""
    try:
        return call()
    except DoorError:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        said, remedy = "does not answer", "start the server"
        if is_refusal(error):
            said, remedy = "refuses this job", "mend what it names"
        raise TrackingUnavailable(
            # The remedy first: the platform cuts a long line.
            f"MLflow at {uri} {said}; {remedy}, or unset MLFLOW_TRACKING_URI to run without it"
            f" ({type(error).__name__}: {error})"
        ) from error


def asking(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Make a method raise as `ask` does."""

    @wraps(method)
    def asked(self: S, /, *given: P.args, **named: P.kwargs) -> T:
        return ask(self.uri, lambda: method(self, *given, **named))

    return asked
