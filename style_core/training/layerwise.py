"""A student initialized from its teacher: channels chosen and convolutions fitted, layer by layer, in closed form.

Each convolution of the student answers for a choice of the teacher's channels, made so that the others follow linearly from
them (as in Channel Pruning, He et al. 2017). Its weights are the least squares solution from what the student itself sees
below to what the teacher answers, so that errors made below are mended and not handed on, and only the rectified answers
count (asymmetric reconstruction, Zhang et al. 2016, "Accelerating Very Deep Convolutional Networks", eq. 8 and 12). Half a
minute of it left a better student than 42 minutes of gradients from nothing had.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from style_core.networks.extractor import FeatureExtractor

_RIDGE = 1e-4  # of the mean square of what is fitted on
_EPSILON = 1e-6
_ROUNDS = 8  # of fitting: answers below zero may lie anywhere there


@torch.no_grad()
def init_from_teacher(
    student: FeatureExtractor, teachers: Sequence[FeatureExtractor], batches: Sequence[Tensor], places: int = 400
) -> None:
    """Set the student's convolutions after a teacher's, of the same shape.

    Args:
        student: float32, on the teachers' device; its layers stand where theirs do.
        teachers: each convolution answers for the first of them that is at least as wide there.
        batches: of pictures `[B, 3, H, W]`, sRGB in `[0, 1]`.
        places: at which each layer is compared, in each picture.
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
            # Rectified channels of one size, whatever the teacher's: what comes next then learns at one rate.
            size = (patches @ weight.mT + bias).relu().square().mean(0).sqrt().clamp_min(_EPSILON)
            layer.load_state_dict({"weight": (weight / size[:, None]).view_as(layer.weight), "bias": bias / size})
        seen = [layer(x) for x in seen]


def spanning_channels(features: Tensor, count: int) -> list[int]:
    """The `count` channels of `[N, C]` from which the others follow best, linearly: chosen one by one, greedily."""
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
    """Weights `[C, P]` and biases `[C]` for which `relu(W x + b)` is near `relu(answers)`, by alternating least squares.

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
    """A matrix of second moments, `[P, P]`, that can be solved with: a ridge on its diagonal."""
    return square + _RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype, device=square.device)


def _answers(teacher: FeatureExtractor, batch: Tensor, convolutions: Sequence[int], places: int) -> dict[int, tuple[Tensor, Tensor]]:
    """By index of a convolution: places drawn from each picture, `[B, n]`, and what it answers there, `[B n, C]`, not rectified."""
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
    """What a convolution sees at places of each picture: `[B, C, H, W]`, `[B, n]` -> `[B n, C k k]`."""
    batch, _, _, width = features.shape
    size = layer.kernel_size[0]
    padded = functional.pad(features, [size // 2] * 4)
    rows, columns = places // width, places % width
    picture = torch.arange(batch, device=features.device)[:, None]
    near = [padded[picture, :, rows + down, columns + right] for down in range(size) for right in range(size)]
    return torch.stack(near, -1).flatten(2).flatten(0, 1)
