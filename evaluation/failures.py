"""Failures of a row's forward: what is the row's own, what more memory would mend, and what ends the job."""

from __future__ import annotations

from typing import Any

import torch

# After one of these every later call on the device fails, whatever the row.
_BROKEN_DEVICE = ("CUDA error", "CUBLAS_STATUS", "cuDNN error", "NCCL error")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the device or the host had no memory left."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def refuse_broken_device(error: RuntimeError) -> None:
    """Raise the error again if it is the device's: rows after it would fail for no fault of theirs."""
    if is_out_of_memory(error):
        return
    if isinstance(error, torch.AcceleratorError) or any(name in str(error) for name in _BROKEN_DEVICE):
        raise error


def failed_forward(row_id: str, error: RuntimeError, mend: str) -> dict[str, Any]:
    """The prediction of a row whose own forward failed; the same command tries it again (`retry`)."""
    name = "OutOfMemoryError" if is_out_of_memory(error) else type(error).__name__
    cause = f"{name}: {error}" + (f": {mend}" if is_out_of_memory(error) else "")
    return {"id": row_id, "error": cause, "retry": True}
