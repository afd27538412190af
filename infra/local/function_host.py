"""The runtime inside a warm Lambda process: `python function_host.py module.handler`, in the asset's folder.

Reads one JSON request a line on stdin, writes one JSON answer a line on what was stdout. Whatever the handler
prints goes to stderr, the function's log. Ends when stdin closes.
"""

import importlib
import json
import os
import sys
import traceback
from types import SimpleNamespace
from typing import Any


def answer(handler: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Call the handler; an exception becomes the error document that Lambda returns."""
    context = SimpleNamespace(
        aws_request_id=request["request_id"],
        function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
        invoked_function_arn=request["arn"],
    )
    try:
        return {"result": json.dumps(handler(request["event"], context))}
    except Exception as error:
        document = {
            "errorMessage": str(error),
            "errorType": type(error).__name__,
            "stackTrace": traceback.format_tb(error.__traceback__),
        }
        return {"error": json.dumps(document)}


def main() -> None:
    """Import the handler once and serve until stdin closes."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.path.insert(0, os.getcwd())  # noqa: PTH109  (the asset's folder, as Lambda's /var/task)
    module_name, _, function_name = sys.argv[1].rpartition(".")
    handler = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            handler = handler or getattr(importlib.import_module(module_name), function_name)
        except Exception as error:
            document = {"errorMessage": str(error), "errorType": f"Runtime.{type(error).__name__}"}
            answers.write(json.dumps({"error": json.dumps(document)}) + "\n")
            continue
        answers.write(json.dumps(answer(handler, request)) + "\n")


if __name__ == "__main__":
    main()
