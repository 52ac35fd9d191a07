"""`redo`: pictures come back from the settings inside them, bit for bit, whatever they were made from."""

import base64
import hashlib
import json
from pathlib import Path

import pytest
import torch
from networks import picture
from PIL import Image

from style_core import DreamOptions, ImagineOptions, OptimizeOptions, dream, optimize, read_image, read_settings, write_image
from style_core.cli.main import main
from style_core.media.settings import settings_of
from style_core.recipes.recorded_inputs import request_of


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    paths = {}
    for index, name in enumerate(("photo", "painting", "other")):
        paths[name] = str(tmp_path / f"{name}.png")
        write_image(paths[name], picture(72, 96, seed=index))
    paths["mask"] = str(tmp_path / "mask.png")
    mask = torch.zeros(3, 72, 96)
    mask[..., :48] = 1
    write_image(paths["mask"], mask)
    return paths


def commands(files: dict[str, str]) -> list[list[str]]:
    """One request of each kind."""
    photo, painting, other = files["photo"], files["painting"], files["other"]
    optimizing = ["optimize", photo, painting, "--size=64", "--extractor=lite"]
    return [
        ["stylize", photo, painting, "--size=96", "--strength=0.354"],
        ["stylize", photo, "gallery:red-fuji", other, "--style-weights", "0.10", "1", "--size=64"],
        ["stylize", photo, painting, other, "--mask", files["mask"], "--size=96", "--color=keep"],
        [*optimizing, "--iterations=3", "--init=noise", "--seed=3"],
        [*optimizing, "--iterations=2", "--init-image", other],
        ["dream", photo, "--size=64", "--extractor=lite", "--octaves=1", "--iterations=2"],
        ["imagine", "--seed=123", "--size=128", "--truncation=0.48"],
    ]


@pytest.mark.slow
def test_every_request_comes_back_bit_for_bit_whatever_the_order_of_its_inputs(files, tmp_path, capsys):
    inputs = [files["other"], files["painting"], files["photo"]]
    for index, command in enumerate(commands(files)):
        first, again = (str(tmp_path / f"{index}-{name}.png") for name in ("first", "again"))
        assert main([*command, "-o", first]) == 0, command
        assert main(["redo", first, "--inputs", *inputs, "-o", again]) == 0, (command, capsys.readouterr().err)
        assert torch.equal(read_image(first), read_image(again)), command


def test_settings_travel_in_jpeg_and_webp_too(files, tmp_path):
    for suffix in (".jpg", ".webp"):
        first, again = str(tmp_path / f"first{suffix}"), str(tmp_path / "again.png")
        assert main(["stylize", files["photo"], files["painting"], "--size=64", "-o", first]) == 0
        assert main(["redo", first, "--inputs", files["photo"], files["painting"], "-o", again]) == 0
        assert (read_image(first) - read_image(again)).abs().mean() < 0.05


def test_a_changed_input_is_asked_for_by_name(files, tmp_path, capsys):
    first = str(tmp_path / "first.png")
    assert main(["stylize", files["photo"], files["painting"], "--size=64", "-o", first]) == 0
    write_image(files["painting"], picture(72, 96, seed=9))
    assert main(["redo", first, "--inputs", files["photo"], files["painting"], "-o", str(tmp_path / "again.png")]) == 2
    assert "painting.png is missing; give it with --inputs, unchanged" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(("size", "stopped"), [(64, 8), pytest.param(256, 12, marks=pytest.mark.slow)])
def test_a_picture_that_was_stopped_goes_on_and_is_made_again(files, tmp_path, capsys, size, stopped):
    """Stopped in the middle, also between two sizes, its loss ends within 5 % of the whole run's."""
    request = ["optimize", files["photo"], files["painting"], f"--size={size}", "--extractor=lite", "--json"]
    whole, half, rest, again = (str(tmp_path / f"{name}.png") for name in ("whole", "half", "rest", "again"))

    def loss(*command: str) -> float:
        assert main(list(command)) == 0
        return json.loads(capsys.readouterr().out)["losses"]["total"]

    expected = loss(*request, "--iterations=40", "-o", whole)
    options = OptimizeOptions(size=size, iterations=40, extractor="lite")
    photo, painting = read_image(files["photo"]), read_image(files["painting"])
    for step in optimize(photo, [painting], options, preview_every=0.0):
        if step.iteration == stopped and step.image is not None:
            break
    given = {"content": files["photo"], "styles": [files["painting"]]}
    write_image(half, step.image, settings=settings_of("optimize", options.as_dict(), request=request_of(given), done=stopped))
    resumed = loss("optimize", files["photo"], files["painting"], "--continue", half, "-o", rest, "--json")
    assert resumed < 1.05 * expected
    settings = read_settings(rest)
    assert settings["options"] == options.as_dict() and "done" not in settings
    assert main(["redo", rest, "--inputs", files["photo"], files["painting"], half, "-o", again]) == 0
    assert torch.equal(read_image(rest), read_image(again))


def test_other_options_are_taken_and_other_pictures_refused_by_continue(files, tmp_path, capsys):
    first, on = str(tmp_path / "first.png"), str(tmp_path / "on.png")
    assert main(["optimize", files["photo"], files["painting"], "--size=64", "--extractor=lite", "--iterations=3", "-o", first]) == 0
    assert main(["optimize", files["photo"], files["painting"], "--continue", first, "--strength=0.9", "-o", on]) == 0
    options = read_settings(on)["options"]
    assert (options["strength"], options["iterations"], options["size"]) == (0.9, 3, 64)
    assert main(["optimize", files["photo"], files["other"], "--continue", first, "-o", on]) == 2
    assert "other.png is not the picture that" in capsys.readouterr().err


def test_a_dream_that_was_stopped_goes_on_and_is_made_again(files, tmp_path, capsys):
    request = ["dream", files["photo"], "--size=128", "--extractor=lite", "--layer=relu3_1", "--octaves=2", "--json"]
    whole, half, rest, again, deeper = (str(tmp_path / f"{name}.png") for name in ("whole", "half", "rest", "again", "deeper"))

    def rise(*command: str) -> float:
        assert main(list(command)) == 0
        return json.loads(capsys.readouterr().out)["losses"]["activation relu3_1"]

    expected = rise(*request, "--iterations=6", "-o", whole)
    options = DreamOptions(size=128, iterations=6, octaves=2, extractor="lite", layer="relu3_1")
    for step in dream(read_image(files["photo"]), options, preview_every=0.0):
        if step.iteration == 8:
            break
    write_image(half, step.image, settings=settings_of("dream", options.as_dict(), request=request_of({"image": files["photo"]}), done=8))
    assert abs(rise("dream", files["photo"], "--continue", half, "-o", rest, "--json") / expected - 1) < 0.05
    assert "done" not in read_settings(rest)
    assert main(["redo", rest, "--inputs", files["photo"], half, "-o", again]) == 0
    assert torch.equal(read_image(rest), read_image(again))
    capsys.readouterr()
    assert rise("dream", files["photo"], "--continue", whole, "-o", deeper, "--json") > 1.1 * expected
    assert main(["dream", files["photo"], "--continue", deeper.replace("deeper", "missing"), "-o", rest]) == 2
    assert main(["dream", files["painting"], "--continue", half, "-o", rest]) == 2
    assert "painting.png is not the picture that" in capsys.readouterr().err


def test_a_picture_imagined_before_there_were_imagined_styles_is_not_made_again_as_another(tmp_path, capsys):
    options = ImagineOptions(size=128).as_dict()
    old = settings_of("imagine", options, {"latent": "", "generator": ""}, request=request_of({"near": None}))
    write_image(tmp_path / "old.png", picture(128, 128), settings=old)
    assert main(["redo", str(tmp_path / "old.png"), "-o", str(tmp_path / "again.png")]) == 2
    assert "was imagined by an earlier version" in capsys.readouterr().err
    assert not (tmp_path / "again.png").exists()


def test_subject_and_square_come_back(files, tmp_path, capsys):
    made, again = tmp_path / "made.png", tmp_path / "again.png"
    asked = ["stylize", files["photo"], files["painting"], "--subject=only", "--size=64square"]
    assert main([*asked, "-o", str(made)]) == 0
    assert read_image(made).shape == (3, 64, 64)
    assert main(["redo", str(made), "--inputs", files["photo"], files["painting"], "-o", str(again)]) == 0
    assert torch.equal(read_image(made), read_image(again))


def test_a_print_comes_back_and_goes_on_as_it_was_written(files, tmp_path):
    made, again, more = (str(tmp_path / f"{name}.png") for name in ("made", "again", "more"))
    few = ["--size=1cm", "--depth=16", "--extractor=lite", "--iterations=2"]
    assert main(["optimize", files["photo"], files["painting"], "-o", made, *few]) == 0
    assert main(["redo", made, "--inputs", files["photo"], files["painting"], "-o", again]) == 0
    assert main(["optimize", files["photo"], files["painting"], "--continue", made, "-o", more]) == 0
    for path in (made, again, more):
        assert Path(path).read_bytes()[24] == 16, "bits per channel, in a PNG's header"
        with Image.open(path) as opened:
            assert opened.size[0] == 118 and round(opened.info["dpi"][0]) == 300
    poor, poor_again = str(tmp_path / "poor.jpg"), str(tmp_path / "again.jpg")
    assert main(["stylize", files["photo"], files["painting"], "-o", poor, "--size=64", "--quality=20"]) == 0
    assert main(["redo", poor, "--inputs", files["photo"], files["painting"], "-o", poor_again]) == 0
    assert Path(poor).stat().st_size == Path(poor_again).stat().st_size


def test_a_run_is_continued_with_the_square_and_the_subject_that_it_had(files, tmp_path, capsys):
    options = OptimizeOptions(size=64, iterations=8, extractor="lite")
    request = request_of({"content": files["photo"], "styles": [files["painting"]], "subject": "only", "square": True,
                          "init_image": files["other"]})  # fmt: skip
    half, more = tmp_path / "half.png", tmp_path / "more.png"
    write_image(half, picture(64, 64, seed=7), settings=settings_of("optimize", options.as_dict(), request=request, done=4))
    assert main(["optimize", files["photo"], files["painting"], "--continue", str(half), "-o", str(more)]) == 0
    assert read_image(more).shape == (3, 64, 64)
    stored = read_settings(more)["request"]
    assert stored["subject"] == "only" and stored["square"]
    assert stored["init_image"] == request["init_image"], "who continues this one needs to know, too"
    masked = ["--mask", files["mask"]]
    assert main(["optimize", files["photo"], files["painting"], "--continue", str(half), "-o", str(more), *masked]) == 0
    assert "subject" not in read_settings(more)["request"], "a mask that is given takes its place"
    assert main(["optimize", "nowhere.png", files["painting"], "--continue", str(half), "-o", str(more)]) == 2
    assert "There is no file nowhere.png" in capsys.readouterr().err


def test_redo_takes_the_network_that_was_used_and_says_that_it_finishes(files, tmp_path, capsys):
    options = OptimizeOptions(size=64, iterations=2).as_dict()  # the network is left open
    request = request_of({"content": files["photo"], "styles": [files["painting"]]})
    write_image(tmp_path / "half.png", picture(48, 64), settings=settings_of("optimize", options, {"lite": ""}, request=request, done=1))
    again = tmp_path / "again.png"
    assert main(["redo", str(tmp_path / "half.png"), "--inputs", files["photo"], files["painting"], "-o", str(again)]) == 0
    assert read_settings(again)["options"]["extractor"] == "lite"
    assert "redo makes the finished one" in capsys.readouterr().err


def from_a_stranger(path: Path, recipe: str, options: dict, **request) -> str:
    write_image(path, picture(48, 64), settings=settings_of(recipe, options, request=request))
    return str(path)


MASK = base64.b64encode(b"bytes of another's choice").decode()
REFUSED = "The settings inside the picture are damaged; use an unchanged copy of it."


@pytest.mark.parametrize("digest", ["{outside}/evil", "../../evil", "0" * 64, 3, ["a"]], ids=repr)
def test_a_stranger_s_picture_writes_no_file(tmp_path, capsys, digest):
    digest = digest.format(outside=tmp_path) if isinstance(digest, str) else digest
    mask = {"file": "m.png", "sha256": digest, "data": MASK}
    evil = from_a_stranger(tmp_path / "evil.png", "imagine", ImagineOptions(size=128, finish="plain").as_dict(), mask=[mask])
    assert main(["redo", evil, "-o", str(tmp_path / "out.png")]) == 2
    assert capsys.readouterr().err.strip() == REFUSED
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["evil.png"]


@pytest.mark.parametrize(
    "more",
    [
        {"styles": ["--timelapse={film}"]},
        {"style_weights": [1, "--timelapse={film}"]},
        {"style_weights": "--timelapse={film}"},
        {"init_image": "--timelapse={film}"},
        {"mask": [{"file": "m.png", "sha256": hashlib.sha256().hexdigest(), "data": "é"}]},
    ],
)
def test_a_stranger_s_picture_adds_no_flags_to_the_command(files, tmp_path, capsys, more):
    film = tmp_path / "film.mp4"
    film.write_bytes(b"a film that is there already")
    given = request_of({"content": files["photo"], "styles": [files["painting"]]})
    more = json.loads(json.dumps(more).replace("{film}", str(film)))
    more["styles"] = [*given["styles"], *more.get("styles", [])]
    options = OptimizeOptions(size=64, iterations=1, extractor="lite").as_dict()
    evil = from_a_stranger(tmp_path / "evil.png", "optimize", options, **{**given, **more})
    assert main(["redo", evil, "--inputs", files["photo"], files["painting"], "-o", str(tmp_path / "out.png")]) == 2
    assert capsys.readouterr().err.strip() == REFUSED
    assert film.read_bytes() == b"a film that is there already"


@pytest.mark.parametrize("more", [{"recipe": ["optimize"]}, {"options": 3}, {"weights": "lite"}, {"request": ["content"]}, {"done": "all"}])
def test_settings_of_other_types_are_no_settings(tmp_path, capsys, more):
    write_image(tmp_path / "other.png", picture(48, 64), settings={**settings_of("optimize", {}), **more})
    assert main(["redo", str(tmp_path / "other.png"), "-o", str(tmp_path / "out.png")]) == 2
    assert "other.png contains no settings" in capsys.readouterr().err
