"""Initialize a student from its teacher: select channels and fit convolutions, layer by layer, in closed form.

Each convolution of the student reproduces a selection of the teacher's channels from which the others can be predicted linearly
(as in Channel Pruning, He et al. 2017). Its weights are the least squares solution from the student's own input to the teacher's
output, so that errors of earlier layers are corrected, and only rectified outputs count (asymmetric reconstruction, Zhang et al.
2016, "Accelerating Very Deep Convolutional Networks", eq. 8 and 12).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from style_core.networks.extractor import FeatureExtractor

_RIDGE = 1e-4  # relative to the mean square of the inputs
_EPSILON = 1e-6
_ROUNDS = 8  # of fitting; outputs that should be rectified to 0 may take any negative value


@torch.no_grad()
def init_from_teacher(
    student: FeatureExtractor, teachers: Sequence[FeatureExtractor], batches: Sequence[Tensor], places: int = 400
) -> None:
    """Initialize the student's convolutions from those of a teacher.

    Args:
        student: float32, on the teachers' device, with the same sequence of layers.
        teachers: each convolution is fitted to the first teacher that is at least as wide there.
        batches: pictures `[B, 3, H, W]`, sRGB in `[0, 1]`.
        places: number of positions compared per layer and picture.
    """
    asked: dict[FeatureExtractor, list[int]] = {}
    for index, layer in enumerate(student.trunk):
        if isinstance(layer, nn.Conv2d):
            wide = next(teacher for teacher in teachers if len(teacher.trunk[index].get_parameter("weight")) >= layer.out_channels)
            asked.setdefault(wide, []).append(index)
    answers: list[dict[int, tuple[Tensor, Tensor]]] = [{} for _ in batches]
    for teacher, convolutions in asked.items():
        for answer, batch in zip(answers, batches):
            answer.update(_answers(teacher, batch, convolutions, places))
    seen = [student.normalized(batch) for batch in batches]
    for index, layer in enumerate(student.trunk):
        if isinstance(layer, nn.Conv2d):
            drawn = [answer.pop(index) for answer in answers]
            patches = torch.cat([_patches(x, where, layer) for x, (where, _) in zip(seen, drawn)])
            wanted = torch.cat([found for _, found in drawn])
            weight, bias = fit_rectified(patches, wanted[:, spanning_channels(wanted.relu(), layer.out_channels)])
            # Normalize the channels' scale, so that the next layers train at the same rate.
            size = (patches @ weight.mT + bias).relu().square().mean(0).sqrt().clamp_min(_EPSILON)
            layer.load_state_dict({"weight": (weight / size[:, None]).view_as(layer.weight), "bias": bias / size})
        seen = [layer(x) for x in seen]


def spanning_channels(features: Tensor, count: int) -> list[int]:
    """The `count` channels of `[N, C]` that best predict the others linearly, selected greedily."""
    left = (features.mT @ features).double() / len(features)  # what the chosen channels leave unexplained
    least = 1e-9 * left.diagonal().mean() + 1e-30
    chosen: list[int] = []
    for _ in range(count):
        gains = left.square().sum(0) / (left.diagonal() + least)
        gains[chosen] = -1
        chosen.append(int(gains.argmax()))
        column = left[:, chosen[-1]].clone()
        left = left - torch.outer(column, column) / (column[chosen[-1]] + least)
    return chosen


def fit_rectified(inputs: Tensor, answers: Tensor) -> tuple[Tensor, Tensor]:
    """Weights `[C, P]` and biases `[C]` such that `relu(W x + b)` approximates `relu(answers)`, by alternating least squares.

    Args:
        inputs: `[N, P]`.
        answers: `[N, C]`, not rectified.
    """
    inputs = torch.cat([inputs, inputs.new_ones(len(inputs), 1)], 1)
    factor = torch.linalg.cholesky(ridged((inputs.mT @ inputs).double()))
    wanted = answers
    for _ in range(_ROUNDS):
        solution = torch.cholesky_solve((inputs.mT @ wanted).double(), factor).to(inputs.dtype)
        wanted = torch.where(answers < 0, (inputs @ solution).clamp_max(0), answers)
    return solution[:-1].mT.contiguous(), solution[-1]


def ridged(square: Tensor) -> Tensor:
    """A matrix of second moments, `[P, P]`, with a ridge added to its diagonal, so that it is invertible."""
    return square + _RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)


def _answers(teacher: FeatureExtractor, batch: Tensor, convolutions: Sequence[int], places: int) -> dict[int, tuple[Tensor, Tensor]]:
    """By index of a convolution: random positions in each picture, `[B, n]`, and its outputs there, `[B n, C]`, not rectified."""
    answers = {}
    x = teacher.normalized(batch)
    for index, layer in zip(range(max(convolutions) + 1), teacher.trunk):
        x = layer(x)
        if index in convolutions:
            flat = x.flatten(2).mT  # [B, P, C]
            drawn = torch.stack([torch.randperm(flat.shape[1])[:places] for _ in flat]).to(x.device)
            found = flat.gather(1, drawn[..., None].expand(-1, -1, flat.shape[2]))
            answers[index] = drawn, found.float().flatten(0, 1)
    return answers


def _patches(features: Tensor, places: Tensor, layer: nn.Conv2d) -> Tensor:
    """A convolution's input patches at positions of each picture: `[B, C, H, W]`, `[B, n]` -> `[B n, C k k]`."""
    batch, _, _, width = features.shape
    size = layer.kernel_size[0]
    padded = functional.pad(features, [size // 2] * 4)
    rows, columns = places // width, places % width
    picture = torch.arange(batch, device=features.device)[:, None]
    near = [padded[picture, :, rows + down, columns + right] for down in range(size) for right in range(size)]
    return torch.stack(near, -1).flatten(2).flatten(0, 1)
