"""Pentimento in a browser tab: `python app.py`, then open the address that it prints."""

import argparse
import errno
import getpass
import importlib.util
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

# Set before Gradio is imported: no telemetry, and no proxy between the browser and this machine.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
if "GRADIO_TEMP_DIR" not in os.environ:
    # A folder per user, because one created by another user may not be writable. In a container, a user may have no name.
    try:
        _user = getpass.getuser()
    except (KeyError, OSError):
        _user = str(os.getuid())
    os.environ["GRADIO_TEMP_DIR"] = os.path.join(tempfile.gettempdir(), f"pentimento-{_user}")
# Gradio reads it on import and fails with a traceback if it is not a number.
_PORT = os.environ.pop("GRADIO_SERVER_PORT", "7860")
os.environ["GRADIO_DEBUG"] = "0"  # otherwise launch() would not return
os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1", "localhost"]))
for _name in ("ALL_PROXY", "all_proxy"):
    if os.environ.get(_name, "").startswith("socks:"):  # as GNOME writes it; Gradio's import fails with a traceback
        os.environ[_name] = os.environ[_name].replace("socks:", "socks5:", 1)

from starlette.middleware import Middleware

from studio import build, fetching, files, gpu, i18n, jobs, painted_masks, theme
from studio.early_page import EarlyPage
from studio.request_limits import RequestLimits
from style_core import Compute, RequestError
from style_core.devices import DEVICES, prepare_cpu
from style_core.recipes.cost_model import measure_machine

_END_SECONDS = 2.0  # time for running jobs to end at shutdown
_LOOK_SECONDS = 0.5  # between looks whether a signal has come
_VISITORS = 100  # most recent visitors whose state is kept


def _port(text: str) -> int:
    if not (text.isdecimal() and 1 <= int(text[:6]) <= 65535):
        raise argparse.ArgumentTypeError(f"{text[:20]} is not a port (also in GRADIO_SERVER_PORT); use a whole number from 1 to 65535.")
    return int(text)


def _check_address(host: str, port: int) -> None:
    """Check that the address can be served on, before anything is loaded.

    Raises:
        RequestError: if it can't.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            raise RequestError(f"Port {port} is in use; choose another with --port.") from error
        if number == errno.EACCES:
            raise RequestError(f"Port {port} needs more rights than this user has; choose one above 1023 with --port.") from error
        raise RequestError(f"{host[:60]} is not an address of this machine; use 127.0.0.1, or 0.0.0.0 for all networks.") from error


def _work_on_ray(address: str, cores: int) -> None:
    """Let the workers of a Ray cluster compute.

    Raises:
        RequestError: when Ray is not installed, or the cluster can't serve.
    """
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("deploy") is None:
        raise RequestError("--ray needs a clone of the project and one more package: pip install 'ray[data]>=2.60,<2.61'")
    from deploy.ray.workers import open_pool

    shared = Path(os.environ["GRADIO_TEMP_DIR"])
    gpu.work_on(open_pool(address, shared, cores))
    files.share_within(shared)
    print(f"Ray at {address}: {gpu.places()} worker{'s' if gpu.places() > 1 else ''}.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="Address to serve on.")
    parser.add_argument("--port", type=_port, default=_PORT, help="Port to serve on (default 7860).")
    parser.add_argument("--share", action="store_true", help="Also serve on a public address, open to anyone who has it.")
    parser.add_argument("--device", default="auto", choices=DEVICES, help="Where to compute.")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="Require this name and password.")
    parser.add_argument(
        "--root-path",
        help="Prefix or full address under which a proxy serves the app. Visitors behind a proxy "
        "on another machine have addresses of their own if FORWARDED_ALLOW_IPS names the proxy's.",
    )
    parser.add_argument("--mcp", action="store_true", help="Also serve the recipes as tools of an MCP server.")
    parser.add_argument("--ray", metavar="ADDRESS", default=os.environ.get("PENTIMENTO_RAY"), help="Compute on this Ray cluster, or local.")
    parser.add_argument("--ray-cores", type=int, default=2, metavar="N", help="CPU cores of each worker, without GPUs (default 2).")
    given = parser.parse_args()
    if given.mcp and importlib.util.find_spec("mcp") is None:
        parser.error("--mcp needs one more package: pip install 'gradio[mcp]'")
    if given.auth is not None and not all(given.auth.partition(":")[::2]):
        parser.error("--auth must be USER:PASSWORD, with both.")
    try:
        _check_address(host := given.host.strip("[]"), given.port)
        if given.ray:
            _work_on_ray(given.ray, max(1, given.ray_cores))
    except RequestError as error:
        parser.error(str(error))
    # Replaces Ray's handler. A container stops with SIGTERM, at any moment: it is recorded, not raised, so that a launch isn't
    # interrupted halfway.
    asked_to_end = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked_to_end.set())
    prepare_cpu()
    try:
        compute = Compute.choose(given.device)
        if not given.ray and not gpu.is_lent():
            measure_machine(compute)  # now, because the browser will keep the machine busy when it shows the first forecast
        page = build(compute).queue(max_size=32 * gpu.places(), api_open=False)
    except RequestError as error:
        parser.error(str(error))
    if given.share:
        print(i18n.SHARE_WARNING)
    files.sweep_at_start(os.environ["GRADIO_TEMP_DIR"])
    page.launch(
        server_name=f"[{host}]" if ":" in host else host, server_port=given.port, share=given.share, root_path=given.root_path,
        auth=tuple(given.auth.split(":", 1)) if given.auth else None, theme=theme.theme(), i18n=i18n.I18N,
        css=theme.CSS + painted_masks.CSS, js=theme.JS,
        max_file_size=fetching.MOST_FETCHED, ssr_mode=False, run_history=False, enable_monitoring=False, footer_links=["api", "gradio"],
        mcp_server=given.mcp, prevent_thread_lock=True, state_session_capacity=_VISITORS,
        app_kwargs={"middleware": [Middleware(RequestLimits), Middleware(EarlyPage)]}, pwa=True, favicon_path=theme.ICON,
    )  # fmt: skip
    try:
        while not asked_to_end.wait(_LOOK_SECONDS):  # a signal that another thread got doesn't wake this one, which handles it
            pass
    except KeyboardInterrupt:
        print()  # below the ^C
    jobs.here.end(_END_SECONDS)
    page.close()


if __name__ == "__main__":
    main()
