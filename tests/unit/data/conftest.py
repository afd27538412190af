"""Rows and tokenizers for the tests of the data side."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import trl
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real rows of public sets that are not part of the repository."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not (folder / "train_sft.jsonl").is_file():
        pytest.skip("the real rows are not at hand: no shared/data beside the repository")
    return folder


@pytest.fixture(scope="session")
def examples() -> Path:
    """The shipped rows."""
    return REPOSITORY / "examples" / "rows"


@pytest.fixture
def outside_of_any_job(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that a job would find: no tracking, no name, no model."""
    for variable in ("MLFLOW_TRACKING_URI", "RUN_ID", "TRAINING_JOB_NAME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("SM_CHANNEL_MODEL", str(tmp_path / "no model"))


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[[str, Sequence[Any]], Path]:
    """Write a file of rows: objects as JSON, strings as they are."""

    def write(name: str, rows: Sequence[Any]) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def tokenizer_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], PreTrainedTokenizerFast]:
    """A tokenizer with a published chat template (as TRL keeps them) or, by path, one of ours."""

    def make(template: str) -> PreTrainedTokenizerFast:
        end_of_turn = "<|eot_id|>" if template.startswith("llama") else "<|im_end|>"
        words = models.WordLevel({"?": 0, end_of_turn: 1}, unk_token="?")
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer(words), eos_token=end_of_turn, bos_token="<|begin_of_text|>"
        )
        ours = REPOSITORY / template
        stock = Path(str(trl.__file__)).parent / "chat_templates" / f"{template}.jinja"
        tokenizer.chat_template = (ours if ours.is_file() else stock).read_text(encoding="utf-8")
        return tokenizer

    return make
