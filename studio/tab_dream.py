"""The tab "Dream": DeepDream, watched as it grows."""

from collections.abc import Iterator

import gradio as gr

from studio import after, flight, gpu, live, regions, words
from studio.controls import controls, documented, use_buttons
from studio.pictures import opened_if_given, picture_input
from style_core import Compute, DreamOptions, dream
from style_core.media.images import fit
from style_core.weights.layer_pictures import layer_pictures

_PREVIEW_EVERY = 0.8  # seconds


def build(compute: Compute, samples: dict[str, str]) -> dict[str, gr.components.Component]:
    """Lay the tab out and wire it; returns the inputs that other tabs may fill, by name."""
    gr.Markdown(words.DREAM_INTRO, elem_classes="quiet")
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=320):
            with gr.Row():
                with gr.Column(min_width=140):
                    image, _ = picture_input(words.CONTENT, value=samples["content"], elem_id="dream-content")
                with gr.Column(min_width=140):
                    guide, _ = picture_input(words.GUIDE, elem_id="dream-guide")
            option_controls = controls("dream")
            _layer_browser(option_controls)
            painted = regions.build("dream", image, [words.WHERE_TO_DREAM], words.DREAM_REGIONS, words.DREAM_REGIONS_INFO)
        with gr.Column(scale=3, min_width=340):
            board = live.board(words.DREAM, "dream", words.DREAM_READY)
            after.build("dream", board.slider, board.download, board.original, board.result, larger=False)
            uses = use_buttons("dream")
            flight.build(compute, image, guide, option_controls)

    @documented(
        "dream", image="The photo.", guide="A picture whose features the dream is drawn to, or null.", where="Where to dream, or null."
    )
    def grow(image, request: gr.Request, guide=None, where=None, **given) -> Iterator[dict]:
        """Grow what a network sees in a photo, or in noise (DeepDream)."""

        def steps():
            options = DreamOptions.make(**given)
            (mask,) = regions.masks_of(where, 1) or [None]
            return gpu.steps(
                dream,
                opened_if_given(image, options.size),
                options,
                guide=opened_if_given(guide),
                mask=mask,
                compute=compute,
                preview_every=_PREVIEW_EVERY,
            )

        def before():
            return None if image is None else fit(opened_if_given(image, given["size"]), given["size"])

        yield from live.run("dream", steps, board, before, given, request)

    board.wire(grow, [image], {"guide": guide, "where": painted, **option_controls}, "dream")
    return {"content": image, "guide": guide, "result": board.result, "uses": uses, "option_controls": option_controls}


def _layer_browser(option_controls: dict[str, gr.components.Component]) -> None:
    """Pictures of what layers like to see; a click on one dreams of it."""
    pictures = layer_pictures()
    captions = [picture.layer if picture.channel is None else f"{picture.layer} · {picture.channel}" for picture in pictures]
    with gr.Accordion(words.LAYERS_HEAD, open=False, elem_id="dream-layers-head"):
        gr.Markdown(words.LAYERS_INFO, elem_classes="quiet")
        wall = gr.Gallery(
            [(str(picture.path), caption) for picture, caption in zip(pictures, captions)], label=words.LAYERS, show_label=False, columns=4, height=330,
            object_fit="cover", allow_preview=False, interactive=False, buttons=[], elem_id="dream-layers",
        )  # fmt: skip

    def choose(event: gr.SelectData) -> dict:
        picture = pictures[event.index]
        # A channel's number means nothing to another network; a whole layer means the same to both.
        network = gr.skip() if picture.channel is None else picture.extractor
        return {option_controls["layer"]: picture.term, option_controls["extractor"]: network}

    wall.select(
        choose,
        None,
        [option_controls["layer"], option_controls["extractor"]],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    )
