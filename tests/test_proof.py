"""Soft proofs and pictures in inks, by littlecms, against the formulas of a made profile."""

import io
import json
import re

import pytest
import torch
from inks import ink_profile
from networks import picture
from PIL import Image, ImageCms
from prints import BROKEN_PRINT, write_broken_print

from style_core import RequestError, read_image, read_settings, write_image
from style_core.cli.main import main
from style_core.media.proof import proof, read_profile, write_separation


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "press.icc"
    path.write_bytes(ink_profile())
    return read_profile(path)


def muted(height: int = 40, width: int = 60):
    """A picture of colors that the inks reach."""
    return 0.45 + 0.15 * picture(height, width, seed=3)


def test_reachable_colors_print_as_they_are_and_others_lose_color(profile):
    kept = proof(muted(), profile)
    assert (kept.image - muted()).abs().mean() < 0.05 and kept.changed < 0.2  # the profile is coarse
    green = torch.tensor([0.0, 1.0, 0.0]).view(3, 1, 1).expand(3, 40, 60)
    lost = proof(green, profile)
    assert lost.changed == 1
    assert lost.image[1].mean() < 0.9 and lost.image[0].mean() > 0.1  # darker, and with red in it


def test_large_pictures_are_proofed_strip_by_strip_as_small_ones(profile):
    tall = picture(40, 60, seed=4).repeat(1, 60, 20)  # 2,400 x 1,200 px: several strips
    whole = proof(tall, profile).image
    torch.testing.assert_close(whole[:, :40, :60], proof(picture(40, 60, seed=4), profile).image)
    torch.testing.assert_close(whole[:, -40:, -60:], whole[:, :40, :60])


def test_paper_shows_its_own_color_only_when_asked(tmp_path):
    path = tmp_path / "cream.icc"
    path.write_bytes(ink_profile(paper=(0.90, 0.93, 0.62)))
    cream, white = read_profile(path), torch.ones(3, 32, 32)
    assert proof(white, cream).image.min() > 0.98
    shown = proof(white, cream, paper=True).image.mean((1, 2))
    assert shown[2] < 0.93 and shown[2] < shown[0] - 0.04  # yellowish


def test_a_picture_in_inks_reads_back_as_its_proof(profile, tmp_path):
    settings = {"recipe": "stylize", "options": {}}
    write_separation(tmp_path / "print.tif", picture(40, 60), profile, dpi=300, settings=settings)
    with Image.open(tmp_path / "print.tif") as file:
        assert file.mode == "CMYK" and file.info["dpi"] == (300, 300)
        inside = ImageCms.ImageCmsProfile(io.BytesIO(file.info["icc_profile"]))
        assert "Three formulas" in inside.profile.profile_description
    assert read_settings(tmp_path / "print.tif") == settings
    back = read_image(tmp_path / "print.tif")
    assert (back - proof(picture(40, 60), profile).image).abs().mean() < 0.02


@pytest.mark.parametrize(("content", "said"), [
    (b"not a profile", "is not a color profile"),
    (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), "is a profile for RGB"),
    (b"", "is not a color profile"),
])  # fmt: skip
def test_other_files_are_refused_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "some.icc"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=said):
        read_profile(path)
    with pytest.raises(RequestError, match=r"missing\.icc can't be opened"):
        read_profile(tmp_path / "missing.icc")


def test_a_damaged_profile_is_a_sentence_or_a_picture(tmp_path):
    draw = torch.Generator().manual_seed(0)
    refused = 0
    for _ in range(60):
        data = bytearray(ink_profile())
        for place in torch.randint(0, 400, (6,), generator=draw).tolist():
            data[place] = int(torch.randint(0, 256, (), generator=draw))
        path = tmp_path / "damaged.icc"
        path.write_bytes(data)
        try:
            assert proof(muted(16, 16), read_profile(path)).image.isfinite().all()
        except RequestError:
            refused += 1
    assert refused > 10


def test_the_shell_writes_the_proof_and_the_picture_in_inks(tmp_path, capsys):
    (tmp_path / "press.icc").write_bytes(ink_profile())
    write_image(tmp_path / "painted.png", picture(40, 60))
    given = ["proof", str(tmp_path / "painted.png"), "--profile", str(tmp_path / "press.icc"), "-o", str(tmp_path / "proof.png")]
    assert main([*given, "--cmyk", str(tmp_path / "print.tif"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["profile"] == "Three formulas" and 0 <= said["changed"] <= 1 and (said["width"], said["height"]) == (60, 40)
    assert read_image(tmp_path / "proof.png").shape == (3, 40, 60)
    with Image.open(tmp_path / "print.tif") as file:
        assert file.mode == "CMYK"
    assert main([*given, "--cmyk", str(tmp_path / "print.png")]) == 2
    assert "does not end in .tif" in capsys.readouterr().err
    assert main([*given, "--cmyk", str(tmp_path / "print.tif"), "--dpi", "4"]) == 2
    assert "between 36 and 1200" in capsys.readouterr().err


def test_the_shell_keeps_the_resolution_and_no_file_replaces_another(tmp_path, capsys):
    (tmp_path / "press.icc").write_bytes(ink_profile())
    proofed, inks = (str(tmp_path / name) for name in ("proof.tif", "print.tif"))
    for suffix, dpi in ((".webp", 150), (".png", 36), (".png", 150)):
        painted = str(tmp_path / f"painted{suffix}")
        write_image(painted, picture(40, 60), dpi=dpi)
        given = ["proof", painted, "--profile", str(tmp_path / "press.icc"), "-o", proofed]
        assert main([*given, "--cmyk", inks]) == 0
        with Image.open(inks) as file:
            assert round(file.info["dpi"][0]) == dpi
    for wrong in ([*given[:-1], painted], [*given, "--cmyk", proofed]):
        assert main(wrong) == 2 and "must be different files" in capsys.readouterr().err
    assert main([*given, "--dpi", "300"]) == 2 and "--cmyk" in capsys.readouterr().err


def test_a_profile_s_name_is_one_printable_line(tmp_path):
    path = tmp_path / "loud.icc"
    path.write_bytes(ink_profile(name="![](https://host/x.png)\n\x1b[31m" + "x" * 300))
    name = read_profile(path).name
    assert name.isprintable() and len(name) == 80 and "\n" not in name


def test_a_print_of_more_than_a_hundred_megabytes_can_be_proofed(tmp_path, capsys):
    write_broken_print(tmp_path / "A0.png")
    (tmp_path / "press.icc").write_bytes(ink_profile())
    assert main(["proof", str(tmp_path / "A0.png"), "--profile", str(tmp_path / "press.icc"), "-o", str(tmp_path / "proof.png")]) == 2
    assert re.search(BROKEN_PRINT, capsys.readouterr().err)
