"""Training of `lite`: VGG-19 distilled into a network with a quarter to a ninth of its cost.

    python -m style_core.training.distill --minutes 40 --out runs/lite

The student is VGG-shaped and about a quarter as wide, and is initialized from the teacher (`layerwise`). Linear heads (1x1
convolutions, no bias) map its features to the teacher's. It is trained on the two distances of style transfer, measured through
the heads and relative as in the losses: features (content) and Gram matrices (style). Because the heads are linear,
`|W (G - G') W^T|` is the student's estimate of the teacher's style distance. Therefore each head ships folded into the square root
of its metric, `(W^T W)^(1/2)`, so that plain distances between shipped features approximate the teacher's.

An optimizer exploits every blind spot of the student. So part of each batch is on-policy: canvases being painted with the student
itself, on which the teacher then corrects it (after the idea of DAgger, Ross et al. 2011; Collaborative Distillation, Wang et al.
2020, distills for style transfer off-policy). Each canvas comes with the style that it is painted in, because the optimizer
minimizes the difference of their Gram matrices, and the student must get that difference right.
"""

import argparse
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from style_core.devices import Compute, prepare_cpu
from style_core.matrices import matrix_root
from style_core.networks.extractor import FeatureExtractor, first_layers, load_extractor, vgg_layers
from style_core.networks.moments import gram_matrix, relative_distances
from style_core.networks.vgg19 import LITE_WIDTHS, STYLE_LAYERS, VGG19_WIDTHS, block_of
from style_core.optimization.losses import out_of_gamut
from style_core.training.data import Crops, split
from style_core.training.layerwise import init_from_teacher, ridged
from style_core.training.muon import Muon
from style_core.training.runs import Run, cosine
from style_core.training.workers import Workers

TAUGHT = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2", "relu5_1")
_WEIGHTS = {"features": 1.0, "gram": 3.0, "difference": 4.0}
_INIT_BATCHES = 16  # of 4 photos and 4 paintings, to which the first weights are fitted
_LATE = 0.7  # share of the minutes after which crops are larger, so that borders affect relu5_1 less
_DEPTH = 30  # layers of the Sequential up to relu5_1
_POOLING = "average"  # max pooling takes more than twice as long


class Student(nn.Module):
    """The compact trunk and the linear heads that map each taught layer to the teacher's channels."""

    def __init__(self, widths: Sequence[int] = LITE_WIDTHS):
        super().__init__()
        trunk = first_layers(vgg_layers(widths, pooling=_POOLING), _DEPTH)
        for layer in trunk:
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                layer.bias = nn.Parameter(torch.zeros(layer.out_channels))
        self.extractor = FeatureExtractor("lite", trunk, Compute.choose("cpu", "fp32"))
        self.extractor.requires_grad_(True)
        self.training_bf16 = False
        self.heads = nn.ModuleDict(
            {layer: nn.Conv2d(widths[block_of(layer)], VGG19_WIDTHS[block_of(layer)], 1, bias=False) for layer in TAUGHT}
        )
        # The scale of the teacher's activations, kept outside the heads so that their weights stay near 1.
        self.scales = nn.ParameterDict({layer: nn.Parameter(torch.ones(()), requires_grad=False) for layer in TAUGHT})

    def match_scales(self, truth: dict[str, Tensor]) -> None:
        """Take the teacher's root mean square at each taught layer, `[B, C, H, W]`, as the heads' unit."""
        for layer, features in truth.items():
            self.scales[layer].copy_(features.float().square().mean().sqrt())

    def _autocast(self) -> torch.autocast:
        # Uncached: threads would share the cache, including its autograd graphs.
        return torch.autocast("cpu", torch.bfloat16, enabled=self.training_bf16, cache_enabled=False)

    def mapped(self, layer: str, features: Tensor) -> Tensor:
        """A layer's features in the teacher's channels and at its scale, float32."""
        with self._autocast():
            seen = self.heads[layer](features)
        return seen.float() * self.scales[layer]

    def mapped_gram(self, layer: str, features: Tensor) -> Tensor:
        """The Gram matrix of `mapped` features, `W G W^T`, computed from the student's smaller one."""
        head = self.heads[layer]
        assert isinstance(head, nn.Conv2d)
        weight = head.weight.flatten(1) * self.scales[layer]
        return weight @ gram_matrix(features) @ weight.mT

    def forward(self, batch: Tensor) -> dict[str, Tensor]:
        """Features `[B, C, H, W]` by taught layer, in the student's own channels."""
        with self._autocast():
            return self.extractor.extract(batch, TAUGHT)


class Canvases:
    """A rolling pool of pictures being painted with the student, each with its own style, and restarted when old.

    Args:
        student: used in its current state, through the metric of its heads.
        count, size: of the pool; each canvas is `size` px square.
        life: moves before a canvas starts afresh.
    """

    def __init__(self, student: Student, photos: Crops, paintings: Crops, workers: Workers, count: int, size: int, life: int = 120):
        self.student, self.photos, self.paintings, self.workers = student, photos, paintings, workers
        self.count, self.size, self.life = count, size, life
        self.spans = [self._fresh(index * life // count) for index in range(count)]

    def batch(self, count: int, moves: int) -> Tensor:
        """The next `count` canvases, after `moves` more moves, each with its style: `[count, 2, 3, H, W]`; detached."""
        turn, self.spans = self.spans[:count], self.spans[count:]
        turn = [span if span["age"] < self.life else self._fresh(0) for span in turn]
        rate = 0.01 + 0.04 * float(torch.rand(()))
        self.workers.map(lambda span: self._paint(turn[span], moves, rate), self.workers.spans(count))
        self.spans += turn
        return torch.stack([torch.cat([span["canvas"], span["style"]]) for span in turn])

    def _fresh(self, age: int) -> dict:
        photo = self.photos.batch(1, self.size, (1.0, 2.0))
        style = self.paintings.batch(1, self.size, (1.0, 1.6))
        start = photo if torch.rand(()) < 0.8 else torch.rand_like(photo)
        return {"canvas": start, "photo": photo, "style": style, "age": age, "strength": float(torch.rand(())) * 20 + 2,
                "moments": (torch.zeros_like(photo), torch.zeros_like(photo)), "moves": 0}  # fmt: skip

    def _paint(self, spans: list[dict], moves: int, rate: float) -> None:
        """Adam on all canvases in one batch; the student's weights don't change."""
        student = self.student
        with torch.no_grad():
            styles = {layer: student.mapped_gram(layer, f) for layer, f in student(torch.cat([s["style"] for s in spans])).items()}
            photos = student.mapped("relu4_2", student(torch.cat([s["photo"] for s in spans]))["relu4_2"])
        strengths = torch.tensor([span["strength"] for span in spans])
        canvas = torch.cat([span["canvas"] for span in spans])
        first, second = (torch.cat([span["moments"][i] for span in spans]) for i in (0, 1))
        for _ in range(moves):
            canvas.requires_grad_()
            features = student(canvas)
            content = relative_distances(student.mapped("relu4_2", features["relu4_2"]), photos)
            style = sum(relative_distances(student.mapped_gram(layer, features[layer]), styles[layer]) for layer in STYLE_LAYERS) / len(
                STYLE_LAYERS
            )
            loss = (content + strengths * style).sum() + 10 * len(spans) * out_of_gamut(canvas)
            (gradient,) = torch.autograd.grad(loss, canvas)
            first = 0.9 * first + 0.1 * gradient
            second = 0.95 * second + 0.05 * gradient.square()
            for span in spans:
                span["moves"] += 1
            corrected = torch.stack([torch.tensor([1 - 0.9 ** s["moves"], 1 - 0.95 ** s["moves"]]) for s in spans])
            move = (first / corrected[:, 0].view(-1, 1, 1, 1)) / ((second / corrected[:, 1].view(-1, 1, 1, 1)).sqrt() + 1e-12)
            canvas = (canvas.detach() - rate * move).clamp(0, 1)
        for index, span in enumerate(spans):
            span["canvas"] = canvas[index : index + 1].detach()
            span["moments"] = (first[index : index + 1], second[index : index + 1])
            span["age"] += moves


class TrainStep:
    """One step of distillation: pictures, canvases, teacher, losses.

    Args:
        pairs, size: pairs of pictures per step, at least two, and their side in pixels.
    """

    def __init__(
        self, teacher: FeatureExtractor, student: Student, photos: Crops, paintings: Crops, workers: Workers, pairs: int, size: int
    ):
        self.teacher, self.student, self.photos, self.paintings = teacher, student, photos, paintings
        self.canvases = Canvases(student, photos, paintings, workers, count=6 * pairs, size=size)
        self.pairs, self.size = pairs, size

    def draw(self) -> Tensor:
        """A batch `[pairs, 2, 3, H, W]`: half are a photo and a painting, augmented; the others a canvas and its style."""
        half = self.pairs // 2
        photos, paintings = self.photos.batch(half, self.size, (1.0, 2.2)), self.paintings.batch(half, self.size, (0.7, 2.0))
        fresh = roughened(torch.cat([photos, paintings])).unflatten(0, (2, half)).transpose(0, 1)
        return torch.cat([fresh, self.canvases.batch(self.pairs - half, moves=4)])[torch.randperm(self.pairs)]

    def losses(self, pairs: Tensor) -> dict[str, Tensor]:
        """Mean distances to the teacher over `[B, 2, 3, H, W]`, by name; `loss` is minimized.

        Distances of features and Gram matrices are relative to the teacher's; those of a pair's difference of Gram matrices are
        relative to both.
        """
        batch = pairs.flatten(0, 1)
        with torch.no_grad():
            truth = self.teacher.extract(batch, TAUGHT)
        losses = {}
        for layer, features in self.student(batch).items():
            losses[f"features {layer}"] = relative_distances(self.student.mapped(layer, features), truth[layer]).mean()
            if layer in STYLE_LAYERS:
                seen, true = self.student.mapped_gram(layer, features), gram_matrix(truth[layer])
                losses[f"gram {layer}"] = relative_distances(seen, true).mean()
                # Each Gram matrix as predicted from the other one and the student's difference.
                seen, true = seen.unflatten(0, (-1, 2)), true.unflatten(0, (-1, 2))
                losses[f"difference {layer}"] = relative_distances(true.flip(1) + seen - seen.flip(1), true).mean()
        return {"loss": objective(losses), **losses}


def roughened(batch: Tensor) -> Tensor:
    """A batch of which some have noise, lower contrast or are mixed, like intermediate states of optimization."""
    draw = torch.rand(len(batch), 1, 1, 1)
    noise = torch.randn_like(batch) * 0.2 * torch.rand(len(batch), 1, 1, 1)
    noisy = (batch + noise).clamp(0, 1)
    mixed = batch.lerp(batch.flip(0), 0.5 * torch.rand(len(batch), 1, 1, 1))
    return torch.where(draw < 0.15, noisy, torch.where(draw < 0.3, mixed, batch))


def objective(losses: dict[str, Tensor]) -> Tensor:
    """The loss of distillation: a weighted sum of a step's distances."""
    return torch.stack([loss * _WEIGHTS[name.split()[0]] for name, loss in losses.items()]).sum()


@torch.no_grad()
def begin_with(student: Student, path: Path, teacher: FeatureExtractor, pictures: Sequence[Tensor]) -> None:
    """Initialize from an exported student: copy its trunk if the shapes match; else fit layers to it, and wider ones to the teacher.

    Args:
        pictures: batches `[B, 3, H, W]` for the fit.
    """
    before = load_extractor("lite", path, Compute.choose("cpu", "fp32"))
    own, theirs = student.extractor.trunk.state_dict(), before.trunk.state_dict()
    if {name: tensor.shape for name, tensor in own.items()} == {name: tensor.shape for name, tensor in theirs.items()}:
        student.extractor.trunk.load_state_dict(theirs)
    else:
        init_from_teacher(student.extractor, (before, teacher), pictures)


@torch.no_grad()
def fit_heads(student: Student, teacher: FeatureExtractor, batches: Iterable[Tensor]) -> None:
    """Fit the heads by least squares, because an exported student contains only their metric.

    Args:
        batches: pictures `[B, 3, H, W]`, on which student and teacher are compared.
    """
    own: dict[str, Tensor] = {}
    shared: dict[str, Tensor] = {}
    for batch in batches:
        truth, seen = teacher.extract(batch, TAUGHT), student(batch)
        for layer in TAUGHT:
            mine, theirs = (features[layer].double().transpose(0, 1).flatten(1) for features in (seen, truth))
            own[layer] = own.get(layer, 0) + mine @ mine.mT
            shared[layer] = shared.get(layer, 0) + theirs @ mine.mT
    for layer, head in student.heads.items():
        fitted = torch.linalg.solve(ridged(own[layer]), shared[layer].mT).mT / student.scales[layer]
        head.load_state_dict({"weight": fitted[:, :, None, None]})


def export(student: Student, path: Path, metadata: dict[str, str]) -> None:
    """Write the student in float16, its heads folded into `metric.LAYER`, the square root of `W^T W`; the metadata says how it pools."""
    tensors = {f"features.{name}": tensor for name, tensor in student.extractor.trunk.state_dict().items()}
    for layer, head in student.heads.items():
        weight = (head.weight * student.scales[layer]).detach().flatten(1).double()
        tensors[f"metric.{layer}"] = matrix_root(weight.mT @ weight)
    save_file({name: tensor.half().contiguous() for name, tensor in tensors.items()}, path, {**metadata, "pooling": _POOLING})


def train(given: argparse.Namespace) -> None:
    """Distill until the minutes are up; `lite.safetensors` is written to the run's folder at each checkpoint."""
    prepare_cpu()
    torch.manual_seed(given.seed)
    compute = Compute.choose("cpu")
    teacher = load_extractor("vgg19", given.teacher, compute)
    photos = Crops(split(given.data / "content")[0], given.seed)
    paintings = Crops(split(given.data / "style")[0], given.seed + 1)
    student = Student()
    student.training_bf16 = compute.dtype == torch.bfloat16
    optimizer = Muon([p for p in student.parameters() if p.requires_grad], lr=given.rate, dtype=compute.dtype)
    run = Run(given.out, given.minutes, {"student": student, "optimizer": optimizer, "photos": photos, "paintings": paintings}, given)
    if run.steps == 0:
        pictures = [
            roughened(torch.cat([source.batch(4, given.early[1], (0.8, 2.1)) for source in (photos, paintings)]))
            for _ in range(_INIT_BATCHES)
        ]
        with torch.no_grad():
            student.match_scales(teacher.extract(pictures[0], TAUGHT))
        if given.begin:
            begin_with(student, given.begin, teacher, pictures)
        else:
            init_from_teacher(student.extractor, (teacher,), pictures)
        fit_heads(student, teacher, pictures)
    workers = Workers(torch.get_num_threads())
    train_step = None
    saved = time.monotonic()
    while run.going():
        for group in optimizer.param_groups:
            group["lr"] = given.rate * cosine(run.progress)
        count, size = given.late if run.progress > _LATE else given.early
        if train_step is None or train_step.size != size:
            train_step = TrainStep(teacher, student, photos, paintings, workers, count, size)
        pairs = train_step.draw()
        optimizer.zero_grad()
        losses = workers.learn(lambda span: train_step.losses(pairs[span]), "loss", len(pairs))
        nn.utils.clip_grad_norm_(student.parameters(), 5.0)
        optimizer.step()
        run.step_done(**losses)
        if time.monotonic() - saved > 120:
            export(student, given.out / "lite.safetensors", _facts(given, run))
            saved = time.monotonic()
    export(student, given.out / "lite.safetensors", _facts(given, run))


def _facts(given: argparse.Namespace, run: Run) -> dict[str, str]:
    return {
        "model": "lite: a compact VGG-shaped feature network distilled from VGG-19",
        "command": f"python -m style_core.training.distill --minutes {given.minutes:g} --rate {given.rate:g} --seed {given.seed}"
        f" --early {given.early[0]} {given.early[1]} --late {given.late[0]} {given.late[1]}"
        + (f" --begin {given.begin.name}" if given.begin else ""),
        "steps": str(run.steps),
        "minutes": f"{run.spent:.1f}",
        "layout": "features.N.weight/bias as torchvision's VGG-19; metric.LAYER multiplies the features at LAYER",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with content/ and style/.")
    parser.add_argument("--teacher", type=Path, default=Path("../shared/weights/vgg19.safetensors"))
    parser.add_argument("--out", type=Path, default=Path("runs/lite"))
    parser.add_argument(
        "--begin", type=Path, help="An exported student to continue from; one of another shape replaces the teacher for initialization."
    )
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument(
        "--early", type=int, nargs=2, default=(4, 192), metavar=("PAIRS", "PX"), help="Pairs of crops per step, and their side."
    )
    parser.add_argument("--late", type=int, nargs=2, default=(4, 288), metavar=("PAIRS", "PX"), help="The same for the last three tenths.")
    parser.add_argument("--rate", type=float, default=4e-4)
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
