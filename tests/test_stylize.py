"""The generator: strength, blends, masks, tiles, sizes, codes; with a random network, whose arithmetic is the same."""

import pytest
import torch
from networks import picture
from safetensors.torch import load_file, save_file

from style_core import RequestError, StylizeOptions, finish, gallery, gallery_code, stylize
from style_core.devices import Compute
from style_core.media.clip import Clip
from style_core.media.color import PAINTING_COLORS
from style_core.media.images import fit, fit_short, from_pil, read_image, resize, size_to_fit_short, to_pil
from style_core.media.video import FrameWriter
from style_core.networks.generator import Generator
from style_core.networks.generator_net import GeneratorNet
from style_core.recipes.stylize import verdict
from style_core.recipes.stylize_clip import stylize_clip
from style_core.weights.open import open_generator
from style_core.weights.registry import MODELS

FP32 = Compute.choose("cpu", "fp32")


@pytest.fixture(scope="module")
def shipped() -> Generator:
    return Generator.load(MODELS / "generator.safetensors", FP32)


@pytest.fixture(scope="module")
def codes(shipped) -> list[torch.Tensor]:
    return [shipped.encode_style(picture(96, 128, seed=seed)) for seed in (5, 6)]


def painted(generator, photo, *given, **more) -> torch.Tensor:
    *_, (_, _, result) = generator.paint(generator.encode_content(photo), *given, **more)
    return result


def test_strength_0_is_the_photo_bit_for_bit_and_strength_is_continuous(shipped, codes):
    photo = picture(64, 96)
    encoded = shipped.encode_content(photo)
    results = [list(shipped.paint(encoded, codes[:1], strength=strength))[-1][-1] for strength in (0, 0.002, 0.5, 0.502, 1)]
    assert torch.equal(results[0], photo)
    assert (results[1] - photo).abs().mean() < 0.01
    assert (results[2] - results[3]).abs().mean() < 0.005
    assert (results[4] - photo).abs().mean() > 0.02


def test_a_blend_is_symmetric_and_lies_between(shipped, codes):
    photo = picture(64, 64)
    one_way = painted(shipped, photo, codes, [1, 3])
    other_way = painted(shipped, photo, codes[::-1], [3, 1])
    torch.testing.assert_close(one_way, other_way, atol=1e-4, rtol=0)
    torch.testing.assert_close(painted(shipped, photo, [codes[0], codes[0]], [1, 2]), painted(shipped, photo, codes[:1]), atol=1e-4, rtol=0)
    near, far = painted(shipped, photo, codes[:1]), painted(shipped, photo, codes[1:])
    assert (one_way - far).abs().mean() < (near - far).abs().mean()


@pytest.mark.parametrize("size", [(200, 300), (257, 129), (64, 700)])
def test_tiles_are_exactly_the_untiled_picture(shipped, codes, size):
    tiled = Generator(shipped.net, FP32, tile=128)
    photo = picture(*size)
    assert not shipped.encode_content(photo).tiled and tiled.encode_content(photo).tiled
    whole, parts = painted(shipped, photo, codes[:1]), painted(tiled, photo, codes[:1])
    assert (whole - parts).abs().mean() * 255 < 0.05
    assert (whole - parts).abs().max() * 255 < 1


def test_each_region_takes_its_own_style(shipped):
    photo, codes = picture(96, 128), [gallery_code(name) for name in ("sunflowers", "evening-snow")]
    left = torch.zeros(1, 96, 128)
    left[..., :64] = 1
    both = painted(shipped, photo, codes, masks=[left, 1 - left])
    alone = [painted(shipped, photo, [code]) for code in codes]
    assert (both - alone[0])[..., :40].abs().mean() < 0.5 * (both - alone[1])[..., :40].abs().mean()
    assert (both - alone[1])[..., 88:].abs().mean() < 0.5 * (both - alone[0])[..., 88:].abs().mean()
    everywhere = painted(shipped, photo, codes[:1], masks=[torch.ones(1, 96, 128)])
    torch.testing.assert_close(everywhere, alone[0], atol=1e-4, rtol=0)


def test_codes_painted_in_the_same_area_are_mixed_by_their_shares(shipped, codes):
    photo, left = picture(96, 128), torch.zeros(1, 96, 128)
    left[..., :64] = 1
    alone = [painted(shipped, photo, [code], masks=[left]) for code in codes]
    mixed = [painted(shipped, photo, codes, shares, masks=[left, left]) for shares in ([1, 0], [3, 1], [0, 1])]
    assert torch.equal(mixed[0], alone[0]) and torch.equal(mixed[2], alone[1])
    assert (mixed[1] - alone[0]).abs().mean() < 0.5 * (mixed[1] - alone[1]).abs().mean()


def test_the_photo_stays_outside_all_masks(shipped, codes):
    photo = picture(96, 128)
    left = torch.zeros(1, 96, 128)
    left[..., :64] = 1
    result = painted(shipped, photo, codes[:1], masks=[left])
    assert torch.equal(result[..., 80:], photo[..., 80:])
    assert (result - photo)[..., :48].abs().mean() > 0.02


def test_the_strength_outside_all_masks_can_be_another(shipped):
    photo, code = fit(read_image("studio/samples/still-life.jpg"), 256), gallery_code("sunflowers")
    left = torch.zeros(1, *photo.shape[-2:])
    left[..., :128] = 1
    both = painted(shipped, photo, [code], masks=[left], outside=0.5)
    full, half = (painted(shipped, photo, [code], strength=strength) for strength in (1.0, 0.5))
    for part, like, unlike in ((slice(0, 96), full, half), (slice(160, None), half, full)):
        assert (both - like)[..., part].abs().mean() < 0.75 * (both - unlike)[..., part].abs().mean()
    only_outside = painted(shipped, photo, [code], strength=0.0, masks=[left], outside=0.5)
    assert torch.equal(only_outside[..., :96], photo[..., :96])
    assert (only_outside - half)[..., 160:].abs().mean() < 0.5 * (only_outside - photo)[..., 160:].abs().mean()


def test_a_strength_outside_without_painted_areas_says_that_it_has_no_effect():
    photo = picture(64, 96)
    for color in PAINTING_COLORS:
        options = StylizeOptions(size=96, outside=0.5, strength=0, color=color)
        done = finish(stylize(photo, [picture(64, 64, seed=1)], options, compute=FP32))
        assert torch.equal(done.result, photo) and "strength outside has no effect" in done.note


@pytest.mark.parametrize("size", [(16, 16), (65, 97), (64, 1000), (17, 33)])
def test_odd_sizes_keep_their_size(shipped, codes, size):
    result = painted(shipped, picture(*size), codes[:1])
    assert result.shape == (3, *size) and result.isfinite().all() and result.min() >= 0 and result.max() <= 1


def test_a_gray_photo_is_painted_and_a_flat_one_stays_calm(shipped, codes):
    gray = picture(64, 64)[:1].expand(3, -1, -1)
    assert painted(shipped, gray, codes[:1]).isfinite().all()
    for compute in (FP32, Compute.choose("cpu", "bf16")):
        generator = Generator.load(MODELS / "generator.safetensors", compute)
        wall = torch.full((3, 96, 160), 0.5)
        flat = painted(generator, wall, generator.adjusted(wall, codes[:1]))
        assert flat.std((1, 2)).max() < 0.01
        assert (flat.mean((1, 2)) - 0.5).abs().max() > 0.02


def test_a_code_is_adjusted_by_what_a_first_result_misses(shipped):
    photo, code = fit(read_image("studio/samples/still-life.jpg"), 384), gallery_code("sunflowers")
    (adjusted,) = shipped.adjusted(photo, [code])
    own = shipped.encode_content(photo).code
    moved, apart = (adjusted - code)[:, :256].norm(), (code - own)[:, :256].norm()
    assert 0.05 * apart < moved < 0.35 * apart
    assert torch.equal(adjusted[:, 256:], code[:, 256:])  # colors are moved in closed form
    missed = [(shipped.encode_content(painted(shipped, photo, [each])).code - code)[:, :256].norm() for each in (code, adjusted)]
    assert missed[1] < 0.9 * missed[0]


def test_weights_of_earlier_releases_adjust_nothing(shipped, tmp_path):
    tensors = load_file(MODELS / "generator.safetensors")
    for name in ("style.feedback", "style.sharpening"):
        del tensors[name]
    save_file(tensors, tmp_path / "generator.safetensors")
    earlier = Generator.load(tmp_path / "generator.safetensors", FP32)
    code, thumbnail = gallery_code("sunflowers"), picture(200, 240)
    assert torch.equal(earlier.adjusted(picture(64, 64), [code])[0], code)
    assert not torch.equal(earlier.encode_style(thumbnail), shipped.encode_style(thumbnail))


@pytest.mark.parametrize("name", ["impasto", "mosaic", "stained-glass"])
def test_a_thumbnail_is_read_almost_as_its_painting(shipped, name):
    painting = fit_short(read_image(f"studio/samples/styles/{name}.jpg"), 512)
    thumbnail = from_pil(to_pil(resize(painting, size_to_fit_short(painting.shape[-2:], 200))))
    wanted, blurred = shipped.encode_style(painting), shipped.encode_content(fit_short(thumbnail, 512)).code
    for file in (thumbnail, from_pil(to_pil(fit_short(thumbnail, 1000)))):  # and as one that was enlarged before
        assert (shipped.encode_style(file) - wanted)[:, :256].norm() < 0.6 * (blurred - wanted)[:, :256].norm()


def test_no_frame_along_the_borders(shipped, codes):
    result = painted(shipped, torch.full((3, 96, 96), 0.5), codes[:1])
    middle = result[:, 24:-24, 24:-24].mean((1, 2))
    edge = torch.cat([result[:, :2].flatten(1), result[:, -2:].flatten(1)], 1).mean(1)
    assert (middle - edge).abs().max() < 0.1


def test_codes_survive_a_file(shipped, codes, tmp_path):
    save_file({"code": codes[0]}, tmp_path / "code.safetensors")
    photo = picture(48, 48)
    assert torch.equal(painted(shipped, photo, [load_file(tmp_path / "code.safetensors")["code"]]), painted(shipped, photo, codes[:1]))


def test_the_same_request_gives_the_same_bytes():
    options = StylizeOptions(size=96)
    one, two = (finish(stylize(picture(80, 96), [picture(64, 64, seed=3)], options, compute=FP32)).image for _ in range(2))
    assert torch.equal(one, two)


def test_kept_colors_are_the_photos():
    photo = picture(64, 96)
    kept = finish(stylize(photo, [picture(64, 64, seed=3)], StylizeOptions(size=96, color="keep"), compute=FP32)).image
    chroma = [image - image.mean(0, keepdim=True) for image in (kept, photo)]
    assert torch.nn.functional.cosine_similarity(chroma[0].flatten(), chroma[1].flatten(), dim=0) > 0.6


def test_the_gallery_ships_whole():
    sha256 = open_generator(FP32).sha256
    assert len(gallery()) >= 24
    for name, style in gallery().items():
        assert gallery_code(name, sha256).shape == (1, 265) and style.painter and style.title
        assert max(read_image(style.thumbnail).shape) <= 256
    with pytest.raises(RequestError, match="There is no style scream in the gallery; there are"):
        gallery_code("scream")


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        ({"styles": []}, "There is no style; give a style picture or choose one from the gallery."),
        ({"style_weights": [1, 2]}, "There are 2 style weights for 1 styles; give one for each."),
        ({"masks": [None, None]}, "There are 2 masks for 1 styles; give one for each."),
    ],
)
def test_a_request_that_cannot_be_carried_out_says_why(request_, sentence):
    given = {"styles": [picture(32, 32)], **request_}
    with pytest.raises(RequestError) as caught:
        finish(stylize(picture(32, 32), compute=FP32, **given))
    assert str(caught.value) == sentence


def test_another_networks_file_is_refused(tmp_path):
    state = GeneratorNet(FP32).state_dict()
    first = next(name for name in state if name.startswith("stages"))
    save_file(
        {name: tensor for name, tensor in state.items() if name != first and not name.startswith("encoder")}, tmp_path / "half.safetensors"
    )
    with pytest.raises(RequestError, match="half.safetensors does not contain the generator"):
        Generator.load(tmp_path / "half.safetensors", FP32)


def test_a_still_clip_stays_still(tmp_path, codes):
    photo = picture(48, 64)
    with FrameWriter(tmp_path / "in.mp4", 10) as writer:
        for index in range(6):
            writer.add((photo + 0.01 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(index))).clamp(0, 1))
    options = StylizeOptions(size=64)
    finish(stylize_clip(tmp_path / "in.mp4", tmp_path / "out.mp4", [], options, codes=codes[:1], compute=FP32))
    frames = list(Clip.open(tmp_path / "out.mp4").images())
    assert len(frames) == 6
    assert max(float((a - b).abs().mean()) for a, b in zip(frames, frames[1:])) < 0.02


def bold_painting(side: int = 512) -> torch.Tensor:
    """Broad diagonal strokes of three colors with sharp edges, `[3, side, side]`."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    index = ((x + y) // 24 + (x - y) // 40) % 3
    palette = torch.tensor([[0.85, 0.15, 0.1], [0.1, 0.2, 0.6], [0.95, 0.8, 0.2]])
    return palette[index].permute(2, 0, 1).contiguous()


def test_a_sharp_painting_changes_a_photo_as_much_as_a_blurred_one_does(shipped):
    photo = picture(192, 256, seed=3) * 0.4 + 0.3
    sharp = bold_painting()
    blurred = torch.nn.functional.interpolate(sharp[None, :, ::4, ::4], scale_factor=4.0, mode="bilinear")[0]
    changes = [(painted(shipped, photo, [shipped.encode_style(style)]) - photo).abs().mean() for style in (sharp, blurred)]
    assert min(changes) > 0.12
    assert changes[0] > 0.6 * changes[1]


def test_a_photo_and_a_style_seen_before_are_not_encoded_again(shipped, monkeypatch):
    photo, style = picture(64, 96, seed=21), picture(64, 96, seed=22)
    first = shipped.encode_content(photo), shipped.encode_style(style)
    monkeypatch.setattr(shipped, "_encode", None)
    assert shipped.encode_content(photo.clone()) is first[0]
    assert shipped.encode_style(style.clone()) is first[1]


def test_more_strength_goes_further_beyond_the_style(shipped, codes):
    photo = picture(64, 96)
    changes = [(painted(shipped, photo, codes[:1], strength=strength) - photo).abs().mean() for strength in (0.5, 1, 1.5)]
    assert changes[0] < changes[1] < changes[2]


def test_codes_of_the_gallery_change_with_the_brush_size_and_without_a_jump():
    scales = (0.25, 0.5, 0.999, 1.0, 2.0, 4.0)
    codes = dict(zip(scales, (gallery_code("sunflowers", scale=scale) for scale in scales)))
    assert torch.equal(codes[0.25], codes[0.5]) and torch.equal(codes[2.0], codes[4.0])
    assert (codes[0.5] - codes[2.0]).abs().mean() > 20 * (codes[0.999] - codes[1.0]).abs().mean() > 0


def test_results_that_keep_or_lose_the_photo_are_reported(shipped):
    photo, style = fit(read_image("studio/samples/mountain-lake.jpg"), 256), bold_painting()
    codes = [shipped.encode_style(style)]
    assert verdict(shipped, photo, photo, codes) == "unchanged"
    noise = torch.rand(3, 96, 128, generator=torch.Generator().manual_seed(4))
    assert verdict(shipped, bold_painting(128)[:, :96], noise, [shipped.encode_content(noise).code]) == "lost"
    gentle = [gallery_code("water-lily-pond")]
    assert verdict(shipped, photo, painted(shipped, photo, gentle), gentle) == ""


def test_a_palette_is_exactly_the_style_pictures_and_a_gallery_code_has_none(codes):
    style = torch.cat([torch.full((3, 64, 32), 0.2), torch.full((3, 64, 32), 0.8)], 2)
    image = finish(stylize(picture(96, 128), [style], StylizeOptions(size=128, color="palette"), compute=FP32)).image
    for value in (0.2, 0.8):
        assert ((image - value).abs() < 0.02).float().mean() == pytest.approx(0.5, abs=0.05)
    with pytest.raises(RequestError, match="Gallery styles don.t include the painting.s palette"):
        finish(stylize(picture(96, 128), [style], StylizeOptions(color="palette"), codes=codes[:1], compute=FP32))


def test_a_film_in_an_exact_palette_is_refused(tmp_path):
    with FrameWriter(tmp_path / "clip.mp4", 10) as writer:
        writer.add(picture(64, 96))
    with pytest.raises(RequestError, match="would flicker"):
        finish(stylize_clip(tmp_path / "clip.mp4", tmp_path / "out.mp4", [picture(64, 64)], StylizeOptions(color="palette"), compute=FP32))


def test_what_a_mask_leaves_out_keeps_its_colors_whatever_those_of_the_rest():
    photo, painting = picture(64, 64), picture(64, 64, seed=3)
    mask = torch.zeros(1, 64, 64)
    mask[..., :32] = 1
    options = StylizeOptions(size=64, color="palette")
    result = finish(stylize(photo, [painting], options, masks=[mask])).result
    right = (result - fit(photo, 64))[..., 56:]
    assert float(right.abs().mean()) < 0.01
    assert float((result - fit(photo, 64))[..., :24].abs().mean()) > 0.03
