"""Service quotas of the embedded AWS: enough for any plan, save what a file says otherwise."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session

_GRANTED = 8
_USES = ("training job usage", "spot training job usage", "training warm pool usage", "endpoint usage")


class BadQuotas(Exception):
    """The quotas file cannot be read as `{quota name: value}`."""


def _instance_types() -> list[str]:
    """Every instance type that the SDK knows for training."""
    model: Any = botocore.session.get_session().get_service_model("sagemaker")
    types: list[str] = model.shape_for("TrainingInstanceType").enum
    return types


@dataclass(frozen=True)
class Quotas:
    """Granted values by QuotaName of service `sagemaker`; names that are not here get 8."""

    granted: dict[str, float] = field(default_factory=dict)

    @classmethod
    def from_file(cls, path: Path | None) -> Quotas:
        """Read `{"ml.g6e.2xlarge for training job usage": 0, …}`; raises BadQuotas naming the field."""
        if path is None:
            return cls()
        try:
            document = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise BadQuotas(f"{path}: {error}. Expected a JSON object of quota names and values") from error
        if not isinstance(document, dict):
            raise BadQuotas(f"{path}: expected a JSON object of quota names and values")
        known = {f"{kind} for {use}" for kind in _instance_types() for use in _USES}
        for name, value in document.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
                raise BadQuotas(f"{path}: field {name!r}: {value!r} is not a number of at least 0")
            if name not in known:
                raise BadQuotas(
                    f"{path}: field {name!r}: no such SageMaker quota. Names look like "
                    "'ml.g6e.2xlarge for training job usage'"
                )
        return cls(document)

    def listed(self) -> list[dict[str, Any]]:
        """ListServiceQuotas' rows for service code `sagemaker`."""
        names = [f"{kind} for {use}" for kind in _instance_types() for use in _USES]
        return [
            {
                "ServiceCode": "sagemaker",
                "ServiceName": "Amazon SageMaker",
                "QuotaName": name,
                "QuotaCode": "L-" + hashlib.sha256(name.encode()).hexdigest()[:8].upper(),
                "Value": float(self.granted.get(name, _GRANTED)),
                "Adjustable": True,
                "GlobalQuota": False,
            }
            for name in names
        ]
