"""Each training program runs for a second and writes files that open."""

import csv
import math
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from networks import FP32, picture
from PIL import Image
from safetensors.torch import load_file

from benchmarks.common import painted
from style_core import write_image
from style_core.networks.extractor import load_extractor
from style_core.networks.generator import Generator
from style_core.networks.latent import Latent
from style_core.networks.latent_net import SIDE
from style_core.training import dcgan, distill, gallery, generator, layer_pictures
from style_core.weights import layer_pictures as shown_layers
from style_core.weights.registry import MODELS

pytest_plugins = ["programs"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MINUTES = ("--minutes", 0.01)


def test_distillation_writes_a_network_that_opens_and_resumes(program, data, vgg19, tmp_path, monkeypatch):
    monkeypatch.setattr(distill, "_INIT_BATCHES", 2)
    flags = ("--data", data, "--teacher", vgg19, "--out", tmp_path, "--early", 2, 32, "--late", 2, 48)
    flags += ("--begin", MODELS / "lite.safetensors")
    program("style_core.training.distill", *flags, "--minutes", 0.05)
    features = load_extractor("lite", tmp_path / "lite.safetensors", FP32).extract(torch.rand(1, 3, 32, 32), ["relu4_1"])
    assert torch.isfinite(features["relu4_1"]).all()
    before = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    program("style_core.training.distill", *flags, "--minutes", before["spent"] + 0.03)
    assert 0 < before["steps"] < torch.load(tmp_path / "checkpoint.pt", weights_only=True)["steps"]


def test_the_generator_is_trained_to_a_file_that_paints(program, data, vgg19, tmp_path, monkeypatch):
    monkeypatch.setattr(generator, "_STYLE_SIDE", 64)
    flags = ("--data", data, "--vgg19", vgg19, "--out", tmp_path, "--early", 2, 32, "--late", 2, 48, *MINUTES)
    program("style_core.training.generator", *flags)
    trained = Generator.load(tmp_path / "generator.safetensors", FP32)
    photo = picture(48, 64)
    result = painted(trained, photo, picture(64, 64, seed=1))
    assert result.shape == photo.shape and torch.isfinite(result).all()
    assert (tmp_path / "sheet.jpg").is_file()
    corrected = tmp_path / "corrected.safetensors"
    program("style_core.training.sharpening", tmp_path / "generator.safetensors", "--data", data, "--paintings", 2, "--out", corrected)
    before, after = load_file(tmp_path / "generator.safetensors"), load_file(corrected)
    assert float(after["style.feedback"]) > 0 and after["style.sharpening"].abs().max() > 0
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items() if name not in ("style.feedback", "style.sharpening"))
    assert torch.isfinite(painted(Generator.load(corrected, FP32), photo, photo, refine=0)).all()


@pytest.mark.parametrize("alone", [1.0, 0.0], ids=["the VAE alone", "with the critic"])
def test_the_latent_space_is_trained_to_a_file_that_opens(program, data, vgg19, tmp_path, alone):
    flags = ("--data", data / "style", "--vgg19", vgg19, "--out", tmp_path, "--batch", 2, "--alone", alone, "--small", 1, *MINUTES)
    program("style_core.training.latent", *flags)
    latent = Latent.load(tmp_path / "latent.safetensors")
    image = latent.paint(latent.style(latent.code(0)))
    assert image.shape == (1, 3, SIDE, SIDE) and torch.isfinite(image).all()
    with (tmp_path / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows and all(math.isfinite(float(value)) for row in rows for value in row.values() if value)


def test_the_dcgan_is_trained_to_a_file_that_draws(program, data, tmp_path):
    program("style_core.training.dcgan", "--data", data / "style", "--out", tmp_path, "--batch", 2, *MINUTES)
    drawn = dcgan.samples(tmp_path / "dcgan.safetensors", 2)
    assert drawn.shape == (2, 3, 128, 128) and 0 <= drawn.min() <= drawn.max() <= 1


def test_the_gallery_gets_codes_and_thumbnails_of_its_paintings(program, data, tmp_path, monkeypatch):
    shutil.copyfile(MODELS / "generator.safetensors", tmp_path / "generator.safetensors")
    styles = {
        name: SimpleNamespace(name=name, picture="", file=f"{number}.png", thumbnail=tmp_path / "gallery" / f"{name}.jpg")
        for name, number in (("one", "00"), ("two", "01"))
    }
    monkeypatch.setattr(gallery, "MODELS", tmp_path)
    monkeypatch.setattr(gallery, "gallery", lambda: styles)
    monkeypatch.setattr(gallery, "_THUMBNAIL_SIDE", 48)
    sample = data / "content" / "02.png"
    program("style_core.training.gallery", "--data", data, "--samples", sample, "--contact", tmp_path / "contact.png")
    codes = load_file(tmp_path / "gallery.safetensors")
    assert {name: code.shape for name, code in codes.items()} == {name: (3, 265) for name in styles}
    assert not torch.equal(codes["one"], codes["two"])
    with Image.open(styles["two"].thumbnail) as thumbnail:
        assert thumbnail.size == (48, 48)
    assert (tmp_path / "contact.png").is_file()


def test_a_new_style_of_the_gallery_leaves_the_others_as_they_are(program, data, tmp_path, monkeypatch):
    shutil.copyfile(MODELS / "generator.safetensors", tmp_path / "generator.safetensors")
    styles = {}
    monkeypatch.setattr(gallery, "MODELS", tmp_path)
    monkeypatch.setattr(gallery, "gallery", lambda: styles)
    made = []
    for name, number, *again in (("one", "00"), ("two", "01"), ("two", "02"), ("two", "02", "--again", "two")):
        thumbnail = tmp_path / "gallery" / f"{name}.jpg"
        styles[name] = SimpleNamespace(name=name, picture="", file=f"{number}.png", thumbnail=thumbnail)
        program("style_core.training.gallery", "--data", data, "--samples", data / "content" / "02.png", *again)
        made.append(load_file(tmp_path / "gallery.safetensors"))
        assert thumbnail.is_file()
    first, second, same, last = made
    assert torch.equal(first["one"], second["one"]) and torch.equal(second["two"], same["two"])
    assert torch.equal(first["one"], last["one"]) and not torch.equal(same["two"], last["two"])


def test_pictures_of_layers_are_dreamt_for_the_layer_and_its_channels(program, tmp_path, monkeypatch):
    for module in (layer_pictures, shown_layers):
        monkeypatch.setattr(module, "FOLDER", tmp_path / "layers")
    monkeypatch.setattr(layer_pictures, "layer_pictures", lambda: ())
    monkeypatch.setattr(layer_pictures, "LAYERS", ("relu2_1",))
    monkeypatch.setattr(layer_pictures, "_DREAMT", 48)
    monkeypatch.setattr(layer_pictures, "_BLANK", 0.0)
    plain = layer_pictures.DreamOptions(size=64, start="noise", octaves=1, iterations=2)
    monkeypatch.setattr(layer_pictures, "_PLAIN", plain)
    samples = tmp_path / "samples"
    samples.mkdir()
    write_image(samples / "one.jpg", picture(64, 64))
    said = program("style_core.training.layer_pictures", "--samples", samples).split()
    written = sorted(Path(tmp_path / "layers").iterdir())
    assert said[0] == "relu2_1" and len(said) == len(written) == 4
    assert all(term.startswith("relu2_1[") for term in said[1:])
