"""The shell: pictures, JSON, exit statuses, and the same sentence for the same mistake everywhere."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch
from networks import picture
from PIL import Image
from prints import BROKEN_PRINT, write_broken_print

from style_core import RECIPES, RequestError, Step, StylizeOptions, read_image, read_settings, write_image
from style_core.cli import films as cli_films
from style_core.cli import main as cli
from style_core.cli import run
from style_core.devices import Compute
from style_core.media.clip import Clip
from style_core.media.settings import settings_of
from style_core.optimization.descent import Descent, Diverged
from style_core.options import Options, Range, option
from style_core.recipes.table import Recipe, command_of

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["--size", "64", "--iterations", "3", "--extractor", "lite", "--device", "cpu"]


@pytest.fixture
def pair(tmp_path) -> tuple[str, str]:
    for name, seed in (("photo", 1), ("painting", 2)):
        write_image(tmp_path / f"{name}.png", picture(64, 80, seed=seed))
    return str(tmp_path / "photo.png"), str(tmp_path / "painting.png")


@pytest.mark.parametrize(("recipe", "wanted", "extra"), [
    ("stylize", {"size": 640, "strength": 0.35, "color": "keep"}, {"gallery": "red-fuji"}),
    ("optimize", {"iterations": 40, "pyramid": False, "learning_rate": 0.003, "style_layers": "relu3_1 relu4_1:0.5"}, {}),
    ("dream", {"start": "noise", "layer": "relu4_2[3,7]:0.5", "seed": 9}, {}),
    ("imagine", {"warmth": -1.5, "truncation": 1.2}, {}),
])  # fmt: skip
def test_settings_are_shown_as_the_shell_command(recipe, wanted, extra):
    options = RECIPES[recipe].options
    command = command_of(settings_of(recipe, options(**wanted).as_dict(), **extra))
    words = shlex.split(command)
    assert words[:4] == ["python", "-m", "style_core", recipe] and len(words) < 20, "defaults go without saying"
    assert cli.options_from(cli._parser().parse_args(words[3:]), options) == options(**wanted)
    assert ("gallery:red-fuji" in words) == bool(extra)


@pytest.mark.parametrize("made_with", [{"guide": {"file": "g.png", "sha256": "a"}}, {"mask": {"file": "m.png", "sha256": "b"}}])
def test_what_was_made_from_more_than_its_photo_is_shown_as_a_command_that_finds_it(made_with):
    command = command_of(settings_of("dream", RECIPES["dream"].options().as_dict(), request={"image": {"file": "p.png"}, **made_with}))
    assert command == "python -m style_core redo RESULT.png -o OUT.png --inputs IMAGE" + " GUIDE" * ("guide" in made_with)


def test_only_what_was_made_from_the_same_pictures_continues(pair, tmp_path, capsys):
    alone, zoomed = tmp_path / "alone.png", tmp_path / "zoomed.png"
    few = ["--size", "64", "--iterations", "1", "--octaves", "1", "--extractor", "lite", "--layer", "relu2_1"]
    assert cli.main(["dream", "-o", str(alone), *few]) == 0
    zoom = ["--zoom", str(tmp_path / "zoom.mp4"), "--frames", "2", "--iterations-each", "1"]
    assert cli.main(["dream", pair[0], "-o", str(zoomed), *few, *zoom]) == 0
    for begun, said in ((alone, "was made from 0 pictures as image"), (zoomed, "does not say which pictures")):
        capsys.readouterr()
        assert cli.main(["dream", pair[0], "--continue", str(begun), "-o", str(tmp_path / "more.png")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "more.png").exists()


def test_optimize_writes_a_picture_with_settings_and_reports_in_json(pair, tmp_path, capsys):
    out = tmp_path / "out.png"
    assert cli.main(["optimize", *pair, "-o", str(out), *SMALL, "--json", "--seed", "5"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == str(out) and (told["width"], told["height"]) == (64, 51)
    assert told["extractor"] == "lite" and told["iterations"] == 3 and told["seed"] == 5 and told["device"] == "cpu"
    assert told["seconds"] > 0 and {"total", "content relu4_2", "style relu1_1"} <= told["losses"].keys()
    settings = read_settings(out)
    assert settings["recipe"] == "optimize" and settings["options"]["seed"] == 5 and len(settings["weights"]["lite"]) == 64


def test_the_same_command_paints_the_same_picture(pair, tmp_path):
    for name in ("one.png", "two.png"):
        assert cli.main(["optimize", *pair, "-o", str(tmp_path / name), *SMALL, "--init", "noise", "--seed", "3"]) == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_a_timelapse_shows_how_the_picture_formed(pair, tmp_path, suffix):
    film = tmp_path / f"film.{suffix}"
    assert cli.main(["optimize", *pair, "-o", str(tmp_path / "out.png"), *SMALL, "--timelapse", str(film)]) == 0
    if suffix == "gif":
        with Image.open(film) as opened:
            assert opened.n_frames > 1 and opened.size == (64, 51)
    else:
        clip = Clip.open(film)
        assert (clip.width, clip.height) == (64, 50) and clip.frames > 3


def test_a_dream_without_a_photo_starts_from_noise(pair, tmp_path, capsys):
    few = ["--size", "96", "--octaves", "1", "--iterations", "1", "--extractor", "lite"]
    assert cli.main(["dream", pair[0], "-o", str(tmp_path / "dream.png"), *few]) == 0
    assert read_settings(tmp_path / "dream.png")["recipe"] == "dream"
    assert cli.main(["dream", "-o", str(tmp_path / "noise.png"), *few]) == 0
    assert read_settings(tmp_path / "noise.png")["options"]["start"] == "noise"


def test_an_interrupted_dream_zoom_continues_and_is_not_mixed_with_another(pair, tmp_path, capsys, monkeypatch):
    film, out = tmp_path / "zoom.mp4", tmp_path / "dream.png"
    few = ["--size", "96", "--octaves", "1", "--iterations", "1", "--extractor", "lite", "--frames", "4", "--iterations-each", "1"]
    command = ["dream", pair[0], "-o", str(out), *few, "--zoom", str(film)]
    real = cli_films.write_image

    def interrupted(path, *given, **more):
        if Path(path).name == "00003.png":
            raise KeyboardInterrupt
        real(path, *given, **more)

    with monkeypatch.context() as patched:
        patched.setattr(cli_films, "write_image", interrupted)
        assert cli.main(command) == 130
    assert len(list((tmp_path / "zoom.mp4.frames").glob("*.png"))) == 2
    assert cli.main([*command, "--turn", "5"]) == 2
    assert "zoom.mp4.frames holds the frames of another zoom" in capsys.readouterr().err
    photo = Path(pair[0]).read_bytes()
    write_image(pair[0], picture(64, 80, seed=3))
    assert cli.main(command) == 2, "another photo of the same name"
    assert "another zoom" in capsys.readouterr().err
    Path(pair[0]).write_bytes(photo)
    assert cli.main(command) == 0
    assert Clip.open(film).frames == 4 and not (tmp_path / "zoom.mp4.frames").exists()


@pytest.mark.slow
def test_imagine_writes_pictures_by_seed_and_a_morph(tmp_path, capsys):
    few = ["--size", "128", "--finish", "plain", "--json"]
    assert cli.main(["imagine", "-o", str(tmp_path / "some.png"), "--seed", "4", "--count", "2", *few]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["out"] == [str(tmp_path / "some-1.png"), str(tmp_path / "some-2.png")] and told["width"] == 128
    assert cli.main(["imagine", "-o", str(tmp_path / "one.png"), "--seed", "5", *few]) == 0
    # The second of two from seed 4 is the picture of seed 5, and its settings say so.
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "some-2.png").read_bytes()
    film = tmp_path / "morph.mp4"
    assert (
        cli.main(
            ["imagine", "-o", str(tmp_path / "end.png"), "--morph", str(film), "--frames", "6", "--near", str(tmp_path / "one.png"), *few]
        )
        == 0
    )
    assert Clip.open(film).frames == 6
    capsys.readouterr()
    assert cli.main(["imagine", "-o", str(tmp_path / "x.png"), "--near", *[str(tmp_path / "one.png")] * 2, *few]) == 2
    assert "give one, or use --morph to go from one to the other" in capsys.readouterr().err


MISTAKES = [
    (["--strength", "3"], "strength is 3; it must be between 0 and 1."),
    (["--optimizer", "sgd"], "optimizer is sgd; it must be one of lbfgs, adam."),
    (["--style-layers", "relu9_1"], "There is no layer relu9_1; layers run from relu1_1 to relu5_4. Did you mean"),
    (["--style-weights", "1", "2"], "There are 2 style weights for 1 styles; give one for each."),
    (["--device", "tpu"], "device is tpu; it must be one of auto, cpu, cuda, mps."),
    (["--timelapse", "film.avi"], "film.avi does not end in a suffix for films; use .mp4 or .gif."),
    (["--wings", "2"], "nrecognized arguments: --wings 2"),
]


@pytest.mark.parametrize(("flags", "sentence"), MISTAKES)
def test_a_mistake_is_one_line_that_says_what_would_be_right(pair, tmp_path, capsys, flags, sentence):
    out = tmp_path / "out.png"
    assert cli.main(["optimize", *pair, "-o", str(out), *SMALL, *flags]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert sentence in said[-1]
    assert not out.exists()


@pytest.mark.parametrize("command", [
    ["stylize", "photo.png", "painting.png", "-o", "photo.png"],
    ["stylize", "photo.png", "painting.png", "-o", "./painting.png"],
    ["optimize", "photo.png", "painting.png", "--mask", "mask.png", "-o", "mask.png"],
    ["dream", "photo.png", "--guide", "painting.png", "-o", "painting.png"],
    ["imagine", "--near", "near-2.png", "--count", "3", "-o", "near.png"],
])  # fmt: skip
def test_no_result_replaces_a_picture_that_it_is_made_from(pair, tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    for name in ("mask.png", "near-2.png"):
        write_image(tmp_path / name, picture(64, 80))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert cli.main(command) == 2
    assert "is one of the pictures to paint from; give the result another name." in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("command", "sentence"), [
    (["stylize", "none.mp4", "painting.png", "-o", "film.mp4"], "There is no file none.mp4; check its name and folder."),
    (["stylize", "clip.mp4", "painting.png", "-o", "film.mp4", "--size", "96square"], "--size 96square works only with a photo"),
    (["optimize", "clip.mp4", "painting.png", "-o", "film.mp4", "--batch"], "--batch works only with a photo"),
    (["optimize", "photo.png", "gallery:red-fuji", "-o", "out.png"], "Styles of the gallery are for stylize; give optimize a picture."),
    (["optimize", "photo.png", "painting.png", "-o", "out.png", "--memory", "0"], "--memory is 0; it must be above 0, in gigabytes."),
    (["optimize", "photo.png", "painting.png", "-o", "out.png", "--memory", "1e-3"], "too little for any size"),
    (["imagine", "-o", "out.png", "--size", "A4"], "A4 at 300 dots per inch is 3508 px, and imagine makes up to 2048 px; use --dpi 175"),
    (["optimize", "clip.mp4", "painting.png", "-o", "film.mp4", "--memory", "2"], "--memory works only with a photo"),
    (["dream", "photo.png", "-o", "out.png", "--zoom", "zoom.mp4", "--timelapse", "film.mp4"], "give --timelapse or --zoom, not both"),
    (["dream", "photo.png", "-o", "out.png", "--frames", "7"], "are of a zoom; add --zoom"),
    (["imagine", "-o", "out.png", "--frames", "7"], "--frames is of a morph; add --morph"),
    (["imagine", "--near", "a.png", "b.png", "--batch", "-o", "out"], "with --batch, give one folder."),
    (["imagine", "-o", "out.png", "--morph", "morph.mp4", "--count", "2"], "--morph makes one film; leave out --count."),
    (["imagine", "-o", "out.png", "--walk", "w.mp4", "--frames", "1"], "A morph needs 2 to 2400 frames; 1 were asked for."),
    (["stylize", "wide.png", "painting.png", "-o", "out.png", "--size", "320"], "choose a size of at least 640 px, or crop it."),
])  # fmt: skip
def test_what_cannot_be_done_is_said_with_what_can(pair, tmp_path, capsys, monkeypatch, command, sentence):
    monkeypatch.chdir(tmp_path)
    write_image(tmp_path / "wide.png", picture(40, 1600))
    (tmp_path / "clip.mp4").write_bytes(b"not looked at")
    assert cli.main(command) == 2
    assert sentence in capsys.readouterr().err


def test_help_names_only_sizes_on_paper_that_can_be_made(capsys):
    for recipe, none in (("imagine", "A4"), ("dream", "A2"), ("stylize", "A1")):
        with pytest.raises(SystemExit):
            cli.main([recipe, "--help"])
        assert f" {none}" not in capsys.readouterr().out.split("--size")[2].split("--strength")[0].split("--seed")[0]


def test_a_missing_photo_reads_alike_in_the_shell_and_in_python(pair, tmp_path, capsys):
    from style_core import read_image

    with pytest.raises(RequestError) as caught:
        read_image(tmp_path / "none.jpg")
    assert cli.main(["optimize", str(tmp_path / "none.jpg"), pair[1], "-o", str(tmp_path / "o.png")]) == 2
    assert capsys.readouterr().err.strip() == str(caught.value)


def test_pictures_as_large_as_prints_are_read(pair, tmp_path, capsys):
    print_ = tmp_path / "A0.png"
    write_broken_print(print_)
    for command in (
        ["stylize", print_, "gallery:red-fuji"], ["optimize", pair[0], print_], ["optimize", *pair, "--init-image", print_],
        ["dream", pair[0], "--guide", print_, "--layer", "relu4_2"],
    ):  # fmt: skip
        assert cli.main([*map(str, command), "-o", str(tmp_path / "out.png"), "--device", "cpu"]) == 2
        assert re.search(BROKEN_PRINT, capsys.readouterr().err)


def test_a_picture_whose_folder_went_away_is_kept_and_said_where(pair, tmp_path, monkeypatch, capsys):
    out = tmp_path / "stick" / "out.jpg"
    for folder in (out.parent, tmp_path / "kept"):
        folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))

    def steps():
        yield Step(0, 1)
        out.parent.rmdir()
        yield Step(1, 1, image=picture(64, 80))

    given = cli._parser().parse_args(["stylize", *pair, "-o", str(out)])
    with pytest.raises(RequestError, match="The folder for out.jpg does not exist") as refused:
        run.run_recipe("stylize", steps(), StylizeOptions(size=80), Compute.choose("cpu"), given)
    (kept,) = (tmp_path / "kept").rglob("out.png")
    assert str(refused.value).endswith(f"The picture was saved as {kept} instead.") and read_settings(kept)["options"]["size"] == 80


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_save_the_picture_so_far(pair, tmp_path, asked):
    out = tmp_path / "out.png"
    write_image(tmp_path / "photo.png", picture(256, 256, seed=1))  # large enough not to be finished soon
    command = [sys.executable, "-m", "style_core", "optimize", *pair, "-o", str(out), "--json", "--size", "256",
               "--iterations", "3000", "--extractor", "lite", "--timelapse", str(tmp_path / "t.gif")]  # fmt: skip
    # Tests that run in the background of a script inherit that Ctrl-C is ignored: a person's shell would not have it so.
    heeding = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heeding) as shell:
        try:
            while not re.match(rb"[1-9]\d* of 3000", line := shell.stderr.readline()):
                assert line, "the shell ended by itself"
            shell.send_signal(asked)
            said, _ = shell.communicate(timeout=250)  # a busy machine is not a failure
        finally:
            shell.kill()
    assert shell.returncode == 130
    assert 0 < json.loads(said)["iterations"] < 3000
    assert read_settings(out)["recipe"] == "optimize"


def test_transparency_is_kept_on_request_and_an_animation_is_said(pair, tmp_path, capsys):
    frames = [Image.new("RGBA", (64, 64), color) for color in ((255, 0, 0, 255), (0, 255, 0, 255))]
    frames[0].paste((0, 0, 0, 0), (0, 0, 32, 64))
    frames[0].save(tmp_path / "see.png")
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    flags = ["--size", "64", "--device", "cpu"]
    assert cli.main(["stylize", str(tmp_path / "see.png"), pair[1], "-o", str(tmp_path / "kept.png"), *flags, "--keep-alpha"]) == 0
    with Image.open(tmp_path / "kept.png") as kept:
        assert kept.mode == "RGBA" and kept.getpixel((8, 8))[3] == 0 and kept.getpixel((56, 8))[3] == 255
    capsys.readouterr()
    assert cli.main(["stylize", str(tmp_path / "moving.gif"), pair[1], "-o", str(tmp_path / "o.png"), *flags]) == 0
    assert "moving.gif is animated; its first frame is used." in capsys.readouterr().err


def test_pictures_of_one_name_get_results_of_their_own():
    files = [Path(name) for name in ("photo.jpg", "photo.png", "other.png", "Photo.png", "photo-png.tif", "photo-png.gif")]
    names = run.batch_names(files)
    assert names[Path("other.png")] == "other.png" and names[Path("photo.jpg")] == "photo-jpg.png"
    assert names.keys() == set(files) and len({name.casefold() for name in names.values()}) == len(files)


def test_a_transparent_photo_stays_so_unless_it_is_asked_otherwise(tmp_path, pair):
    photo = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    photo.paste((0, 0, 0, 0), (0, 0, 32, 64))
    photo.save(tmp_path / "see.png")
    command = ["stylize", str(tmp_path / "see.png"), pair[1], "--size", "64", "--strength", "0", "--device", "cpu", "-o"]
    assert cli.main([*command, str(tmp_path / "kept.png")]) == 0
    assert cli.main([*command, str(tmp_path / "flat.png"), "--no-keep-alpha"]) == 0
    assert cli.main([*command, str(tmp_path / "deep.png"), "--depth", "16", "--dpi", "300"]) == 0
    assert cli.main([*command, str(tmp_path / "flat.jpg"), "--quality", "101"]) == 2
    modes = {}
    for name in ("kept.png", "flat.png", "deep.png"):
        with Image.open(tmp_path / name) as written:
            modes[name] = written.mode
    assert modes == {"kept.png": "RGBA", "flat.png": "RGB", "deep.png": "RGBA"}
    assert (tmp_path / "deep.png").read_bytes()[24] == 16


def test_an_unwritable_target_is_reported_before_the_work(pair, tmp_path, capsys):
    for out in (tmp_path / ("a" * 254 + ".png"), tmp_path, tmp_path / "none" / "a.png"):
        assert cli.main(["optimize", *pair, "-o", str(out), *SMALL, "--iterations", "2000"]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1


SILLY = [
    ["optimize", "--beta", "1e6"], ["optimize", "--alpha", "1e-300"], ["optimize", "--alpha", "nan", "--beta", "1"], ["optimize", "--size", "9" * 400],
    ["optimize", "--style-layers", "relu1_1:1e308 relu2_1:1e308"], ["optimize", "--content-layers", "relu4_2:inf"], ["optimize", "--seed", "9" * 30],
    ["optimize", "--style-weights", "nan"], ["optimize", "--style-weights", "1e308"], ["imagine", "--frames", "99999999999999", "--morph", "w.mp4"],
]  # fmt: skip


@pytest.mark.parametrize("given", SILLY, ids=lambda given: " ".join(given)[:40])
def test_extreme_numbers_are_refused_in_one_sentence_or_do_no_harm(pair, tmp_path, capsys, given):
    recipe, *flags = given
    pictures = pair if recipe == "optimize" else ()
    flags = [flag if flag != "w.mp4" else str(tmp_path / flag) for flag in flags]
    small = SMALL if "--size" not in flags and recipe == "optimize" else []
    status = cli.main([recipe, *pictures, "-o", str(tmp_path / "out.png"), *small, *flags])
    said = capsys.readouterr().err.strip().splitlines()
    assert status in (0, 2) and (status == 0 or (len(said) == 1 and len(said[0]) < 300)), said
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name or path.suffix == ".mp4"] == []


def test_a_folder_is_painted_and_one_bad_file_is_reported(pair, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    for index in range(2):
        write_image(tmp_path / "in" / f"{index}.png", picture(48, 48, seed=index))
    (tmp_path / "in" / "bad.jpg").write_text("no picture")
    flags = ["--size", "64", "--device", "cpu", "--batch", "--json"]
    assert cli.main(["stylize", str(tmp_path / "in"), "gallery:red-fuji", "-o", str(tmp_path / "out"), *flags]) == 1
    told = json.loads(capsys.readouterr().out)
    made = sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("."))
    assert made == ["0.png", "1.png"] and list(told["failed"]) == ["bad.jpg"]


@pytest.mark.slow
def test_a_size_may_be_a_length_and_a_square(tmp_path):
    write_image(tmp_path / "photo.png", picture(60, 90))
    out = tmp_path / "out.png"
    flags = ["--device", "cpu", "--extractor", "lite", "--iterations", "2", "-o", str(out)]
    images = [str(tmp_path / "photo.png")] * 2
    assert cli.main(["optimize", *images, "--size", "2.54cm", "--dpi", "72", *flags]) == 0
    with Image.open(out) as painted:
        assert painted.size == (72, 48) and round(painted.info["dpi"][0]) == 72
    assert cli.main(["stylize", *images, "--size", "square", "-o", str(out), "--strength", "0"]) == 0
    with Image.open(out) as painted:
        assert painted.size == (2048, 2048)


def test_an_invalid_size_is_refused(capsys, tmp_path):
    assert cli.main(["dream", "photo.jpg", "-o", str(tmp_path / "out.png"), "--size", "huge"]) == 2
    assert "size is huge; write it like 1024, 42cm or 16.5in" in capsys.readouterr().err


def test_weights_are_listed_and_verified(capsys):
    assert cli.main(["weights", "list", "--json"]) == 0
    listed = {row["name"]: row for row in json.loads(capsys.readouterr().out)["weights"]}
    assert listed["lite"]["where"] == "shipped" and listed["vgg19"]["license"]
    assert cli.main(["weights", "verify"]) == 0
    assert "good (shipped" in capsys.readouterr().out
    assert cli.main(["weights", "pull", "vgg20"]) == 2
    assert "There are no weights called vgg20" in capsys.readouterr().err


@dataclass(frozen=True)
class MirrorOptions(Options):
    """Mirror a picture."""

    fade: float = option(0.0, "How far towards gray.", Range(0, 1, 0.1))


def mirror(content, styles, image, options, *, compute):
    yield Step(0, 1, note="Starting.")
    mirrored = content.flip(-1) * (1 - options.fade) + 0.5 * options.fade
    yield Step(1, 1, image=mirrored, losses={"styles": len(styles), "none": float(image is None)})


def test_a_recipe_of_the_table_is_a_command_of_the_shell(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "mirror", Recipe("mirror", ("content", "styles+", "image?"), MirrorOptions, mirror))
    photo, painting = pair
    out = tmp_path / "out.png"
    # The last of several is taken as the optional one, as argparse fills from the left.
    assert cli.main(["mirror", photo, painting, painting, "-o", str(out), "--fade", "0.5", "--device", "cpu", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["losses"] == {"styles": 2, "none": 1.0}
    torch.testing.assert_close(read_image(out), read_image(photo).flip(-1) * 0.5 + 0.25, atol=0.01, rtol=0)
    assert command_of(read_settings(out)) == "python -m style_core mirror CONTENT STYLE IMAGE -o OUT.png --fade=0.5"
    again, inputs = tmp_path / "again.png", ["--inputs", painting, photo]
    assert cli.main(["redo", str(out), *inputs, "-o", str(again), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["losses"] == {"styles": 2, "none": 1.0}
    assert torch.equal(read_image(again), read_image(out)) and read_settings(again) == read_settings(out)
    assert cli.main(["mirror", photo, painting, "-o", str(out), "--fade", "2"]) == 2
    assert "fade is 2; it must be between 0 and 1." in capsys.readouterr().err
    with pytest.raises(ValueError, match="mirror takes photo; pictures are called content, styles, image"):
        Recipe("mirror", ("photo",), MirrorOptions, mirror)


def test_settings_that_are_too_large_for_a_jpeg_leave_out_stored_masks(pair, tmp_path):
    torch.manual_seed(0)
    for name in ("one", "two"):
        Image.fromarray((torch.rand(165, 165) * 255).byte().numpy()).save(tmp_path / f"{name}.png")
        assert 20_000 < (tmp_path / f"{name}.png").stat().st_size < 32_768
    masks = ["--mask", str(tmp_path / "one.png"), "--mask", str(tmp_path / "two.png")]
    out = tmp_path / "out.jpg"
    assert cli.main(["stylize", pair[0], pair[1], pair[1], *masks, "--size", "64", "-o", str(out)]) == 0
    stored = ["data" in fact for fact in read_settings(out)["request"]["mask"]]
    assert stored.count(True) == 1, "as many as fit"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_loses_no_picture(pair, tmp_path, capsys):
    odd = tmp_path / os.fsdecode(b"caf\xe9.png")
    odd.write_bytes(Path(pair[0]).read_bytes())
    out = tmp_path / "out.png"
    assert cli.main(["stylize", str(odd), pair[1], "--size", "64", "-o", str(out), "--json"]) == 0
    assert read_settings(out)["request"]["content"]["file"] == "caf?.png"
    assert json.loads(capsys.readouterr().out)["width"] == 64


def test_what_diverges_keeps_its_last_good_picture(pair, tmp_path, capsys, monkeypatch):
    steps, real = [], Descent.step

    def failing(descent):
        steps.append(1)
        if len(steps) > 2:
            raise Diverged(descent.image())
        return real(descent)

    monkeypatch.setattr(Descent, "step", failing)
    out = tmp_path / "out.png"
    assert cli.main(["optimize", *pair, "-o", str(out), *SMALL]) == 1
    assert "the last good picture is kept" in capsys.readouterr().err
    assert read_settings(out)["done"] == 2


def test_a_zoom_that_could_not_begin_stands_in_nobodys_way(pair, tmp_path, capsys):
    film, few = tmp_path / "z.mp4", ["--size", "96", "--octaves", "1", "--iterations", "1", "--extractor", "lite", "--frames", "2"]
    rest = ["-o", str(tmp_path / "d.png"), *few, "--iterations-each", "1", "--zoom", str(film)]
    assert cli.main(["dream", pair[0], *rest, "--layer", "relu9_9"]) == 2
    assert cli.main(["dream", pair[0], *rest]) == 0, capsys.readouterr().err
    assert Clip.open(film).frames == 2
