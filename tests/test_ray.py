"""Recipes on a local Ray of two workers: Steps as without it, refusals, a worker that is killed, batches."""

import json
import os
import signal
import tempfile
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import torch
from gradio_client import Client, handle_file
from networks import picture
from serving import app

from studio import gpu, i18n
from style_core import OptimizeOptions, RequestError, StylizeOptions, optimize, read_settings, stylize, write_image
from style_core.cli import main as cli
from style_core.devices import Compute
from style_core.media.clip import Clip
from style_core.media.video import FrameWriter
from style_core.recipes.stylize_clip import stylize_clip

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'ray[data]>=2.60,<2.61'")
# Of Ray's own: sockets and files that it leaves to the garbage collector.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "default::DeprecationWarning:ray"),
]
CPU = Compute.choose("cpu", "fp32")
PAINT = OptimizeOptions(size=128, iterations=8, extractor="lite")


@pytest.fixture(scope="module")
def cluster():
    """A local Ray with room for two workers of the app and two of a batch, whatever cores this machine has."""
    # Sockets have short names: a folder of pytest's own would be too deep.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(
            num_cpus=4, num_gpus=0, include_dashboard=False, object_store_memory=80 * 2**20, log_to_driver=False,
            logging_level="ERROR", _temp_dir=folder,
        )  # fmt: skip
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def pool(cluster, tmp_path_factory):
    from deploy.ray.workers import Pool

    pool = Pool(2, {"num_cpus": 1})
    pool.check_folder(tmp_path_factory.mktemp("shared"))
    return pool


@pytest.fixture
def border(pool, monkeypatch):
    """`studio.gpu`, with the pool behind it."""
    monkeypatch.setattr(gpu, "_elsewhere", [])
    gpu.work_on(pool)
    return pool


def test_a_run_on_a_worker_gives_the_same_steps_as_one_at_home(border):
    photo, painting = picture(64, 80, seed=1), picture(64, 64, seed=2)
    assert gpu.places() == 2
    there = list(gpu.steps(optimize, photo, [painting], PAINT, compute=CPU))
    here = list(optimize(photo, [painting], PAINT, compute=CPU))
    assert [step.iteration for step in there] == [step.iteration for step in here]
    assert there[-1].weights == here[-1].weights
    # The worker chooses its own precision, which may be bfloat16.
    assert (there[-1].result - here[-1].result).abs().mean() < 0.02
    assert gpu.call(os.getpid) != os.getpid()


def test_two_runs_work_on_two_workers_and_one_that_is_left_leaves_nothing(border):
    def running():
        return gpu.steps(optimize, picture(64, 80, seed=1), [picture(64, 64, seed=2)], PAINT, compute=CPU)

    with closing(running()) as first, closing(running()) as second:
        next(first), next(second)
        assert border._busy == [1, 1]
    assert border._busy == [0, 0]


def test_a_stopped_film_is_there_at_once(border, tmp_path):
    with FrameWriter(tmp_path / "clip.mp4", 8) as writer:
        for frame in range(24):
            writer.add(torch.roll(picture(64, 96, seed=1), frame, dims=-1))
    steps = gpu.steps(stylize_clip, tmp_path / "clip.mp4", tmp_path / "film.mp4", [picture(64, 64)], StylizeOptions(size=96), compute=CPU)
    with closing(steps):
        assert next(step for step in steps if step.iteration >= 9).iteration < 24
    assert Clip.open(tmp_path / "film.mp4").frames >= 9


def test_a_refusal_keeps_its_words_and_its_translation(border):
    with pytest.raises(RequestError, match="There is no style") as caught:
        list(gpu.steps(stylize, picture(64, 80), [], StylizeOptions(size=64), compute=CPU))
    assert i18n.translate(str(caught.value), "es") != str(caught.value)


def test_a_job_whose_worker_is_killed_says_so_and_the_next_run_works(border):
    photo, painting = picture(64, 80, seed=1), picture(64, 64, seed=2)
    with pytest.raises(gpu.WorkerLost, match="has stopped") as caught:
        gpu.call(os._exit, 1)
    for language in ("es", "zh-CN"):
        assert i18n.translate(str(caught.value), language) != str(caught.value)

    steps = gpu.steps(optimize, photo, [painting], PAINT, compute=CPU)
    next(steps)
    with pytest.raises(gpu.WorkerLost):
        # Whichever worker it is on dies between two Steps.
        os.kill(ray.get(border._workers[border._busy.index(1)].call.remote(os.getpid, (), {}, 0))[0], signal.SIGKILL)
        list(steps)
    assert border._busy == [0, 0]
    assert list(gpu.steps(optimize, photo, [painting], PAINT, compute=CPU))[-1].iteration == PAINT.iterations


def test_a_folder_that_workers_do_not_see_is_refused(border, monkeypatch):
    from deploy.ray import workers

    monkeypatch.setattr(
        workers, "NamedTemporaryFile", lambda dir: closing(type("Gone", (), {"name": "/nowhere", "close": lambda self: None})())
    )
    with pytest.raises(RequestError, match="GRADIO_TEMP_DIR"):
        border.check_folder(Path(tempfile.gettempdir()))


def test_a_cluster_that_is_too_small_is_refused_in_words(cluster):
    from deploy.ray.cluster import share_of

    with pytest.raises(RequestError, match="fewer cores"):
        share_of(99)


@pytest.fixture
def job(tmp_path) -> Path:
    (tmp_path / "photos").mkdir()
    for number in range(3):
        write_image(tmp_path / "photos" / f"{number}.png", picture(64, 80, seed=number))
    (tmp_path / "photos" / "bad.png").write_bytes(b"no picture")
    asked = {
        "recipe": "stylize",
        "out": "painted",
        "contents": ["photos"],
        "styles": ["gallery:red-fuji"],
        "options": {"size": 64},
        "sheet": False,
    }
    (tmp_path / "job.json").write_text(json.dumps(asked))
    return tmp_path / "job.json"


def test_a_job_file_is_painted_as_the_shell_paints_it_and_continued(cluster, job, capsys):
    from deploy.ray.batch import paint_job

    done, failed = paint_job(str(job))
    assert sorted(path.name for path in done) == ["0.png", "1.png", "2.png"] and list(failed) == ["bad"]
    assert read_settings(done[0])["request"]["styles"] == ["gallery:red-fuji"]
    assert paint_job(str(job))[0] == [], "what is there is left as it is"
    assert cli.main(["batch", str(job)]) == 1
    assert "3 of 4 pictures, 3 of them by an earlier run" in capsys.readouterr().err


def test_a_batch_repeats_the_picture_whose_worker_was_killed(cluster, job, tmp_path):
    from deploy.ray.batch import PicturePainter, painted

    died, rows = tmp_path / "died", [{"name": str(number)} for number in range(3)]

    class Mortal(PicturePainter):
        def __call__(self, rows):
            if rows["name"][0] == "1" and not died.exists():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().__call__(rows)

    (tmp_path / "painted").mkdir()
    made = list(painted(rows, Mortal, (str(job),), 1))
    assert died.exists()
    assert sorted((row["name"], row["error"]) for row in made) == [("0", ""), ("1", ""), ("2", "")]
    assert all((tmp_path / "painted" / f"{number}.png").is_file() for number in range(3))


def workers_of(app_process: psutil.Process) -> list[psutil.Process]:
    """The app's workers, among the processes of the Ray that it has started."""
    return [process for process in app_process.children(recursive=True) if "ray::Worker" in " ".join(process.cmdline())]


def test_the_app_works_on_after_all_its_workers_were_killed_in_a_run(tmp_path):
    write_image(tmp_path / "photo.png", picture(96, 128, seed=1))
    photo = handle_file(str(tmp_path / "photo.png"))
    before = set(psutil.Process().children())
    with app("--ray", "local", "--ray-cores", "1", "--device", "cpu", GRADIO_TEMP_DIR=str(tmp_path / "kept")) as address:
        (process,) = set(psutil.Process().children()) - before
        client = Client(address, verbose=False)
        run = client.submit(content=photo, style=photo, size=128, iterations=2000, extractor="lite", api_name="/optimize")
        next(iter(run))
        killed = workers_of(process)
        assert killed
        for worker in killed:
            worker.kill()
        with pytest.raises(Exception, match="has stopped. Start the run again"):
            run.result(timeout=120)
        painted = client.predict(content=photo, gallery_style="red-fuji", size=128, api_name="/stylize")
        assert painted and workers_of(process) and not set(workers_of(process)) & set(killed)
    assert not psutil.pid_exists(killed[0].pid)


def test_films_of_a_folder_are_painted(cluster, tmp_path):
    from deploy.ray.batch import paint_films

    (tmp_path / "clips").mkdir()
    for number in range(2):
        with FrameWriter(tmp_path / "clips" / f"{number}.mp4", 8) as writer:
            for frame in range(3):
                writer.add(torch.roll(picture(64, 96, seed=number), frame, dims=-1))
    done, failed = paint_films(tmp_path / "clips", "gallery:red-fuji", tmp_path / "films", 96)
    assert not failed and [Clip.open(path).frames for path in sorted(done)] == [3, 3]
    assert paint_films(tmp_path / "clips", "gallery:red-fuji", tmp_path / "films", 96) == ([], {})
    for style, size, said in (
        ("gallery:typo", 96, "no style typo"),
        (tmp_path / "none.png", 96, "none.png"),
        ("gallery:red-fuji", 9, "size"),
    ):
        with pytest.raises(RequestError, match=said):
            paint_films(tmp_path / "clips", str(style), tmp_path / "others", size)
