"""Batches: what is made of which files, names, going on after a break, the contact sheet."""

import json

import pytest
from networks import picture
from PIL import Image

from style_core import RequestError, read_settings, write_image
from style_core.cli import main as cli
from style_core.devices import Compute
from style_core.recipes.batch import free_name, read_job, run_tasks

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
    assert [path.name for path in (photos / "painted").iterdir()] == ["sheet.jpg"]
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
        ({"options": {"sizes": 64}}, "There is no option sizes; did you mean size?"),
    ],
)
def test_an_invalid_job_is_refused_in_words(photos, changes, message):
    with pytest.raises(RequestError) as caught:
        read_job(job_file(photos, **changes), CPU)
    assert str(caught.value).startswith(message)
