"""The sound of a clip, copied into another file."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

_COPIED = ("aac", "mp3", "opus", "alac")  # codecs that players expect in an MP4; others are re-encoded
_PRIMING = Fraction(1, 10)  # seconds of encoder priming kept before the first sample


class SoundTrack:
    """Writes a clip's sound in step with the frames.

    Args:
        path: the clip.
        container: the MP4 being written, before its first packet.
        origin: time of the first frame in the clip, in seconds.
    """

    def __init__(self, path: str | Path, container: av.container.OutputContainer, origin: Fraction):
        self._source = av.open(str(Path(path).absolute()))
        self._container, self._origin = container, origin
        self._waiting: av.Packet | None = None
        self._packets: Iterator[av.Packet] = iter(())
        self._encoder: av.AudioStream | None = None
        if self._source.streams.audio:
            sound = self._source.streams.audio[0]
            if sound.codec_context.name.removesuffix("float") in _COPIED:
                self._stream = container.add_stream_from_template(sound)
            else:
                self._stream = self._encoder = container.add_stream("aac", rate=sound.codec_context.sample_rate)
                self._encoder.layout = sound.codec_context.layout
            self._packets = self._copied(sound) if self._encoder is None else self._encoded(sound, self._encoder)

    def write_until(self, seconds: Fraction) -> None:
        """Write the sound up to `seconds` of the film."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = packet
            if packet is None or (packet.dts is not None and packet.dts * packet.time_base >= seconds):
                return
            self._waiting = None
            packet.stream = self._stream
            self._container.mux(packet)

    def close(self) -> None:
        self._source.close()

    def _copied(self, sound: av.AudioStream) -> Iterator[av.Packet]:
        for packet in self._source.demux(sound):
            if packet.dts is None:
                continue
            shift = round(self._origin / packet.time_base)
            packet.dts -= shift
            packet.pts = packet.dts if packet.pts is None else packet.pts - shift
            if packet.dts * packet.time_base >= -_PRIMING:
                yield packet

    def _encoded(self, sound: av.AudioStream, encoder: av.AudioStream) -> Iterator[av.Packet]:
        for frame in self._source.decode(sound):
            if frame.pts is None or frame.time_base is None:
                continue
            frame.pts -= round(self._origin / frame.time_base)
            if frame.pts >= 0:
                yield from encoder.encode(frame)
        yield from encoder.encode(None)
