"""What this app changes of Gradio's Blocks: which files requests may name, what a visitor costs, how shown pictures are saved.

Requests may only name files that were uploaded to this app. Gradio checks only payloads with its `meta` mark. Here every payload is
checked in one place, before any component receives it, so that no component or handler can forget to.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from contextvars import ContextVar
from copy import copy
from pathlib import Path
from typing import Any

import gradio as gr
from gradio import processing_utils
from gradio.blocks import BlocksConfig
from gradio.utils import get_upload_folder
from PIL import Image

from studio import (
    api_page,
    fetching,  # noqa: F401  # it replaces what Gradio fetches addresses with
    files,
    i18n,
)
from studio.controls import check_value
from style_core import RequestError
from style_core.files import written_aside

_NOTHING: dict = {}
_SKIPPED = gr.skip()
_MARK = {"_type": "gradio.FileData"}
_LONGEST = 400  # characters of a refusal
_PICTURES = (gr.Image, gr.ImageEditor)
_FETCHED = ("http://", "https://")
_request: ContextVar[gr.Request | None] = ContextVar("the request under way", default=None)  # whose language refusals are in


def _save_once(img: Image.Image, cache_dir: str, name: str = "image", format: str = "webp") -> str:
    """Gradio's `save_pil_to_cache`, except that a file that is there stays as it is.

    Gradio names files by their content and writes them anew each time, in place: when two visitors are shown the same picture, such as
    an example photo, one's download breaks off while the file is written for the other.
    """
    data = processing_utils.encode_pil_to_bytes(img, format)
    path = (Path(cache_dir) / processing_utils.hash_bytes(data) / f"{name}.{format}").resolve()
    if path.is_file():
        path.touch()  # files are swept by their age
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_aside(path) as aside:
            aside.write_bytes(data)
    return str(path)


processing_utils.save_pil_to_cache = _save_once


class _VisitConfig(BlocksConfig):
    """A visitor's components, without a description of each.

    Gradio keeps one, half a megabyte in all, for every visitor of the last hour and longer. Deep links alone need them,
    and this page has none.
    """

    def config_for_block(self, *given: Any, **more: Any) -> dict:  # type: ignore[override]  # static there, but called on the instance
        return _NOTHING


class _PageConfig(BlocksConfig):
    """The page's own components; its copies, one for every visitor, are light."""

    def __copy__(self) -> BlocksConfig:
        config = super().__copy__()
        config.__class__ = _VisitConfig
        config.fns = self.fns  # nothing on this page adds events later
        return config


class GuardedBlocks(gr.Blocks):
    """Blocks that pass only uploaded files to handlers, need little memory per visitor, and have an API page in words."""

    def __exit__(self, *details: Any) -> None:
        super().__exit__(*details)
        self.default_config.__class__ = _PageConfig
        files.permanent |= files.static_files_of(self)

    def get_api_info(self, *given: Any, **more: Any) -> Any:
        info = super().get_api_info(*given, **more)
        handlers = {f"/{event.api_name}": event.fn for event in self.fns.values()}
        for name, endpoint in info["named_endpoints"].items():
            api_page.reword(endpoint, handlers[name])
        return info

    async def preprocess_data(self, block_fn: Any, inputs: list, state: Any, explicit_call: bool = False) -> list:
        if not explicit_call:  # calls from Python are ours
            payloads = list(files_in(inputs))
            for payload in payloads:
                _check(payload)
            places = sum(isinstance(component, _PICTURES) for component in block_fn.inputs)
            if sum(_is_address(payload["path"]) for payload in payloads) > places:
                raise gr.Error(i18n.say("BAD_VALUE", _request.get()), print_exception=False)
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except Exception as error:  # components raise any type of exception for unexpected values
            said = self._complaint(block_fn, inputs)
            if not said and isinstance(error, gr.Error):
                said = str(error.message)  # a value may be quoted there and be very long
            short = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
            raise gr.Error(short or i18n.say("BAD_VALUE", _request.get()), print_exception=False) from error

    def _complaint(self, block_fn: Any, inputs: list) -> str:
        """What is wrong with the first wrong value of a call to the API, by its parameter's name; empty if that isn't known."""
        endpoint = self.get_api_info()["named_endpoints"].get(f"/{block_fn.api_name}", {"parameters": []})
        names = iter(parameter["parameter_name"] for parameter in endpoint["parameters"])
        for component, value in zip(block_fn.inputs, inputs):
            name = "" if component.stateful else next(names, "")
            try:
                check_value(component, value)
            except RequestError as error:
                return i18n.translate(str(error), _request.get())
            if name and isinstance(component, _PICTURES) and value is not None and not isinstance(value, dict):
                return i18n.say("NOT_A_FILE", _request.get(), name=name)
        return ""

    async def postprocess_data(self, block_fn: Any, predictions: Any, state: Any) -> list:
        """Leave alone what a handler leaves alone.

        Gradio builds a new component for every output that a handler skips, at each step of a run, and the visitor's state keeps it.
        """
        outputs = list(block_fn.outputs)
        values = _by_output(outputs, predictions)
        # Decided once: Gradio takes out of an update what it has seen, and in the end every update looks like a skip.
        skipped = [_skips(value) for value in values]
        told = [(component, value) for component, value, skips in zip(outputs, values, skipped) if not skips]
        if not values or len(told) == len(outputs):
            return await super().postprocess_data(block_fn, predictions, state)
        shown: list = []
        if told:
            fewer = copy(block_fn)
            fewer.outputs = [component for component, _ in told]
            given = [value for _, value in told]
            shown = await super().postprocess_data(fewer, given if len(given) > 1 else given[0], state)
        rest = iter(shown)
        return [next(rest) if not skips else None if component.stateful else dict(_SKIPPED) for component, skips in zip(outputs, skipped)]

    async def process_api(self, *given: Any, **more: Any) -> dict:
        request = more.get("request")
        _request.set(request if isinstance(request, gr.Request) else None)
        try:
            return await super().process_api(*given, **more)
        except gr.Error:
            raise
        except RequestError as error:  # such as that a visitor's time on a lent GPU is used up
            raise i18n.refusal(error, _request.get()) from error
        except Exception as error:
            # Gradio would answer with a null error. The log has the traceback.
            raise gr.Error(i18n.say("FAILED", _request.get())) from error


def _by_output(outputs: list, predictions: Any) -> list:
    """What a handler returns, output by output; empty where Gradio must sort it out."""
    if len(outputs) < 2:
        return []
    if isinstance(predictions, (list, tuple)) and len(predictions) == len(outputs):
        return list(predictions)
    if isinstance(predictions, dict) and predictions and set(predictions) <= set(outputs):
        return [predictions.get(component, _SKIPPED) for component in outputs]
    return []


def _skips(value: Any) -> bool:
    return isinstance(value, dict) and value == _SKIPPED


def files_in(value: Any) -> Iterator[dict]:
    """Every file payload in a request, at any depth."""
    if isinstance(value, dict):
        if "path" in value:
            yield value
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from files_in(part)


def _is_address(path: object) -> bool:
    return isinstance(path, str) and path.startswith(_FETCHED)


def was_uploaded(path: object) -> bool:
    """Whether a path is a file in this app's upload folder, links resolved."""
    if not isinstance(path, str) or "\0" in path:
        return False
    try:
        real = Path(path).resolve()
        return real.is_relative_to(Path(get_upload_folder()).resolve()) and real.is_file()
    except (OSError, RuntimeError):  # a name that is too long, or a loop of links
        return False


def _check(payload: dict) -> None:
    """Refuse a payload with any other file, with a message that doesn't reveal whether the file exists.

    Raises:
        gr.Error: when the file was not uploaded.
    """
    path = payload["path"]
    if path is None or path == "":
        return  # inline data, which components accept or refuse themselves
    if _is_address(path):
        # With the mark, it is downloaded into the upload folder; see `fetching`.
        payload["meta"], payload["is_stream"] = dict(_MARK), False
        return
    if not was_uploaded(path):
        raise gr.Error(i18n.say("NOT_UPLOADED", _request.get()), print_exception=False)
    payload["path"], payload["meta"], payload["is_stream"] = os.path.realpath(path), dict(_MARK), False
    with suppress(OSError):
        os.utime(payload["path"])  # files are swept by their age
