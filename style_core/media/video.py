"""Video: writing frames to MP4 or GIF, and reading the frames and sound of a clip."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import numpy
import torch
from av.video.reformatter import Colorspace, Interpolation
from PIL import Image
from torch import Tensor

from style_core.errors import RequestError, RunFailed
from style_core.files import check_target
from style_core.media.hdr import HLG, PQ, is_plain, to_srgb
from style_core.media.images import size_to_fit, to_pil
from style_core.media.sound import SoundTrack

SUFFIXES = (".mp4", ".gif")
_CRF = "18"  # constant quality of H.264: 18 is visually lossless for most pictures
_CLOCK = Fraction(1, 90000)  # seconds per tick; frames of all common rates last a whole number of ticks
_BT709, _LIMITED = 1, 1  # H.273's code for primaries, curve and matrix, and ffmpeg's for the range of video
_UNSPECIFIED = 2
_HD_ROWS = 720  # height from which clips without a marked matrix are read as BT.709, as players do


def check_video_path(path: str | Path, source: str | Path | None = None) -> Path:
    """Check before any work that a film can be written to a path.

    Args:
        source: the clip that is read at the same time, which must be another file.
    Raises:
        RequestError: for a suffix other than .mp4 and .gif, a path that can't be written to, or the source itself.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError("{file} does not end in a suffix for films; use .mp4 or .gif.", file=path.name)
    check_target(path)
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise RequestError("{file} is the clip itself; give the film another name.", file=path.name)
    return path


class FrameWriter:
    """Writes images as frames. The file appears, or replaces an older one, when the `with` block ends.

    After an error, the older file is kept. After an interruption (Ctrl-C, a closed generator, or a `RunFailed`), the frames so far are
    kept.

    Args:
        path: `.mp4` (H.264) or `.gif`.
        fps: frames per second, for frames added without a time.
        sound: a clip whose sound is copied for the length of the frames; MP4 only.
        origin: time of the first frame in that clip, in seconds.
        comment: text stored in an MP4.
        least: minimum number of frames; a film stopped earlier isn't kept.
    Raises:
        RequestError: for a path that can't be written to.
    """

    def __init__(
        self, path: str | Path, fps: float | Fraction, sound: str | Path | None = None, *, origin: Fraction = Fraction(0),
        comment: str = "", least: int = 1,
    ):  # fmt: skip
        self.path = check_video_path(path)
        self.fps = Fraction(fps).limit_denominator(1001 * 1000)
        self.count = 0
        self._clip, self._origin, self._comment, self._least = sound, origin, comment, least
        # Absolute, because ffmpeg takes what precedes a colon for a protocol; short, because the film's own name may be as long as allowed.
        self._partial = self.path.absolute().parent / f".pentimento-{secrets.token_hex(8)}{self.path.suffix.lower()}"
        self._pictures: list[Image.Image] = []
        self._times: list[Fraction] = []
        self._film: _Film | None = None

    def __enter__(self) -> "FrameWriter":
        return self

    @property
    def note(self) -> str:
        """What is missing from the film so far, if anything is."""
        return self._film.sound.note if self._film is not None and self._film.sound is not None else ""

    def add(self, image: Tensor, at: Fraction | None = None) -> None:
        """Add a frame `[3, H, W]`; all frames of a file have the same size (cropped to even sides in MP4).

        Args:
            at: increasing time in seconds since the first frame; None is one frame after the last one.
        """
        last = self._times[-1] if self._times else -1 / self.fps
        time = last + 1 / self.fps if at is None else max(Fraction(at), last + _CLOCK if self._times else Fraction(0))
        self._times.append(time)
        self.count += 1
        if self.path.suffix.lower() == ".gif":
            self._pictures.append(to_pil(image).quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
            return
        height, width = (side - side % 2 for side in image.shape[-2:])
        if self._film is None:
            self._film = self._opened(height, width)
        frame = av.VideoFrame.from_image(to_pil(image[:, :height, :width]))
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
        frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
        self._write(self._film, self._film.stream.encode(frame))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        failed = kind is not None and issubclass(kind, Exception) and not issubclass(kind, RunFailed)
        kept = not failed and self.count >= self._least
        try:
            if self._film is not None:
                self._close(self._film, kept, whole=kind is None)
            elif self._pictures and kept:
                self._save_gif()
            if kept:
                os.replace(self._partial, self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _opened(self, height: int, width: int) -> "_Film":
        container = av.open(str(self._partial), "w", options={"movflags": "faststart"})
        if self._comment:
            container.metadata["comment"] = self._comment
        # No B-frames: they shift decoding times, and with variable rates some players then cut the end.
        stream = container.add_stream("libx264", rate=self.fps, options={"crf": _CRF, "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base = _CLOCK
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        sound = None if self._clip is None else SoundTrack(self._clip, container, self._origin)
        return _Film(container, stream, sound)

    def _write(self, film: "_Film", packets: list[av.Packet]) -> None:
        for packet in packets:
            if not packet.duration:
                packet.duration = round(1 / self.fps / _CLOCK)
            if film.sound is not None and packet.dts is not None:
                # In step with the frames, so that a stopped film's sound ends with it.
                film.sound.write_until(packet.dts * packet.time_base)
            film.container.mux(packet)

    def _close(self, film: "_Film", kept: bool, whole: bool) -> None:
        try:
            if kept:
                self._write(film, film.stream.encode(None))
                if film.sound is not None:
                    film.sound.write_until(Fraction(10**9) if whole else self._times[-1] + 1 / self.fps)
        finally:
            film.container.close()
            if film.sound is not None:
                film.sound.close()

    def _save_gif(self) -> None:
        # A GIF counts hundredths of a second. Times are rounded, rather than delays, so that errors don't add up.
        ends = [round(100 * time) for time in (*self._times, self._times[-1] + 1 / self.fps)]
        delays = [10 * max(2, end - start) for start, end in zip(ends, ends[1:])]
        self._pictures[0].save(self._partial, save_all=True, append_images=self._pictures[1:], duration=delays, loop=0)


@dataclass(frozen=True)
class _Film:
    """An MP4 being written."""

    container: av.container.OutputContainer
    stream: av.VideoStream
    sound: SoundTrack | None


@dataclass(frozen=True)
class Frame:
    """A frame of a clip: its image `[3, H, W]`, and its time in seconds since the first frame."""

    image: Tensor
    at: Fraction


@dataclass(frozen=True)
class Clip:
    """An opened clip, before its frames are read.

    Attributes:
        fps: frames per second; the average for variable rates.
        width, height: as shown, after rotation.
        frames: the number stored in the file, or an estimate from its duration.
        seconds: its duration.
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
        """Read a clip's header and first frame.

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
                if not container.streams.video:
                    raise RequestError("{file} contains no video; choose an MP4, MOV or WebM file.", file=path.name)
                stream = container.streams.video[0]
                fps = stream.average_rate or stream.guessed_rate or Fraction(25)
                seconds = (container.duration or 0) / av.time_base
                count = stream.frames or round(seconds * fps) or _packets_in(path)
                first = next(container.decode(stream), None)
                if first is None:
                    raise RequestError("{file} has no frames; choose another video.", file=path.name)
                height, width = _shown_size(first, stream.sample_aspect_ratio)
                return cls(
                    path, fps, width, height, max(1, int(count)), seconds or float(count / fps), _time(first) or Fraction(0),
                    first.color_trc in (PQ, HLG), bool(container.streams.audio), container.metadata.get("comment", ""),
                )  # fmt: skip
        except (av.FFmpegError, OSError) as error:
            raise RequestError("{file} is not a readable video; choose an MP4, MOV or WebM file.", file=path.name) from error

    def size(self, long_side: int | None = None) -> tuple[int, int]:
        """Height and width of its frames at a `long_side`; smaller clips are not enlarged."""
        size = (self.height, self.width)
        return size if long_side is None or max(size) <= long_side else size_to_fit(size, long_side)

    def read(self, long_side: int | None = None, skip: int = 0) -> Iterator[Frame]:
        """Frames in order, upright and in sRGB, without the first `skip`; decoded and scaled one at a time.

        Raises:
            RunFailed: if the clip is damaged.
        """
        size = self.size(long_side)
        try:
            with av.open(str(self.path.absolute())) as container:
                stream = container.streams.video[0]
                stream.thread_type = "AUTO"
                for index, frame in enumerate(container.decode(stream)):
                    if index >= skip:
                        time = _time(frame)
                        at = index / self.fps if time is None else time - self.origin
                        yield Frame(_upright(frame, size), Fraction(at))
        except av.FFmpegError as error:
            raise RunFailed(
                "{file} is damaged ({reason}); export or download it again.", file=self.path.name, reason=error.strerror
            ) from error

    def images(self) -> Iterator[Tensor]:
        """Frames in order, `[3, H, W]`."""
        return (frame.image for frame in self.read())


def _packets_in(path: Path) -> int:
    """The number of a clip's frames, counted: recordings of a browser don't tell their length."""
    with av.open(str(path.absolute())) as container:
        return sum(packet.size > 0 for packet in container.demux(container.streams.video[0]))


def _time(frame: av.VideoFrame) -> Fraction | None:
    return None if frame.pts is None or frame.time_base is None else frame.pts * Fraction(frame.time_base)


def _shown_size(frame: av.VideoFrame, aspect: Fraction | None) -> tuple[int, int]:
    """Height and width at which a frame is shown: with square pixels, upright."""
    height, width = frame.height, max(1, round(frame.width * (aspect or 1)))
    return (width, height) if frame.rotation % 180 else (height, width)


def _upright(frame: av.VideoFrame, size: tuple[int, int]) -> Tensor:
    """A decoded frame as sRGB `[3, height, width]`, rotated as the file says."""
    turned = frame.rotation % 180 != 0
    height, width = size[::-1] if turned else size
    plain = is_plain(frame.color_trc, frame.color_primaries)
    matrix = Colorspace.ITU709 if frame.colorspace == _UNSPECIFIED and frame.height >= _HD_ROWS else None
    # rgb48, because HDR with 8 bits shows banding.
    scaled = frame.reformat(width, height, "rgb24" if plain else "rgb48le", src_colorspace=matrix, interpolation=Interpolation.BICUBIC)
    pixels = scaled.to_ndarray()
    image = torch.from_numpy(pixels.astype(numpy.float32)).permute(2, 0, 1) / (255 if plain else 65535)
    if not plain:
        image = to_srgb(image, frame.color_trc, frame.color_primaries)
    # Both count counterclockwise.
    return torch.rot90(image, round(frame.rotation / 90) % 4, (1, 2)).contiguous()
