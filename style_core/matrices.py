"""Square roots of symmetric matrices, on every device."""

import torch
from torch import Tensor


def matrix_root(matrix: Tensor) -> Tensor:
    """The symmetric square root of symmetric positive semi-definite matrices, `[..., C, C]`."""
    values, vectors = eigh(matrix)
    return (vectors * values.clamp_min(0).sqrt()[..., None, :]) @ vectors.mT


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of symmetric matrices, `[..., C]` and `[..., C, C]`."""
    # MPS has no eigendecomposition.
    if matrix.device.type == "mps":
        values, vectors = torch.linalg.eigh(matrix.cpu())
        return values.to(matrix.device), vectors.to(matrix.device)
    return torch.linalg.eigh(matrix)
