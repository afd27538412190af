"""CloudFormation in moto: state machines that execute, and a stand-in for resources that moto lacks."""

from __future__ import annotations

import re
from typing import Any

from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.core.common_models import CloudFormationModel
from moto.kms.models import Key
from moto.stepfunctions import models as stepfunctions_models
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

# A template without a working one of these would run something else than it says: never stand in for them.
_NEVER_STOOD_IN = re.compile(r"AWS::(Lambda::Function|S3::Bucket|StepFunctions::StateMachine|IAM::Role)$")

stood_in: set[str] = set()


def _stand_in_class(resource_type: str) -> type[CloudFormationModel]:
    """A resource that keeps its properties and answers Ref and GetAtt, and does nothing else."""
    _, service, kind = resource_type.split("::")[:3]
    path = re.sub(r"(?<!^)(?=[A-Z])", "-", kind).lower()

    class StandIn(CloudFormationModel):
        def __init__(self, name: str, account: str, region: str) -> None:
            self.physical_resource_id = name
            self.arn = f"arn:aws:{service.lower()}:{region}:{account}:{path}/{name}"

        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return resource_type

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: dict[str, Any],
            account_id: str,
            region_name: str,
            **_: Any,
        ) -> StandIn:
            return cls(resource_name, account_id, region_name)

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return True

        def get_cfn_attribute(self, attribute_name: str) -> str:
            return (
                self.arn
                if attribute_name.endswith("Arn")
                else f"{self.physical_resource_id}.{attribute_name}"
            )

    return StandIn


_create_resource = parsing.parse_and_create_resource
_create_key = Key.create_from_cloudformation_json.__func__


def _naming_what_failed(logical_id: str, *arguments: Any, **named: Any) -> Any:
    """A KeyError inside a resource would read as "undefined resource" at whatever refers to it."""
    try:
        return _create_resource(logical_id, *arguments, **named)
    except KeyError as error:
        raise ValidationError(message=f"{logical_id} could not be created: KeyError {error}") from error


def _key_from_template(cls: Any, /, name: str, cloudformation_json: Any, *where: str, **named: Any) -> Any:
    """Templates spell a tag Key and Value where KMS's API says TagKey and TagValue; moto reads the latter."""
    properties = cloudformation_json["Properties"]
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
    changed = {**cloudformation_json, "Properties": {**properties, "Tags": tags}}
    return _create_key(cls, name, changed, *where, **named)


def install() -> None:
    """Patch moto's template parser; what it stands in for is collected in `stood_in`."""
    stood_in.clear()
    classes: dict[str, type[CloudFormationModel]] = {}

    def resource_class_from_type(resource_type: str) -> type[CloudFormationModel] | None:
        if resource_type in parsing.NULL_MODELS:
            return None
        known = parsing.get_model_map()
        if resource_type in known:
            found: type[CloudFormationModel] = known[resource_type]
            return found
        if resource_type.startswith("Custom::") or _NEVER_STOOD_IN.match(resource_type):
            raise ValidationError(message=f"The embedded AWS cannot deploy {resource_type}")
        stood_in.add(resource_type)
        return classes.setdefault(resource_type, _stand_in_class(resource_type))

    parsing.resource_class_from_type = resource_class_from_type
    parsing.parse_and_create_resource = _naming_what_failed
    Key.create_from_cloudformation_json = classmethod(_key_from_template)
    # moto creates state machines from templates in a back end that cannot run them; the API reads the other.
    stepfunctions_models.stepfunctions_backends = stepfunctions_parser_backends
