"""How large pictures really are, and what is computed from a picture for as long as it exists."""

import gc
import io
from functools import partial

import pytest
import torch
from networks import picture
from PIL import Image
from torch import Tensor

from style_core import read_image
from style_core.media.images import fit_short, from_pil, resize, size_to_fit_short, to_pil
from style_core.media.sharpness import true_side
from style_core.networks.cache import ByPicture
from style_core.networks.style_picture import style_at_scale, true_share

STYLES = ("impasto", "ink-wash", "mosaic", "paper-cut", "points", "stained-glass", "woodcut")
DOWN, ACROSS = torch.meshgrid(torch.linspace(0, 1, 600), torch.linspace(0, 1, 800), indexing="ij")


def painting(name: str) -> Tensor:
    return read_image(f"studio/samples/styles/{name}.jpg")


def enlarged(image: Tensor, small: int, large: int, quality: int = 85) -> Tensor:
    """A picture shrunk to a thumbnail, enlarged and stored as JPEG, as websites do."""
    thumbnail = resize(image, size_to_fit_short(image.shape[-2:], small))
    stored = io.BytesIO()
    to_pil(resize(thumbnail, size_to_fit_short(thumbnail.shape[-2:], large))).save(stored, "JPEG", quality=quality)
    return from_pil(Image.open(stored))


@pytest.mark.parametrize("name", STYLES)
def test_a_picture_that_was_not_enlarged_has_its_own_size(name):
    own = painting(name)
    stored = io.BytesIO()
    to_pil(own).save(stored, "JPEG", quality=40)
    for image in (own, fit_short(own, 512), fit_short(own, 200), from_pil(Image.open(stored))):
        assert true_side(image) == min(image.shape[-2:])


@pytest.mark.parametrize("name", STYLES)
@pytest.mark.parametrize(("small", "large"), [(224, 1024), (160, 700), (224, 2300)])
def test_an_enlarged_picture_has_about_the_size_of_its_thumbnail(name, small, large):
    assert 0.55 * small < true_side(enlarged(painting(name), small, large)) < 1.4 * small


@pytest.mark.parametrize(
    "pattern",
    [
        torch.full((3, 600, 800), 0.5),
        ACROSS.expand(3, -1, -1),
        (0.5 + 0.5 * torch.sin(160 * ACROSS)).expand(3, -1, -1),
        (0.5 + 0.2 * torch.sin(20 * DOWN) + 0.2 * torch.sin(13 * ACROSS)).expand(3, -1, -1),
        ((8 * ACROSS).long() % 2).float().expand(3, -1, -1),
        picture(600, 800, seed=3),
        torch.full((3, 1, 9), 0.2),
    ],
    ids=["flat", "gradient", "stripes", "waves", "bars", "noise", "a line"],
)
def test_drawn_patterns_are_not_taken_for_enlarged_pictures(pattern):
    image = from_pil(to_pil(pattern))
    assert true_side(image) == min(image.shape[-2:])


def test_what_a_style_has_of_its_size_counts_its_enlargement():
    own, thumbnail = painting("mosaic"), fit_short(painting("mosaic"), 224)
    blurred = enlarged(painting("mosaic"), 224, 1024)
    assert true_share(own) == true_share(own, 2.0) == 1
    assert true_share(thumbnail) == 224 / 512 and true_share(thumbnail, 0.5) == 224 / 256
    assert true_share(blurred) == pytest.approx(224 / 512, rel=0.35)
    assert style_at_scale(own, 0.5).shape[-2:] == (256, 256) and style_at_scale(thumbnail).shape[-2:] == (512, 512)


def test_what_is_known_of_a_picture_is_computed_once_and_goes_with_it():
    known, image, made = ByPicture(), torch.zeros(3, 4, 4), []

    def brightness(of: Tensor) -> float:
        made.append(1)
        return float(of.mean())

    first, again = (known.get(image, "brightness", partial(brightness, image)) for _ in range(2))
    assert first == again == 0 and len(made) == 1
    image += 1  # changed in place
    assert known.get(image, "brightness", partial(brightness, image)) == 1
    assert known.get(image.clone(), "brightness", lambda: 2) == 2  # equal, but another picture
    gc.collect()
    assert len(known) == 1
    del image
    gc.collect()
    assert len(known) == 0
