"""Moving pictures: frames to MP4 or GIF, and the frames and the sound of a clip."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
import torch
from PIL import Image
from torch import Tensor

from style_core.errors import RequestError
from style_core.media.images import to_pil

SUFFIXES = (".mp4", ".gif")
_CRF = "18"  # constant quality of H.264: 18 is visually lossless for most pictures


def check_video_path(path: str | Path) -> Path:
    """A path that frames can be written to, before any work is done for it.

    Raises:
        RequestError: for another suffix than .mp4 and .gif, or a folder that isn't there.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise RequestError("{file} does not end in a suffix for films; use .mp4 or .gif.", file=path.name)
    if not path.absolute().parent.is_dir():
        raise RequestError("The folder for {file} does not exist; create it first or choose another.", file=path.name)
    return path


class FrameWriter:
    """Writes images as frames; the file is complete when the `with` block ends, and gone when it fails.

    Args:
        path: `.mp4` (H.264) or `.gif`.
        fps: frames a second.
        sound: a clip whose sound is kept, copied as it is; MP4 only.
    Raises:
        RequestError: for a path that can't be written to.
    """

    def __init__(self, path: str | Path, fps: float | Fraction, sound: str | Path | None = None):
        self.path = check_video_path(path)
        self.fps = Fraction(fps).limit_denominator(1001 * 1000)
        self._sound = sound
        self._frames: list[Image.Image] = []
        self._container = self._stream = None

    def __enter__(self) -> "FrameWriter":
        return self

    def add(self, image: Tensor) -> None:
        """Add a frame `[3, H, W]`; all frames of a file have one size (cut to even sides in MP4)."""
        if self.path.suffix.lower() == ".gif":
            self._frames.append(to_pil(image).quantize(256, dither=Image.Dither.FLOYDSTEINBERG))
            return
        height, width = (side - side % 2 for side in image.shape[-2:])
        if self._container is None:
            self._open(height, width)
        frame = av.VideoFrame.from_image(to_pil(image[:, :height, :width]))
        self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._container is not None:
            if kind is None:
                self._container.mux(self._stream.encode(None))
                self._copy_sound()
            self._container.close()
        elif self._frames and kind is None:
            delay = max(20, round(1000 / self.fps))
            self._frames[0].save(self.path, save_all=True, append_images=self._frames[1:], duration=delay, loop=0)
        if kind is not None:
            self.path.unlink(missing_ok=True)

    def _open(self, height: int, width: int) -> None:
        self._container = av.open(str(self.path), "w", options={"movflags": "faststart"})
        self._stream = self._container.add_stream("libx264", rate=self.fps, options={"crf": _CRF})
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        self._audio = None
        if self._sound is not None:
            self._source = av.open(str(self._sound))
            if self._source.streams.audio:
                self._audio = self._container.add_stream_from_template(self._source.streams.audio[0])

    def _copy_sound(self) -> None:
        if self._sound is None:
            return
        with self._source:
            if self._audio is None:
                return
            for packet in self._source.demux(self._source.streams.audio[0]):
                if packet.dts is not None:
                    packet.stream = self._audio
                    self._container.mux(packet)


@dataclass(frozen=True)
class Clip:
    """A clip as it is before its frames are read: `frames` is what the file says, or an estimate from its duration."""

    path: Path
    fps: Fraction
    width: int
    height: int
    frames: int

    @classmethod
    def open(cls, path: str | Path) -> "Clip":
        """EncodedPhoto at a clip's header.

        Raises:
            RequestError: when the file is no clip that can be read.
        """
        path = Path(path)
        try:
            with av.open(str(path)) as container:
                if not container.streams.video:
                    raise RequestError("{file} contains no video; choose an MP4, MOV or WebM clip.", file=path.name)
                stream = container.streams.video[0]
                fps = stream.average_rate or Fraction(25)
                seconds = (container.duration or 0) / av.time_base
                count = stream.frames or round(seconds * fps)
                return cls(path, fps, stream.codec_context.width, stream.codec_context.height, int(count))
        except av.FFmpegError as error:
            raise RequestError("{file} is not a readable clip; choose an MP4, MOV or WebM file.", file=path.name) from error

    def images(self) -> Iterator[Tensor]:
        """Frames in order, `[3, H, W]`."""
        with av.open(str(self.path)) as container:
            for frame in container.decode(video=0):
                pixels = torch.from_numpy(frame.to_ndarray(format="rgb24"))
                yield pixels.permute(2, 0, 1).float() / 255
