"""Where the app is hosted: on a Space's lent GPU, in a container, as an MCP server, behind flags that are wrong."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path

import pytest
from networks import picture
from serving import ROOT, app, free_port

from style_core.media.video import FrameWriter

pytestmark = pytest.mark.app

# What ZeroGPU does to a decorated function, in one process: everything that crosses the border is pickled.
SPACES = """
import inspect, pickle

class Border(Exception): pass

def GPU(duration):
    def decorate(work):
        def crossed(*given):
            given = pickle.loads(pickle.dumps(given))
            print("seconds", duration(*given))
            return pickle.loads(pickle.dumps(work(*given)))

        def steps(*given):
            given = pickle.loads(pickle.dumps(given))
            print("seconds", duration(*given))
            for step in work(*given):
                yield pickle.loads(pickle.dumps(step))

        return steps if inspect.isgeneratorfunction(work) else crossed
    return decorate
"""


def on_a_space(code: str, tmp_path: Path, lent: str = "true") -> str:
    (tmp_path / "spaces.py").write_text(SPACES)
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "HF_HUB_OFFLINE": "1", "SPACES_ZERO_GPU": lent}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_recipes_cross_the_border_of_a_lent_gpu_and_ask_for_time_by_their_work(tmp_path):
    said = on_a_space(
        """
        from studio import gpu
        from style_core import *
        photo = read_image("studio/samples/landscape.jpg")
        compute = Compute.choose("cpu")
        for iterations in (2, 400):
            options = OptimizeOptions(size=64, iterations=iterations, extractor="lite")
            steps = gpu.steps(optimize, photo, [photo], options, compute=compute)
            for step in steps:
                if iterations == 400:
                    break
            steps.close()
        print(tuple(step.image.shape) if step.image is not None else "closed")
        large = gpu.seconds_for(optimize, (photo, [], OptimizeOptions(size=1024, iterations=400)), {})
        small = gpu.seconds_for(optimize, (photo, [], OptimizeOptions(size=256, iterations=50)), {})
        print("longer" if large > small else "no longer", large <= 120)
        """, tmp_path,
    )  # fmt: skip
    assert said.count("seconds") == 2 and "longer True" in said


def test_weights_are_downloaded_before_the_time_on_a_lent_gpu_counts(tmp_path):
    said = on_a_space(
        """
        from studio import gpu
        from style_core import *

        def fetch(name, layers=None, patient=False):
            yield Step(0, 0, note=f"Downloading {name}.")

        gpu.weights.fetch = fetch
        photo = read_image("studio/samples/landscape.jpg")
        for extractor in ("auto", "vgg16"):
            steps = gpu.steps(optimize, photo, [photo], OptimizeOptions(size=64, extractor=extractor), compute=Compute.choose("cpu"))
            print(next(steps).note)
            steps.close()
        """, tmp_path,
    )  # fmt: skip
    assert said.split("\n")[:-1] == ["Downloading vgg19.", "Downloading vgg16."], "nothing was leased yet"


def test_the_tab_s_own_work_crosses_it_too_and_errors_keep_their_words(tmp_path):
    said = on_a_space(
        """
        from studio import gpu, stylizing
        from style_core import *
        wanted = stylizing.StylizeRequest.of("studio/samples/landscape.jpg", None, "red-fuji", 0.0, None, StylizeOptions(size=64).as_dict())
        print(tuple(gpu.call(stylizing.painted, Compute.choose("cpu"), wanted, "en").shape))
        *_, result = stylizing.stylized(Compute.choose("cpu"), wanted, None)
        print(result.photo.size, result.path.endswith(".png"))
        try:
            list(gpu.steps(optimize, read_image("studio/samples/landscape.jpg"), [], OptimizeOptions()))
        except RequestError as error:
            print(error)
        """, tmp_path,
    )  # fmt: skip
    assert "(3, 43, 64)" in said and "(64, 43) True" in said and "There is no style picture" in said


def test_a_space_with_a_device_of_its_own_computes_as_a_laptop_does(tmp_path):
    said = on_a_space(
        """
        from studio import gpu
        print(gpu.is_lent(), gpu.call(max, 2, 3))
        """, tmp_path, lent="",
    )  # fmt: skip
    assert said.split() == ["False", "3"], "nothing crossed a border"


def test_a_film_that_a_lent_gpu_can_not_finish_is_refused_and_memory_that_runs_out_is_said(tmp_path):
    with FrameWriter(tmp_path / "clip.mp4", fps=24) as film:
        for _ in range(120):
            film.add(picture(64, 64))
    said = on_a_space(
        f"""
        from studio import gpu
        from style_core import *
        from style_core.recipes.dream_zoom import ZoomOptions, dream_zoom
        from style_core.recipes.key_frames import FilmOptions
        from style_core.recipes.optimize_clip import OptimizedFilmOptions, optimize_clip

        def full(options):
            raise RuntimeError("CUDA out of memory.")

        clip, large = "{tmp_path}/clip.mp4", OptimizeOptions(size=1024, extractor="lite")
        seconds = [gpu.seconds_for(None, (clip, "", [], StylizeOptions(size=384), FilmOptions(key_every=every)), {{}}) for every in (8, 1)]
        print("longer" if 20 < seconds[0] < seconds[1] else seconds)
        works = [
            lambda: next(gpu.steps(optimize_clip, clip, "", [], large, OptimizedFilmOptions(frame_iterations=200))),
            lambda: next(gpu.steps(dream_zoom, None, DreamOptions(size=1024), ZoomOptions(frames=2400))),
            lambda: gpu.call(full, StylizeOptions(size=2048)),
        ]
        for work in works:
            try:
                work()
            except RequestError as error:
                print(error)
        """, tmp_path,
    )  # fmt: skip
    longer, clip, zoom, memory = (line for line in said.splitlines() if not line.startswith("seconds"))
    assert longer == "longer" and "lent for 120 s" in clip and "lent for 120 s" in zoom and "not enough memory for 2048 px" in memory


def test_without_spaces_nothing_is_wrapped():
    from studio import gpu

    assert gpu.spaces is None and gpu.call(max, 2, 3) == 3


DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTRUCTIONS = [line.split(maxsplit=1) for line in DOCKERFILE.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def instruction(name: str) -> list[str]:
    return [rest for word, rest in INSTRUCTIONS if word == name]


def test_the_dockerfile_is_slim_unprivileged_healthy_and_stoppable():
    order = [word for word, _ in INSTRUCTIONS]
    assert order[0] == "FROM" and "-slim" in instruction("FROM")[0]
    assert re.search(r"useradd .*--uid 1000", " ".join(instruction("RUN"))) and order.index("USER") < order.index("CMD")
    assert instruction("USER") == ["painter"] and order.count("CMD") == 1 and "HEALTHCHECK" in order and "EXPOSE" in order
    assert instruction("CMD")[0].startswith("[")  # no shell between SIGTERM and the app
    assert not any(re.search(r"\b(sudo|latest|ADD)\b", f"{word} {rest}") for word, rest in INSTRUCTIONS)
    sources = [rest.split()[0] for rest in instruction("COPY") if not rest.startswith("--")]
    assert sources and all((ROOT / source).exists() for source in sources), sources


@pytest.fixture
def image(tmp_path):
    """What COPY puts into the image: the tracked files, without what .dockerignore leaves out."""
    ignored = {line.strip().rstrip("/") for line in (ROOT / ".dockerignore").read_text().splitlines()} | {
        ".cache",
        ".pytest_cache",
        "__pycache__",
    }
    folder = tmp_path / "app"
    shutil.copytree(ROOT, folder, ignore=lambda _, names: [name for name in names if name in ignored or name == "__pycache__"])
    return folder


def test_the_dockerfile_s_run_steps_work_in_a_clean_folder(image):
    """pip's own dry run: the same commands, with nothing installed."""
    steps = [step for step in instruction("RUN") if "pip" in step]
    assert steps
    index = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"], capture_output=True, text=True, check=False
    ).stdout.strip()
    environment = {**os.environ, "PIP_DRY_RUN": "1", "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    environment["TORCH_INDEX"] = os.environ.get("PIP_INDEX_URL") or index or "https://pypi.org/simple"
    for step in steps:
        done = subprocess.run(["sh", "-ec", step], cwd=image, env=environment, capture_output=True, text=True, timeout=300, check=False)
        if "NewConnectionError" in done.stderr:
            pytest.skip("needs a package index, which can't be reached from here")
        assert done.returncode == 0, done.stderr


def test_the_dockerfile_s_command_serves_from_a_read_only_folder_and_ends_on_sigterm(image, tmp_path):
    port = str(free_port())
    command = [sys.executable if word == "python" else word.replace("7860", port) for word in eval(instruction("CMD")[0])]
    for path in sorted(image.rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    image.chmod(0o555)
    environment = {
        **os.environ,
        "HF_HOME": str(tmp_path / "hf"),
        "GRADIO_TEMP_DIR": str(tmp_path / "gradio"),
        "HF_HUB_OFFLINE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(command, cwd=image, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check = re.search(r'"-c", "(.*)"\]', instruction("HEALTHCHECK")[0]).group(1).replace("7860", port)
    try:
        deadline = time.monotonic() + 120
        while subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode:
            assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
            time.sleep(0.5)
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=30)
        for path in [image, *image.rglob("*")]:
            path.chmod(0o755)
    assert "Traceback" not in said and process.returncode == 0


def test_sigterm_the_moment_that_the_port_answers_ends_it_as_well():
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, process.stdout.read()
            time.sleep(0.003)
    process.terminate()  # Gradio's launch has more to do at this point
    said, _ = process.communicate(timeout=30)
    assert "Traceback" not in said and process.returncode == 0


def flags(*given: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "app.py", *given], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def refusals(*requests: list[str]) -> list[str]:
    """What the app says to each list of wrong flags, all of them asked of one process."""
    code = """
import contextlib, io, json, sys
import app
said = []
for flags in json.loads(sys.argv[1]):
    sys.argv[1:] = flags
    with contextlib.redirect_stderr(io.StringIO()) as errors:
        try:
            app.main()
        except SystemExit as end:
            assert end.code == 2, end.code
    said.append(errors.getvalue())
print(json.dumps(said))
"""
    command = [sys.executable, "-c", code, json.dumps(requests)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_wrong_flags_are_refused_in_words():
    auth, device, host, *ports = refusals(
        ["--auth", "alone"],
        ["--device", "tpu"],
        ["--host", "203.0.113.9"],
        *(["--port", port] for port in ("0", "99999", "abc", "9" * 400)),
    )
    assert "--auth must be USER:PASSWORD" in auth
    assert "argument --device: invalid choice" in device
    assert "203.0.113.9 is not an address of this machine" in host
    for said in ports:
        assert "is not a port" in said and len(said.strip().splitlines()[-1]) < 200


def test_a_port_that_is_in_use_or_no_port_in_the_environment_is_refused_in_words(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        used = taken.getsockname()[1]
        assert f"Port {used} is in use; choose another with --port." in flags("--port", str(used)).stderr
    monkeypatch.setenv("GRADIO_SERVER_PORT", "abc")
    assert "abc is not a port (also in GRADIO_SERVER_PORT)" in flags().stderr


def test_a_socks_proxy_as_gnome_writes_it_does_not_keep_the_app_from_starting(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "socks://127.0.0.1:9/")
    done = flags("--port", "0")
    assert "0 is not a port" in done.stderr and "Traceback" not in done.stderr


def test_mcp_asks_for_its_package_or_serves_the_four_recipes_as_tools(tmp_path):
    try:
        import mcp  # noqa: F401
    except ImportError:
        refused = flags("--mcp")
        assert refused.returncode == 2 and "pip install 'gradio[mcp]'" in refused.stderr
        return
    with app("--mcp") as address, urllib.request.urlopen(f"{address}/gradio_api/mcp/schema") as answer:
        schema = answer.read().decode()
    assert {f'"{name}"' for name in ("stylize", "optimize", "dream", "imagine")} <= set(re.findall(r'"\w+"', schema))
    assert "between 64 and 8192 px" in schema
