"""Objects from S3, brought to a local folder: one object, or all below a prefix."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
)

from jobs.doors import BadInput

_NO_CREDENTIALS = "no AWS credentials: set AWS_PROFILE, or run `aws configure` or `aws sso login`"
_STALE = ("ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken")


@dataclass(frozen=True)
class Objects:
    """What was brought: `paths` in the order of their keys, below `folder`. Empty where nothing is there."""

    folder: Path
    paths: tuple[Path, ...]
    is_one_object: bool


def fetch_objects(uri: str, download_dir: Path, endings: tuple[str, ...]) -> Objects:
    """Download the object `s3://bucket/key`, or those below it as a folder, whose keys have these endings.

    Raises BadInput: no such bucket, access denied, no credentials, no network, or a key that would be written
    outside of `download_dir`.
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    folder = download_dir / re.sub(r"\W+", "-", uri)
    try:
        client = boto3.client("s3")
        keys = [found for found in _list_keys(client, bucket, key, endings) if found.endswith(endings)]
        targets = {found: _target(found, key, folder, uri) for found in keys}
        for found, target in targets.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket, found, str(target))
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise BadInput(f"{uri}: one key is the folder of another ({error.filename}); rename one") from error
    except (ClientError, BotoCoreError) as error:
        raise BadInput(f"{uri}: {_cause(error, bucket)}") from error
    return Objects(folder, tuple(targets.values()), keys == [key])


def _list_keys(client: Any, bucket: str, key: str, endings: tuple[str, ...]) -> Iterator[str]:
    """Keys of the one object, or under the prefix as a folder: `data` must not list `database/`."""
    is_object = key.endswith(endings)
    prefix = key if is_object or not key else key.rstrip("/") + "/"
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        found = [entry["Key"] for entry in page.get("Contents", [])]
        yield from (one for one in found if not is_object or one == key)


def _target(found: str, key: str, folder: Path, uri: str) -> Path:
    """Where an object is written. S3 takes `..` in a key as any other name; a file system does not."""
    relative = found.removeprefix(key).lstrip("/") or Path(found).name
    if ".." in Path(relative).parts:
        raise BadInput(
            f"{uri}: the key {found!r} holds '..' and would be written elsewhere; rename the object"
        )
    return folder / relative


def _cause(error: ClientError | BotoCoreError, bucket: str) -> str:
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        return _refusal(str(answer.get("Code", "")), str(answer.get("Message", "")), bucket)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return _NO_CREDENTIALS
    if isinstance(error, ParamValidationError):
        return f"{bucket!r} cannot be the name of a bucket; give s3://bucket/prefix"
    return f"S3 cannot be asked: {error}; check the network, the region and the endpoint"


def _refusal(code: str, message: str, bucket: str) -> str:
    if code in ("NoSuchBucket", "404"):
        return f"there is no bucket {bucket!r}; mend its name"
    if code in ("AccessDenied", "403", "AllAccessDisabled"):
        return f"access denied; grant this role s3:ListBucket and s3:GetObject on {bucket!r} and its KMS key"
    if code in _STALE:
        return f"the AWS credentials are not valid ({code}): renew them, as by `aws sso login`"
    return f"S3 answered {code}: {message}"
