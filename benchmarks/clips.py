"""Clips with known motion, made from our own pictures: pans, zooms, rotations, crossing objects, cuts, noise, changing light.

python -m benchmarks.clips --out DIR    writes them as MP4 files
"""

import argparse
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import islice, pairwise
from pathlib import Path

import cv2
import numpy
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.common import SAMPLES
from style_core.media.clip import Clip as Movie
from style_core.media.images import fit, read_image
from style_core.media.motion import pixels_of, undisplaced

WIDTH, HEIGHT, LENGTH = 384, 288, 24
_CONSISTENT = 0.5  # px by which estimated flow, forward and back, may miss its start
# A pose maps a frame's pixels (x, y, 1) to a picture's: `[3, 3]`.
Pose = Callable[[int], Tensor]


@dataclass(frozen=True)
class Clip:
    """Frames `[3, H, W]` uint8, each with its backward flow.

    `flow[t]`: `[2, H, W]` in pixels; pixel (x, y) of frame t shows what frame t-1 showed at (x + flow[0], y + flow[1]).
    `valid[t]`: `[H, W]`, false for content that frame t-1 didn't show: occluded, outside, after a cut, or blended at an edge.
    The first frame's flow is 0 and never valid. `cuts`: frames that begin a new shot.
    """

    frames: list[Tensor]
    flow: list[Tensor]
    valid: list[Tensor]
    cuts: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Layer:
    """A picture `[4, H, W]` (red, green, blue, opacity) in `[0, 1]` that moves as a whole."""

    picture: Tensor
    pose: Pose


@dataclass(frozen=True)
class _Shot:
    """Layers from back to front for some frames, and the camera's effect on their brightness."""

    layers: list[_Layer]
    length: int = LENGTH
    gain: Callable[[int], float] = field(default=lambda t: 1.0)
    noise: float = 0.0


def _pose(x: float, y: float, zoom: float = 1.0, turn: float = 0.0, *, at: tuple[float, float] = (WIDTH / 2, HEIGHT / 2)) -> Tensor:
    """The pose that shows the picture's point (x, y) at a point of the frame, enlarged and rotated (radians)."""
    c, s = math.cos(turn) / zoom, math.sin(turn) / zoom
    return torch.tensor([[c, -s, x - c * at[0] + s * at[1]], [s, c, y - s * at[0] - c * at[1]], [0, 0, 1]], dtype=torch.float64)


def _grid(height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    """Pixels `[3, H, W]` as (x, y, 1)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).double()


def sample(picture: Tensor, x: Tensor, y: Tensor, *, padding: str = "border") -> Tensor:
    """A picture `[C, H, W]` at pixel coordinates `[H', W']`, bicubic."""
    height, width = picture.shape[-2:]
    x, y = undisplaced(x), undisplaced(y)
    grid = torch.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], -1)
    return functional.grid_sample(picture[None], grid[None].to(picture), mode="bicubic", padding_mode=padding, align_corners=True)[0]


def warped(previous: Tensor, flow: Tensor) -> Tensor:
    """The previous frame `[3, H, W]` (float) warped by the flow to the current one."""
    grid = _grid(*flow.shape[-2:])
    return sample(previous, grid[0] + flow[0], grid[1] + flow[1])


def warped_by_lanczos(previous: Tensor, flow: Tensor) -> Tensor:
    """The same with another kernel, which films aren't painted with."""
    x, y = (_grid(*flow.shape[-2:])[:2] + flow).float().numpy()
    pixels = cv2.remap(previous.permute(1, 2, 0).contiguous().numpy(), x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _placed(pose: Tensor) -> Tensor:
    return torch.einsum("ij,jhw->ihw", pose, _grid())


def _shown(shot: _Shot, t: int) -> tuple[Tensor, Tensor, Tensor]:
    """The frame `[3, H, W]` in `[0, 1]`, the index of the front layer at each pixel, and that layer's opacity."""
    frame, front, pure = torch.zeros(3, HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH, dtype=torch.long), torch.ones(HEIGHT, WIDTH)
    for index, layer in enumerate(shot.layers):
        place = _placed(layer.pose(t))
        read = sample(layer.picture, place[0], place[1], padding="border" if index == 0 else "zeros").clamp(0, 1)
        opacity = torch.ones_like(read[3]) if index == 0 else read[3]
        frame = frame * (1 - opacity) + read[:3] * opacity
        front = torch.where(opacity > 0.5, index, front)
        pure = torch.where(opacity > 0.5, opacity, pure * (1 - opacity))
    return frame, front, pure


def _moved(shot: _Shot, t: int, front: Tensor) -> Tensor:
    """Backward flow `[2, H, W]` of the front layers from frame t to t-1."""
    grid, flow = _grid(), torch.zeros(2, HEIGHT, WIDTH, dtype=torch.float64)
    for index, layer in enumerate(shot.layers):
        back = torch.linalg.solve(layer.pose(t - 1), layer.pose(t))
        flow = torch.where(front == index, (_placed(back) - grid)[:2], flow)
    return flow.float()


def _seen_before(flow: Tensor, front: Tensor, pure: Tensor, was_front: Tensor, was_pure: Tensor) -> Tensor:
    """Pixels whose layer was also in front one frame before, inside the frame and away from layer edges."""
    grid = _grid()
    x, y = grid[0] + flow[0], grid[1] + flow[1]
    inside = (x >= 0) & (x <= WIDTH - 1) & (y >= 0) & (y <= HEIGHT - 1)
    column, row = x.round().long().clamp(0, WIDTH - 1), y.round().long().clamp(0, HEIGHT - 1)
    clear, was_clear = _away_from_edges(front, pure), _away_from_edges(was_front, was_pure)
    return inside & clear & was_clear[row, column] & (was_front[row, column] == front)


def _away_from_edges(front: Tensor, pure: Tensor) -> Tensor:
    """Pixels at least two pixels away from any other layer or blended edge."""
    mixed = (pure < 0.99).float()
    number = front.float()[None, None]
    edge = functional.max_pool2d(number, 5, 1, 2) + functional.max_pool2d(-number, 5, 1, 2)
    return (edge[0, 0] == 0) & (functional.max_pool2d(mixed[None], 5, 1, 2)[0] == 0)


def _filmed(shots: list[_Shot], seed: int) -> Clip:
    frames: list[Tensor] = []
    flows: list[Tensor] = []
    valids: list[Tensor] = []
    cuts: list[int] = []
    generator = torch.Generator().manual_seed(seed)
    for shot in shots:
        if frames:
            cuts.append(len(frames))
        before = None
        for t in range(shot.length):
            frame, front, pure = _shown(shot, t)
            flow, valid = torch.zeros(2, HEIGHT, WIDTH), torch.zeros(HEIGHT, WIDTH, dtype=torch.bool)
            if before:
                flow = _moved(shot, t, front)
                valid = _seen_before(flow, front, pure, *before)
            before = front, pure
            frame = frame * shot.gain(t)
            if shot.noise:
                frame = frame + shot.noise * torch.randn(frame.shape, generator=generator)
            frames.append((frame.clamp(0, 1) * 255 + 0.5).byte())
            flows.append(flow)
            valids.append(valid)
    return Clip(frames, flows, valids, tuple(cuts))


@cache
def _picture(name: str, long_side: int = 840) -> Tensor:
    """One of our pictures as a layer; 840 px leave room to move at about the frame's resolution."""
    picture = fit(read_image(SAMPLES / f"{name}.jpg"), long_side)
    return torch.cat([picture, torch.ones_like(picture[:1])])


def _sprite(name: str, x: int, y: int, radius: int, waves: int) -> Tensor:
    """A piece cut out of a picture with a wavy outline, `[4, 2 * radius, 2 * radius]`."""
    piece = _picture(name)[:, y - radius : y + radius, x - radius : x + radius].clone()
    v, u = torch.meshgrid(torch.arange(2 * radius) - radius + 0.5, torch.arange(2 * radius) - radius + 0.5, indexing="ij")
    edge = radius * (0.8 + 0.1 * torch.sin(torch.atan2(v, u) * waves)) - torch.hypot(u, v)
    piece[3] = (edge / 2 + 0.5).clamp(0, 1)
    return piece


def _ease(t: int, length: int = LENGTH) -> float:
    """From 0 to 1, easing in and out."""
    return 0.5 - 0.5 * math.cos(math.pi * t / (length - 1))


_LAKE, _FRUIT = "mountain-lake", "still-life"


def _lake(pose: Pose) -> _Layer:
    return _Layer(_picture(_LAKE), pose)


def _fruit(pose: Pose) -> _Layer:
    return _Layer(_picture(_FRUIT), pose)


def _flying(sprite: Tensor, start: tuple[float, float], step: tuple[float, float], spin: float = 0.0) -> _Layer:
    """A sprite whose center crosses the frame in a straight line."""
    middle = sprite.shape[-1] / 2

    def pose(t: int) -> Tensor:
        return _pose(middle, middle, turn=spin * t, at=(start[0] + step[0] * t, start[1] + step[1] * t))

    return _Layer(sprite, pose)


def _still(x: float, y: float) -> Pose:
    return lambda t: _pose(x, y)


def _shaken(t: int) -> Tensor:
    return _pose(420 + 7 * math.sin(t * 0.9), 270 + 5 * math.sin(t * 1.3 + 1), 1.1, 0.012 * math.sin(t * 0.7))


def _shots() -> dict[str, list[_Shot]]:
    apple = _sprite(_FRUIT, 430, 235, 58, 5)
    peak = _sprite(_LAKE, 560, 170, 70, 3)
    half = LENGTH // 2
    return {
        "pan": [_Shot([_lake(lambda t: _pose(210 + 3.3 * t, 250))])],
        "fast-pan": [_Shot([_fruit(lambda t: _pose(200 + 17.5 * t, 330 - 4.3 * t))])],
        "zoom-in": [_Shot([_lake(lambda t: _pose(520, 240, 1.0 + 0.55 * _ease(t)))])],
        "zoom-out": [_Shot([_fruit(lambda t: _pose(430, 300, 1.6 - 0.55 * _ease(t)))])],
        "turn": [_Shot([_fruit(lambda t: _pose(420, 290, 1.15, 0.018 * t - 0.2))])],
        "handheld": [_Shot([_lake(_shaken)])],
        "crossing": [_Shot([_lake(_still(420, 270)), _flying(apple, (-40, 170), (20.3, -1.6), 0.05)])],
        "two-crossing": [
            _Shot(
                [
                    _fruit(lambda t: _pose(360 + 2.4 * t, 280)),
                    _flying(peak, (420, 90), (-19.1, 2.2)),
                    _flying(apple, (-30, 200), (17.2, -3.0)),
                ]
            )
        ],
        "cut": [_Shot([_lake(lambda t: _pose(300 + 2.5 * t, 260))], half), _Shot([_fruit(lambda t: _pose(420, 290, 1 + 0.015 * t))], half)],
        "cuts": [
            _Shot([_fruit(_still(400, 290))], 8),
            _Shot([_lake(lambda t: _pose(560 - 5.5 * t, 230))], 9),
            _Shot([_fruit(lambda t: _pose(520, 300, 1.3, 0.02 * t)), _flying(peak, (60, 120), (11.7, 4.2))], 7),
        ],
        "noisy-pan": [_Shot([_fruit(lambda t: _pose(260 + 6.7 * t, 290))], noise=0.035)],
        "dusk": [_Shot([_lake(lambda t: _pose(400 + 1.7 * t, 265))], gain=lambda t: 1 - 0.5 * _ease(t))],
    }


# Clips whose frames differ by more than motion, so that warping by the true flow leaves a difference.
CHANGING = frozenset({"noisy-pan", "dusk"})


def clips(*names: str) -> dict[str, Clip]:
    """All clips by name, or only those named.

    Raises:
        ValueError: for a name that no clip has.
    """
    shots = _shots()
    if unknown := sorted(set(names) - set(shots)):
        raise ValueError(f"There is no clip called {unknown[0]}; there are {', '.join(shots)}.")
    return {name: _filmed(shots[name], seed) for seed, name in enumerate(shots) if not names or name in names}


def filmed(path: Path, length: int = 2 * LENGTH) -> Clip:
    """The first frames of a filmed clip. Its true motion isn't known: it is estimated on full frames, with finer settings than films use,
    and valid only where forward and backward flow agree.
    """
    frames = [(fit(frame, WIDTH) * 255 + 0.5).byte() for frame in islice(Movie.open(path).images(), length)]
    gray = [cv2.cvtColor(pixels_of(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    search.setFinestScale(0)
    flows, valid = [torch.zeros(2, *gray[0].shape)], [torch.zeros(gray[0].shape, dtype=torch.bool)]
    for before, now in pairwise(gray):
        back, forth = (
            torch.from_numpy(search.calc(*pair, numpy.zeros((*pair[0].shape, 2), numpy.float32))).permute(2, 0, 1)
            for pair in ((now, before), (before, now))
        )
        flows.append(back)
        valid.append((back + warped(forth, back)).norm(dim=0) < _CONSISTENT)
    return Clip(frames, flows, valid)


def warping_error(clip: Clip, warp: Callable[[Tensor, Tensor], Tensor] = warped) -> Iterator[float]:
    """Root mean square difference (0 to 255) of each frame from the warped one before it, at valid pixels."""
    for t in range(1, len(clip.frames)):
        if t not in clip.cuts:
            off = warp(clip.frames[t - 1].float(), clip.flow[t]) - clip.frames[t].float()
            yield off[:, clip.valid[t]].square().mean().sqrt().item()


def main() -> None:
    import av

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="Folder for NAME.mp4.")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, clip in clips().items():
        with av.open(str(given.out / f"{name}.mp4"), "w") as file:
            stream = file.add_stream("libx264", 24)
            stream.width, stream.height, stream.pix_fmt, stream.options = WIDTH, HEIGHT, "yuv420p", {"crf": "16"}
            for frame in clip.frames:
                file.mux(stream.encode(av.VideoFrame.from_ndarray(pixels_of(frame), "rgb24")))
            file.mux(stream.encode())
        errors = list(warping_error(clip))
        print(f"{name}: {len(clip.frames)} frames, warping error {sum(errors) / len(errors):.2f} of 255")


if __name__ == "__main__":
    main()
