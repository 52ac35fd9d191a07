"""Training of the generator: one network that paints any photo in any style in one pass.

    export LD_PRELOAD=libjemalloc.so.2 MALLOC_CONF=oversize_threshold:0,thp:always,dirty_decay_ms:-1,muzzy_decay_ms:-1
    python -m style_core.training.generator --minutes 100 --out runs/generator

(jemalloc, because glibc's allocator slows down in runs of hours; set up to keep freed memory, in huge pages, which saves a quarter of
a step's time.)

Over crops of photos and views of paintings, it minimizes the distances that results are evaluated by: the relative content
distance at relu4_2 and the relative distances of Gram matrices at relu1_1 to relu5_1, both in VGG-19's features (Johnson et al.
2016; Ghiasi et al. 2017). Some styles are mixtures of two paintings, whose moments mix linearly, so that codes can be blended; some
are the photo's own, which must reproduce the photo.
"""

import argparse
import random
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from style_core.devices import Compute, prepare_cpu
from style_core.errors import RequestError
from style_core.media.images import fit_short, read_image, to_pil
from style_core.networks.extractor import FeatureExtractor, load_extractor
from style_core.networks.generator_net import CORRECTIONS, LEVELS, STRIDE, GeneratorNet, Residual, StyleModulation
from style_core.networks.moments import Moments, gram_matrix, relative_distances
from style_core.networks.vgg19 import CONTENT_LAYER, STYLE_LAYERS
from style_core.optimization.losses import evaluate, total_variation
from style_core.training.average import running_average
from style_core.training.data import Crops, sharp, split
from style_core.training.muon import Muon
from style_core.training.runs import Run, Stateful, cosine
from style_core.training.views import MeasuredStyle, PaintingViews
from style_core.training.workers import Workers

_STYLE_SIDE = 512  # px, short side at which results are evaluated
_MIXED, _OWN = 0.12, 0.05  # shares of styles that are mixtures, and the photo's own
_PAINTING_AS_PHOTO = 0.2  # share of crops that are of paintings
_FAINT = 0.04  # share of crops with hardly any contrast: fog, walls, a covered lens
_ASIDE = 12  # pictures of each kind by which the best weights are chosen
_KEPT = 0.999  # decay of the average of the weights, which ships


def whole_strides(batch: Tensor) -> Tensor:
    """A batch cropped to sides that are multiples of the encoder's stride."""
    height, width = (side - side % STRIDE for side in batch.shape[-2:])
    return batch[..., :height, :width]


@dataclass(frozen=True)
class Task:
    """Crops and their styles: each a view, or a mixture of two with the second one's share; None is the crop's own style."""

    batch: Tensor
    styles: list[tuple[MeasuredStyle, MeasuredStyle, float] | None]
    network: str

    def part(self, span: slice) -> "Task":
        return Task(self.batch[span], self.styles[span], self.network)


class TrainStep:
    """One step: crops, styles, painting, losses."""

    def __init__(
        self,
        net: GeneratorNet,
        evaluating: dict[str, FeatureExtractor],
        photos: Crops,
        paintings: Crops,
        views: PaintingViews,
        style_weight: float,
        reference_share: float,
        seed: int,
    ):
        self.net, self.evaluating, self.photos, self.paintings, self.views = net, evaluating, photos, paintings, views
        self.style_weight, self.reference_share = style_weight, reference_share
        self._random = random.Random(seed)

    def draw(self, count: int, size: int) -> Task:
        """A fresh task of `count` crops of `size` px."""
        self.views.step()
        network = "vgg19" if self._random.random() < self.reference_share else "lite"
        batch = self._faint(torch.stack([self._photo(size) for _ in range(count)]))
        return Task(batch, [self._style() for _ in range(count)], network)

    def _photo(self, size: int) -> Tensor:
        """A crop of a photo, or of a painting used as a photo, so that the network handles both."""
        source = self.paintings if self._random.random() < _PAINTING_AS_PHOTO else self.photos
        return source.batch(1, size, (0.9, 2.0))[0]

    def _style(self) -> tuple[MeasuredStyle, MeasuredStyle, float] | None:
        lot = self._random.random()
        if lot < _OWN:
            return None
        one = self.views.draw()
        if lot >= _OWN + _MIXED:
            return one, one, 0.0
        return one, self.views.draw(), self._random.uniform(0.2, 0.8)

    def losses(self, task: Task) -> dict[str, Tensor]:
        """Mean losses over a task by name; `total` is minimized."""
        batch, evaluating = task.batch, self.evaluating[task.network]
        with torch.no_grad():
            features = self.net.encode(batch)
            own = Moments.of(features)
            truth = evaluating.extract(batch, [CONTENT_LAYER, *(STYLE_LAYERS if None in task.styles else [])])
            moments, targets = self._wanted(task, own, truth)
            is_own = torch.tensor([float(style is None) for style in task.styles])
        result = self._painted(batch, features, own, moments)
        seen = evaluating.extract(result, [*STYLE_LAYERS, CONTENT_LAYER])
        by_layer = {layer: relative_distances(gram_matrix(seen[layer]), targets[layer]) for layer in STYLE_LAYERS}
        style = torch.stack(list(by_layer.values())).mean(0)
        content = relative_distances(seen[CONTENT_LAYER], truth[CONTENT_LAYER])
        identity = ((result - batch).abs().mean((1, 2, 3)) * is_own).sum() / len(batch)
        # The logarithm keeps a few outliers from dominating: relative distances of pale paintings start in the tens.
        # A content distance above 1 means a smooth photo was painted over: just above 1 it counts twice, and less for
        # larger ones, since distances of faint photos start in the tens too.
        lost = torch.where(content > 1, 1 + 2 * content.clamp_min(1).log(), content).mean()
        total = lost + self.style_weight * style.log1p().mean() + 10 * identity + 2 * total_variation(result)
        kept = 1 - is_own
        return {"total": total, "content": content.mean(), "style": (style * kept).sum() / kept.sum().clamp_min(1), "identity": identity,
                **{layer: value.mean() for layer, value in by_layer.items()}}  # fmt: skip

    def _faint(self, batch: Tensor) -> Tensor:
        contrasts = torch.tensor([10 ** self._random.uniform(-2, -0.3) if self._random.random() < _FAINT else 1.0 for _ in batch])
        mean = batch.mean((2, 3), keepdim=True)
        return mean + (batch - mean) * contrasts.view(-1, 1, 1, 1)

    def _painted(self, batch: Tensor, features: dict[str, Tensor], own: Moments, moments: Moments) -> Tensor:
        modulation = StyleModulation(self.net.style(self.net.style.encode(moments)))
        dtype = self.net.encoder.compute.dtype
        # Uncached: threads would share the cache, including its autograd graphs.
        with torch.autocast("cpu", dtype, enabled=dtype == torch.bfloat16, cache_enabled=False):
            return self.net(batch, features, own, modulation)

    def _wanted(self, task: Task, own: Moments, truth: dict[str, Tensor]) -> tuple[Moments, dict[str, Tensor]]:
        """Moments for the style net, and the target Gram matrices of the result."""
        moments, targets = [], []
        for index, style in enumerate(task.styles):
            if style is None:
                moments.append(_picked(own, index))
                targets.append({layer: gram_matrix(truth[layer][index : index + 1]) for layer in STYLE_LAYERS})
            else:
                one, two, share = style
                moments.append(one.moments.lerp(two.moments, share) if share else one.moments)
                targets.append(
                    {layer: torch.lerp(one.target(task.network, layer), two.target(task.network, layer), share) for layer in STYLE_LAYERS}
                )
        joined = Moments(
            {level: torch.cat([m.means[level] for m in moments]) for level in LEVELS},
            {level: torch.cat([m.grams[level] for m in moments]) for level in LEVELS},
        )
        return joined, {layer: torch.cat([target[layer] for target in targets]) for layer in STYLE_LAYERS}

    def state_dict(self) -> dict:
        return {"random": self._random.getstate()}

    def load_state_dict(self, state: dict) -> None:
        version, internal, gauss = state["random"]
        self._random.setstate((version, tuple(internal), gauss))


def _picked(moments: Moments, index: int) -> Moments:
    return Moments(
        {level: mean[index : index + 1] for level, mean in moments.means.items()},
        {level: gram[index : index + 1] for level, gram in moments.grams.items()},
    )


@torch.no_grad()
def examine(net: GeneratorNet, evaluator: FeatureExtractor, pairs: list[tuple[Path, Path]], sheet: Path | None = None) -> dict[str, float]:
    """Mean evaluated distances on validation pairs, short side 512; optionally writes a sheet of small results."""
    rows, results = [], []
    for photo, painting in pairs:
        content, style = (whole_strides(fit_short(read_image(path), _STYLE_SIDE)) for path in (photo, painting))
        features = net.encode(content[None])
        modulation = StyleModulation(net.style(net.style.encode(Moments.of(net.encode(style[None])))))
        with torch.autocast("cpu", evaluator.compute.dtype, enabled=evaluator.compute.dtype == torch.bfloat16):
            result = net(content[None], features, Moments.of(features), modulation)[0]
        rows.append(evaluate(evaluator, result, content, style))
        results.append([content, style, result])
    if sheet is not None:
        _write_sheet(results, sheet)
    return {name: sum(row[name] for row in rows) / len(rows) for name in ("style", "content")}


def _write_sheet(rows: list[list[Tensor]], path: Path, side: int = 256) -> None:
    sheet = Image.new("RGB", (6 * side, (len(rows) + 1) // 2 * side))
    for index, row in enumerate(rows):
        for column, image in enumerate(row):
            cell = to_pil(fit_short(image, side)).crop((0, 0, side, side))
            sheet.paste(cell, (side * (3 * (index % 2) + column), index // 2 * side))
    sheet.save(path, quality=90)


def begin(net: GeneratorNet, path: Path) -> None:
    """Continue from exported weights, except their encoder.

    Raises:
        RequestError: when they belong to another network.
    """
    state = {name: tensor.float() for name, tensor in load_file(path).items() if not name.startswith("encoder.")}
    fresh = (*_grow(net, state), *CORRECTIONS)
    missing, unknown = net.load_state_dict(state, strict=False)
    if unknown or any(not name.startswith(("encoder.", *fresh)) for name in missing):
        raise RequestError(f"{path.name} holds another network than this one.")


def _grow(net: GeneratorNet, state: dict[str, Tensor]) -> tuple[str, ...]:
    """Fit weights without deep blocks to a net that has them; the blocks start as identities.

    Returns:
        Prefixes of the tensors that may be missing from `state`.
    """
    if any(name.startswith("deep.") for name in state):
        return ()
    for block in net.deep:
        assert isinstance(block, Residual)
        nn.init.zeros_(block.second.conv.weight)
    for name in ("style.values.weight", "style.values.bias"):
        wanted = net.state_dict()[name]
        padded = torch.zeros_like(wanted)
        padded[: len(state[name])] = state[name]
        state[name] = padded
    return ("deep.",)


def export(net: GeneratorNet, encoder: dict[str, Tensor], path: Path, facts: dict[str, str]) -> None:
    """Write everything that the generator needs, its encoder included, in float16."""
    state = {name: tensor for name, tensor in net.state_dict().items() if not name.startswith("encoder.")}
    state |= {f"encoder.{name}": tensor for name, tensor in encoder.items() if name.startswith("features.")}
    save_file({name: tensor.half().contiguous() for name, tensor in state.items()}, path, facts)


def train(given: argparse.Namespace) -> None:
    """Train until the minutes are up; `generator.safetensors` is the best so far on pairs of the training split that are set aside."""
    prepare_cpu()
    torch.manual_seed(given.seed)
    compute = Compute.choose("cpu")
    evaluator = load_extractor("vgg19", given.vgg19, compute)
    # Not the validation split's, which the benchmarks evaluate.
    (photo_files, aside_photos), (painting_files, aside_paintings) = (
        set_aside(split(given.data / kind)[0], given.seed) for kind in ("content", "style")
    )
    net = GeneratorNet(compute)
    # A run keeps its initial encoder.
    if not (given.out / "encoder.safetensors").exists():
        given.out.mkdir(parents=True, exist_ok=True)
        tensors = load_file(given.begin or given.encoder).items()
        save_file(
            {n.removeprefix("encoder."): tensor for n, tensor in tensors if n.startswith("encoder.")}, given.out / "encoder.safetensors"
        )
    encoder = load_file(given.out / "encoder.safetensors")
    net.encoder.trunk.load_state_dict({k.removeprefix("features."): v for k, v in encoder.items() if k.startswith("features.")})
    if given.begin:
        begin(net, given.begin)
    photos = Crops(photo_files, given.seed)
    paintings = Crops(painting_files[:: max(1, len(painting_files) // 600)], given.seed + 3)
    evaluating = {"vgg19": evaluator}
    if given.reference_share < 1:
        evaluating["lite"] = load_extractor("lite", given.lite, compute)
    views = PaintingViews(painting_files, net, evaluating, given.seed + 1)
    train_step = TrainStep(net, evaluating, photos, paintings, views, given.style_weight, given.reference_share, given.seed + 2)
    if not given.begin:
        match_scales(net, photos)
    optimizer = Muon([p for p in net.parameters() if p.requires_grad], lr=given.rate, dtype=compute.dtype)
    average = running_average(net, _KEPT)
    shipped = average.module
    assert isinstance(shipped, GeneratorNet)
    best = Best()
    sources: dict[str, Stateful] = {"photos": photos, "paintings": paintings, "views": views, "train_step": train_step}
    run = Run(given.out, given.minutes, {"net": net, "average": average, "optimizer": optimizer, "best": best, **sources}, given)
    pairs = list(zip(aside_photos, aside_paintings))
    workers = Workers(torch.get_num_threads())
    examined, examined_at = time.monotonic(), run.steps

    def look() -> None:
        evaluated = examine(shipped, evaluator, pairs, given.out / "sheet.jpg")
        print("set aside", evaluated, flush=True)
        if evaluated["content"] + given.style_weight * evaluated["style"] < best.value:
            best.value = evaluated["content"] + given.style_weight * evaluated["style"]
            export(shipped, encoder, given.out / "generator.safetensors", _facts(given, run, evaluated))

    while run.going():
        for group in optimizer.param_groups:
            group["lr"] = given.rate * min(1, (run.steps + 1) / 100) * cosine(run.progress)
        task = train_step.draw(*(given.late if run.progress > 0.7 else given.early))
        optimizer.zero_grad()
        losses = workers.learn(lambda span: train_step.losses(task.part(span)), "total", len(task.batch))
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        average.update_parameters(net)
        run.step_done(**losses)
        if time.monotonic() - examined > 60 * given.examine_every:
            look()
            examined, examined_at = time.monotonic(), run.steps
    if run.steps > examined_at:  # also when it was stopped, so that nothing learned is lost
        look()


class Best:
    """The lowest loss so far on the pairs that are set aside; part of a checkpoint."""

    value = float("inf")

    def state_dict(self) -> dict:
        return {"value": self.value}

    def load_state_dict(self, state: dict) -> None:
        self.value = state["value"]


def set_aside(files: list[Path], seed: int) -> tuple[list[Path], list[Path]]:
    """Files to train on, and up to twelve sharp ones to choose the best weights by."""
    candidates = sharp(files)
    aside = random.Random(seed).sample(candidates, min(_ASIDE, len(candidates) // 2))
    return [file for file in files if file not in set(aside)], aside


@torch.no_grad()
def match_scales(net: GeneratorNet, photos: Crops) -> None:
    """Scale the style net's input at each level by the root mean square of photos' features."""
    features = net.encode(photos.batch(8, 160))
    net.style.scales.copy_(torch.stack([features[level].float().square().mean().sqrt() for level in LEVELS]))


def _facts(given: argparse.Namespace, run: Run, evaluated: dict[str, float]) -> dict[str, str]:
    return {
        "model": "generator: any photo in any painting's style, in one pass",
        "command": f"python -m style_core.training.generator --minutes {given.minutes:g} --rate {given.rate:g} "
        f"--style-weight {given.style_weight:g} --early {given.early[0]} {given.early[1]} --late {given.late[0]} {given.late[1]} --seed {given.seed}"
        f" --reference-share {given.reference_share:g}" + (f" --begin {given.begin.name}" if given.begin else ""),
        "steps": str(run.steps),
        "minutes": f"{run.spent:.1f}",
        "validation": f"style {evaluated['style']:.3f}, content {evaluated['content']:.3f} on {_ASIDE} training pairs set aside, short side 512",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="Folder with content/ and style/.")
    parser.add_argument("--vgg19", type=Path, default=Path("../shared/weights/vgg19.safetensors"), help="The network that evaluates.")
    parser.add_argument(
        "--encoder", type=Path, default=Path("models/generator.safetensors"), help="Weights that provide the encoder of a new run."
    )
    parser.add_argument("--out", type=Path, default=Path("runs/generator"))
    parser.add_argument("--minutes", type=float, default=100)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--style-weight", type=float, default=6.0)
    parser.add_argument("--begin", type=Path, help="Exported weights to continue from.")
    parser.add_argument("--early", type=int, nargs=2, default=(6, 160), metavar=("COUNT", "PX"), help="Crops per step, and their side.")
    parser.add_argument(
        "--lite", type=Path, default=Path("models/lite.safetensors"), help="The compact network that replaces VGG-19 in most steps."
    )
    parser.add_argument("--reference-share", type=float, default=0.3, help="Share of the steps with VGG-19 itself.")
    parser.add_argument("--late", type=int, nargs=2, default=(3, 224), metavar=("COUNT", "PX"), help="The same for the last three tenths.")
    parser.add_argument("--examine-every", type=float, default=8.0, help="Minutes between evaluations on the pairs set aside.")
    parser.add_argument("--seed", type=int, default=0)
    train(parser.parse_args())


if __name__ == "__main__":
    main()
