"""Deploy a cloud assembly as `cdk deploy` would: publish the assets, create the stacks in order."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.objects import ACCOUNT

_BOOTSTRAP_VERSION = "/cdk-bootstrap/hnb659fds/version"


class DeploymentFailed(Exception):
    """A stack could not be created; the message says which and why."""


@dataclass(frozen=True)
class Deployment:
    """Outputs of all stacks by output name, and the region they live in."""

    outputs: dict[str, str]
    region: str


def deploy(assembly: Path, client: Any) -> Deployment:
    """Deploy every stack of `assembly` through the boto3 clients that `client(service, region)` returns."""
    manifest = json.loads((assembly / "manifest.json").read_text())
    artifacts = manifest["artifacts"]
    outputs: dict[str, str] = {}
    region = ""
    for name in _stacks_in_order(artifacts):
        properties = artifacts[name]["properties"]
        region = artifacts[name]["environment"].rsplit("/", 1)[1]
        client("ssm", region).put_parameter(
            Name=_BOOTSTRAP_VERSION, Value="30", Type="String", Overwrite=True
        )
        _publish_assets(assembly, artifacts, name, client("s3", region), region)
        outputs |= _create_stack(
            name, (assembly / properties["templateFile"]).read_text(), client("cloudformation", region)
        )
    return Deployment(outputs, region)


def _stacks_in_order(artifacts: dict[str, Any]) -> list[str]:
    ordered: list[str] = []

    def visit(name: str) -> None:
        if artifacts[name]["type"] != "aws:cloudformation:stack" or name in ordered:
            return
        for dependency in artifacts[name].get("dependencies", ()):
            visit(dependency)
        ordered.append(name)

    for name in artifacts:
        visit(name)
    return ordered


def _publish_assets(assembly: Path, artifacts: dict[str, Any], stack: str, s3: Any, region: str) -> None:
    for dependency in artifacts[stack].get("dependencies", ()):
        if artifacts[dependency]["type"] != "cdk:asset-manifest":
            continue
        assets = json.loads((assembly / artifacts[dependency]["properties"]["file"]).read_text())
        for asset in assets["files"].values():
            source = assembly / asset["source"]["path"]
            zipped = asset["source"]["packaging"] == "zip"
            body = zip_directory(source) if zipped else source.read_bytes()
            for destination in asset["destinations"].values():
                bucket = _resolved(destination["bucketName"], region)
                _ensure_bucket(s3, bucket, region)
                s3.put_object(Bucket=bucket, Key=_resolved(destination["objectKey"], region), Body=body)


def _resolved(text: str, region: str) -> str:
    placeholders = {"${AWS::AccountId}": ACCOUNT, "${AWS::Region}": region, "${AWS::Partition}": "aws"}
    for placeholder, value in placeholders.items():
        text = text.replace(placeholder, value)
    return text


def _ensure_bucket(s3: Any, bucket: str, region: str) -> None:
    if bucket in {known["Name"] for known in s3.list_buckets()["Buckets"]}:
        return
    elsewhere = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3.create_bucket(Bucket=bucket, **elsewhere)


def zip_directory(source: Path) -> bytes:
    """The folder as a zip whose bytes depend on its contents alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(source).as_posix(), (1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _create_stack(name: str, template: str, cloudformation: Any) -> dict[str, str]:
    try:
        cloudformation.create_stack(
            StackName=name, TemplateBody=template, Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]
        )
    except Exception as error:
        raise DeploymentFailed(f"Stack {name}: {error}") from error
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise DeploymentFailed(f"Stack {name}: {stack['StackStatus']} {stack.get('StackStatusReason', '')}")
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}
