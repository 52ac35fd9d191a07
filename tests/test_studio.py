"""The studio without a browser: words in all languages, files that are ours, what a result carries with it."""

import ast
import os
import re
import time
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from inks import ink_profile
from networks import picture
from prints import BROKEN_PRINT, write_broken_print

from studio import controls, files, history, i18n, languages, uploads
from studio.history import caption, parents_of
from studio.i18n import translated
from studio.languages import ALL
from studio.retouch import retouched
from studio.uploads import RawEditor, notice_of, read_if_given, read_upload
from style_core import RECIPES, OptimizeOptions, RequestError, gallery, read_image, read_settings
from style_core.files import sha256_of
from style_core.media.clip import Clip
from style_core.messages import Message, joined
from style_core.networks.backbones import BACKBONES
from style_core.recipes.dream_zoom import ZoomOptions
from style_core.recipes.optimize_clip import OptimizedFilmOptions
from style_core.recipes.recorded_inputs import request_of
from style_core.weights import registry as weights

STUDIO = Path(__file__).resolve().parents[1] / "studio"
CORE = STUDIO.parent / "style_core"


GAPS = r"\{.*?\}"
SPOKEN = [language for language in ALL if language.CODE != "en"]
ENGLISH = ALL[0]


@pytest.mark.parametrize("language", SPOKEN, ids=[language.CODE for language in SPOKEN])
def test_a_language_has_every_text_with_the_same_placeholders(language):
    for name in ("WORDS", "LABELS", "UNITS"):
        theirs, ours = getattr(language, name), getattr(ENGLISH, name)
        assert theirs.keys() == ours.keys()
        for key, text in theirs.items():
            assert text.strip() and set(re.findall(GAPS, text)) == set(re.findall(GAPS, ours[key])), key
    assert {name: choices.keys() for name, choices in language.CHOICES.items()} == {
        name: choices.keys() for name, choices in ENGLISH.CHOICES.items()
    }
    assert language.CATEGORIES.keys() <= {entry.category for entry in gallery().values()}
    shown = {recipe.options for name, recipe in RECIPES.items() if name in controls.STARTS} | {ZoomOptions, OptimizedFilmOptions}
    options = [(options, field) for options in shown for field in options.fields()]
    assert {f"{options.__name__}.{field.name}" for options, field in options} <= language.HELP.keys()


@pytest.mark.parametrize("language", ALL, ids=[language.CODE for language in ALL])
def test_what_a_text_quotes_is_a_label_of_the_same_language(language):
    labels = {
        *language.WORDS.values(),
        *language.LABELS.values(),
        *(text for choices in language.CHOICES.values() for text in choices.values()),
    }
    labels |= {"Record", "Grabar", "录制"}  # Gradio's own
    spoken = [getattr(language, name, {}) for name in ("WORDS", "GRADIO", "HELP", "SENTENCES")]
    quoted = {label for texts in spoken for text in texts.values() for label in re.findall("[“«](.*?)[”»]", text)}
    assert len(quoted) > 10 and sorted(quoted - labels) == []


def test_a_language_has_exactly_the_names_that_are_listed():
    for language in ALL:
        own = {"SHARE_WARNING"} if language is ENGLISH else {"HELP", "SENTENCES", "PAINTINGS"}
        names = {"CODE", "WORDS", "LABELS", "UNITS", "CHOICES", "CATEGORIES"} | own
        assert {name for name in vars(language) if name.isupper()} - {"GRADIO"} == names
        assert all(f"`{name}`" in languages.__doc__ for name in names)


def test_browsers_of_other_regions_fall_back_to_a_language_s_first_part():
    for language in ALL:
        assert i18n.I18N.translations[language.CODE.partition("-")[0]]["PAINT"] == language.WORDS["PAINT"]


def test_every_text_that_the_studio_shows_exists_and_is_shown():
    source = "\n".join(path.read_text() for path in STUDIO.glob("*.py"))
    used = set(re.findall(r"i18n\.([A-Z][A-Z_0-9]+)\b", source)) | set(re.findall(r"\"([A-Z][A-Z_0-9]+)\"", source))
    assert set(re.findall(r"i18n\.([A-Z][A-Z_0-9]+)\b", source)) - {"I18N", "SHARE_WARNING", "TABLE"} <= ENGLISH.WORDS.keys()
    made = re.compile(r"USE_|STYLE_\d|WEIGHT_\d|DIAGNOSIS_|SIZE_|EXAMPLE_|PAINTING_|PRESET_")
    assert {key for key in ENGLISH.WORDS if not made.match(key)} <= used


def test_options_have_names_for_every_choice_that_has_any():
    for recipe in RECIPES.values():
        for field in recipe.options.fields():
            if isinstance(field.allowed, tuple) and field.name in ENGLISH.CHOICES:
                assert set(field.allowed) - BACKBONES.keys() <= ENGLISH.CHOICES[field.name].keys(), field.name


class Request:
    def __init__(self, language):
        self.headers = {"accept-language": language}


@pytest.mark.parametrize(
    ("asked", "said"), [("zh-CN,zh;q=0.9", "请先选择一张照片。"), ("de-DE", "Choose a photo first."), ("", "Choose a photo first.")]
)
def test_sentences_follow_the_browser(asked, said):
    assert i18n.say("NO_CONTENT", Request(asked)) == said
    assert i18n.say("NO_CONTENT", None) == "Choose a photo first."


def test_a_language_that_was_chosen_goes_before_the_browser_s():
    request = Request("zh-CN")
    request.headers["cookie"] = "other=de; pentimento-language=es"
    assert i18n.language_of(request) == "es"
    request.headers["cookie"] = "pentimento-language=xx; not-pentimento-language=es"
    assert i18n.language_of(request) == "zh-CN"


def templates_of(code: str) -> Iterator[str]:
    """What a file of the core may say: its strings that read like sentences; neither docstrings nor help."""
    tree = ast.parse(code)
    silent = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(node.value)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("option", "AssertionError", "ValueError"):
            silent.update(ast.walk(node))
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "warning":  # for who runs the server, in its log
            silent.update(ast.walk(node))
        elif isinstance(node, ast.JoinedStr):
            silent.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Message" and isinstance(node.args[0], ast.Constant):
            yield node.args[0].value
        elif node not in silent and isinstance(node, ast.Constant) and isinstance(node.value, str):
            if " " in node.value and re.fullmatch(r"[A-Z{].*[.?]|[A-Z{].*: \{\w+\}", node.value, re.DOTALL):
                yield node.value


@pytest.mark.parametrize("language", SPOKEN, ids=[language.CODE for language in SPOKEN])
def test_every_message_of_the_core_is_translated(language):
    paths = [path for path in CORE.rglob("*.py") if path.parent.name not in ("cli", "training", "rendering")]
    said = {template for path in paths for template in templates_of(path.read_text())}
    assert len(said) > 90
    assert sorted(said - language.SENTENCES.keys()) == []
    places = [weights.whereabouts(name) for name in weights.registry()]
    assert not [text for text in places if translated(text, language.SENTENCES) == text]
    for english, text in language.SENTENCES.items():
        assert set(re.findall(GAPS, text)) == set(re.findall(GAPS, english)), english
    # A network's description may stay in English, so that adding one takes no other language.
    said |= {entry.about for entry in weights.registry().values()}
    source = "\n".join(path.read_text() for folder in (CORE, STUDIO) for path in folder.rglob("*.py") if "languages" not in path.parts)
    assert not [text for text in language.SENTENCES if text not in said and f'"{text}"' not in source], "nobody says it any more"


def test_messages_are_translated_with_their_values():
    with pytest.raises(RequestError) as refused:
        OptimizeOptions(size=99999)
    assert i18n.translate(str(refused.value), Request("zh-CN")) == "size 的值是 99999；应在 64 与 12288 像素之间。"
    assert i18n.translate(str(refused.value), Request("en")) == "size is 99999; it must be between 64 and 12288 px."
    reason = RequestError("Hugging Face could not be reached.")
    note = Message("Using the built-in network instead of VGG-19: {reason}", reason=str(reason))
    assert i18n.translate(note, Request("zh-CN")) == "改用内置的精简网络（代替 VGG-19）：无法连接存放权重的 Hugging Face。"
    notes = joined(
        Message("{file} is animated; its first frame is used.", file="a.gif"),
        Message("The color profile of {file} is broken and was ignored.", file="a.gif"),
    )
    assert i18n.translate(notes, Request("zh-CN")) == "a.gif 是动图；使用它的第一帧。a.gif 的色彩配置文件已损坏，未予采用。"
    assert i18n.translate("Nobody ever said this.", Request("zh-CN")) == "Nobody ever said this."


def test_only_files_of_this_process_are_ours(tmp_path):
    own = files.save(picture(16, 16), "stylize", {"recipe": "stylize", "options": {}})
    outside = tmp_path / "outside.png"
    outside.write_bytes(Path(own).read_bytes())
    link = Path(own).with_name("link.png")
    link.symlink_to(outside)
    assert files.is_result(own)
    others = (None, 3, str(outside), str(link), f"{own}/../../../../../etc/passwd", "/etc/passwd", "a" * 5000, "\0")
    assert not any(files.is_result(path) for path in others)


@pytest.mark.parametrize("kind", files.KINDS)
def test_a_result_is_converted_with_its_settings(kind):
    own = files.save(picture(16, 24), "dream", {"recipe": "dream", "options": {"seed": 3}})
    other = files.converted(own, kind)
    assert other.endswith(kind) and read_settings(other)["options"]["seed"] == 3
    assert (read_image(other) - read_image(own)).abs().mean() < 0.05


def test_results_may_be_larger_than_uploads(tmp_path):
    own = files.new_folder() / "A0.png"
    for path in (own, tmp_path / "A0.png"):
        write_broken_print(path)
    (tmp_path / "press.icc").write_bytes(ink_profile())
    for read in (
        lambda: files.converted(str(own), "jpg"),
        lambda: files.proofed(str(own), str(tmp_path / "press.icc"), paper=False),
        lambda: files.separated(str(own), str(tmp_path / "press.icc")),
        lambda: read_if_given(str(own)),
    ):
        with pytest.raises(RequestError, match=BROKEN_PRINT):
            read()
    for read in (read_if_given, notice_of_error, lambda path: read_upload(path, "missing")):
        with pytest.raises(RequestError, match="A0.png is 101 MB; pictures up to 100 MB can be read. Save it smaller."):
            read(str(tmp_path / "A0.png"))


def notice_of_error(path: str) -> None:
    raise RequestError(notice_of(path, Request("en"))["value"])


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
    kept = files.frames_of(str(trail.where / "result.png"))
    assert 48 <= len(kept) <= 96
    shades = [float(read_image(path).mean()) for path in kept]
    gaps = [two - one for one, two in zip(shades, shades[1:])]
    assert max(gaps) < 2.5 * min(gaps) and shades[0] < 0.05 and shades[-1] > 0.95


def test_a_retouched_result_is_a_new_file_and_says_what_was_done(result):
    assert retouched(result, 1.0, "style") == result
    changed = retouched(result, 0.0, "style")
    torch.testing.assert_close(read_image(changed), files.before_of(result), atol=1 / 255, rtol=0)
    assert read_settings(changed)["after"] == {"position": 0.0, "color": "style", "of": sha256_of(Path(result))} and changed != result
    assert retouched(result, 0.5, "keep") != changed


def test_the_drawer_tells_what_each_result_was_made_from():
    """Stylized, refined from that, enlarged from that and adjusted; and another branch from the first."""

    def made(seed: int, **given) -> str:
        settings = {"recipe": "optimize", "options": {}, "request": request_of(given)}
        return files.save(picture(32, 48, seed=seed), "optimize", settings)

    first = made(1)
    refined = made(2, content=first, styles=["gallery:red-fuji"])
    enlarged = made(3, init_image=refined)
    branch = made(4, styles=[first])
    adjusted = retouched(enlarged, 1.0, "match")
    newest_first = [adjusted, branch, enlarged, refined, first]
    assert parents_of(newest_first) == {adjusted: [enlarged], branch: [first], enlarged: [refined], refined: [first], first: []}
    assert [caption(path, None) for path in (refined, branch)] == ["Fine Wind, Clear Morning · Paint", "Paint"]
    said = history._about(refined, newest_first, None)
    assert said == "Fine Wind, Clear Morning · Paint, 48 x 32 px. Made from: Paint."


def test_pages_of_one_visitor_know_of_each_others_results(monkeypatch):
    made = [files.save(picture(16, 16, seed=seed), "stylize", {}) for seed in range(4)]
    for age, path in enumerate(reversed(made)):
        os.utime(path, (time.time() - age,) * 2)
    assert history._of_all_pages(made[:1], "one") == made[:1]
    assert history._of_all_pages([made[1]], "one") == [made[1], made[0]], "the other page's comes along"
    assert history._of_all_pages([made[2]], "two") == [made[2]], "and nobody else's"
    assert history._of_all_pages([made[3]], None) == [made[3]]


def drawn(seed: int) -> str:
    return files.save(picture(16, 16, seed=seed), "stylize", {"recipe": "stylize", "options": {}})


@pytest.fixture
def drawer(monkeypatch) -> history.Drawer:
    """The drawer of a visitor; names stand for components."""
    monkeypatch.setattr(history.jobs.here, "visitor", lambda request: "somebody")
    monkeypatch.setattr(history, "_made", OrderedDict())
    monkeypatch.setattr(history, "_gone", OrderedDict())
    return history.Drawer(**{name: name for name in history.Drawer.__dataclass_fields__})


def test_undo_brings_back_what_this_page_removed_and_nothing_that_was_removed_before(drawer):
    first, second = drawn(0), drawn(1)
    for path in (first, second):
        drawer._add(path, [], None, None)
        removed = drawer._forget([path], None)["removed"]
        assert removed == [path]
    assert drawer._bring_back(removed, [], None)["paths"] == [second]
    assert drawer._look_again([first], None, None)["paths"] == [second], "another page, which still shows the first"


def test_what_two_pages_remove_can_be_brought_back_on_either(drawer):
    path = drawn(0)
    for _ in range(2):
        removed = drawer._forget([path], None)["removed"]
        assert removed == [path]
    assert drawer._bring_back(removed, [], None)["paths"] == [path]


def test_a_removed_result_that_comes_again_is_in_the_drawer_again(drawer):
    path = drawn(0)
    drawer._forget([path], None)
    assert drawer._add(path, [], None, None)["paths"] == [path]


def test_the_way_of_a_result_becomes_a_film(result):
    clip = Clip.open(files.film_of(result, ".mp4"))
    assert clip.frames > 3 and (clip.width, clip.height) == (48, 32)
    assert Path(files.film_of(result, ".gif")).read_bytes()[:3] == b"GIF"


@pytest.mark.parametrize("language", [one for one in ALL if one.CODE != "en"], ids=lambda one: one.CODE)
def test_every_weight_file_is_described_in_each_language(language):
    assert {entry.about for entry in weights.registry().values()} <= language.SENTENCES.keys()


@pytest.mark.parametrize("language", [one for one in ALL if one.CODE != "en"], ids=lambda one: one.CODE)
def test_every_painting_of_the_gallery_has_its_title_in_each_language(language):
    styles = gallery().values()
    assert {style.title for style in styles} <= language.PAINTINGS.keys()
    assert {str(style.year) for style in styles if str(style.year).startswith("about")} <= language.PAINTINGS.keys()
    assert {style.museum for style in styles if style.museum} <= language.PAINTINGS.keys()
    # Nothing is left of paintings that are not in the gallery anymore.
    assert language.PAINTINGS.keys() <= {text for style in styles for text in (style.title, style.painter, str(style.year), style.museum)}
    names = {style.painter for style in styles} - {"Pentimento"}
    if language.CODE == "zh-CN":
        assert names <= language.PAINTINGS.keys()
    assert i18n.painting_in(language.CODE, "Sunflowers") != "Sunflowers"


def test_old_results_go_by_many_hands_and_a_film_in_the_making_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "folder", lambda: tmp_path)
    monkeypatch.setattr(files, "_SWEEP_SECONDS", 0)
    old = time.time() - 3 * 3600
    for index in range(300):
        (tmp_path / f"old-{index}").mkdir()
        os.utime(tmp_path / f"old-{index}", (old, old))
    film = tmp_path / "film" / "film.mp4"
    film.parent.mkdir()
    os.utime(film.parent, (old, old))
    files.in_use(film)
    with ThreadPoolExecutor(8) as visitors:
        made = list(visitors.map(lambda _: files.new_folder(), range(8)))
    assert all(folder.is_dir() for folder in made) and film.parent.is_dir()
    files.new_folder()  # whoever found somebody sweeping left it to them
    assert not list(tmp_path.glob("old-*"))


def test_what_is_shown_is_swept_although_nobody_uploads(tmp_path, monkeypatch):
    shown = tmp_path / "shown"
    for number in range(5):
        (shown / str(number)).mkdir(parents=True)
        (shown / str(number) / "a.png").write_bytes(bytes(1000))
        time.sleep(0.02)
    monkeypatch.setattr(files, "folder", lambda: tmp_path / "results")
    (tmp_path / "results").mkdir()
    monkeypatch.setattr(files, "get_upload_folder", lambda: str(shown))
    monkeypatch.setattr(files, "_SWEEP_SECONDS", 0)
    monkeypatch.setattr(files, "MOST_UPLOADS", 3500)
    monkeypatch.setattr(files, "permanent", {str(shown / "0" / "a.png")})
    files.new_folder()
    assert sorted(path.parent.name for path in shown.rglob("a.png")) == ["0", "2", "3", "4"], "the oldest but the page's own"


def test_strokes_that_no_brush_leaves_are_not_kept():
    editor = RawEditor()
    for size, number in ((1000, "a"), (uploads._LARGEST_LAYER + 1, "b")):
        data = SimpleNamespace(data={"type": "layer", "index": "0", "id": number}, files=[("layer", bytes(size))])
        editor.accept_blobs(data)
    assert set(editor.blob_storage) == {"a"}


def test_the_oldest_results_go_when_all_take_too_much(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "folder", lambda: tmp_path)
    monkeypatch.setattr(files, "_MOST_BYTES", 2500)
    monkeypatch.setattr(files, "_SWEEP_SECONDS", 0)
    for hours, name in ((1.5, "first"), (1.0, "second"), (0.5, "third"), (0.01, "fourth")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(bytes(1000))
        os.utime(tmp_path / name, (time.time() - 3600 * hours,) * 2)
    files.new_folder()
    assert {path.name for path in tmp_path.iterdir()} >= {"third", "fourth"}
    assert not (tmp_path / "first").exists() and not (tmp_path / "second").exists()
