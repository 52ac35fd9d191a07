"""`optimize`: a picture optimized against the features of a photo and of paintings (Gatys, Ecker and Bethge 2016)."""

import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

from torch import Tensor

from style_core.devices import Compute, large_blocks_returned, release_memory
from style_core.errors import RequestError
from style_core.media.images import beyond, fit, in_bytes, size_to_fit
from style_core.messages import Message, joined
from style_core.networks.backbones import BACKBONES
from style_core.networks.moments import style_shares
from style_core.networks.vgg19 import stride_of
from style_core.optimization.descent import Descent, Diverged
from style_core.optimization.dream_term import term_layers
from style_core.optimization.temporal import TemporalTarget
from style_core.progress import Level, Step, Steps
from style_core.recipes.areas import in_effect
from style_core.recipes.cost_model import Cost, Situation, generator_cost, network_cost, style_loss_seconds
from style_core.recipes.loss_weights import for_network, loss_weights_of
from style_core.recipes.memory_plan import budget, largest_that_fits
from style_core.recipes.optimize_inputs import OptimizeInputs, Planner, region_count
from style_core.recipes.optimize_options import OptimizeOptions
from style_core.recipes.pyramid import PaintingPace, levels_left, levels_of
from style_core.recipes.run_history import Estimate, Watch
from style_core.recipes.stylize import StylizeOptions, stylize
from style_core.sizes import check_sides
from style_core.weights.open import open_extractor

_SLOPE = 0.5  # preconditioning at the first level (see `Descent`); later levels start with its large shapes
_LARGEST_PREVIEW = 2**22  # pixels, about what a screen can show
_STALL_WINDOW = 40  # iterations
_STALL_GAIN = 0.002  # stop when the loss improves by less than this over the window, relatively


def optimize(
    content: Tensor,
    styles: Sequence[Tensor],
    options: OptimizeOptions = OptimizeOptions(),
    *,
    style_weights: Sequence[float] | None = None,
    masks: Sequence[Tensor | None] | None = None,
    init_image: Tensor | None = None,
    continue_from: Tensor | None = None,
    done: int = 0,
    reached: Level | None = None,
    compute: Compute | None = None,
    preview_every: float = 1.0,
    memory: float | None = None,
    held: TemporalTarget | None = None,
) -> Steps:
    """Paint `content` in `styles` by optimizing the pixels; yields Steps, the last of which holds the result.

    Pictures whose features don't fit into memory are painted in tiles, with the same result.

    Args:
        content: `[3, H, W]`; enlarged first if the result is larger.
        styles: one or more `[3, h, w]`, any sizes.
        style_weights: one for each style; None weighs them equally.
        masks: for each style the area it covers, `[1, H', W']` in `[0, 1]`, or None for the area outside all masks. A style of weight 0
            covers nothing, and where masks overlap, the weights count.
        init_image: a picture to start from instead of `options.init`, resized to the result.
        continue_from: the result of a stopped run to continue, `[3, h, w]`. Levels and iterations that it completed are skipped.
        done: iterations of that run. If it completed all of `options.iterations`, as many are added.
        reached: the size that it was at, from `level_reached`; None assumes that it followed the plan of `options`.
        compute: where to run; None chooses.
        preview_every: seconds between Steps with a picture; previews of very large results are reduced (see `Step.full`).
        memory: bytes that the run may use; None is 90 % of the free memory.
        held: a target that keeps the result close to another picture, such as the frame before in a film.
    Raises:
        RequestError: before any heavy work, for a request that can't be carried out; if memory is short, it names a size that fits.
            `Diverged`, a subclass, if the optimization fails twice, after a last Step with the last good picture.
    """
    _check_request(styles, style_weights, masks)
    options, unused = in_effect(options, masks, style_shares(style_weights, len(styles)))
    loss_weights = loss_weights_of(options)
    started = time.monotonic()
    yield Step(0, options.iterations, note="Starting.")
    if not (options.strength or options.outside or options.alpha or options.beta):
        photo = fit(content, options.size, enlarge=True)
        yield Step(options.iterations, options.iterations, image=photo, note=joined("Strength 0 keeps the photo as it is.", unused))
        return
    if continue_from is not None and done + (reached.skipped if reached else 0) >= options.iterations:
        init_image, continue_from = continue_from, None
    before = _Before() if continue_from is None else _Before(continue_from, done, reached)
    compute = compute or Compute.choose()
    memory = budget(compute) if memory is None else memory
    _check_fits(content, styles, masks, options, compute, memory)
    layers = [*loss_weights.content, *loss_weights.style, *term_layers(loss_weights.dream)]
    extractor, note = yield from open_extractor(options.extractor, layers, compute, options.pooling)
    loss_weights = for_network(loss_weights, extractor.name, options)
    inputs = OptimizeInputs(content, styles, style_weights, masks, options, extractor, loss_weights, memory, held)
    plan = inputs.planner.plan(inputs.size)
    note = joined(note, beyond(tuple(content.shape[-2:]), inputs.size), unused, plan.sentence())
    with large_blocks_returned() if plan.side is not None else nullcontext():
        if options.init == "generator" and init_image is None:
            smaller = replace(options, size=largest_generated(inputs.size, compute, memory))
            init_image = yield from _from_generator(content, styles, style_weights, masks, smaller, compute)
            init_image = init_image if plan.side is None else in_bytes(init_image)
            release_memory()
        yield from _paint(inputs, init_image, before, started, preview_every, note)


def predicted_cost(levels: Sequence[tuple[int, int, int]], planner: Planner) -> Estimate:
    """Predicted cost of painting `levels`.

    Raises:
        RequestError: when no plan fits into memory.
    """
    network = planner.network
    plans = [planner.plan((height, width)) for height, width, _ in levels]
    found = network_cost(levels, network.shape, planner.compute, network.deepest, plans)
    own = sum(count * style_loss_seconds(height, width, network, planner.compute) for height, width, count in levels)
    return replace(found, seconds=found.seconds + own)


def optimize_cost(options: OptimizeOptions, given: Situation) -> Cost:
    """Predicted cost of optimizing a picture.

    Raises:
        RequestError: when no plan fits into memory, or the picture is too narrow.
    """
    size = given.size(options.size)
    planner = Planner.of(
        BACKBONES[given.network].shape, loss_weights_of(options), options, given.compute, given.styles, styles=[(1, 1)] * given.styles
    )
    check_sides(size, given.photo or size, stride_of(planner.network.deepest))
    levels = levels_of(size, options, given.started)
    return Cost(_kind(given.network, options), predicted_cost(levels, planner))


def _kind(network: str, options: OptimizeOptions) -> str:
    """Runs with the same network and style loss, from which estimates learn."""
    return f"optimize {network} {options.loss}"


def _check_request(styles: Sequence[Tensor], weights: Sequence[float] | None, masks: Sequence[Tensor | None] | None) -> None:
    if not styles:
        raise RequestError("There is no style picture; give at least one.")
    style_shares(weights, len(styles))
    if masks is not None and len(masks) != len(styles):
        raise RequestError("There are {masks} masks for {styles} styles; give one for each.", masks=len(masks), styles=len(styles))
    for mask in masks or ():
        if mask is not None and not mask.any():
            raise RequestError("A mask is all black, so its style would not appear; paint where it should go.")


def _check_fits(
    content: Tensor, styles: Sequence[Tensor], masks: Sequence[Tensor | None] | None, options: OptimizeOptions, compute: Compute,
    memory: float,
) -> None:  # fmt: skip
    """Refuse what doesn't fit even with the smallest network, before any download.

    Raises:
        RequestError: when no plan fits into so many bytes, or the picture is too narrow.
    """
    size = size_to_fit(tuple(content.shape[-2:]), options.size)
    smallest = BACKBONES["lite" if options.extractor == "auto" else options.extractor].shape
    sizes = [(style.shape[-2], style.shape[-1]) for style in styles]
    planner = Planner.of(smallest, loss_weights_of(options), options, compute, region_count(masks, options), memory, sizes)
    check_sides(size, (content.shape[-2], content.shape[-1]), stride_of(planner.network.deepest))
    planner.plan(size)


def largest_generated(size: tuple[int, int], compute: Compute, memory: float) -> int:
    """The long side of the largest picture, up to `size` (height, width), that the generator paints within so many bytes."""

    def fits(size: tuple[int, int]) -> bool:
        return generator_cost(*size, compute).bytes <= memory

    return max(size) if fits(size) else largest_that_fits(size, fits)


def generated_options(options: OptimizeOptions) -> StylizeOptions:
    """Options with which the generator paints a picture to start from."""
    color = "style" if options.color == "palette" else options.color
    return StylizeOptions(size=options.size, color=color, style_scale=options.style_scale, outside=options.outside, refine=0)


def _from_generator(content, styles, weights, masks, options: OptimizeOptions, compute: Compute) -> Generator[Step, None, Tensor]:
    """The generator's result for the same request, to start from."""
    wanted = generated_options(options)
    for step in stylize(content, styles, wanted, style_weights=weights, masks=masks, compute=compute, remember=False):
        yield Step(0, options.iterations, image=step.image, note="Starting from the generator's picture.")
    return step.result


@dataclass(frozen=True)
class _Before:
    """A stopped run that goes on: its picture, iterations and level, as in `optimize`; nothing for one that starts anew."""

    image: Tensor | None = None
    done: int = 0
    reached: Level | None = None


def _paint(inputs: OptimizeInputs, init_image: Tensor | None, before: _Before, started: float, preview_every: float, note: str) -> Steps:
    large = inputs.planner.plan(inputs.size).side is not None
    every = levels_of(inputs.size, inputs.options, started=init_image is not None)
    levels = levels_left(every, before.done, before.reached)
    painting = _Painting(inputs, PaintingPace(levels, started), preview_every, note, before)
    extractor = inputs.extractor
    watch = Watch(_kind(extractor.name, inputs.options), extractor.compute, predicted_cost(levels, inputs.planner))
    begins = len(levels) == len(every)
    try:
        image = yield from watch.over(_painted_levels(painting, levels, init_image, before.image, begins=begins, large=large))
    except GeneratorExit:  # whoever keeps a Step of a canceled run must not keep its memory
        painting.forget()
        raise
    painting.forget()
    if painting.finished:
        watch.finish()
    yield painting.moment(image=image, eta=0.0)


def _painted_levels(
    painting: "_Painting", levels: Sequence[tuple[int, int, int]], init_image: Tensor | None, stopped: Tensor | None, *, begins: bool,
    large: bool,
) -> Generator[Step, None, Tensor]:  # fmt: skip
    """Paint level after level; returns the result as it is shown.

    Args:
        stopped: the picture of a stopped run that goes on.
        begins: whether the first of the levels is a run's first one.
        large: whether memory is given back after each level.
    """
    inputs, image = painting.inputs, init_image
    for index, (height, width, count) in enumerate(levels):
        if image is not None and index:
            picture = inputs.enlarged(image, height, width, init_image)
        else:
            picture = inputs.start(height, width, init_image if stopped is None else stopped)
        descent = painting.begin(picture, first=index == 0 and begins)
        del picture
        image = None  # at a print's size, each copy takes a gigabyte
        image = yield from painting.level(descent, count, last=index == len(levels) - 1)
        del descent
        if large:
            release_memory()
    assert image is not None  # there is at least one level
    return inputs.shown(image)


class _Painting:
    """A run: its Steps, level by level."""

    def __init__(self, inputs: OptimizeInputs, pace: PaintingPace, preview_every: float, note: str, before: _Before = _Before()):
        self.inputs = inputs
        self._pace = pace
        self._preview_every = preview_every
        self._note = note
        self._done, self._shown_at = before.done, float("-inf")  # the first iteration shows its picture, for those who stop at once
        self._side, self._skipped = 0, before.reached.skipped if before.reached else 0
        self._losses: dict[str, float] = {}
        self._is_large = inputs.size[0] * inputs.size[1] > _LARGEST_PREVIEW
        self._current: Descent | Tensor | None = None  # the level at work, or the result of the one before

    @property
    def finished(self) -> bool:
        """Whether all planned iterations were made."""
        return self._done == self.inputs.options.iterations

    def moment(self, image: Tensor | None = None, eta: float | None = None, note: str | None = None) -> Step:
        note = self._note if note is None else note
        total, weights = self.inputs.options.iterations, self.inputs.weights
        level, full = Level(self._side, self._skipped), self._full if self._is_large and self._current is not None else None
        return Step(self._done, total, self._losses, image, self._pace.elapsed(), eta, note, weights, level, full)

    def forget(self) -> None:
        """Keep no picture any longer; Steps can no longer be asked for theirs."""
        self._current = None

    def _full(self) -> Tensor:
        """The picture so far, as shown, at the size of the result: `Step.full`."""
        assert self._current is not None, "Step.full was called after the run was closed"
        return self.inputs.shown(self._current.image() if isinstance(self._current, Descent) else self._current)

    def begin(self, picture: Tensor, *, first: bool) -> Descent:
        """Prepare a level that starts from `picture`, `[1, 3, H, W]`, which is copied."""
        inputs, self._side = self.inputs, max(picture.shape[-2:])
        plan = inputs.planner.plan((picture.shape[-2], picture.shape[-1]))
        slope = _SLOPE if first else 0.0
        objective = inputs.objective(plan) if inputs.held is None else inputs.held.beside(inputs.objective(plan))
        self._current = Descent(picture, objective, plan.history, inputs.options.learning_rate, inputs.options.averaging, slope)
        return self._current

    def level(self, descent: Descent, count: int, *, last: bool) -> Generator[Step, None, Tensor]:
        """Optimize for `count` iterations; the result as `[3, H, W]`."""
        inputs, (height, width) = self.inputs, descent.picture.shape[-2:]
        recent: deque[float] = deque(maxlen=_STALL_WINDOW)
        yield self.moment(eta=self._pace.left())
        for iteration in range(1, count + 1):
            yield from self._step(descent, height * width)
            if _stalled(recent, self._losses["total"]):
                if last:
                    self._note = Message(
                        "Stopped after {done} of {total} steps; the picture no longer changed.",
                        done=self._done,
                        total=inputs.options.iterations,
                    )
                else:
                    self._skipped += count - iteration
                self._pace.skip(height * width * (count - iteration))
                break
        self._current = result = descent.result()
        return result

    def _step(self, descent: Descent, pixels: int) -> Steps:
        restarted = descent.restarted
        try:
            self._losses = descent.step()
        except Diverged as failure:
            self.forget()
            yield self.moment(image=self.inputs.shown(failure.image), note=str(failure))
            raise
        self._done += 1
        self._pace.tick(pixels)
        if descent.restarted and not restarted:
            self._note = "The optimizer diverged and was restarted once from the best picture so far."
        preview = None
        if time.monotonic() - self._shown_at >= self._preview_every:
            current = descent.image() if pixels <= _LARGEST_PREVIEW else descent.current()
            preview, self._shown_at = self.inputs.shown(current, _LARGEST_PREVIEW), time.monotonic()
        yield self.moment(preview, self._pace.left())


def _stalled(recent: deque[float], loss: float) -> bool:
    """Whether the best loss of the last window hardly improves on that of the window before."""
    recent.append(loss)
    if len(recent) < _STALL_WINDOW:
        return False
    half = _STALL_WINDOW // 2
    older, newer = min(list(recent)[:half]), min(list(recent)[half:])
    return newer >= older * (1 - _STALL_GAIN)
