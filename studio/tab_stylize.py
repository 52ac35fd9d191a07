"""The tab "Stylize": any style at once; every control acts as soon as it is moved, and the newest choice wins."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from studio import compare, first_picture, gpu, i18n, live, more_paintings, painted_masks, style_choice, stylizing
from studio.controls import behind_more, change_events, documented, in_view, use_buttons
from studio.events import IMMEDIATE, Updates
from studio.examples import example_tiles, first_photo
from studio.tiles import Tile, Tiles
from studio.uploads import picture_input
from style_core import Compute, RequestError, gallery


def style_tiles(elem_id: str, value: str = "") -> Tiles:
    """The gallery's styles as tiles."""
    tiles = [
        Tile(
            entry.name,
            entry.thumbnail,
            entry.title,
            ", ".join(map(str, filter(None, (entry.painter, entry.year)))),
            i18n.category_in_each_language(entry.category) if entry.category else "",
        )
        for entry in gallery().values()
    ]
    return Tiles(tiles, name=i18n.in_each_language("GALLERY"), value=value, label="gallery_style", elem_id=elem_id, elem_classes="wall")


def build(compute: Compute, photo: gr.State) -> dict:
    """Lay the tab out and wire it; returns what other parts connect to, by name.

    Args:
        photo: path of the studio's photo.
    """
    gr.Markdown(i18n.STYLIZE_INTRO, elem_classes="intro")
    with gr.Row(equal_height=False, elem_classes="work"):
        with gr.Column(scale=7, min_width=340, elem_classes="stage"):
            slider = gr.ImageSlider(
                value=first_picture.before_and_after(),
                label=i18n.BEFORE_AFTER,  # type: ignore[arg-type]  # Gradio declares str
                show_label=False,
                type="filepath",
                format="jpeg",
                max_height=live.STAGE_HEIGHT,
                interactive=False,
                buttons=["fullscreen"],
                elem_id="stylize-slider",
                slider_position=50,
            )
            status = gr.Markdown(i18n.STYLIZE_READY, elem_classes="status", elem_id="stylize-status")
            with gr.Row(elem_classes="actions"):
                run = gr.Button(i18n.STYLIZE, variant="primary", elem_classes="run-button", elem_id="stylize-run")
                download, kind = live.download_button("stylize")
                refine = gr.Button(i18n.REFINE, elem_id="stylize-refine")
            live.small_buttons("stylize", download)
            uses = use_buttons("stylize")
            grid_place = gr.Column()
        with gr.Column(scale=5, min_width=340, elem_classes="panel"):
            with gr.Row(elem_classes="pictures"):
                with gr.Column(min_width=140):
                    content, _ = picture_input(i18n.CONTENT, value=first_photo(), height=200, elem_id="stylize-content", path=photo)
                with gr.Column(min_width=140):
                    style, _ = picture_input(i18n.OWN_STYLE, height=200, elem_id="stylize-style")
                    use_own = gr.Checkbox(True, label=i18n.USE_OWN, visible=False, container=False, elem_id="stylize-use-own")
            trials = example_tiles("stylize-examples")
            chosen = style_tiles("stylize-gallery")
            mix = gr.Slider(0, 1, value=0.5, step=0.01, label=i18n.MIX, info=i18n.MIX_INFO, visible=False, elem_id="stylize-mix")
            shown = in_view("stylize")
            with gr.Accordion(i18n.MORE, open=False, elem_id="stylize-more"):
                option_controls = behind_more("stylize", shown)
                more = more_paintings.build("stylize")
                painted = painted_masks.build("stylize", content, [i18n.GALLERY_SHORT, i18n.OWN_SHORT, i18n.STYLE_2, i18n.STYLE_3])
    result, drawn = gr.State(None), gr.State(None)
    cleared = {slider: None, result: None, download: None, drawn: None}

    @documented(
        "stylize",
        content="The photo.",
        style="A painting of your own, or null.",
        gallery_style="A style of the gallery, by name, or empty.",
        mix="With both: 0 is the gallery's style, 1 the painting's.",
        **more_paintings.SENTENCES,
        regions="Masks painted on the photo, or null.",
        use_style="False leaves the painting out.",
    )
    def stylize(
        content,
        style=None,
        gallery_style="",
        mix=0.5,
        regions=None,
        request: gr.Request | None = None,
        style_2=None,
        style_3=None,
        use_style=True,
        **given,
    ) -> Updates:
        """Paint a photo in the style of a painting, or of a style of the gallery, in one pass."""
        given |= {"style_2": style_2, "style_3": style_3}
        wanted = stylizing.StylizeRequest.of(content, style if use_style else None, gallery_style, mix, regions, given)
        try:
            path, before, sentence = stylizing.stylized(compute, wanted, request)
        except RequestError as error:
            refusal = i18n.refusal(error, request)
            # A picture of before must not be taken for one of what was asked for now.
            yield {**cleared, status: refusal.message}
            raise refusal from error
        yield {slider: (before, path), status: sentence, result: path, download: path, kind: live.FIRST_KIND, drawn: wanted.key()}

    def at_once(content, style, gallery_style, mix, regions, last, request: gr.Request, use_style=True, **given) -> Updates:
        """The same as soon as there is something to paint, and not again where nothing has changed."""
        named = {key: value for key, value in given.items() if key.startswith("style_") and key != "style_scale"}
        own = style if use_style else None
        if content is None:
            yield {**cleared, status: i18n.say("NO_CONTENT", request)}
        elif not (own or gallery_style or any(named.values())):
            yield {**cleared, slider: stylizing.photo_alone(content), status: i18n.say("NO_STYLE_AT_ALL", request)}
        elif stylizing.StylizeRequest.of(content, own, gallery_style, mix, regions, given).key() != last:
            yield from stylize(content, style, gallery_style, mix, regions, request, use_style=use_style, **given)
        else:
            yield {status: gr.skip()}

    outputs = [slider, status, result, download, kind, drawn]
    inputs = [content, style, chosen, mix, painted]
    how: dict[str, Any] = {
        "concurrency_id": "short",
        "concurrency_limit": gpu.places(),
        "show_progress": "minimal",
        "show_progress_on": status,
        "inputs_kwargs": {"use_style": use_own, **option_controls, **more},
    }
    run.click(stylize, inputs, outputs, api_name="stylize", **how)
    follow = {"api_visibility": "private", "trigger_mode": "always_last", **how}
    triggers = [mix.release, *change_events(option_controls), *change_events(more), option_controls["size"].change]
    gr.on([*triggers, photo.change, chosen.change, use_own.change], at_once, [*inputs, drawn], outputs, **follow)
    choose = style_choice.wire(style, use_own, chosen, mix)

    def follow_style(event: Callable) -> None:
        choose(event).success(at_once, [*inputs, drawn], outputs, **follow)

    follow_style(style.input)
    # An upload is seen at once, whatever the device is busy with.
    content.upload(lambda path: (stylizing.photo_alone(path), i18n.PAINTING_NOW), content, [slider, status], **IMMEDIATE)

    def restored(values: dict) -> dict:
        own, used = values.get("style"), values.get("use_own", True)
        both = bool(own and used and values.get("gallery"))
        return {
            use_own: gr.update(value=bool(used), visible=own is not None),
            mix: gr.update(value=values.get("mix", 0.5), visible=both),
        }

    def small(gallery_style, content, style, mix, request, **given):
        wanted = stylizing.StylizeRequest.of(
            content, style if not gallery_style else None, gallery_style, mix, None, {**given, "size": compare.SIDE}
        )
        return gpu.call(stylizing.painted, compute, wanted, i18n.language_of(request))[0]

    with grid_place:
        picked = compare.build(small, [content, style, mix], option_controls, chosen)
    picked.success(at_once, [*inputs, drawn], outputs, **follow)
    live.wire_download(kind, download, result)
    return {
        "content": content,
        "style": style,
        "result": result,
        "refine": refine,
        "uses": uses,
        "examples": trials,
        "download": download,
        "drawn": drawn,
        "follow_style": follow_style,
        "restored": restored,
        "option_controls": {**option_controls, "gallery": chosen},
        "kept": {"style": style, "use_own": use_own, "gallery": chosen, "mix": mix, **option_controls},
    }
