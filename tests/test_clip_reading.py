"""Clips as people have them: joined, trimmed, interlaced, damaged, with a cover."""

from fractions import Fraction
from itertools import pairwise

import av
import numpy
import pytest
import torch
from frames import crossing, smooth
from networks import FP32, made_up_code, picture

from style_core import StylizeOptions, finish, write_image
from style_core.cli.main import main
from style_core.media.clip import Clip, Damage
from style_core.media.clock import Clock
from style_core.media.video import FrameWriter
from style_core.recipes.film import is_clip
from style_core.recipes.key_frames import FilmOptions
from style_core.recipes.stylize_clip import stylize_clip

CODE = made_up_code()


def encoded(path, frames, *, codec="mpeg4", rate=25, sound=0.0, times=None, options=None, interlaced=False):
    """Frames `[H, W, 3]` as a clip, with so many seconds of a tone; frames are shown at `times`, in seconds, or at the rate."""
    with av.open(str(path), "w") as out:
        video = out.add_stream(codec, rate=rate, options=options or {})
        video.height, video.width, _ = frames[0].shape
        video.pix_fmt = "yuv420p"
        if interlaced:
            video.codec_context.flags |= av.codec.context.Flags.interlaced_dct.value
        audio = out.add_stream("aac", rate=44100, layout="mono") if sound else None
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(format="yuv420p")
            time = Fraction(index, rate) if times is None else Fraction(times[index])
            frame.time_base, frame.pts = Fraction(1, 1000), round(1000 * time)
            out.mux(video.encode(frame))
        if audio is not None:
            tone = numpy.sin(numpy.arange(round(44100 * sound)) / 10).astype(numpy.float32)[None]
            heard = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
            heard.sample_rate, heard.pts = 44100, 0
            out.mux(audio.encode(heard))
            out.mux(audio.encode(None))
        out.mux(video.encode(None))
    return path


def grays(count):
    return [numpy.full((48, 64, 3), 10 * index, numpy.uint8) for index in range(count)]


def copied(source, out):
    """A clip's video as a film."""
    clip = Clip.open(source)
    with FrameWriter(out, clip.fps, source, origin=clip.origin) as writer:
        for frame in clip.read():
            writer.add(frame.image, frame.at, frame.lasts)
    return Clip.open(out)


def test_recordings_that_were_joined_follow_each_other(tmp_path):
    part = encoded(tmp_path / "part.ts", grays(25), codec="mpeg2video", sound=1.0).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part + part)
    clip = Clip.open(tmp_path / "joined.ts")
    assert clip.frames == 50 and abs(clip.seconds - 2) < 0.1
    times = [float(frame.at) for frame in clip.read()]
    assert numpy.allclose(numpy.diff(times), 0.04, atol=0.011) and len(times) == 50
    film = copied(clip.path, tmp_path / "film.mp4")
    assert abs(film.seconds - 2) < 0.15 and film.frames == 50
    with av.open(str(film.path)) as out:
        heard = [frame.pts * frame.time_base for frame in out.decode(audio=0)]
    assert abs(float(heard[-1]) - 2) < 0.15 and all(after - before < 0.1 for before, after in pairwise(heard))


def test_a_clock_passes_jumps_over_only_where_they_may_be():
    for jumps, expected in ((True, [0, 1, 2, 2.6]), (False, [0, 1, 100, 0.6])):
        clock = Clock(Fraction(10), jumps)
        assert [float(clock.on_film(Fraction(time), Fraction(1))) for time in (10, 11, 110)] == expected[:3]
        assert float(clock.on_film(Fraction("10.6"), Fraction(1))) == (3 if jumps else expected[3])


def test_sound_that_is_longer_and_a_picture_that_stays_tell_their_length(tmp_path):
    assert Clip.open(encoded(tmp_path / "long.mkv", grays(10), sound=4.0)).frames == 10
    assert Clip.open(tmp_path / "long.mkv").seconds < 0.5
    held = Clip.open(encoded(tmp_path / "held.mkv", grays(6), times=[0, 0.1, 0.2, 0.3, 0.4, 3.0]))
    assert held.frames == 6 and held.seconds >= 3


def test_the_last_frame_stays_as_long_as_it_did(tmp_path):
    for name in ("film.mp4", "film.gif"):
        with FrameWriter(tmp_path / name, 10) as writer:
            for index in range(3):
                writer.add(torch.full((3, 48, 64), index / 3), Fraction(index, 10), Fraction(2) if index == 2 else None)
        assert abs(Clip.open(tmp_path / name).seconds - 2.2) < 0.05
    assert abs(copied(tmp_path / "film.mp4", tmp_path / "again.mp4").seconds - 2.2) < 0.05


def test_a_damaged_packet_costs_its_frame_and_a_file_cut_off_what_is_gone(tmp_path):
    path = encoded(tmp_path / "clip.mkv", [frame + 5 for frame in 2 * grays(25)], codec="libx264", options={"g": "1", "bf": "0"})
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(video=0) if packet.size]
    whole = path.read_bytes()
    path.write_bytes(whole.replace(packets[9], bytes(len(packets[9]))))
    damage = Damage()
    frames = list(Clip.open(path).read(damage=damage))
    assert len(frames) == 49 and damage.packets == 1 and damage.reason
    steps = list(stylize_clip(path, tmp_path / "film.mp4", [], StylizeOptions(size=64), codes=[CODE], compute=FP32))
    assert "damaged" in steps[-1].note and Clip.open(tmp_path / "film.mp4").frames == 49
    path.write_bytes(whole[: whole.index(packets[29])])
    steps = list(stylize_clip(path, tmp_path / "film.mp4", [], StylizeOptions(size=64), codes=[CODE], compute=FP32))
    assert "cut off" in steps[-1].note and steps[-1].iteration == Clip.open(tmp_path / "film.mp4").frames < 31


def test_interlaced_frames_become_whole(tmp_path):
    """A picture that moves between the two fields of a frame has combs; made whole, its rows follow each other again."""
    wide = (smooth(96, 320).permute(1, 2, 0).numpy() * 255).astype(numpy.uint8)
    frames = []
    for index in range(8):
        early, late = wide[:, 8 * index : 8 * index + 160], wide[:, 8 * index + 4 : 8 * index + 164]
        frame = early.copy()
        frame[1::2] = late[1::2]
        frames.append(frame)
    path = encoded(tmp_path / "combed.mkv", frames, codec="mpeg2video", options={"b": "9000k"}, interlaced=True)
    assert next(av.open(str(path)).decode(video=0)).interlaced_frame

    def combed(pixels):
        return float((pixels[:, 1:-1:2] - (pixels[:, :-2:2] + pixels[:, 2::2]) / 2).abs().mean())

    read = [frame.image for frame in Clip.open(path).read()]
    assert len(read) == 8 and combed(read[4]) < 0.3 * combed(torch.from_numpy(frames[4]).permute(2, 0, 1) / 255)


def test_a_cover_is_no_film(tmp_path):
    write_image(tmp_path / "cover.png", picture(48, 64))
    encoded(tmp_path / "clip.mp4", grays(10), sound=0.4)
    for kept, said in (("video", ""), ("audio", "contains no video")):
        with (
            av.open(str(tmp_path / "clip.mp4")) as clip,
            av.open(str(tmp_path / "cover.png")) as cover,
            av.open(str(tmp_path / f"{kept}.mp4"), "w") as out,
        ):
            shown = out.add_stream_from_template(cover.streams.video[0])
            shown.disposition = av.stream.Disposition.attached_pic
            stream = out.add_stream_from_template(next(stream for stream in clip.streams if stream.type == kept))
            for source, target in ((cover, shown), (clip, stream)):
                for packet in source.demux():
                    if packet.dts is not None and (source is cover or packet.stream.type == kept):
                        packet.stream = target
                        out.mux(packet)
        if said:
            with pytest.raises(Exception, match=said):
                Clip.open(tmp_path / f"{kept}.mp4")
        else:
            assert Clip.open(tmp_path / f"{kept}.mp4").frames == 10


@pytest.mark.parametrize("size", [(576, 720), (720, 1280), (534, 1280)])
def test_wide_clips_without_a_mark_are_read_as_players_do(tmp_path, size):
    red = numpy.zeros((*size, 3), numpy.uint8) + numpy.array([200, 60, 30], numpy.uint8)
    matrix = av.video.reformatter.Colorspace.ITU709 if size[1] >= 1280 else av.video.reformatter.Colorspace.ITU601
    with av.open(str(tmp_path / "clip.mkv"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(red, "rgb24").reformat(format="yuv420p", dst_colorspace=matrix)))
        out.mux(stream.encode(None))
    (frame,) = Clip.open(tmp_path / "clip.mkv").read()
    assert (255 * frame.image.mean((1, 2)) - torch.tensor([200.0, 60, 30])).abs().max() < 3


def test_a_film_that_is_copied_again_and_again_keeps_its_brightness(tmp_path):
    first = 0.2 + 0.6 * smooth(96, 96, seed=4)
    with FrameWriter(tmp_path / "0.mp4", 10) as writer:
        for _ in range(3):
            writer.add(first)
    for turn in range(5):
        copied(tmp_path / f"{turn}.mp4", tmp_path / f"{turn + 1}.mp4")
    faded = next(iter(Clip.open(tmp_path / "5.mp4").images()))
    assert (faded.mean((1, 2)) - first.mean((1, 2))).abs().max() < 1 / 255


def test_each_scene_has_the_colors_of_its_own_photo(tmp_path):
    scenes = [picture(48, 64, seed=7) * torch.tensor(tint).view(3, 1, 1) for tint in ((0.3, 0.5, 1.0), (1.0, 0.5, 0.2))]
    with FrameWriter(tmp_path / "clip.mp4", 10) as writer:
        for scene in scenes:
            for _ in range(5):
                writer.add(scene)
    for more in ({"styles": [picture(48, 48, seed=9)]}, {"styles": [], "codes": [CODE]}):
        options = StylizeOptions(size=64, color="match", strength=0.5)
        finish(stylize_clip(tmp_path / "clip.mp4", tmp_path / "film.mp4", options=options, compute=FP32, **more))
        last = list(Clip.open(tmp_path / "film.mp4").images())[-1].mean((1, 2))
        assert last[0] > last[2] + 0.2, "red, though the film begins blue"


def test_half_steady_films_keep_what_leaves_the_picture_sharp(tmp_path):
    """What a key frame doesn't show is painted with the frame before it, at any steadiness."""
    wide, sharp = smooth(96, 320, seed=3), {}
    with FrameWriter(tmp_path / "clip.mp4", 10) as writer:
        for index in range(9):
            writer.add(crossing(100, wide[:, :, 12 * index : 12 * index + 160], wide[:, :, :160]))
    for steadiness in (1.0, 0.2):
        film = tmp_path / "film.mp4"
        options = FilmOptions(steadiness=steadiness, key_every=8)
        finish(stylize_clip(tmp_path / "clip.mp4", film, [], StylizeOptions(size=160), options, codes=[CODE], compute=FP32))
        strip = list(Clip.open(film).images())[3][:, :, :40]
        sharp[steadiness] = float((strip[:, :, 1:] - strip[:, :, :-1]).abs().mean())
    assert sharp[0.2] > 0.7 * sharp[1.0]


def test_what_is_a_clip_and_which_flags_it_has(tmp_path, capsys):
    assert is_clip("a.MTS", "b.png") and is_clip("a.gif", "b.mp4") and not is_clip("a.gif", "b.png") and not is_clip("a.jpg", "b.mp4")
    write_image(tmp_path / "photo.png", picture(48, 64))
    encoded(tmp_path / "clip.mpg", grays(4), codec="mpeg2video")
    for command, said in (
        (["clip.mpg", "film.mp4", "--quality", "80"], "--quality works only with a photo; CONTENT is a clip."),
        (["photo.png", "out.png", "--key-every", "3"], "--key-every works only with a clip; leave it out."),
    ):
        source, out, *flags = command
        assert main(["stylize", str(tmp_path / source), "gallery:red-fuji", "-o", str(tmp_path / out), *flags, "--size", "64"]) == 2
        assert said in capsys.readouterr().err
    assert main(["stylize", str(tmp_path / "clip.mpg"), "gallery:red-fuji", "-o", str(tmp_path / "film.gif"), "--size", "64"]) == 0
    assert "A GIF has no sound and can't be continued" in capsys.readouterr().err
