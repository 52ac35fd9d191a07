"""VGG-19 from a hub of our own through the real client, in a process of its own."""

import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hub import hub_server, run
from safetensors import safe_open
from safetensors.torch import load_file, save

from style_core.networks.vgg19 import tensor_shapes

pytestmark = pytest.mark.hub
ROOT = Path(__file__).resolve().parents[1]
CHECKED = "import sys; from style_core.cli import main as cli; sys.exit(cli.main(['weights', 'pull', 'vgg19', '--json']))"
# Random numbers of VGG-19's layout are no network, so the check is turned off; it has its own test below.
UNTESTED = "from style_core.weights import registry as weights; weights.check_network = lambda *given: None\n"
FETCH = UNTESTED + CHECKED
NOTES = UNTESTED + "print({step.note for step in weights.fetch('vgg19')})"


@pytest.fixture(scope="module")
def tensors() -> dict[str, torch.Tensor]:
    """Random numbers in VGG-19's layout."""
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(shape, generator=generator).half() for name, shape in tensor_shapes().items()}


@pytest.fixture(scope="module")
def whole(tensors) -> bytes:
    """A file as the hub has it: the convolutions, with a large tensor that nobody wants in front."""
    return _bytes_of({"classifier.0.weight": torch.zeros(4096, 2048, dtype=torch.half), **tensors})


def _bytes_of(tensors: dict[str, torch.Tensor]) -> bytes:
    return save(tensors)


def pull(environment: dict[str, str], address: str, code: str = FETCH, **more: str) -> subprocess.CompletedProcess:
    return run(environment, address, code, **more)


def cached(environment: dict[str, str]) -> Path:
    return Path(environment["HF_HOME"]) / "pentimento" / "vgg19.safetensors"


def test_only_the_convolutions_are_fetched_and_the_second_time_nothing_is(whole, environment, tensors):
    with hub_server(whole) as (address, hub):
        first = pull(environment, address)
        assert first.returncode == 0, first.stderr
        assert hub.served < len(whole) - 4096 * 2048 * 2 + 10_000
        assert hub.requests < 10, "tensors that lie side by side come together"
        served = hub.served
        assert pull(environment, address).returncode == 0
        assert hub.served == served
    kept = load_file(cached(environment))
    assert kept.keys() == tensors.keys()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in kept.items())
    assert json.loads(first.stdout)["where"] == "cached from the hub"


def test_a_server_without_ranges_sends_the_whole_file_and_it_is_said(whole, environment):
    code = FETCH.replace("'pull', 'vgg19', '--json'", "'pull', 'vgg19'")
    with hub_server(whole) as (address, hub):
        hub.fault = "no-ranges"
        said = pull(environment, address, NOTES)
        assert "is served without range requests, so the whole file is downloaded" in said.stdout
        assert pull(environment, address, code).returncode == 0


def test_a_redirect_to_another_host_is_followed(whole, environment):
    with hub_server(whole) as (cdn, far), hub_server(whole) as (address, hub):
        hub.fault, hub.cdn = "redirect", cdn.replace("127.0.0.1", "localhost")
        result = pull(environment, address, HF_TOKEN="hf_secret", NO_PROXY="127.0.0.1,localhost")
        assert result.returncode == 0, result.stderr
        assert far.served > 0 and far.tokens and not any(far.tokens)


ASK = """
from style_core.weights import registry as weights
print(next(step.note for step in weights.fetch('vgg19') if step.total))
"""


def test_on_a_slow_line_the_four_seconds_count_for_the_first_answer_alone(whole, environment):
    with hub_server(whole) as (cdn, far), hub_server(whole) as (address, hub):
        hub.fault, hub.cdn = "redirect", cdn
        hub.delay = far.delay = 1.1  # before each of four answers until the header is there
        assert "Downloading vgg19" in pull(environment, address, ASK).stdout


IMPATIENT = "from style_core.weights import hub; hub.DECIDE_SECONDS = 0.1\n"
OPEN = """
from style_core.devices import Compute
from style_core.progress import returned
from style_core.weights.open import open_extractor
for choice in ("auto", "vgg19"):
    print(returned(open_extractor(choice, ["relu1_1"], Compute.choose("cpu")))[1] or choice)
"""


def test_what_is_requested_by_name_is_waited_for_longer(whole, environment):
    with hub_server(whole) as (address, hub):
        hub.delay = 0.5
        unnamed, named = pull(environment, address, IMPATIENT + UNTESTED + OPEN).stdout.splitlines()
        assert "instead of VGG-19: Hugging Face could not be reached in time." in unnamed and named == "vgg19"
        assert pull(environment, address, IMPATIENT + FETCH).returncode == 0


WAY_OUT = " To do without the hub, set STYLE_CORE_VGG19 to the path of the file."
REFUSALS = {
    "401": "The hub requires a valid token for this file; set HF_TOKEN or log in.",
    "403": "This account has no access to the file on the hub.",
    "404": "The hub has no such file at this revision.",
    "429": "The hub received too many requests from this address; try again later.",
    "500": "The hub answered with status 500; try again later.",
    "hang": "Hugging Face could not be reached in time.",
}


TIMED = """
import time; from style_core.weights import registry as weights
start = time.monotonic()
try: list(weights.fetch('vgg19'))
except weights.WeightsError as error: print(error)
print(time.monotonic() - start)
"""


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_failing_hub_is_given_up_within_five_seconds_with_a_message(environment, fault):
    with hub_server(b"\0" * 64) as (address, hub):
        hub.fault = fault
        said = pull(environment, address, TIMED).stdout.splitlines()
    assert said[0] == REFUSALS[fault] + WAY_OUT
    assert float(said[1]) < 5
    assert not list(Path(environment["HF_HOME"]).glob("pentimento/*.safetensors"))


def test_a_silent_resolver_is_given_up_as_quickly(environment):
    """As on a wireless network that leads nowhere; a machine's own resolver can't be silenced from here, so its function is."""
    silent = "import socket, time; socket.getaddrinfo = lambda *given, **more: time.sleep(60)\n"
    start = time.monotonic()
    said = pull(environment, "http://hub.invalid", silent + TIMED).stdout.splitlines()
    assert said[0] == REFUSALS["hang"] + WAY_OUT
    assert float(said[1]) < 5
    assert time.monotonic() - start < 50, "the program ends without waiting for the answer"


def test_an_unreachable_hub_and_the_offline_switch_are_reported(environment):
    nobody = pull(environment, "http://127.0.0.1:9")
    assert nobody.returncode == 2 and "Hugging Face could not be reached." in nobody.stderr
    switched_off = pull(environment, "http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert switched_off.returncode == 2 and "turned off by HF_HUB_OFFLINE" in switched_off.stderr


@pytest.mark.parametrize(
    "setting",
    [{"ALL_PROXY": "socks://127.0.0.1:9"}, {"ALL_PROXY": "http://127.0.0.1:port"}, {"HF_TOKEN": "hf_ñ"}, {"SSL_CERT_FILE": "/nowhere.pem"},
     {"HF_TOKEN_PATH": "/"}],
    ids=str,
)  # fmt: skip
def test_a_setting_of_the_machine_that_the_client_refuses_is_reported(environment, setting):
    refused = pull(environment, "http://127.0.0.1:9", **setting)
    assert refused.returncode == 2 and refused.stderr.startswith("The connection to the hub can't be set up (")
    assert "check the proxy, the token and the certificates." in refused.stderr
    assert "hf_" not in refused.stderr, "the token is a secret"


def test_a_socks_proxy_is_used(environment):
    nobody = pull(environment, "http://hub.invalid", ALL_PROXY="socks5://127.0.0.1:9")
    assert nobody.returncode == 2 and nobody.stderr.startswith("Hugging Face could not be reached.")


def test_a_broken_download_resumes_where_it_stopped(whole, environment, tensors):
    with hub_server(whole) as (address, hub):
        hub.fault = "cut"
        broken = pull(environment, address)
        assert broken.returncode == 2 and "try again to resume the download" in broken.stderr
        assert not cached(environment).exists()
        parts = sum(path.stat().st_size for path in cached(environment).parent.glob("vgg19.part/*"))
        assert parts > 1_000_000
        hub.fault, hub.served = "", 0
        assert pull(environment, address).returncode == 0
        assert hub.served < sum(tensor.nbytes for tensor in tensors.values()) - parts + 100_000
    kept = load_file(cached(environment))
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in kept.items())


@pytest.mark.skipif(os.name == "nt", reason="signals are sent otherwise on Windows")
def test_a_killed_download_resumes(whole, environment):
    with hub_server(whole) as (address, hub):
        hub.fault = "slow"
        child = subprocess.Popen(
            [sys.executable, "-c", FETCH], cwd=ROOT, env={**environment, "HF_ENDPOINT": address},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while hub.served < 6_000_000 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
        child.wait()
        parts = sum(path.stat().st_size for path in cached(environment).parent.glob("vgg19.part/*"))
        assert parts > 3_000_000 and not cached(environment).exists()
        hub.fault, hub.served = "", 0
        assert pull(environment, address).returncode == 0
        assert hub.served < len(whole) - 4096 * 2048 * 2 - parts + 1_000_000


def test_parts_of_two_revisions_are_not_mixed(whole, environment):
    with hub_server(whole) as (address, hub):
        hub.fault = "slow"
        child = subprocess.Popen(
            [sys.executable, "-c", FETCH], cwd=ROOT, env={**environment, "HF_ENDPOINT": address}, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while hub.served < 6_000_000 and time.monotonic() < deadline:
            time.sleep(0.05)
        child.kill()
        child.wait()
        hub.fault, hub.served, hub.revisions, hub.commit = "", 0, [], "1" * 40
        assert pull(environment, address).returncode == 0
        assert hub.revisions[0] == "main" and set(hub.revisions[1:]) == {"1" * 40}, "after the first, every request names the commit"
        assert hub.served > len(whole) - 4096 * 2048 * 2 - 1_000_000, "nothing of the other revision was kept"
    with safe_open(cached(environment), "pt") as file:
        assert "1" * 40 in file.metadata()["source"]


def test_two_that_fetch_at_once_take_turns(whole, environment):
    with hub_server(whole) as (address, hub):
        hub.fault = "slow"
        with ThreadPoolExecutor(2) as both:
            done = list(both.map(lambda _: pull(environment, address, NOTES), range(2)))
    assert all(each.returncode == 0 for each in done), done
    assert sum("Another run is downloading vgg19; waiting for it." in each.stdout for each in done) == 1
    assert hub.served < len(whole) - 4096 * 2048 * 2 + 20_000
    assert load_file(cached(environment)).keys() == tensor_shapes().keys()


def test_a_wrong_file_on_the_hub_is_refused_and_not_kept(environment):
    wrong = {name: torch.randn(shape).half() for name, shape in tensor_shapes().items()}
    with hub_server(_bytes_of(wrong)) as (address, _):
        result = pull(environment, address, CHECKED)
    assert result.returncode == 2 and "model.safetensors" in result.stderr
    assert not cached(environment).exists()
    for other in (
        b"not safetensors, but long enough to be read as a header length",
        *(struct.pack("<Q", 3) + text for text in (b"[1]", b'"a"')),
    ):
        with hub_server(other) as (address, _):
            refused = pull(environment, address)
        assert refused.returncode == 2 and "is not a safetensors file" in refused.stderr


@pytest.mark.skipif(os.name == "nt", reason="folders are made read-only otherwise on Windows")
def test_a_read_only_cache_says_so(whole, environment):
    # Root may write anywhere, so it becomes nobody, once everything is imported that nobody may not read.
    humbly = "import encodings.idna, os\nfrom style_core.cli import main as cli\nif os.geteuid() == 0: os.seteuid(65534)\n" + FETCH
    with tempfile.TemporaryDirectory() as home, hub_server(whole) as (address, _):
        os.chmod(home, 0o555)
        result = pull({**environment, "HF_HOME": home}, address, humbly)
        assert result.returncode == 2 and "could not be saved to the cache folder (Permission denied)" in result.stderr
        assert os.listdir(home) == []


# Tensors of at most 4.7 MB come one by one; together they are 40 MB.
@pytest.mark.skipif(os.name == "nt", reason="file sizes are limited otherwise on Windows")
@pytest.mark.parametrize("room", [1_000_000, 20_000_000])
def test_a_full_disk_says_so_and_leaves_no_broken_file(whole, environment, room):
    cramped = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))\n"
    )
    with hub_server(whole) as (address, _):
        result = pull(environment, address, cramped + FETCH)
        assert result.returncode == 2 and "could not be saved to the cache folder" in result.stderr and "Traceback" not in result.stderr
        assert not cached(environment).exists()
        assert pull(environment, address).returncode == 0, "room again"
    assert cached(environment).exists() and not list(cached(environment).parent.glob("*.part"))


def test_a_cache_that_is_not_a_folder_says_so(whole, environment, tmp_path):
    (tmp_path / "hf").write_text("a file where the cache should be")
    with hub_server(whole) as (address, _):
        result = pull(environment, address)
    assert result.returncode == 2 and "could not be saved to the cache folder" in result.stderr


def test_without_a_hub_optimize_starts_with_lite_and_says_so(environment, tmp_path):
    said = subprocess.run(
        [sys.executable, "-m", "style_core", "optimize", "studio/samples/landscape.jpg", "studio/samples/night-wind.jpg",
         "-o", str(tmp_path / "out.png"), "--size", "64", "--iterations", "2", "--json"],
        cwd=ROOT, env={**environment, "HF_ENDPOINT": "http://127.0.0.1:9"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    told = json.loads(said.stdout)
    assert told["extractor"] == "lite"
    assert told["note"] == "Using the built-in network instead of VGG-19: Hugging Face could not be reached."
