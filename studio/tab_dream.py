"""The tab "Dream": DeepDream, watched as it grows."""

from collections.abc import Iterator

import gradio as gr

from studio import after, gpu, live, regions, words
from studio.controls import controls, documented, use_buttons
from studio.pictures import opened_if_given, picture_input
from style_core import Compute, DreamOptions, dream
from style_core.imaging import fit

_PREVIEW_EVERY = 0.8         # seconds


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
            knobs = controls(DreamOptions, defaults={"size": 512})
            painted = regions.build("dream", image, 1, [words.WHERE_TO_DREAM])
        with gr.Column(scale=3, min_width=340):
            board = live.board(words.DREAM, "dream", words.DREAM_READY)
            after.build("dream", board.slider, board.download, board.original, board.result, larger=False)
            uses = use_buttons("dream")

    @documented(DreamOptions, image="The photo.", guide="A picture whose features the dream is drawn to, or null.", where="Where to dream, or null.")
    def grow(image, request: gr.Request, **given) -> Iterator[dict]:
        """Grow what a network sees in a photo, or in noise (DeepDream)."""
        guide_path, where = given.pop("guide"), given.pop("where")

        def steps():
            options = DreamOptions.make(**given)
            (mask,) = regions.masks_of(where, 1) or [None]
            return gpu.steps(
                dream, opened_if_given(image), options, guide=opened_if_given(guide_path), mask=mask, compute=compute, preview_every=_PREVIEW_EVERY
            )

        def before():
            return None if image is None else fit(opened_if_given(image), given["size"])

        yield from live.run("dream", steps, board, before, given, request)

    board.wire(grow, [image], {"guide": guide, "where": painted, **knobs}, "dream")
    return {"content": image, "guide": guide, "result": board.result, "uses": uses, "knobs": knobs}
