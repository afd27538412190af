"""The AWS containers that jobs run in, looked up offline."""

from __future__ import annotations

from sagemaker.core import image_uris

IMAGE_REPOSITORY = "pytorch-training"
_VERSION = "2.10.0"
PYTHON_VERSION = "3.13"


def training_image(region: str, *, gpu: bool) -> str:
    """Return the URI of AWS's PyTorch training container for `region`, with CUDA or without."""
    # The instance type only chooses between the CUDA and the CPU build of the container.
    instance_type = "ml.g5.xlarge" if gpu else "ml.m5.xlarge"
    uri: str = image_uris.retrieve(
        framework="pytorch",
        region=region,
        version=_VERSION,
        py_version=f"py{PYTHON_VERSION.replace('.', '')}",
        instance_type=instance_type,
        image_scope="training",
    )
    return uri


def image_account(region: str) -> str:
    """Return the account that owns AWS's containers in `region`."""
    return training_image(region, gpu=True).split(".", maxsplit=1)[0]
