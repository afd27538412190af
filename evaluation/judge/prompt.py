"""The judge's prompt: a file with a digest, and how a row and an answer are put into it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

from evaluation.judge.clients import Request
from jobs.doors import BadInput

FOLDER = Path(__file__).parent / "prompts"
DEFAULT_PROMPT = "when2call_v1"
FIELDS = {"temperature", "max_tokens", "system", "user"}
PLACES = {"code", "tools", "conversation", "answer"}
CODE_DIGITS = 16
# A model that never stops writes megabytes. What an answer does shows at its beginning, or where it ends.
MAX_ANSWER_CHARACTERS = 16_000
LAST_CHARACTERS = 4_000


@dataclass(frozen=True)
class Prompt:
    """A version of the judge's prompt; `digest` is the SHA-256 of its file.

    `temperature` None leaves it to the server: some models refuse any other.
    """

    name: str
    digest: str
    system: str
    user: Template
    temperature: float | None
    max_tokens: int

    def request(self, row: Mapping[str, Any], answer: str) -> Request:
        """Ask which decision `answer` takes to a canonical row.

        What the row and the answer say stands between marks with a code that is drawn from all of it, so that
        no text can hold the mark that ends it.
        """
        parts = {
            "tools": _utf8(str(row.get("tools") or "[]")),
            "conversation": _utf8("\n".join(_line(message) for message in row["messages"])),
            "answer": _clipped(_utf8(answer)),
        }
        code = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:CODE_DIGITS]
        user = self.user.substitute(parts, code=code)
        return Request(self.system, user, self.temperature, self.max_tokens)


def load_prompt(name: str) -> Prompt:
    """Load a prompt by its name in `prompts/`, or by the path of a `.yaml` file of the same fields.

    Raises BadInput where it is not there or has other fields.
    """
    path = Path(name) if name.endswith(".yaml") else FOLDER / f"{name}.yaml"
    try:
        content = path.read_bytes()
        fields = yaml.safe_load(content)
    except OSError as error:
        known = ", ".join(sorted(one.stem for one in FOLDER.glob("*.yaml")))
        raise BadInput(
            f"--prompt {name}: there is no such prompt; known are {known}, or a .yaml file"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"--prompt {name}: is no YAML: {error}") from error
    if not isinstance(fields, dict) or set(fields) != FIELDS:
        raise BadInput(f"--prompt {name}: needs the fields {', '.join(sorted(FIELDS))}, and no other")
    return _prompt_of(path.stem, hashlib.sha256(content).hexdigest(), fields)


def digest_of(request: Request) -> str:
    """The SHA-256 of a request: equal for equal rows, answers and prompts."""
    told = json.dumps([request.system, request.user, request.temperature, request.max_tokens])
    return hashlib.sha256(told.encode()).hexdigest()


def _prompt_of(name: str, digest: str, fields: Mapping[str, Any]) -> Prompt:
    template = Template(str(fields["user"]))
    if not template.is_valid() or set(template.get_identifiers()) != PLACES:
        raise BadInput(
            f"--prompt {name}: 'user' needs each of {', '.join(f'${one}' for one in sorted(PLACES))}"
        )
    try:
        given, max_tokens = fields["temperature"], int(fields["max_tokens"])
        temperature = None if given is None else float(given)
    except (TypeError, ValueError) as error:
        raise BadInput(f"--prompt {name}: 'temperature' and 'max_tokens' are numbers ({error})") from error
    return Prompt(name, digest, str(fields["system"]), template, temperature, max_tokens)


def _line(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False)


def _utf8(text: str) -> str:
    # A completion may hold half of a surrogate pair, which no request can carry.
    return text.encode("utf-8", "replace").decode("utf-8")


def _clipped(answer: str) -> str:
    left_out = len(answer) - MAX_ANSWER_CHARACTERS
    if left_out <= 0:
        return answer
    first = MAX_ANSWER_CHARACTERS - LAST_CHARACTERS
    return f"{answer[:first]}\n[… {left_out} characters left out …]\n{answer[-LAST_CHARACTERS:]}"
