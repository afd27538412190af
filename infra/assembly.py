"""Read a cloud assembly's state machines, with stand-ins for what only a deployment knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PSEUDO_PARAMETERS = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::URLSuffix": "amazonaws.com",
}
_ARN = "arn:aws:{service}:us-east-1:123456789012:{resource}"


@dataclass(frozen=True)
class StateMachineDefinition:
    """A state machine of the assembly: its logical id and its definition, parsed."""

    stack: str
    logical_id: str
    definition: Mapping[str, Any]


def read_state_machines(assembly: Path) -> list[StateMachineDefinition]:
    """Return every state machine in the templates of `assembly`, a folder that `cdk synth` wrote.

    Raises FileNotFoundError where there is no template, ValueError where a definition is no JSON.
    """
    paths = sorted(assembly.glob("*.template.json"))
    if not paths:
        raise FileNotFoundError(f"{assembly}: no *.template.json there; synthesize first")
    templates = {path.name.removesuffix(".template.json"): json.loads(path.read_text()) for path in paths}
    exports = _exports(templates)
    return [
        StateMachineDefinition(stack, logical_id, json.loads(_definition_text(resource, template, exports)))
        for stack, template in templates.items()
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == "AWS::StepFunctions::StateMachine"
    ]


def _exports(templates: Mapping[str, Any]) -> dict[str, str]:
    return {
        str(output["Export"]["Name"]): resolve(output["Value"], template, {})
        for template in templates.values()
        for output in template.get("Outputs", {}).values()
        if "Export" in output
    }


def _definition_text(
    resource: Mapping[str, Any], template: Mapping[str, Any], exports: Mapping[str, str]
) -> str:
    properties = resource["Properties"]
    if "DefinitionString" not in properties:
        return json.dumps(properties["Definition"])
    text = resolve(properties["DefinitionString"], template, exports)
    for name, value in properties.get("DefinitionSubstitutions", {}).items():
        text = text.replace(f"${{{name}}}", resolve(value, template, exports))
    return text


def resolve(value: Any, template: Mapping[str, Any], exports: Mapping[str, str]) -> str:
    """Return the text of a template's value; what is not yet made gets a stand-in of its legal form."""
    if not isinstance(value, dict):
        return str(value)
    (function, argument), *_ = value.items()
    if function == "Fn::Join":
        return str(argument[0]).join(resolve(part, template, exports) for part in argument[1])
    if function == "Fn::Sub":
        text = argument if isinstance(argument, str) else argument[0]
        for name, stand_in in _PSEUDO_PARAMETERS.items():
            text = text.replace(f"${{{name}}}", stand_in)
        return str(text)
    if function == "Fn::ImportValue":
        return exports[resolve(argument, template, exports)]
    if function == "Ref":
        return _PSEUDO_PARAMETERS.get(argument) or _name_of(argument, template)
    if function == "Fn::GetAtt":
        return _attribute_of(argument[0], argument[1], template)
    raise ValueError(f"{function} is not understood in a definition")


def _type_of(logical_id: str, template: Mapping[str, Any]) -> str:
    return str(template["Resources"].get(logical_id, {"Type": ""})["Type"])


def _name_of(logical_id: str, template: Mapping[str, Any]) -> str:
    return logical_id.lower() if _type_of(logical_id, template) == "AWS::S3::Bucket" else logical_id


_ARNS: Mapping[str, Callable[[str], str]] = {
    "AWS::IAM::Role": lambda name: f"arn:aws:iam::123456789012:role/{name}",
    "AWS::S3::Bucket": lambda name: f"arn:aws:s3:::{name.lower()}",
    "AWS::KMS::Key": lambda name: _ARN.format(service="kms", resource=f"key/{name}"),
    "AWS::Lambda::Function": lambda name: _ARN.format(service="lambda", resource=f"function:{name}"),
    "AWS::SageMaker::MlflowTrackingServer": lambda name: _ARN.format(
        service="sagemaker", resource=f"mlflow-tracking-server/{name}"
    ),
}


def _attribute_of(logical_id: str, attribute: str, template: Mapping[str, Any]) -> str:
    make_arn = _ARNS.get(_type_of(logical_id, template))
    return make_arn(logical_id) if make_arn and attribute.endswith("Arn") else f"{logical_id}.{attribute}"
