"""The tab "Imagine": abstract paintings from the latent space, by seed, around a picture, and walks between them."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import gradio as gr

from studio import files, gpu, live, words
from studio.controls import controls, documented, use_buttons
from studio.pictures import opened_if_given, picture_input
from style_core import Compute, ImagineOptions, RequestError, imagine
from style_core.media.settings import settings_of
from style_core.media.video import FrameWriter
from style_core.recipes.imagine import walk

_WALK_FRAMES, _WALK_FPS = 72, 24
_SEEDS = 100_000  # of which a new one is drawn: short enough to be told to a friend


def build(compute: Compute) -> dict[str, gr.components.Component]:
    """Lay the tab out and wire it; returns the components that other tabs connect to, by name."""
    gr.Markdown(words.IMAGINE_INTRO, elem_classes="quiet")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            option_controls = controls("imagine")
            another = gr.Button(words.ANOTHER_SEED, size="sm", elem_id="imagine-another")
            with gr.Accordion(words.NEAR_HEAD, open=False):
                with gr.Row():
                    with gr.Column(min_width=140):
                        near, _ = picture_input(words.NEAR, elem_id="imagine-near", height=160)
                    with gr.Column(min_width=140):
                        far, _ = picture_input(words.FAR, elem_id="imagine-far", height=160)
        with gr.Column(scale=3, min_width=340):
            wall = gr.Gallery(
                label=words.IMAGINED, columns=3, height=520, object_fit="contain", interactive=False, format="png", buttons=["fullscreen"],
                elem_id="imagine-wall",
            )  # fmt: skip
            status = gr.Markdown(words.IMAGINE_READY, elem_classes="status", elem_id="imagine-status")
            with gr.Row():
                run = gr.Button(words.IMAGINE, variant="primary", elem_classes="run-button", elem_id="imagine-run")
                stroll = gr.Button(words.WALK, elem_id="imagine-walk")
                stop = gr.Button(words.CANCEL, elem_classes="stop-button", elem_id="imagine-stop")
                download = gr.DownloadButton(words.DOWNLOAD, elem_id="imagine-download")
                kind = live.kinds("imagine")
            film = gr.Video(label=words.WALKED, interactive=False, visible=False, loop=True, elem_id="imagine-film")
            uses = use_buttons("imagine")
    paths, result = gr.State([]), gr.State(None)

    @documented("imagine", near="A picture to vary, or null.")
    def imagined(near=None, request: gr.Request = None, **given) -> Iterator[dict]:
        """Imagine abstract paintings by seed, or around a picture (VAE-GAN)."""
        made, step = [], None
        yield {status: "…"}
        try:
            options = ImagineOptions.make(**given)
            with closing(gpu.steps(imagine, options, opened_if_given(near), compute=compute)) as steps:
                for step in steps:
                    if step.image is not None:
                        own = {**options.as_dict(), "seed": options.seed + step.iteration - 1, "count": 1}
                        made.append(
                            (
                                files.save(step.image, "imagine", settings_of("imagine", own, step.weights)),
                                words.say("SEED", request, seed=own["seed"]),
                            )
                        )
                        yield {wall: list(made), status: live.status_of(step, request)}
        except RequestError as error:
            raise words.refusal(error, request) from error
        files_made = [path for path, _ in made]
        yield {
            wall: made, status: words.say("IMAGINE_DONE", request, count=len(made), seconds=words.duration(step.seconds)), paths: files_made,
            result: files_made[0], download: files_made[0], kind: files.KINDS[0],
        }  # fmt: skip

    def walked(near, far, request: gr.Request, **given) -> Iterator[dict]:
        yield {status: "…", film: gr.update(visible=True, value=None)}
        out = Path(tempfile.mkdtemp(dir=files.folder())) / "pentimento-walk.mp4"
        try:
            ends = [opened_if_given(path) for path in (near, far) if path is not None]
            with (
                FrameWriter(out, _WALK_FPS) as writer,
                closing(gpu.steps(walk, ImagineOptions.make(**given), ends, frames=_WALK_FRAMES, compute=compute)) as steps,
            ):
                for step in steps:
                    if step.image is not None:
                        writer.add(step.image)
                    yield {status: live.status_of(step, request)}
        except RequestError as error:
            raise words.refusal(error, request) from error
        yield {
            status: words.say("CLIP_DONE", request, frames=step.iteration, seconds=words.duration(step.seconds)),
            film: gr.update(value=str(out), visible=True),
        }

    how = {
        "concurrency_id": "device",
        "concurrency_limit": 1,
        "show_progress": "minimal",
        "show_progress_on": status,
        "inputs_kwargs": option_controls,
    }
    runs = [
        run.click(imagined, [near], [wall, status, paths, result, download, kind], api_name="imagine", **how),
        stroll.click(walked, [near, far], [status, film], api_visibility="private", **how),
    ]
    stop.click(lambda: words.CANCELLED, None, status, cancels=runs, queue=False, api_visibility="private")
    another.click(
        lambda: random.randrange(_SEEDS), None, option_controls["seed"], queue=False, show_progress="hidden", api_visibility="private"
    )

    def choose(event: gr.SelectData, paths: list) -> tuple:
        return paths[event.index], paths[event.index], files.KINDS[0]

    live.wire_download(kind, download, result)
    wall.select(choose, paths, [result, download, kind], queue=False, show_progress="hidden", api_visibility="private")
    return {"content": near, "result": result, "uses": uses, "option_controls": option_controls}
