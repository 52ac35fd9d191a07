"""Frames to files and back, with sound."""

from fractions import Fraction

import av
import numpy
import pytest
import torch
from networks import picture
from PIL import Image

from style_core import RequestError
from style_core.errors import RunFailed
from style_core.media.clip import Clip
from style_core.media.hdr import BT2020, HLG, PQ, nits_of_hlg, nits_of_pq, pq_of_nits
from style_core.media.video import FrameWriter


def film(path, frames=6, fps=Fraction(25)):
    with FrameWriter(path, fps) as writer:
        for index in range(frames):
            writer.add(torch.full((3, 49, 65), index / frames))


def test_frames_come_back_as_they_were_written(tmp_path):
    film(tmp_path / "film.mp4")
    clip = Clip.open(tmp_path / "film.mp4")
    assert (clip.width, clip.height, clip.frames, clip.fps) == (64, 48, 6, 25)
    means = [float(image.mean()) for image in clip.images()]
    assert numpy.allclose(means, [index / 6 for index in range(6)], atol=0.03)


def filmed(path, frames, *, times=None, codec="libx264", pixels="yuv420p", rotation=0, sound=None, layout="mono", rate=44100, colors=None):
    """A clip as cameras make them: `frames` are arrays `[H, W, 3]`, `times` milliseconds, `colors` matrix, primaries, curve."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(codec, rate=10, options={"crf": "1"})
        video.height, video.width, video.pix_fmt = *frames[0].shape[:2], pixels
        video.codec_context.time_base = Fraction(1, 1000)
        matrix, primaries, curve = colors or (5, 2, 2)
        context = video.codec_context
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = matrix, primaries, curve, 1
        if rotation:
            video.set_display_rotation(rotation)
        audio = container.add_stream(sound, rate=rate, layout=layout) if sound else None
        for index, pixels_of_frame in enumerate(frames):
            kind = "rgb48le" if pixels_of_frame.dtype == numpy.uint16 else "rgb24"
            frame = av.VideoFrame.from_ndarray(pixels_of_frame, kind).reformat(format=pixels, dst_colorspace=matrix)
            frame.pts, frame.time_base = times[index] if times else 100 * index, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if audio:
            channels = av.AudioLayout(layout).nb_channels
            tone = numpy.sin(numpy.arange(rate // 10 * len(frames)) * 4410 / rate).astype(numpy.float32)
            for start in range(0, len(tone) - 1023, 1024):
                frame = av.AudioFrame.from_ndarray(tone[None, start : start + 1024].repeat(channels, 1), "flt", layout)
                frame.sample_rate, frame.pts = rate, start
                container.mux(audio.encode(frame))
            container.mux(audio.encode(None))
    return path


def grays(count):
    return [numpy.full((48, 64, 3), 20 * index, numpy.uint8) for index in range(count)]


def seconds_heard(path):
    with av.open(str(path)) as out:
        rate = out.streams.audio[0].rate
        heard = numpy.concatenate([frame.to_ndarray()[0] for frame in out.decode(audio=0)])
    assert heard.std() > 0.3
    return len(heard) / rate


@pytest.mark.parametrize(
    ("name", "sound", "layout", "rate"),
    [
        ("tone.mp4", "aac", "mono", 44100),
        ("tone.mov", "pcm_s16le", "mono", 44100),
        ("tone.mkv", "flac", "mono", 44100),
        ("tone.avi", "pcm_s16le", "stereo", 44100),  # which doesn't name a layout
        ("tone.mov", "pcm_s16le", "mono", 192000),  # AAC ends at 96 kHz
        ("tone.mkv", "pcm_s16le", "7.1", 48000),
        ("tone.mkv", "pcm_s16le", "5.1(side)", 48000),
        ("tone.avi", "libmp3lame", "mono", 11025),  # too low for an MP4
    ],
)
def test_sound_is_kept(tmp_path, name, sound, layout, rate):
    clip = Clip.open(filmed(tmp_path / name, grays(10), sound=sound, layout=layout, rate=rate))
    assert clip.sound
    with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=clip.path) as writer:
        for image in clip.images():
            writer.add(1 - image)
    assert abs(seconds_heard(tmp_path / "out.mp4") - 1) < (0.1 if rate > 20_000 else 0.3) and not writer.note


def test_a_damaged_sound_costs_a_part_of_itself_and_not_the_film(tmp_path):
    path = filmed(tmp_path / "tone.mkv", grays(10) * 2, sound="flac")
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    whole = path.read_bytes()
    for packet in packets[len(packets) // 2 :][:4]:
        whole = whole.replace(packet, packet[:2] + bytes(255 - byte for byte in packet[2:]))
    path.write_bytes(whole)
    clip = Clip.open(path)
    with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=path) as writer:
        for image in clip.images():
            writer.add(image)
    assert Clip.open(tmp_path / "out.mp4").frames == 20
    assert "sound could not be read" in writer.note
    with av.open(str(tmp_path / "out.mp4")) as out:
        heard = sum(frame.samples for frame in out.decode(audio=0)) / 44100
    assert 1.0 < heard < 1.9


def test_a_stopped_film_can_be_played_with_its_sound(tmp_path):
    clip = Clip.open(filmed(tmp_path / "tone.mp4", grays(10), sound="aac"))

    def writing():
        with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=clip.path) as writer:
            for image in clip.images():
                writer.add(image)
                yield

    steps = writing()
    for _ in range(5):
        next(steps)
    steps.close()
    assert Clip.open(tmp_path / "out.mp4").frames == 5
    assert 0.4 < seconds_heard(tmp_path / "out.mp4") < 0.6


def with_sound_twice(path, layouts):
    """Rewrite a clip with sound so that a second half of it, in another layout, follows the first, as in a broadcast."""
    halves = [
        filmed(path.with_name(f"{index}.mkv"), grays(10), codec="mpeg4", sound="ac3", layout=layout, rate=48000)
        for index, layout in enumerate(layouts)
    ]
    with av.open(str(path), "w") as out, av.open(str(halves[0])) as first, av.open(str(halves[1])) as second:
        streams = [out.add_stream_from_template(stream) for stream in (first.streams.video[0], first.streams.audio[0])]
        for part, begin in ((first, 0), (second, 1)):
            for packet in part.demux():
                if packet.dts is not None:
                    packet.pts += round(begin / packet.time_base)
                    packet.dts += round(begin / packet.time_base)
                    packet.stream = streams[packet.stream.type == "audio"]
                    out.mux(packet)
    return path


def test_sound_that_changes_its_channels_is_kept(tmp_path):
    clip = Clip.open(with_sound_twice(tmp_path / "clip.mkv", ("stereo", "5.1(side)")))
    with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=clip.path) as writer:
        for image in clip.images():
            writer.add(image)
    assert abs(seconds_heard(tmp_path / "out.mp4") - 2) < 0.2 and not writer.note


def test_sound_with_a_time_that_does_not_follow_costs_only_itself(tmp_path):
    path = filmed(tmp_path / "clip.mkv", grays(10), sound="aac")
    with av.open(str(path)) as given:
        packets = [bytes(packet) for packet in given.demux(audio=0) if packet.size]
    whole = bytearray(path.read_bytes())
    at = whole.index(packets[20])
    whole[at - 3 : at - 1] = (200).to_bytes(2)  # a Matroska block's time, in milliseconds, before its flags
    path.write_bytes(whole)
    clip = Clip.open(path)
    with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=path) as writer:
        for image in clip.images():
            writer.add(image)
    assert "sound could not be read" in writer.note
    assert Clip.open(tmp_path / "out.mp4").frames == 10 and 0.7 < seconds_heard(tmp_path / "out.mp4") < 1.2


@pytest.mark.parametrize(("rotation", "corner"), [(-90, (0, -1)), (90, (-1, 0)), (180, (-1, -1))])
def test_a_clip_is_upright(tmp_path, rotation, corner):
    pixels = numpy.zeros((48, 64, 3), numpy.uint8)
    pixels[:16, :16] = 255  # bright where the sensor's top left is
    clip = Clip.open(filmed(tmp_path / "turned.mp4", [pixels] * 2, rotation=rotation))
    assert (clip.width, clip.height) == ((48, 64) if rotation % 180 else (64, 48))
    image = next(clip.images())
    assert image.shape == (3, clip.height, clip.width)
    bright = {(row, column) for row in (0, -1) for column in (0, -1) if image[0, row, column] > 0.5}
    assert bright == {corner}


def test_variable_frame_times_are_kept(tmp_path):
    times = [0, 100, 150, 400, 1000]
    clip = Clip.open(filmed(tmp_path / "varied.mp4", grays(5), times=times))
    assert [round(1000 * frame.at) for frame in clip.read()] == times
    with FrameWriter(tmp_path / "out.mp4", clip.fps) as writer:
        for frame in clip.read():
            writer.add(frame.image, frame.at)
    film = Clip.open(tmp_path / "out.mp4")
    assert [round(1000 * frame.at) for frame in film.read()] == times and film.seconds > 1


def test_frames_are_scaled_as_they_are_decoded(tmp_path):
    clip = Clip.open(filmed(tmp_path / "large.mp4", [numpy.full((480, 640, 3), 90, numpy.uint8)]))
    (frame,) = clip.read(long_side=64)
    assert frame.image.shape == (3, 48, 64) and abs(float(frame.image.mean()) - 90 / 255) < 0.01


def hdr_clip(path, nits, curve):
    code = {PQ: lambda: pq_of_nits(torch.tensor(float(nits))), HLG: lambda: torch.tensor(nits)}[curve]()
    pixels = numpy.full((64, 64, 3), round(65535 * float(code)), numpy.uint16)
    return filmed(path, [pixels] * 2, pixels="yuv420p10le", colors=(9, BT2020, curve))


def test_hdr_becomes_srgb(tmp_path):
    dim = Clip.open(hdr_clip(tmp_path / "dim.mp4", 40, PQ))
    assert dim.hdr
    # Below the knee light stays as it is: 40 of SDR white's 203 cd/m^2.
    wanted = 1.055 * (40 / 203) ** (1 / 2.4) - 0.055
    assert abs(float(next(dim.images()).mean()) - wanted) < 0.01
    levels = [float(next(Clip.open(hdr_clip(tmp_path / f"{nits}.mp4", nits, PQ)).images()).mean()) for nits in (203, 500, 1000)]
    assert 0.75 < levels[0] < levels[1] < levels[2] <= 1 and levels[2] > 0.98
    hlg = [float(next(Clip.open(hdr_clip(tmp_path / f"hlg{code}.mp4", code, HLG)).images()).mean()) for code in (0.3, 0.75)]
    assert 0.2 < hlg[0] < 0.7 < hlg[1] < 0.98  # 0.75 is HLG's white, 203 cd/m^2


def test_light_and_code_values_are_each_other_s_inverse():
    nits = torch.tensor([0.1, 1.0, 100.0, 203.0, 1000.0, 10000.0])
    assert torch.allclose(nits_of_pq(pq_of_nits(nits)), nits, rtol=1e-3)
    assert abs(float(pq_of_nits(torch.tensor(100.0))) - 0.508) < 0.001  # as ST 2084 gives it
    white = nits_of_hlg(torch.full((3, 1, 1), 0.75))
    assert abs(float(white.mean()) - 203) < 1


def test_ten_bit_clips_without_hdr_are_read(tmp_path):
    pixels = numpy.full((64, 64, 3), (150, 100, 50), numpy.uint8)
    clip = Clip.open(filmed(tmp_path / "deep.mp4", [pixels] * 2, pixels="yuv420p10le", colors=(1, 1, 1)))
    assert not clip.hdr
    assert torch.allclose(next(clip.images())[:, 32, 32], torch.tensor([150, 100, 50]) / 255, atol=0.01)


def test_colors_come_back_as_they_were_written(tmp_path):
    color = torch.tensor([0.6, 0.4, 0.2])
    with FrameWriter(tmp_path / "film.mp4", 25) as writer:
        writer.add(color[:, None, None].expand(3, 64, 64))
    assert torch.allclose(next(Clip.open(tmp_path / "film.mp4").images())[:, 9, 9], color, atol=0.012)


def test_a_failed_film_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), FrameWriter(tmp_path / "film.mp4", 25) as writer:
        writer.add(picture(32, 32))
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_a_clip_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(RequestError, match="text.mp4 is not a readable video; choose an MP4, MOV or WebM file."):
        Clip.open(tmp_path / "text.mp4")
    with pytest.raises(RequestError, match="film.avi does not end in a suffix"):
        FrameWriter(tmp_path / "film.avi", 25)


def test_a_name_may_have_a_colon_and_be_as_long_as_a_name_may_be(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("2024-05-01T10:30:00.mp4", "x" * 250 + ".mp4"):
        film(name)
        assert Clip.open(name).frames == 6
        assert len(list(Clip.open(name).images())) == 6


def test_what_was_made_before_a_run_failed_is_kept(tmp_path):
    with pytest.raises(RunFailed), FrameWriter(tmp_path / "film.mp4", 25) as writer:
        writer.add(torch.zeros(3, 48, 64))
        raise RunFailed("The clip is damaged.")
    assert Clip.open(tmp_path / "film.mp4").frames == 1


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_a_gif_lasts_as_long_as_its_frames(tmp_path, fps):
    with FrameWriter(tmp_path / "film.gif", fps) as writer:
        for index in range(fps):
            writer.add(torch.full((3, 16, 16), index / fps))
    with Image.open(tmp_path / "film.gif") as gif:
        durations = []
        for index in range(gif.n_frames):
            gif.seek(index)
            durations.append(gif.info["duration"])
    # A GIF's frame lasts at least 20 ms, so that 60 frames don't fit into a second.
    assert sum(durations) == max(1000, 20 * fps)


def test_frames_of_a_recording_without_a_length_are_counted(tmp_path):
    path = filmed(tmp_path / "clip.mkv", grays(12))
    data = path.read_bytes()
    # As browsers record: the duration, an element 0x4489 of eight bytes, is void.
    at = data.index(b"\x44\x89\x88")
    path.write_bytes(data[:at] + b"\xec\x89" + data[at + 2 :])
    assert Clip.open(path).frames == 12
