"""Where results are seen: the managed MLflow tracking server."""

from __future__ import annotations

from aws_cdk import aws_iam as iam
from aws_cdk import aws_sagemaker as sagemaker
from constructs import Construct

from infra.access import (
    MLFLOW_ARTIFACTS,
    assume_from_sagemaker,
    list_prefixes,
    read_objects,
    use_key,
    write_objects,
)
from infra.acknowledgements import acknowledge_prefixes
from infra.settings import Settings
from infra.storage import Storage


class Tracking(Construct):
    """The MLflow tracking server and its role; artifacts lie in the bucket under `mlflow/`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage) -> None:
        super().__init__(scope, construct_id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=assume_from_sagemaker(self),
            description="MLflow reads and writes the artifacts of runs",
            inline_policies={
                "Artifacts": iam.PolicyDocument(
                    statements=[
                        list_prefixes(storage, [MLFLOW_ARTIFACTS]),
                        read_objects(storage, [MLFLOW_ARTIFACTS]),
                        write_objects(storage, [MLFLOW_ARTIFACTS]),
                        use_key(storage),
                    ]
                )
            },
        )
        acknowledge_prefixes(role, storage, [MLFLOW_ARTIFACTS])
        self.server = sagemaker.CfnMlflowTrackingServer(
            self,
            "Server",
            artifact_store_uri=f"s3://{storage.bucket.bucket_name}/{MLFLOW_ARTIFACTS.rstrip('/')}",
            role_arn=role.role_arn,
            tracking_server_name=f"toolwright-{settings.stage}",
            tracking_server_size=settings.mlflow_server_size,
            mlflow_version=settings.mlflow_version,
        )
        self.server_arn = self.server.attr_tracking_server_arn
        self.tracking_uri = settings.mlflow_tracking_uri or self.server_arn
