"""What is accepted as weights and what is refused, with the reason."""

import hashlib
import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from style_core.networks.backbones import BACKBONES
from style_core.networks.vgg19 import STYLE_LAYERS
from style_core.weights import gallery as gallery_of
from style_core.weights import registry as weights
from style_core.weights.verify import WeightsError, check_golden, check_network

SHALLOW = "relu2_1"


def damaged(kind: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A copy with one thing wrong."""
    tensors = dict(tensors)
    first, middle = "features.0.weight", "features.19.weight"
    if kind == "bgr":
        tensors[first] = tensors[first].flip(1)
    elif kind == "0 to 255":
        tensors[first] = tensors[first] / 58
    elif kind == "half-written":
        tensors[middle] = tensors[middle].clone()
        tensors[middle][256:] = 0
    elif kind == "random":
        generator = torch.Generator().manual_seed(0)
        for name, tensor in tensors.items():
            fan = tensor[0].numel() if tensor.dim() > 1 else 1
            spread = (2 / fan) ** 0.5 if tensor.dim() > 1 else 0.0
            tensors[name] = torch.randn(tensor.shape, generator=generator) * spread
        tensors[first][:, 2] *= 0.8
    elif kind == "not finite":
        tensors[middle] = tensors[middle].clone()
        tensors[middle][0, 0] = float("nan")
    elif kind == "integers":
        tensors[middle] = tensors[middle].to(torch.int32)
    elif kind == "missing":
        del tensors[middle]
    return tensors


DAMAGE = {
    "bgr": "its input channels seem to be swapped",
    "0 to 255": "use a VGG-19 for normalized input",
    "half-written": "the file was only partly written",
    "random": "the network seems untrained",
    "not finite": "holds values that are not finite",
    "integers": "it must hold floating-point numbers",
    "missing": "has no tensor features.19.weight",
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_vgg19_is_refused_for_what_is_wrong_with_it(vgg19_path, kind):
    tensors = damaged(kind, {name: tensor.float() for name, tensor in load_file(vgg19_path).items()})
    with pytest.raises(WeightsError, match=DAMAGE[kind]):
        check_network(BACKBONES["vgg19"], tensors, "relu5_1", "some.safetensors")


def test_the_real_vgg19_passes_in_every_precision(vgg19_path):
    tensors = load_file(vgg19_path)
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        check_network(BACKBONES["vgg19"], {name: tensor.to(dtype) for name, tensor in tensors.items()}, "relu5_4", "vgg19")


def test_a_file_given_by_hand_is_used(vgg19_path, monkeypatch):
    monkeypatch.setenv("STYLE_CORE_VGG19", str(vgg19_path))
    assert weights.find("vgg19", [SHALLOW]) == vgg19_path


def test_a_wrong_file_given_by_hand_is_refused_in_words(monkeypatch, tmp_path):
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "wrong.safetensors")
    monkeypatch.setenv("STYLE_CORE_VGG19", str(tmp_path / "wrong.safetensors"))
    with pytest.raises(WeightsError, match="wrong.safetensors: features.0.weight has the shape"):
        weights.find("vgg19", [SHALLOW])
    monkeypatch.setenv("STYLE_CORE_VGG19", str(tmp_path / "none"))
    with pytest.raises(WeightsError, match="STYLE_CORE_VGG19 points to none, which is not a file"):
        weights.find("vgg19")


def test_a_cached_network_that_is_cut_off_is_reported(monkeypatch, tmp_path):
    monkeypatch.setattr(weights, "cache_folder", lambda: tmp_path)
    monkeypatch.delenv("STYLE_CORE_VGG19", raising=False)
    assert weights.verify("vgg19").startswith("not on this machine; it is on the hub")
    shallow = BACKBONES["vgg19"].tensors("relu1_1")
    save_file({name: torch.zeros(shape) for name, shape in shallow.items()}, tmp_path / "vgg19.safetensors")
    assert weights.whereabouts("vgg19") == "cached from the hub"
    (tmp_path / "vgg19.safetensors").write_bytes((tmp_path / "vgg19.safetensors").read_bytes()[:-100])
    assert weights.whereabouts("vgg19").startswith("on the hub")
    with pytest.raises(WeightsError, match="vgg19.safetensors in the cache is damaged; `weights pull vgg19` gets it again."):
        weights.verify("vgg19")


SHIPPED = [name for name, entry in weights.registry().items() if not entry.repo]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_is_what_was_registered(name):
    path = weights.find(name)
    assert path.stat().st_size == weights.registry()[name].bytes
    assert hashlib.sha256(path.read_bytes()).hexdigest() == weights.registry()[name].sha256
    assert weights.verify(name) == f"good (shipped, sha256 {weights.registry()[name].sha256[:16]}…)"


def test_a_network_that_gives_other_figures_than_its_golden_ones_is_refused(tmp_path):
    path = tmp_path / "lite.safetensors"
    path.write_bytes((weights.MODELS / path.name).read_bytes())
    golden = json.loads((weights.MODELS / "lite.golden.json").read_text())
    path.with_suffix(".golden.json").write_text(json.dumps(golden))
    check_golden(path)
    figure = next(iter(golden))
    path.with_suffix(".golden.json").write_text(json.dumps({**golden, figure: 1.1 * golden[figure] + 1}))
    with pytest.raises(WeightsError, match=f"lite.safetensors gives .* at {re.escape(figure)} instead of"):
        check_golden(path)


def test_a_shipped_file_that_was_changed_is_refused(monkeypatch, tmp_path):
    (tmp_path / "lite.safetensors").write_bytes((weights.MODELS / "lite.safetensors").read_bytes()[:-1] + b"x")
    monkeypatch.setattr(weights, "MODELS", tmp_path)
    with pytest.raises(WeightsError, match="lite.safetensors in models/ is not the shipped file"):
        weights.find("lite")


@pytest.mark.parametrize("name", ["registry.toml", "gallery.toml"])
@pytest.mark.parametrize("damage", ["missing", "broken", "binary"])
def test_missing_or_broken_tables_are_reported(tmp_path, monkeypatch, name, damage):
    if damage != "missing":
        (tmp_path / name).write_bytes(b"[" if damage == "broken" else b"\xff\xfe\0")
    for module in (weights, gallery_of):
        monkeypatch.setattr(module, "MODELS", tmp_path)
    read = gallery_of.gallery if name == "gallery.toml" else weights.registry
    read.cache_clear()
    with pytest.raises(WeightsError, match=f"{name} in models/ is missing or damaged; get the project's files again."):
        read()
    read.cache_clear()


@pytest.mark.parametrize("file", [gallery_of.CODES, gallery_of.GRAMS])
@pytest.mark.parametrize("damage", ["missing", "cut", "nan", "changed"])
def test_a_damaged_gallery_is_refused(tmp_path, monkeypatch, damage, file):
    made_for = {"generator": "g"} if file == gallery_of.CODES else {"lite": weights.registry()["lite"].sha256}
    names = ["red-fuji", *(f"red-fuji.{layer}" for layer in STYLE_LAYERS)]
    values = {name: torch.ones(3, 256, 2).half() for name in names}
    facts = {**made_for, "sha256": gallery_of.tensors_digest(values)}
    read = gallery_of.gallery_code if file == gallery_of.CODES else gallery_of.gallery_grams
    monkeypatch.setattr(gallery_of, "MODELS", tmp_path)
    save_file(values, tmp_path / file, facts)
    gallery_of._stored.cache_clear()
    read("red-fuji")  # whole, it opens
    (tmp_path / file).unlink()
    if damage in ("nan", "changed"):
        for name in names:
            values[name][0, 0] = torch.nan if damage == "nan" else 2
        facts = made_for if damage == "nan" else facts
    if damage != "missing":
        save_file(values, tmp_path / file, facts)
    if damage == "cut":
        (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-100])
    gallery_of._stored.cache_clear()
    with pytest.raises(WeightsError, match=f"{file} in models/ is missing or damaged"):
        read("red-fuji")
    gallery_of._stored.cache_clear()


def test_the_gallery_that_ships_is_whole():
    assert gallery_of.verify_gallery().startswith("good (")
