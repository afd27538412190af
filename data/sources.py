"""Where rows come from: a file, a directory, an S3 prefix, or a dataset on the Hugging Face hub.

S3 and the hub are brought to a local folder first, so that one reader serves all of them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from data.hub import HUB_ID, fetch_dataset
from data.readers import RowFile
from data.rows import Purpose
from jobs.doors import BadInput

# By file name, wherever in the folder it lies; the first pattern that fits decides. `own` and
# `when2call_mcq` are the suites that a preparation writes.
PATTERNS: tuple[tuple[str, Purpose], ...] = (
    ("*train_sft*.jsonl", "sft"),
    ("*train_pref*.jsonl", "preference"),
    ("*test*.jsonl", "test"),
    ("own.jsonl", "test"),
    ("when2call_mcq.jsonl", "test"),
)


@dataclass(frozen=True)
class Source:
    """A source as it was found. `revision`: the hub commit or None. `files`: every file of rows in it."""

    uri: str
    revision: str | None
    files: tuple[RowFile, ...]

    def of(self, purpose: Purpose | None) -> tuple[RowFile, ...]:
        """The files for a purpose; a lone file serves any. None gives all."""
        return tuple(
            RowFile(file.path, file.shown, file.purpose or purpose)
            for file in self.files
            if purpose is None or file.purpose in (None, purpose)
        )

    def describe(self) -> dict[str, Any]:
        """What the report says of it."""
        return {"uri": self.uri, "revision": self.revision, "files": [file.shown for file in self.files]}


def find_source(name: str, download_dir: Path) -> Source:
    """Find a source and bring it here. Raises BadInput, each cause with its own message.

    `name`: a path, `s3://bucket/prefix`, or `org/name[@revision]` on the hub. A folder's files are told apart
    by their names: `*train_sft*.jsonl`, `*train_pref*.jsonl`, `*test*.jsonl`.
    """
    if name.startswith("s3://"):
        return _find_in_s3(name, download_dir)
    path = Path(name)
    if path.is_file():
        return Source(str(path), None, (RowFile(path, name, None),))
    if path.is_dir():
        return Source(str(path), None, _files_in(path, name))
    if HUB_ID.fullmatch(name) and not name.endswith(".jsonl"):
        folder, commit = fetch_dataset(name, [pattern for pattern, _ in PATTERNS[:3]])
        return Source(f"hub:{name}", commit, _files_in(folder, name))
    raise BadInput(f"{name}: there is no such file or directory; give a path, s3://bucket/prefix or org/name")


def _files_in(folder: Path, shown: str) -> tuple[RowFile, ...]:
    files = tuple(
        RowFile(path, f"{shown.rstrip('/')}/{path.relative_to(folder)}", purpose)
        for path in sorted(folder.rglob("*.jsonl"))
        if (purpose := _purpose_of(path.name)) is not None
    )
    if not files:
        wanted = ", ".join(pattern for pattern, _ in PATTERNS[:3])
        raise BadInput(f"{shown}: holds no file of rows; name them {wanted}")
    return files


def _purpose_of(name: str) -> Purpose | None:
    return next((purpose for pattern, purpose in PATTERNS if fnmatch(name, pattern)), None)


def _find_in_s3(uri: str, download_dir: Path) -> Source:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    folder = download_dir / re.sub(r"\W+", "-", uri)
    try:
        client = boto3.client("s3")
        keys = [found for found in _list_keys(client, bucket, key) if found.endswith(".jsonl")]
        for found in keys:
            target = folder / (found.removeprefix(key).lstrip("/") or Path(found).name)
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, found, str(target))
    except ClientError as error:
        raise BadInput(f"{uri}: {_s3_cause(error, bucket)}") from error
    except BotoCoreError as error:
        raise BadInput(f"{uri}: S3 cannot be asked: {error}; check credentials and the network") from error
    if not keys:
        raise BadInput(f"{uri}: there is no .jsonl file there; upload the rows, or mend the URI")
    if keys == [key]:
        return Source(uri, None, (RowFile(folder / Path(key).name, uri, None),))
    return Source(uri, None, _files_in(folder, uri))


def _list_keys(client: Any, bucket: str, key: str) -> Iterator[str]:
    """Keys of the one object, or under the prefix as a folder: `data` must not list `database/`."""
    prefix = key if key.endswith(".jsonl") or not key else key.rstrip("/") + "/"
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        yield from (entry["Key"] for entry in page.get("Contents", []))


def _s3_cause(error: ClientError, bucket: str) -> str:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in ("NoSuchBucket", "404"):
        return f"there is no bucket {bucket!r}; mend its name"
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return f"access denied; grant this role s3:ListBucket and s3:GetObject on {bucket!r} and its KMS key"
    return f"S3 answered {code}: {error.response.get('Error', {}).get('Message', '')}"
