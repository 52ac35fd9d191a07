"""Frames to files and back, with sound."""

from fractions import Fraction

import av
import numpy
import pytest
import torch
from networks import picture

from style_core import RequestError
from style_core.media.video import Clip, FrameWriter


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


def test_sound_is_kept(tmp_path):
    with av.open(str(tmp_path / "tone.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=44100)
        for index in range(10):
            frame = av.VideoFrame.from_ndarray(numpy.full((48, 64, 3), index * 20, numpy.uint8), "rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        tone = numpy.sin(numpy.arange(44100) / 10).astype(numpy.float32)[None]
        for start in range(0, 44032, 1024):
            frame = av.AudioFrame.from_ndarray(numpy.ascontiguousarray(tone[:, start : start + 1024]), "fltp", "mono")
            frame.sample_rate, frame.pts = 44100, start
            container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    clip = Clip.open(tmp_path / "tone.mp4")
    with FrameWriter(tmp_path / "out.mp4", clip.fps, sound=clip.path) as writer:
        for image in clip.images():
            writer.add(1 - image)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert len(out.streams.audio) == 1
        heard = numpy.concatenate([frame.to_ndarray()[0] for frame in out.decode(audio=0)])
    assert abs(len(heard) / 44100 - 1) < 0.1 and heard.std() > 0.3


def test_a_failed_film_leaves_no_file(tmp_path):
    with pytest.raises(ZeroDivisionError), FrameWriter(tmp_path / "film.mp4", 25) as writer:
        writer.add(picture(32, 32))
        1 / 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_clip_says_so(tmp_path):
    (tmp_path / "text.mp4").write_text("no clip")
    with pytest.raises(RequestError, match="text.mp4 is not a readable clip; choose an MP4, MOV or WebM file."):
        Clip.open(tmp_path / "text.mp4")
    with pytest.raises(RequestError, match="film.avi does not end in a suffix"):
        FrameWriter(tmp_path / "film.avi", 25)
