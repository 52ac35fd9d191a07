"""What MPS lacks, on every device: square roots of symmetric matrices, and averages over areas."""

import torch
from torch import Tensor
from torch.nn import functional


def averaged_to(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A batch `[B, C, H, W]` averaged down to `size` (height, width)."""
    # MPS does so only for whole factors.
    if image.device.type == "mps":
        return functional.interpolate(image.cpu(), size=size, mode="area").to(image.device)
    return functional.interpolate(image, size=size, mode="area")


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
