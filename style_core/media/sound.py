"""The sound of a clip, copied into another file."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from style_core.media.clock import Clock, format_jumps

_COPIED = ("aac", "mp3", "opus", "alac")  # codecs that players expect in an MP4; others are re-encoded
_LEAST_MP3_RATE = 16000  # Hz, in an MP4
_LAYOUTS = {1: "mono", 6: "5.1"}  # by number of channels, since many files don't name a layout; others become stereo
_ENCODED = "fltp"  # format of the samples that AAC's encoder takes
_PRIMING = Fraction(1, 10)  # seconds of encoder priming kept before the first sample
_DAMAGED = "Some or all of the clip's sound could not be read; the film is silent there."


class SoundTrack:
    """Writes a clip's sound in step with the frames.

    What can't be decoded is left out, so that a damaged sound doesn't cost the film; `note` says so.

    Args:
        path: the clip.
        container: the MP4 being written, before its first packet.
        origin: time of the first frame in the clip, in seconds.
    """

    def __init__(self, path: str | Path, container: av.container.OutputContainer, origin: Fraction):
        self.note = ""
        self._source = av.open(str(Path(path).absolute()))
        self._container = container
        self._clock = Clock(origin, format_jumps(self._source))
        self._waiting: av.Packet | None = None
        self._packets: Iterator[av.Packet] = iter(())
        if self._source.streams.audio:
            sound = self._source.streams.audio[0]
            if sound.codec_context is None:  # of a kind that ffmpeg doesn't know
                self.note = _DAMAGED
            elif _fits_an_mp4(sound):
                self._stream = container.add_stream_from_template(sound)
                self._packets = self._copied(sound)
            else:
                self._stream = encoder = _encoder(container, sound)
                self._packets = self._encoded(sound, encoder)

    def write_until(self, seconds: Fraction) -> None:
        """Write the sound up to `seconds` of the film."""
        while True:
            packet = self._waiting or next(self._packets, None)
            self._waiting = packet
            if packet is None or (packet.dts is not None and packet.dts * packet.time_base >= seconds):
                return
            self._waiting = None
            packet.stream = self._stream
            try:
                self._container.mux(packet)
            except av.FFmpegError:  # such as a time that doesn't follow those before
                self.note = _DAMAGED

    def close(self) -> None:
        self._source.close()

    def _read(self, sound: av.AudioStream) -> Iterator[av.Packet]:
        """The clip's packets, up to where it can't be read any further."""
        packets = self._source.demux(sound)
        while True:
            try:
                packet = next(packets, None)
            except av.FFmpegError:
                self.note, packet = _DAMAGED, None
            if packet is None:
                return
            yield packet

    def _copied(self, sound: av.AudioStream) -> Iterator[av.Packet]:
        for packet in self._read(sound):
            if packet.dts is None:
                continue
            lasts = (packet.duration or 0) * packet.time_base
            moved = round(self._clock.on_film(packet.dts * packet.time_base, lasts) / packet.time_base) - packet.dts
            packet.dts += moved
            packet.pts = packet.dts if packet.pts is None else packet.pts + moved
            if packet.dts * packet.time_base >= -_PRIMING:
                yield packet

    def _encoded(self, sound: av.AudioStream, encoder: av.AudioStream) -> Iterator[av.Packet]:
        # The encoder's own resampler takes one kind of frames, and broadcasts change from stereo to more channels and back.
        resampler, kind = av.AudioResampler(_ENCODED, encoder.layout, encoder.rate), ""
        for packet in self._read(sound):
            try:
                frames = packet.decode()
            except av.FFmpegError:
                self.note, frames = _DAMAGED, []
            for frame in frames:
                if not isinstance(frame, av.AudioFrame) or frame.pts is None or frame.time_base is None:
                    continue
                lasts = Fraction(frame.samples, frame.sample_rate)
                frame.pts = round(self._clock.on_film(frame.pts * frame.time_base, lasts) / frame.time_base)
                if frame.pts < 0:
                    continue
                if kind != (kind := f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"):
                    resampler = av.AudioResampler(_ENCODED, encoder.layout, encoder.rate)
                for resampled in resampler.resample(frame):
                    yield from encoder.encode(resampled)
        yield from encoder.encode(None)


def _fits_an_mp4(sound: av.AudioStream) -> bool:
    context = sound.codec_context
    name = context.name.removesuffix("float")
    if name == "aac" and not context.extradata:  # of a transport stream: its packets would have to be taken apart, damaged ones too
        return False
    return name in _COPIED and (name != "mp3" or context.sample_rate >= _LEAST_MP3_RATE)


def _encoder(container: av.container.OutputContainer, sound: av.AudioStream) -> av.AudioStream:
    """A stream of AAC for a sound, at the nearest rate and layout that AAC and players know."""
    context = sound.codec_context
    rates = av.codec.Codec("aac", "w").audio_rates or [context.sample_rate]
    stream = container.add_stream("aac", rate=min(rates, key=lambda rate: abs(rate - context.sample_rate)))
    stream.layout = _LAYOUTS.get(context.layout.nb_channels, "stereo")
    return stream
