"""What follows a run: places on its way, colors, verdicts, estimates, painted masks."""

import pytest
import torch
from networks import picture
from PIL import Image, ImageDraw

from style_core.media.color import luminance_of
from style_core.media.diagnosis import diagnose
from style_core.media.images import masks_by_color, size_of, strokes_of
from style_core.media.retouch import recolor, rewound
from style_core.networks.costs import VggShape
from style_core.networks.extractor import vgg_layers
from style_core.networks.vgg19 import VGG19_WIDTHS


def test_rewinding_goes_from_the_photo_to_the_result_and_blends_between_frames():
    photo, frame, result = (picture(20, 30, seed=seed) for seed in range(3))
    way = [photo, lambda: frame, result]
    assert torch.equal(rewound(way, 0.0), photo) and torch.equal(rewound(way, 1.0), result)
    torch.testing.assert_close(rewound(way, 0.5), frame)
    torch.testing.assert_close(rewound(way, 0.75), (frame + result) / 2)


def test_rewinding_reads_only_the_frames_around_the_position():
    read = []

    def frame(index):
        return lambda: read.append(index) or picture(8, 8)

    rewound([picture(8, 8), *(frame(index) for index in range(9)), picture(16, 16)], 0.44)
    assert read == [3, 4]
    assert rewound([picture(8, 8), picture(16, 24)], 0.3).shape == (3, 16, 24)


def test_recoloring_keeps_the_luminance_of_the_result_and_the_chroma_of_the_photo():
    result, photo = picture(24, 24, seed=1) * 0.4 + 0.3, picture(12, 12, seed=2) * 0.2 + 0.4
    kept = recolor(result, photo, "keep")
    torch.testing.assert_close(luminance_of(kept), luminance_of(result), atol=0.01, rtol=0)
    matched = recolor(result, photo, "match")
    torch.testing.assert_close(matched.mean((1, 2)), photo.mean((1, 2)), atol=0.03, rtol=0)
    assert torch.equal(recolor(result, photo, "style"), result)


@pytest.mark.parametrize(("spoil", "verdict"), [
    (lambda photo, style: photo * 0.99 + 0.005, "unchanged"),
    (lambda photo, style: luminance_of(style).expand(3, -1, -1), "gray"),
    (lambda photo, style: (style > 0.5).float(), "saturated"),
    (lambda photo, style: (style * 0.4 + 0.3 + 0.25 * torch.randn(style.shape, generator=torch.Generator().manual_seed(0))).clamp(0.02, 0.98), "grainy"),
    (lambda photo, style: style * 0.9 + 0.05, ""),
])  # fmt: skip
def test_failures_of_results_are_distinguished(spoil, verdict):
    photo, style = picture(96, 96, seed=3), picture(96, 96, seed=4)
    assert diagnose(spoil(photo, style), photo, style) == verdict


def test_a_mask_as_strokes_becomes_the_same_mask_again():
    mask = (torch.rand(1, 6, 9, generator=torch.Generator().manual_seed(0)) > 0.4).float()
    strokes = strokes_of(mask, "#2e6fb7")
    assert strokes.size == (9, 6)
    red, blue = masks_by_color(strokes, ["#d1495b", "#2e6fb7"])
    assert red is None and torch.equal(blue, mask)


def test_brush_strokes_become_a_mask_for_each_color():
    strokes = Image.new("RGBA", (60, 40))
    draw = ImageDraw.Draw(strokes)
    draw.rectangle((0, 0, 19, 39), fill="#d1495b")
    draw.rectangle((40, 10, 59, 39), fill="#306db5")  # what antialiasing makes of #2e6fb7
    red, blue, yellow = masks_by_color(strokes, ["#d1495b", "#2e6fb7", "#f2c14e"])
    assert red.shape == (1, 40, 60) and red.sum() == 20 * 40 and red[0, 0, 19] == 1 and red[0, 0, 20] == 0
    assert blue.sum() == 20 * 30 and yellow is None


def test_flops_and_activations_are_those_of_the_network():
    trunk = vgg_layers([4, 5, 6, 7, 8])[:30]
    kept, work, x = 0, 0, torch.rand(1, 3, 32, 48)
    for layer in trunk:
        if isinstance(layer, torch.nn.Conv2d):
            work += 2 * 9 * layer.in_channels * layer.out_channels * x.shape[-2] * x.shape[-1]
        x = layer(x)
        kept += 0 if isinstance(layer, torch.nn.Conv2d) else x.numel()  # rectified in place
    assert VggShape((4, 5, 6, 7, 8)).flops(32, 48) == work
    assert VggShape((4, 5, 6, 7, 8)).activations(32, 48) == kept
    # What the benchmarks' figures rest on: VGG-19 to relu5_1 and back at 256 px.
    assert 2 * VggShape(VGG19_WIDTHS).flops(256, 256) == pytest.approx(94.7e9, rel=0.01)


def test_the_upright_size_of_a_picture_is_read_from_its_header(tmp_path):
    picture_of = Image.new("RGB", (60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture_of.save(tmp_path / "turned.jpg", exif=exif)
    picture_of.save(tmp_path / "plain.png")
    assert size_of(tmp_path / "turned.jpg") == (60, 40)
    assert size_of(tmp_path / "plain.png") == (40, 60)
