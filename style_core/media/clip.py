"""Reading the frames of a clip, upright and in sRGB, one at a time."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path

import av
import numpy
import torch
from av.stream import Disposition
from av.video.reformatter import Colorspace, Interpolation
from torch import Tensor

from style_core.errors import RequestError, RunFailed
from style_core.media.clock import Clock, format_jumps
from style_core.media.hdr import HLG, PQ, is_plain, to_srgb
from style_core.media.images import size_to_fit

# ffmpeg's flags for full chroma and exact rounding; without them, each reading and writing darkens a picture by a level.
EXACT = Interpolation.BICUBIC | 0x2000 | 0x4000 | 0x40000
_UNSPECIFIED = 2  # H.273's code
_HD = 1280, 577  # px, width and height from which clips without a marked matrix are read as BT.709, as players do
_CLOSE, _CLOSE_SECONDS = 0.1, 0.5  # how far lengths of the same clip, told in several ways, may differ: a share, and seconds
_UNREADABLE = "{file} is not a readable video; choose an MP4, MOV or WebM file."


@dataclass(frozen=True)
class Frame:
    """A decoded frame of a clip.

    Attributes:
        at: its time in seconds since the first frame.
        lasts: how long it is shown, in seconds.
    """

    decoded: av.VideoFrame
    size: tuple[int, int]
    at: Fraction
    lasts: Fraction

    @cached_property
    def image(self) -> Tensor:
        """`[3, H, W]`; made when it is first asked for, so that frames can be passed over cheaply."""
        return _upright(self.decoded, self.size)


@dataclass
class Damage:
    """What could not be read of a clip so far.

    Attributes:
        packets: that could not be decoded, about one for each frame.
        reason: of the last one, in ffmpeg's words.
    """

    packets: int = 0
    reason: str = ""

    def add(self, error: av.FFmpegError) -> None:
        self.packets, self.reason = self.packets + 1, error.strerror or str(error)


@dataclass(frozen=True)
class Clip:
    """An opened clip, before its frames are read.

    Attributes:
        fps: frames per second; the average for variable rates.
        width, height: as shown, after rotation.
        frames: the number that the file tells, or of its packets where that seems wrong.
        seconds: how long its picture lasts.
        origin: time of its first frame in seconds, on the sound's clock.
        hdr: whether its frames are HDR and need tone mapping.
        sound: whether it has sound.
        comment: text stored in the file.
    """

    path: Path
    fps: Fraction
    width: int
    height: int
    frames: int
    seconds: float = 0.0
    origin: Fraction = Fraction(0)
    hdr: bool = False
    sound: bool = False
    comment: str = ""

    @classmethod
    def open(cls, path: str | Path) -> "Clip":
        """Read a clip's header and first frame, and all of its packets if the header doesn't tell its length.

        Raises:
            RequestError: when the file is not a readable clip.
        """
        path = Path(path)
        if not os.path.isfile(path):
            known = os.path.isdir(path)
            said = "{file} is a folder; give one clip." if known else "There is no file {file}; check its name and folder."
            raise RequestError(said, file=path.name)
        try:
            with av.open(str(path.absolute())) as container:
                stream = _picture_of(container)
                if stream is None:
                    raise RequestError("{file} contains no video; choose an MP4, MOV or WebM file.", file=path.name)
                fps = stream.average_rate or stream.guessed_rate or Fraction(25)
                damage = Damage()
                first = next(_decoded(container, stream, damage), None)
                if first is None:
                    raise RequestError(_UNREADABLE if damage.packets else "{file} has no frames; choose another video.", file=path.name)
                height, width = _shown_size(first, stream.sample_aspect_ratio)
                frames, seconds = _length(path, container, stream, fps)
                return cls(
                    path, fps, width, height, frames, seconds, _time(first) or Fraction(0),
                    first.color_trc in (PQ, HLG), bool(container.streams.audio), container.metadata.get("comment", ""),
                )  # fmt: skip
        except (av.FFmpegError, OSError) as error:
            raise RequestError(_UNREADABLE, file=path.name) from error

    def size(self, long_side: int | None = None) -> tuple[int, int]:
        """Height and width of its frames at a `long_side`; smaller clips are not enlarged."""
        size = (self.height, self.width)
        return size if long_side is None or max(size) <= long_side else size_to_fit(size, long_side)

    def read(self, long_side: int | None = None, damage: Damage | None = None) -> Iterator[Frame]:
        """Frames in order, decoded one at a time; interlaced ones are made whole.

        Args:
            damage: told of frames that can't be decoded, which are left out.
        Raises:
            RunFailed: if no frame can be decoded.
        """
        size, damage, index = self.size(long_side), damage or Damage(), -1
        with av.open(str(self.path.absolute())) as container:
            stream = _picture_of(container)
            assert stream is not None  # it had one when it was opened
            stream.thread_type = "AUTO"
            clock = Clock(self.origin, format_jumps(container))
            for index, frame in enumerate(_whole(_decoded(container, stream, damage))):
                time, lasts = _time(frame), _lasts(frame) or 1 / self.fps
                yield Frame(frame, size, index / self.fps if time is None else clock.on_film(time, lasts), lasts)
        if index < 0:
            raise RunFailed("{file} is damaged ({reason}); export or download it again.", file=self.path.name, reason=damage.reason)

    def last(self) -> Frame:
        """Its last frame, decoded from the key frame before it: of a film that `FrameWriter` wrote, which can be read from there.

        Raises:
            RunFailed: if it can't be decoded.
        """
        with av.open(str(self.path.absolute())) as container:
            stream = _picture_of(container)
            assert stream is not None
            container.seek(round(self.seconds * av.time_base))
            frame = None
            for frame in _decoded(container, stream, Damage()):
                pass
            if frame is None:
                raise RunFailed("{file} is damaged ({reason}); export or download it again.", file=self.path.name, reason="its end")
            return Frame(frame, self.size(), (_time(frame) or Fraction(0)) - self.origin, _lasts(frame) or 1 / self.fps)

    def images(self) -> Iterator[Tensor]:
        """Frames in order, `[3, H, W]`."""
        return (frame.image for frame in self.read())


def _picture_of(container: av.container.InputContainer) -> av.VideoStream | None:
    """The stream that players show, which is never a cover; None for sound alone."""
    shown = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    best = container.streams.best("video")
    return next((stream for stream in shown if best is not None and stream.index == best.index), shown[0] if shown else None)


def _length(path: Path, container: av.container.InputContainer, stream: av.VideoStream, fps: Fraction) -> tuple[int, float]:
    """Number of frames, and seconds that they last: as the header tells if it agrees with itself, otherwise as its packets do."""
    seconds, frames = (container.duration or 0) / av.time_base, stream.frames
    if frames and abs(float(frames / fps) - seconds) <= max(_CLOSE_SECONDS, _CLOSE * seconds):
        return frames, seconds
    state = path.stat()
    frames, counted = _counted(str(path.absolute()), state.st_size + state.st_mtime_ns)
    told = _tagged_seconds(stream) - float((stream.time_base or 0) * (stream.start_time or 0))
    longer = told if told > (1 + _CLOSE) * counted + _CLOSE_SECONDS else counted  # cut off: as long as it was
    return max(1, frames), longer or float(frames / fps)


@lru_cache(maxsize=64)
def _counted(path: str, state: int) -> tuple[int, float]:
    """Number of frames, and seconds from the first to the end of the last, by their packets; `state` changes with the file."""
    count, seconds = 0, Fraction(0)
    with av.open(path) as container:
        stream = _picture_of(container)
        assert stream is not None
        clock, start = Clock(Fraction(0), format_jumps(container)), None
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            count += 1
            if packet.pts is not None and packet.time_base is not None:
                lasts = packet.time_base * (packet.duration or 0)
                at = clock.on_film(packet.pts * packet.time_base, lasts)
                start = at if start is None else min(start, at)
                seconds = max(seconds, at + lasts - start)
    return count, float(seconds)


def _tagged_seconds(stream: av.VideoStream) -> float:
    """The duration that Matroska stores for a stream; 0 if there is none."""
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds.strip("\0 "))
    except ValueError:
        return 0.0


def _decoded(container: av.container.InputContainer, stream: av.VideoStream, damage: Damage) -> Iterator[av.VideoFrame]:
    """A stream's frames; what is damaged is left out, and a file that can't be read any further ends there."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            damage.add(error)
            packet = None
        try:
            frames = stream.decode(packet)  # None gives those that the decoder still holds
        except av.EOFError:  # they were given already
            frames = []
        except av.FFmpegError as error:
            damage.add(error)
            frames = []
        yield from frames
        if packet is None:
            return


def _whole(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Frames of which interlaced ones are made whole from their two fields, by ffmpeg's filter bwdif."""
    graph, kind = None, None
    for frame in frames:
        if graph is None and not frame.interlaced_frame:
            yield frame
            continue
        if graph is None or kind != (frame.width, frame.height, frame.format.name):
            yield from _filtered(graph, None)
            graph, kind = _deinterlacer(frame), (frame.width, frame.height, frame.format.name)
        yield from _filtered(graph, frame)
    yield from _filtered(graph, None)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 90000))
    fields = graph.add("bwdif", "mode=send_frame:deint=interlaced")
    graph.link_nodes(source, fields, graph.add("buffersink")).configure()
    return graph


def _filtered(graph: av.filter.Graph | None, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    """What a filter gives after one more frame; None is the end."""
    if graph is None:
        return
    graph.push(frame)
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return


def _time(frame: av.VideoFrame) -> Fraction | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * Fraction(frame.time_base)


def _lasts(frame: av.VideoFrame) -> Fraction:
    return Fraction(0) if not frame.duration or frame.time_base is None else frame.duration * Fraction(frame.time_base)


def _shown_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Height and width at which a frame is shown: with square pixels, upright."""
    height, width = frame.height, max(1, round(frame.width * (aspect or 1)))
    return (width, height) if frame.rotation % 180 else (height, width)


def _upright(frame: av.VideoFrame, size: tuple[int, int]) -> Tensor:
    """A decoded frame as sRGB `[3, height, width]`, rotated as the file says."""
    turned = frame.rotation % 180 != 0
    height, width = size[::-1] if turned else size
    plain = is_plain(frame.color_trc, frame.color_primaries)
    hd = frame.width >= _HD[0] or frame.height >= _HD[1]
    matrix = Colorspace.ITU709 if frame.colorspace == _UNSPECIFIED and hd else None
    # rgb48, because HDR with 8 bits shows banding.
    scaled = frame.reformat(width, height, "rgb24" if plain else "rgb48le", src_colorspace=matrix, interpolation=EXACT)
    pixels = scaled.to_ndarray()
    image = torch.from_numpy(pixels.astype(numpy.float32)).permute(2, 0, 1) / (255 if plain else 65535)
    if not plain:
        image = to_srgb(image, frame.color_trc, frame.color_primaries)
    # Both count counterclockwise.
    return torch.rot90(image, round(frame.rotation / 90) % 4, (1, 2)).contiguous()
