"""A cloud assembly written by hand: one function, one state machine, no CDK needed to try the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Action": "sts:AssumeRole",
                    "Principal": {"Service": "states.amazonaws.com"},
                }
            ],
        }
    },
}


def job_state(script: str, **changes: Any) -> dict[str, Any]:
    """A createTrainingJob.sync task that runs `bash -ec script`; `changes` override its parameters."""
    parameters = {
        "TrainingJobName.$": "$.job",
        "RoleArn": "arn:aws:iam::123456789012:role/job",
        "AlgorithmSpecification": {
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            # AWS allows no line break in an entry.
            "ContainerEntrypoint": ["bash", "-ec", "; ".join(map(str.strip, script.strip().splitlines()))],
            "ContainerArguments": ["job", "--seed", "7"],
            "MetricDefinitions": [{"Name": "loss", "Regex": "loss=([0-9.]+)"}],
        },
        "OutputDataConfig": {"S3OutputPath": "s3://work/out", "CompressionType": "NONE"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Environment": {"GREETING": "hello"},
        **changes,
    }
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createTrainingJob.sync",
        "Parameters": parameters,
        "TimeoutSeconds": 120,
    }


def channel(name: str, uri: str) -> dict[str, Any]:
    """An S3Prefix channel in File mode."""
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}}


def write_assembly(
    folder: Path, states: dict[str, Any], handler_source: str = "", extra: dict[str, Any] | None = None
) -> Path:
    """Write an assembly whose state machine `Machine` runs `states` from `First`; returns its folder."""
    asset = folder / "asset.code"
    asset.mkdir(parents=True)
    (asset / "handlers.py").write_text(handler_source or "def handler(event, context):\n    return event\n")
    definition = json.dumps({"StartAt": "First", "States": states}).replace('"FUNCTION"', '"${Function.Arn}"')
    template = {
        "Parameters": {
            "BootstrapVersion": {
                "Type": "AWS::SSM::Parameter::Value<String>",
                "Default": "/cdk-bootstrap/hnb659fds/version",
            }
        },
        "Resources": {
            "Role": ROLE,
            "Work": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "work"}},
            "Function": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Handler": "handlers.handler",
                    "Runtime": "python3.13",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Timeout": 3,
                    "Environment": {"Variables": {"COLOUR": "blue"}},
                    "Code": {"S3Bucket": "assets-123456789012-us-east-1", "S3Key": "code.zip"},
                },
            },
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {
                    "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]},
                    "DefinitionString": {"Fn::Sub": definition},
                },
            },
            **(extra or {}),
        },
        "Outputs": {"MachineArn": {"Value": {"Ref": "Machine"}}},
    }
    destination = {
        "bucketName": "assets-${AWS::AccountId}-${AWS::Region}",
        "objectKey": "code.zip",
    }
    assets = {
        "files": {
            "code": {
                "source": {"path": "asset.code", "packaging": "zip"},
                "destinations": {"current": destination},
            }
        }
    }
    manifest = {
        "artifacts": {
            "Stack.assets": {"type": "cdk:asset-manifest", "properties": {"file": "Stack.assets.json"}},
            "Stack": {
                "type": "aws:cloudformation:stack",
                "environment": "aws://123456789012/us-east-1",
                "properties": {"templateFile": "Stack.template.json"},
                "dependencies": ["Stack.assets"],
            },
        }
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "Stack.assets.json").write_text(json.dumps(assets))
    (folder / "Stack.template.json").write_text(json.dumps(template))
    return folder
