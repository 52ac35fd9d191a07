"""Writing frames to MP4 or GIF, with a clip's sound."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType

import av
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import Colorspace
from PIL import Image
from torch import Tensor

from style_core.errors import RequestError, RunFailed
from style_core.files import check_target
from style_core.media.clip import EXACT, Clip
from style_core.media.h264 import same_parameters
from style_core.media.images import to_pil
from style_core.media.sound import SoundTrack

SUFFIXES = (".mp4", ".gif")
_CRF = "18"  # constant quality of H.264: 18 is visually lossless for most pictures
_CLOCK = Fraction(1, 90000)  # seconds per tick; frames of all common rates last a whole number of ticks
_BT709, _LIMITED = 1, 1  # H.273's code for primaries, curve and matrix, and ffmpeg's for the range of video


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
        least: minimum number of frames; a film interrupted earlier isn't kept.
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
        self._lasts = 1 / self.fps  # seconds that the newest frame is shown
        self._film: _Film | None = None

    def __enter__(self) -> "FrameWriter":
        return self

    @property
    def note(self) -> str:
        """What is missing from the film so far, if anything is."""
        return self._film.sound.note if self._film is not None and self._film.sound is not None else ""

    def add(self, image: Tensor, at: Fraction | None = None, lasts: Fraction | None = None) -> None:
        """Add a frame `[3, H, W]`; all frames of a file have the same size (cropped to even sides in MP4).

        Args:
            at: increasing time in seconds since the first frame; None is one frame after the last one.
            lasts: how long it is shown if none follows, in seconds; None is as long as one frame.
        """
        last = self._times[-1] if self._times else -1 / self.fps
        time = last + 1 / self.fps if at is None else max(Fraction(at), last + _CLOCK if self._times else Fraction(0))
        self._note(time, lasts)
        if self.path.suffix.lower() == ".gif":
            self._pictures.append(to_pil(image).quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
            return
        height, width = (side - side % 2 for side in image.shape[-2:])
        if self._film is None:
            self._film = self._opened(height, width)
        frame = av.VideoFrame.from_image(to_pil(image[:, :height, :width]))
        frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, interpolation=EXACT)
        frame.pts, frame.time_base = round(time / _CLOCK), _CLOCK
        self._write(self._film, self._film.stream.encode(frame))

    def copy(self, film: Clip) -> Iterator[int] | None:
        """Begin with the frames of a film that was written likewise, as they are stored; yields how many there are so far.

        Returns:
            None if that film was encoded differently; its frames must then be encoded again.
        """
        if self.path.suffix.lower() == ".gif" or self._film is not None:
            return None
        self._film = self._opened(film.height, film.width)
        with av.open(str(film.path.absolute())) as container:
            alike = same_parameters(self._film.stream.codec_context.extradata, container.streams.video[0].codec_context.extradata)
        return self._copied(self._film, film) if alike else None

    def _copied(self, opened: "_Film", film: Clip) -> Iterator[int]:
        with av.open(str(film.path.absolute())) as container:
            stream = container.streams.video[0]
            annexed = BitStreamFilterContext("h264_mp4toannexb", stream)  # the form in which the encoder gives its own
            for packet in chain(container.demux(stream), (None,)):
                for stored in annexed.filter(packet):
                    assert stored.pts is not None and stored.time_base is not None  # as this writer's packets have
                    self._note(stored.pts * stored.time_base, (stored.duration or 0) * stored.time_base)
                    stored.stream = opened.stream
                    self._write(opened, [stored])
                yield self.count

    def _note(self, time: Fraction, lasts: Fraction | None) -> None:
        self._times.append(time)
        self._lasts = lasts or 1 / self.fps
        self.count += 1

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        failed = kind is not None and issubclass(kind, Exception) and not issubclass(kind, RunFailed)
        kept = not failed and self.count >= (1 if kind is None else self._least)
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
        context.open()
        sound = None if self._clip is None else SoundTrack(self._clip, container, self._origin)
        return _Film(container, stream, sound)

    def _write(self, film: "_Film", packets: list[av.Packet]) -> None:
        for packet in packets:
            if packet.pts is not None and packet.pts * packet.time_base >= self._times[-1] - _CLOCK / 2:
                packet.duration = round(self._lasts / packet.time_base)
            elif not packet.duration:
                packet.duration = round(1 / self.fps / packet.time_base)
            if film.sound is not None and packet.dts is not None:
                # In step with the frames, so that a stopped film's sound ends with it.
                film.sound.write_until(packet.dts * packet.time_base)
            film.container.mux(packet)

    def _close(self, film: "_Film", kept: bool, whole: bool) -> None:
        try:
            if kept:
                self._write(film, film.stream.encode(None))
                if film.sound is not None:
                    film.sound.write_until(Fraction(10**9) if whole else self._times[-1] + self._lasts)
        finally:
            film.container.close()
            if film.sound is not None:
                film.sound.close()

    def _save_gif(self) -> None:
        # A GIF counts hundredths of a second. Times are rounded, rather than delays, so that errors don't add up.
        ends = [round(100 * time) for time in (*self._times, self._times[-1] + self._lasts)]
        delays = [10 * max(2, end - start) for start, end in zip(ends, ends[1:])]
        self._pictures[0].save(self._partial, save_all=True, append_images=self._pictures[1:], duration=delays, loop=0)


@dataclass(frozen=True)
class _Film:
    """An MP4 being written."""

    container: av.container.OutputContainer
    stream: av.VideoStream
    sound: SoundTrack | None
