"""Files that a request names by their web address: from public hosts alone, no larger than an upload, one piece at a time.

Gradio reads such a file whole, decompressed and without a limit: a few hundred kilobytes could fill the memory.
"""

import asyncio
import ipaddress
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import urljoin, urlparse

import gradio as gr
import httpx
import safehttpx
from gradio import processing_utils

from studio import files, i18n
from studio.request_limits import MEGABYTE, Recent
from style_core.files import written_aside

MOST_FETCHED = 100 * MEGABYTE  # of one file, as of an uploaded one
_MOST_IN_AN_HOUR = 20 * MOST_FETCHED  # of all files, for which older uploads make room
_SECONDS = 60.0  # for one file
_AT_ONCE = 2
_REDIRECTS = 5
_LONGEST_NAME = 60  # characters
# These count as global: addresses of NAT64 and 6to4, which contain another one that may be private, and private ones of an older standard.
_REFUSED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "fec0::/10")))
_under_way = 0
_recent = Recent(3600.0)


class _TooLarge(Exception):
    """A file is larger than allowed."""


async def fetched(url: str, cache_dir: str) -> str:
    """Download a file into the upload folder, unless it is there; returns its path. Gradio's `async_ssrf_protected_download`.

    Raises:
        gr.Error: if it can't be fetched, with a sentence.
    """
    global _under_way
    name = re.sub(r"[^\w.-]", "", Path(urlparse(url).path).name)[-_LONGEST_NAME:].strip(".") or "file"
    path = Path(cache_dir).absolute() / processing_utils.hash_url(url) / name
    if path.exists():
        path.touch()  # files are swept by their age
        return str(path)
    if _recent.total("") >= _MOST_IN_AN_HOUR:
        raise gr.Error(i18n.say("FETCHED_ENOUGH", None), print_exception=False)
    while _under_way >= _AT_ONCE:
        await asyncio.sleep(0.1)
    _under_way += 1
    try:
        await asyncio.to_thread(files.sweep_uploads, cache_dir, files.permanent, MOST_FETCHED)
        path.parent.mkdir(parents=True, exist_ok=True)
        async with asyncio.timeout(_SECONDS):
            with written_aside(path) as aside:
                await _download(url, aside)
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, TimeoutError, _TooLarge) as error:
        with suppress(OSError):
            path.parent.rmdir()
        raise gr.Error(i18n.say("NOT_FETCHED", None, most=MOST_FETCHED // MEGABYTE), print_exception=False) from error
    finally:
        _under_way -= 1
    _recent.add("", path.stat().st_size)
    return str(path)


processing_utils.async_ssrf_protected_download = fetched


async def _download(url: str, path: Path) -> None:
    for _ in range(1 + _REDIRECTS):
        client = httpx.AsyncClient(transport=await _transport(url), headers={"Accept-Encoding": "identity"})
        async with client, client.stream("GET", url) as response:
            if response.has_redirect_location:
                url = urljoin(url, response.headers["Location"])
                continue
            response.raise_for_status()
            if response.headers.get("Content-Encoding", "identity") != "identity":  # one piece may grow a thousandfold
                raise ValueError("The host compresses the file, although it was asked not to.")
            came = 0
            with path.open("wb") as file:
                async for piece in response.aiter_raw():
                    came += len(piece)
                    if came > MOST_FETCHED:
                        raise _TooLarge
                    file.write(piece)
            return
    raise httpx.TooManyRedirects(f"More than {_REDIRECTS} redirects.")


async def _transport(url: str) -> httpx.AsyncBaseTransport:
    """A connection to the address's host, if it is public; what the host's name means is looked up once, and then not again.

    Raises:
        ValueError: for another host.
    """
    address = await safehttpx.async_validate_url(httpx.URL(url).host)
    if not _is_global(address):
        raise ValueError(f"{address} is not a public address.")
    return safehttpx.AsyncSecureTransport(address)


def _is_global(address: str) -> bool:
    """Whether everyone can reach an address; safehttpx allows those that carriers, clouds and tailnets share (100.64.0.0/10)."""
    found = ipaddress.ip_address(address)
    return found.is_global and not any(found in network for network in _REFUSED)
