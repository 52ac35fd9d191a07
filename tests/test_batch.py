"""Batches: what is made of which files, names, going on after a break, the contact sheet."""

import json
from pathlib import Path

import pytest
from networks import picture
from PIL import Image

from style_core import RequestError, Step, StylizeOptions, read_settings, write_image
from style_core.cli import main as cli
from style_core.devices import Compute
from style_core.media.settings import settings_of
from style_core.recipes import batch
from style_core.recipes.batch import Task, check_targets, contact_sheet, run_tasks
from style_core.recipes.batch_record import BatchRecord, results_in
from style_core.recipes.job_file import free_name, read_job

CPU = Compute.choose("cpu", "fp32")


@pytest.fixture
def photos(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "paintings").mkdir()
    for name, seed in (
        ("photos/one.png", 1),
        ("photos/two.jpg", 2),
        ("photos/two.png", 3),
        ("paintings/red.png", 4),
        ("paintings/blue.png", 5),
    ):
        write_image(tmp_path / name, picture(64, 80, seed=seed))
    return tmp_path


def job_file(folder, suffix=".toml", **changes) -> str:
    job = {
        "recipe": "stylize", "out": "painted", "contents": ["photos"], "styles": ["paintings/*.png", "gallery:red-fuji"],
        "strengths": [0.5, 1.0], "options": {"size": 64}, **changes,
    }  # fmt: skip
    path = folder / f"job{suffix}"
    if suffix == ".json":
        path.write_text(json.dumps(job))
    else:
        lines = [f"{key} = {json.dumps(value)}" for key, value in job.items() if key != "options"]
        path.write_text("\n".join([*lines, "[options]", *(f"{key} = {json.dumps(value)}" for key, value in job["options"].items())]))
    return str(path)


def test_a_mistake_in_a_job_is_a_sentence_before_any_work(photos):
    for changes, words in (
        ({"out": 5}, "out must be a name in quotes"),
        ({"options": 5}, "options must be a table"),
        ({"sheet": "no"}, "sheet must be true or false"),
        ({"recipe": "dream", "options": {}, "styles": ["paintings/red.png"]}, "dream takes none"),
    ):
        with pytest.raises(RequestError, match=words):
            read_job(job_file(photos, ".json", **changes), CPU)
    (photos / "list.json").write_text("[]")
    with pytest.raises(RequestError, match="is not a job file"):
        read_job(photos / "list.json", CPU)
    job = read_job(job_file(photos, ".json"), CPU)
    with pytest.raises(RequestError, match="does not end in a suffix"):
        check_targets(job.tasks, job.folder, ".jgp", sheet=True)


def test_a_pattern_means_pictures_and_the_sheets_name_is_its_own(photos):
    (photos / "photos" / "notes.txt").write_text("nothing to paint")
    (photos / "photos" / "folder").mkdir()
    write_image(photos / "photos" / "sheet.png", picture(24, 32))
    marked = Path(job_file(photos, ".json", contents=["photos/*"]))
    marked.write_bytes(b"\xef\xbb\xbf" + marked.read_bytes())  # as Windows' editors begin a file
    names = {task.name for task in read_job(marked, CPU).tasks}
    assert any(name.startswith("sheet--") for name in names) and not any(name.startswith(("notes", "folder")) for name in names)
    alone = read_job(job_file(photos, ".json", contents=["photos/sheet.png"], styles=["gallery:red-fuji"], strengths=[1.0]), CPU)
    assert [task.name for task in alone.tasks] == ["sheet-2"]


def quick_task(name: str, options: StylizeOptions = StylizeOptions(size=64)) -> Task:
    """A task of no work at all."""

    def steps(options):
        yield Step(1, 1, image=picture(16, 16))

    return Task(name, "stylize", options, steps, ())


def test_a_name_that_is_too_long_stops_no_batch(tmp_path):
    tasks = [quick_task(name) for name in ("first", "long" * 80, "last")]
    for _ in range(2):
        told = list(run_tasks(tasks, tmp_path / "painted"))
        assert [progress.task.name for progress in told if progress.path] == ["first", "last"]
        assert ["File name too long" in progress.error for progress in told if progress.error] == [True]
    with pytest.raises(RequestError, match="can't be written"):
        list(run_tasks(tasks, tmp_path / "painted" / "first.png"))


def test_results_of_photos_with_long_names_have_names_that_fit(photos):
    photo = photos / "photos" / f"{'山' * 82}.png"
    write_image(photo, picture(64, 64))
    found = read_job(job_file(photos, contents=[str(photo)], styles=["gallery:red-fuji", "gallery:birch-grove"], strengths=[0.5, 1.0]), CPU)
    names = [task.name for task in found.tasks]
    assert len(set(names)) == 4 and names[3].endswith("--birch-grove--1") and max(len(f"{name}.webp".encode()) for name in names) <= 255
    with pytest.raises(RequestError, match="There are no pictures in"):
        read_job(job_file(photos, contents=["山" * 90]), CPU)


def test_a_contact_sheet_of_very_many_is_small_enough_and_tells_styles_of_one_name_apart():
    def task(content: str, style: str) -> Task:
        def steps(options):
            yield Step(1, 1, image=picture(16, 16))

        return Task(f"{content}{style}", "stylize", StylizeOptions(size=64), steps, (), content, style)

    sheet = contact_sheet([task(f"{number}.png", "a/wave.png") for number in range(700)])
    assert max(sheet.size) <= 32_000 and sheet.size[0] > 40
    both = contact_sheet([task("1.png", style) for style in ("a/wave.png", "b/wave.png")])
    assert both.size[0] > 500, "two columns"


def test_names_never_collide():
    taken = set()
    assert [free_name(name, taken) for name in ("a", "A", "a-2", "a")] == ["a", "A-2", "a-2-2", "a-3"]


@pytest.mark.parametrize("suffix", [".toml", ".json"])
def test_a_job_is_each_content_in_each_style_at_each_strength(photos, suffix):
    job = read_job(job_file(photos, suffix), CPU)
    assert len(job.tasks) == 3 * 3 * 2 and job.folder == photos / "painted"
    names = [task.name for task in job.tasks]
    assert len({name.lower() for name in names}) == len(names)
    assert "one--blue--0.5" in names and "two--red-fuji--1-2" in names
    assert {task.options.strength for task in job.tasks} == {0.5, 1.0}


def test_an_interrupted_batch_continues_and_notices_changes(photos):
    job = read_job(job_file(photos, styles=["gallery:red-fuji"], strengths=[]), CPU)
    run = run_tasks(job.tasks, job.folder)
    while next(run).path is None:
        pass  # until the first picture is there
    run.close()
    assert [path.name for path in job.folder.glob("*.png")] == ["one.png"]
    first = (job.folder / "one.png").stat().st_mtime_ns
    again = [progress for progress in run_tasks(job.tasks, job.folder) if progress.path]
    assert [progress.step is None for progress in again] == [True, False, False]
    assert sorted(path.name for path in job.folder.glob("*.png")) == ["one.png", "two-2.png", "two.png"]
    assert (job.folder / "one.png").stat().st_mtime_ns == first
    assert read_settings(job.folder / "two.png")["options"]["size"] == 64
    write_image(photos / "photos" / "one.png", picture(80, 80, seed=9))
    assert [progress.step is None for progress in run_tasks(job.tasks, job.folder) if progress.path] == [False, True, True]
    other = read_job(job_file(photos, styles=["gallery:red-fuji"], strengths=[0.25]), CPU)
    assert [progress.step is None for progress in run_tasks(other.tasks, job.folder) if progress.path] == [False] * 3


@pytest.mark.slow
def test_the_shell_paints_a_contact_sheet_first_and_reports(photos, capsys):
    job = job_file(photos, contents=["photos/two.*"], styles=["gallery:red-fuji", "paintings/red.png"], strengths=[1.0])
    assert cli.main(["batch", job, "--sheet-only", "--device", "cpu"]) == 0
    assert [path.name for path in (photos / "painted").iterdir() if not path.name.startswith(".")] == ["sheet.jpg"]
    with Image.open(photos / "painted" / "sheet.jpg") as sheet:
        assert sheet.width > 2 * 256 and sheet.height > 2 * 256
    capsys.readouterr()
    assert cli.main(["batch", job, "--device", "cpu", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["out"]) == 4 and told["failed"] == {} and told["kept"] == 0


def test_unreadable_pictures_are_reported_and_the_rest_is_done(photos, capsys):
    (photos / "photos" / "broken.jpg").write_bytes(b"no picture")
    flags = ["--batch", "--size", "64", "--extractor", "lite", "--device", "cpu", "--json"]
    folders = [str(photos / "photos"), "-o", str(photos / "dreamt")]
    assert cli.main(["dream", *folders, *flags, "--octaves", "1", "--iterations", "1"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert list(told["failed"]) == ["broken.jpg"] and len(told["out"]) == 3
    painting = str(photos / "paintings" / "red.png")
    assert cli.main(["optimize", str(photos / "photos"), painting, "-o", str(photos / "optimized"), *flags, "--iterations", "1"]) == 1
    assert len(json.loads(capsys.readouterr().out)["out"]) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": "paint"}, "recipe is paint; it must be one of stylize, optimize, dream"),
        ({"contents": []}, "job.toml has no contents; add it."),
        ({"contents": ["nowhere/*.png"]}, "There are no pictures in *.png."),
        ({"styles": []}, "job.toml has no styles; list pictures, or gallery:NAME."),
        ({"size": 64}, "job.toml has an unknown entry, size; the entries are"),
        ({"styles": ["gallery:redfuji"]}, "There is no style redfuji in the gallery"),
        ({"recipe": "optimize", "strengths": []}, "Styles of the gallery are for stylize; give optimize a picture."),
        ({"options": {"size": "64"}}, "size is '64'; it must be a number between 64 and 8192 px."),
        ({"options": {"sizes": 64}}, "There is no option sizes; did you mean size?"),
    ],
)
def test_an_invalid_job_is_refused_in_words(photos, changes, message):
    with pytest.raises(RequestError) as caught:
        read_job(job_file(photos, **changes), CPU)
    assert str(caught.value).startswith(message)


def test_a_result_never_replaces_one_of_the_pictures(photos, capsys):
    before = (photos / "photos" / "one.png").read_bytes()
    folder = str(photos / "photos")
    assert cli.main(["stylize", folder, "gallery:red-fuji", "-o", folder, "--batch", "--size", "64"]) == 2
    assert "is one of the pictures to be painted" in capsys.readouterr().err
    assert (photos / "photos" / "one.png").read_bytes() == before


def test_results_among_the_photos_are_not_painted_again(photos, capsys):
    folder = photos / "photos"
    for path in folder.glob("*.png"):
        path.rename(path.with_suffix(".webp"))
    command = ["stylize", str(folder), "gallery:red-fuji", "-o", str(folder), "--batch", "--size", "64", "--json"]
    counts = []
    for _ in range(2):
        assert cli.main(command) == 0
        told = json.loads(capsys.readouterr().out)
        counts.append((len(told["out"]), told["kept"]))
    assert counts[1] == (counts[0][0], counts[0][0]) and counts[0][1] == 0
    job = job_file(photos, contents=["photos"], out="photos", styles=["gallery:red-fuji"], strengths=[])
    assert len(read_job(job, CPU).tasks) == counts[0][0]
    elsewhere = job_file(photos, contents=["photos"], out="painted-twice", styles=["gallery:red-fuji"], strengths=[])
    assert len(read_job(elsewhere, CPU).tasks) == 2 * counts[0][0], "painting what was painted is a wish like any other"


def test_what_is_named_is_never_replaced_nor_left_out(photos, capsys):
    folder = photos / "photos"
    write_image(folder / "sheet.jpg", picture(64, 80, seed=7))
    before = (folder / "sheet.jpg").read_bytes()
    (photos / "job").mkdir()
    named = [str(folder / "two.jpg"), str(folder / "sheet.jpg")]
    job = job_file(photos / "job", contents=named, out=str(folder), styles=["gallery:red-fuji"], strengths=[], options={"size": 64})
    assert cli.main(["batch", job]) == 2
    assert "sheet.jpg is one of the pictures to be painted" in capsys.readouterr().err
    assert (folder / "sheet.jpg").read_bytes() == before
    (photos / "painted").mkdir()
    flags = ["--batch", "--size", "64"]
    assert cli.main(["stylize", str(folder), "gallery:red-fuji", "-o", str(photos / "painted"), *flags]) == 0
    again = job_file(photos, contents=["painted/one.png"], out="painted", styles=["gallery:red-fuji"], strengths=[])
    assert len(read_job(again, CPU).tasks) == 1
    assert cli.main(["stylize", str(photos / "painted"), "gallery:red-fuji", "-o", str(photos / "painted"), *flags]) == 2
    assert "There are no pictures in painted." in capsys.readouterr().err


def test_a_batch_replaces_nothing_that_it_did_not_make(photos, capsys):
    folder, before = photos / "photos", {}
    (folder / "two.png").unlink()
    for name in ("one.png", "two.png", "sheet.jpg"):
        write_image(folder / name, picture(64, 80, seed=8))
        before[name] = (folder / name).read_bytes()
    job = job_file(photos, contents=["photos/two.jpg"], out="photos", styles=["gallery:red-fuji"], strengths=[])
    for flags, said in ((["--sheet-only"], "two.png, sheet.jpg"), ([], "two.png, sheet.jpg")):
        assert cli.main(["batch", job, *flags]) == 2
        assert f"A batch doesn't replace files that no batch made: {said}. Move them away" in capsys.readouterr().err
    assert cli.main(["stylize", str(photos / "paintings"), "gallery:red-fuji", "-o", str(folder), "--batch", "--size", "64"]) == 0
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_results_that_were_changed_since_are_kept_and_unchanged_ones_made_again(tmp_path):
    first = [quick_task(name) for name in ("one", "two")]
    other = [quick_task(name, StylizeOptions(size=128)) for name in ("one", "two")]
    made = [progress.path for progress in run_tasks(first, tmp_path) if progress.path]
    assert all(progress.step for progress in run_tasks(other, tmp_path) if progress.path)
    made[1].touch()
    assert all(progress.step for progress in run_tasks(first, tmp_path) if progress.path), "a new date is no change"
    Image.new("RGB", (16, 16)).save(tmp_path / "two.png")
    retouched = made[1].read_bytes()
    with pytest.raises(RequestError, match="doesn't replace results that were changed since: two.png. Move them away"):
        list(run_tasks(other, tmp_path))
    assert [progress.step for progress in run_tasks(first, tmp_path)] == [None, None]
    run = run_tasks([*other[:1], quick_task("late")], tmp_path)
    next(run)
    Image.new("RGB", (16, 16)).save(tmp_path / "late.png")
    assert [progress.error[:51] for progress in run if progress.error] == ["A batch doesn't replace files that no batch made: l"]
    assert made[1].read_bytes() == retouched


def test_a_batch_that_was_killed_or_begun_by_an_earlier_version_goes_on(tmp_path):
    tasks, others = ([quick_task(name, StylizeOptions(size=size)) for name in ("one", "two", "three")] for size in (64, 128))
    list(run_tasks(tasks[:2], tmp_path))
    noted = tmp_path / ".done.json"
    known = {name: fact[0] for name, fact in json.loads(noted.read_text()).items()}
    noted.write_text(json.dumps({**known, "sheet.jpg": "a contact sheet"}))
    assert [bool(progress.step) for progress in run_tasks(tasks, tmp_path) if progress.path] == [False, False, True]
    noted.write_text(json.dumps({name: task.fingerprint({}) for name, task in zip(("one.png", "two.png", "three.png"), tasks)}))
    assert [bool(progress.step) for progress in run_tasks(others, tmp_path) if progress.path] == [True] * 3
    # As a process leaves it that is killed after it wrote a picture, before it could note that.
    begun = BatchRecord(tmp_path)
    begun.begin({tmp_path / "two.png": tasks[1].fingerprint({})})
    write_image(tmp_path / "two.png", picture(16, 16, seed=2), settings=settings_of("stylize", {}))
    assert results_in(tmp_path) >= {(tmp_path / "two.png").resolve()}
    assert [bool(progress.step) for progress in run_tasks(others, tmp_path) if progress.path] == [False, True, False]
    noted.write_text(json.dumps({"one.png": "made by an earlier version"}))
    Image.new("RGB", (16, 16)).save(tmp_path / "one.png")
    with pytest.raises(RequestError, match="were changed since: one.png"):
        list(run_tasks(tasks[:1], tmp_path))


def test_a_batch_is_made_again_when_anything_else_is_asked_for(photos, capsys):
    command = ["stylize", str(photos / "photos"), "gallery:red-fuji", "-o", str(photos / "out"), "--batch", "--size", "64", "--json"]
    kept = []
    for flags in ([], [], ["--depth", "16"], ["--subject", "only"], ["--subject", "only"]):
        assert cli.main([*command, *flags]) == 0
        kept.append(json.loads(capsys.readouterr().out)["kept"])
    assert kept == [0, 3, 0, 0, 3]


@pytest.mark.parametrize(("flags", "said"), [
    (["--timelapse", "film.mp4"], "--timelapse works with one picture, not with --batch."),
    (["--continue", "half.png"], "There is no file half.png"),
])  # fmt: skip
def test_flags_for_one_picture_are_refused_with_a_folder(photos, capsys, flags, said):
    painting = str(photos / "paintings" / "red.png")
    assert cli.main(["optimize", str(photos / "photos"), painting, "-o", str(photos / "out"), "--batch", *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_job_keeps_transparency_and_takes_single_entries_and_any_pattern(photos):
    clear = Image.new("RGBA", (64, 64), (200, 40, 40, 0))
    clear.save(photos / "photos" / "one.png")
    job = read_job(job_file(photos, contents=f"{photos}/photos/o*.png", styles="gallery:red-fuji", strengths=0.5), CPU)
    (done,) = [progress for progress in run_tasks(job.tasks, job.folder) if progress.path]
    with Image.open(done.path) as painted:
        assert painted.mode == "RGBA" and painted.getextrema()[3] == (0, 0)
    with pytest.raises(RequestError, match="strengths must be numbers"):
        read_job(job_file(photos, strengths=["much"]), CPU)


@pytest.mark.parametrize("now", ["gone", "another"])
def test_a_picture_keeps_the_transparency_of_the_photo_it_was_begun_with(photos, now):
    photo = photos / "photos" / "one.png"
    Image.new("RGBA", (64, 64), (200, 40, 40, 0)).save(photo)
    job = read_job(job_file(photos, contents=[str(photo)], styles=["gallery:red-fuji"], strengths=[]), CPU)
    run = run_tasks(job.tasks, job.folder)
    next(run)
    photo.unlink() if now == "gone" else plain_photo(photo)
    (done,) = [progress for progress in run if progress.path]
    with Image.open(done.path) as painted:
        assert painted.getextrema()[3] == (0, 0)


def plain_photo(path: Path) -> None:
    Image.new("RGB", (64, 64), (200, 40, 40)).save(path)


def test_a_picture_whose_folder_went_away_is_kept_and_the_batch_says_where(tmp_path, monkeypatch):
    (tmp_path / "kept").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "kept"))
    folder = tmp_path / "painted"
    run = run_tasks([quick_task("first")], folder, suffix=".jpg")
    next(run)
    (folder / ".done.json").unlink(missing_ok=True)
    folder.rmdir()
    (told,) = run
    assert told.error.startswith("The folder for first.jpg does not exist")
    (kept,) = (tmp_path / "kept").rglob("first.png")
    assert told.error.endswith(f"The picture was saved as {kept} instead.") and read_settings(kept)["recipe"] == "stylize"


def test_ctrl_c_in_a_batch_tells_what_is_there(photos, capsys, monkeypatch):
    real, made = batch.write_result, []

    def interrupted(path, *given, **more):
        if made:
            raise KeyboardInterrupt
        made.append(path)
        real(path, *given, **more)

    monkeypatch.setattr(batch, "write_result", interrupted)
    command = ["stylize", str(photos / "photos"), "gallery:red-fuji", "-o", str(photos / "out"), "--batch", "--size", "64", "--json"]
    assert cli.main(command) == 130
    assert len(json.loads(capsys.readouterr().out)["out"]) == 1
