"""Files in and out of the embedded S3, read straight from moto's store instead of through HTTP."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moto.s3.models import s3_backends

ACCOUNT = "123456789012"
# A base model weighs hundreds of megabytes and every job reads it.
_WORTH_LINKING = 16 << 20
_cache_lock = threading.Lock()


class NoSuchObjects(Exception):
    """No object lies under the S3 URI that was asked for."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of `s3://bucket/key` or `https://s3.<region>.amazonaws.com/bucket/key`.

    >>> split_uri("s3://b/k/x.json")
    ('b', 'k/x.json')
    >>> split_uri("https://s3.us-east-1.amazonaws.com/b/k/x.json")
    ('b', 'k/x.json')
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3":
        return parts.netloc, parts.path.lstrip("/")
    bucket, _, key = parts.path.lstrip("/").partition("/")
    return bucket, key


def download_prefix(uri: str, target: Path, cache: Path | None = None) -> int:
    """Copy every object under `uri` below `target`, as an S3Prefix channel does; returns the count.

    Names are relative to the last `/` of the prefix. With a `cache` folder large objects are written there
    once and linked, read-only, into each target. Raises NoSuchObjects where there is nothing.
    """
    bucket_name, prefix = split_uri(uri)
    buckets = s3_backends[ACCOUNT]["aws"].buckets
    if bucket_name not in buckets:
        raise NoSuchObjects(f"No S3 bucket named {bucket_name} (asked for {uri})")
    base = prefix.rpartition("/")[0]
    count = 0
    for name, key in list(buckets[bucket_name].keys.items()):
        if not name.startswith(prefix) or name.endswith("/"):
            continue
        path = target / (name[len(base) :].lstrip("/"))
        if not path.resolve().is_relative_to(target.resolve()):
            raise NoSuchObjects(f"The key {name} would leave the channel's folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        if cache is None or key.size < _WORTH_LINKING:
            _write(key, path)
        else:
            os.link(_cached(key, f"{bucket_name}/{name}", cache), path)
        count += 1
    if count == 0:
        raise NoSuchObjects(f"No S3 objects found under S3 URL {uri!r}")
    return count


def _write(key: Any, path: Path) -> None:
    with key.lock, path.open("wb") as file:
        key._value_buffer.seek(0)
        shutil.copyfileobj(key._value_buffer, file, 1 << 20)


def _cached(key: Any, name: str, cache: Path) -> Path:
    """The object as a read-only file of the cache; a changed object is another file."""
    version = f"{name} {key.last_modified.isoformat()} {key.size}"
    path = cache / hashlib.sha256(version.encode()).hexdigest()
    with _cache_lock:
        if not path.is_file():
            cache.mkdir(parents=True, exist_ok=True)
            _write(key, path.with_suffix(".part"))
            path.with_suffix(".part").chmod(0o444)
            path.with_suffix(".part").rename(path)
    return path


def upload_directory(source: Path, uri: str) -> int:
    """Put every file below `source` under `uri`; returns the count."""
    bucket, prefix = split_uri(uri)
    backend = s3_backends[ACCOUNT]["aws"]
    count = 0
    for path in sorted(source.rglob("*")):
        if path.is_file():
            key = f"{prefix.rstrip('/')}/{path.relative_to(source).as_posix()}"
            backend.put_object(bucket, key, path.read_bytes())
            count += 1
    return count
