"""The studio without a browser: words in both languages, files that are ours, what a result carries with it."""

import re
from pathlib import Path

import pytest
import torch
from networks import picture

from studio import files, words
from studio.after import retouched
from style_core import RECIPES, read_image, read_settings
from style_core.video import Clip

STUDIO = Path(__file__).resolve().parents[1] / "studio"


def test_every_word_stands_in_both_languages_with_the_same_gaps():
    for key, texts in words.TABLE.items():
        assert len(texts) == 2 and all(text.strip() for text in texts), key
        gaps = [set(re.findall(r"\{(\w+)", text)) for text in texts]
        assert gaps[0] == gaps[1], key
    chinese = [texts[1] for key, texts in words.TABLE.items() if key.startswith(("HELP_", "LABEL_"))]
    assert all(re.search("[\u4e00-\u9fff]", text) or text.isascii() for text in chinese)


def test_every_word_that_the_studio_shows_exists_and_every_word_is_shown():
    source = "\n".join(path.read_text() for path in STUDIO.glob("*.py") if path.name != "words.py")
    used = set(re.findall(r"words\.([A-Z][A-Z_0-9]+)\b", source)) | set(re.findall(r"say\([\"']([A-Z_0-9]+)", source))
    assert used - {"I18N", "SHARE_WARNING"} <= words.TABLE.keys()
    made = re.compile(r"USE_|STYLE_\d|WEIGHT_\d|DIAGNOSIS_")
    assert {key for key in words.WORDS if not made.match(key)} <= used


def test_options_have_words_for_every_choice_that_has_any():
    for recipe in RECIPES.values():
        for knob in recipe.options.knobs():
            if isinstance(knob.allowed, tuple) and knob.name in words.CHOICES:
                assert set(knob.allowed) <= words.CHOICES[knob.name].keys(), knob.name


class Request:
    def __init__(self, language):
        self.headers = {"accept-language": language}


@pytest.mark.parametrize(("asked", "said"), [("zh-CN,zh;q=0.9", "请先选择一张照片。"), ("de-DE", "Choose a photo first."), ("", "Choose a photo first.")])
def test_sentences_follow_the_browser(asked, said):
    assert words.say("NO_CONTENT", Request(asked)) == said
    assert words.say("NO_CONTENT", None) == "Choose a photo first."


def test_only_files_of_this_process_are_ours(tmp_path):
    own = files.save(picture(16, 16), "stylize", {"recipe": "stylize", "options": {}})
    outside = tmp_path / "outside.png"
    outside.write_bytes(Path(own).read_bytes())
    link = Path(own).with_name("link.png")
    link.symlink_to(outside)
    assert files.is_ours(own)
    assert not any(files.is_ours(path) for path in (None, 3, str(outside), str(link), f"{own}/../../../../../etc/passwd", "/etc/passwd"))


@pytest.mark.parametrize("kind", files.KINDS)
def test_a_result_is_converted_with_its_settings(kind):
    own = files.save(picture(16, 24), "dream", {"recipe": "dream", "options": {"seed": 3}})
    other = files.converted(own, kind)
    assert other.endswith(kind) and read_settings(other)["options"]["seed"] == 3
    assert (read_image(other) - read_image(own)).abs().mean() < 0.05


@pytest.fixture
def result():
    trail = files.Trail()
    trail.begin(picture(32, 48, seed=0))
    for seed in range(1, 4):
        trail.add(picture(32, 48, seed=seed))
    return files.save(picture(32, 48, seed=9), "optimize", {"recipe": "optimize", "options": {}}, trail.where)


def test_a_long_run_keeps_frames_from_all_of_its_way():
    trail = files.Trail()
    for seed in range(500):
        trail.add(torch.full((3, 16, 16), seed / 500))
    kept = files.way_to(str(trail.where / "result.png"))
    assert 48 <= len(kept) <= 96
    shades = [float(read_image(path).mean()) for path in kept]
    gaps = [two - one for one, two in zip(shades, shades[1:])]
    assert max(gaps) < 2.5 * min(gaps) and shades[0] < 0.05 and shades[-1] > 0.95


def test_a_retouched_result_is_a_new_file_and_says_what_was_done(result):
    assert retouched(result, 1.0, "style") == result
    changed = retouched(result, 0.0, "style")
    torch.testing.assert_close(read_image(changed), files.before_of(result), atol=1 / 255, rtol=0)
    assert read_settings(changed)["after"] == {"position": 0.0, "color": "style"} and changed != result
    assert retouched(result, 0.5, "keep") != changed


def test_the_way_of_a_result_becomes_a_film(result):
    clip = Clip.open(files.film_of(result, ".mp4"))
    assert clip.frames > 3 and (clip.width, clip.height) == (48, 32)
    assert Path(files.film_of(result, ".gif")).read_bytes()[:3] == b"GIF"
