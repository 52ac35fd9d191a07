"""The commands that need no painting: dream and imagine, with their films."""

import argparse
from dataclasses import replace
from typing import Any

from style_core.cli.batch import run_folder
from style_core.cli.continuing import add_continue, to_continue
from style_core.cli.films import run_morph, run_zoom
from style_core.cli.flags import add_options, options_from
from style_core.cli.masks import framed
from style_core.cli.pictures import read_given
from style_core.cli.run import requested, run_many, run_recipe
from style_core.devices import Compute
from style_core.errors import RequestError
from style_core.media.images import read_image, read_mask
from style_core.media.reading import PRINTS
from style_core.recipes.dream import DreamOptions, dream
from style_core.recipes.dream_zoom import ZoomOptions, dream_zoom
from style_core.recipes.imagine import MORPH_FRAMES, ImagineOptions, imagine, morph


def add_dream(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", nargs="?", help="The photo; without one, the dream starts from noise.")
    parser.add_argument("--guide", metavar="IMAGE", help="A picture whose features guide the dream.")
    parser.add_argument("--mask", metavar="MASK.png", help="The area to dream in, white on black.")
    add_continue(parser, "IMAGE and guide")
    parser.add_argument("--timelapse", metavar="FILE.mp4|.gif", help="Also write a film of how the dream grew.")
    parser.add_argument(
        "--zoom", metavar="FILE.mp4|.gif", help="Zoom into the dream and write the film. After an interruption the same command resumes it."
    )
    add_options(parser, ZoomOptions)


def run_dream(given: argparse.Namespace) -> int:
    options = options_from(given, DreamOptions)
    if not given.image:
        options = replace(options, start="noise")
    image = read_given(given.image, given) if given.image and not given.batch else None
    guide = read_image(given.guide, limits=PRINTS) if given.guide else None
    mask = framed(read_mask(given.mask, PRINTS), given) if given.mask else None
    stopped: dict[str, Any] = {}
    if given.continue_from:
        if given.zoom:
            raise RequestError("A zoom continues by itself; give --continue or --zoom, not both.")
        inputs = {"image": [given.image] if given.image else [], "guide": [given.guide] if given.guide else []}
        stopped, kept = to_continue(given, inputs)
        mask = kept[0] if kept else mask
    compute = Compute.choose(given.device)
    if given.zoom:
        if mask is not None:
            raise RequestError("A mask can't follow a zoom; give --mask or --zoom, not both.")
        if options.outside:
            raise RequestError("--outside needs a mask, which can't follow a zoom; leave it out.")
        if given.timelapse:
            raise RequestError("A zoom is a film already; give --timelapse or --zoom, not both.")
        zoom = options_from(given, ZoomOptions)
        facts = {**options.as_dict(), **zoom.as_dict(), **requested(given)}
        return run_zoom(
            lambda **done: dream_zoom(image, options, zoom, guide=guide, compute=compute, **done), facts, options, compute, given
        )
    if options_from(given, ZoomOptions) != ZoomOptions():
        raise RequestError("--frames, --zoom-rate, --turn and --iterations-each are of a zoom; add --zoom, or leave them out.")
    preview_every = 0.0 if given.timelapse else 1.0

    def steps(image):
        return dream(image, options, guide=guide, mask=mask, compute=compute, preview_every=preview_every, **stopped)

    if given.batch:
        return run_folder("dream", given.image, lambda path: steps(read_given(path, given)), options, compute, given)
    return run_recipe("dream", steps(image), options, compute, given)


def add_imagine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--near", metavar="IMAGE", nargs="+", help="A picture to vary; for a morph, one or both of its ends.")
    parser.add_argument(
        "--morph", metavar="FILE.mp4|.gif", help="Also write a morph: to the next seed's picture, or between the pictures of --near."
    )
    parser.add_argument("--walk", dest="morph", help=argparse.SUPPRESS)  # its name before
    parser.add_argument("--frames", type=int, default=MORPH_FRAMES, metavar="N", help=f"Frames of the morph (default {MORPH_FRAMES}).")
    parser.epilog = "With --count, OUT.png stands for OUT-1.png, OUT-2.png and so on."


def run_imagine(given: argparse.Namespace) -> int:
    options = options_from(given, ImagineOptions)
    if given.batch:
        if len(given.near or ()) > 1:
            raise RequestError("--near has {given} names; with --batch, give one folder.", given=len(given.near))
        compute, folder = Compute.choose(given.device), (given.near or [None])[0]
        return run_folder("imagine", folder, lambda path: imagine(options, read_given(path), compute=compute), options, compute, given)
    near = [read_given(path) for path in given.near or ()]
    compute = Compute.choose(given.device)
    if given.morph and options.count > 1:
        raise RequestError("--morph makes one film; leave out --count.")
    if given.morph:
        return run_morph("imagine", morph(options, near, frames=given.frames, compute=compute), options, compute, given)
    if given.frames != MORPH_FRAMES:
        raise RequestError("--frames is of a morph; add --morph, or leave it out.")
    if len(near) > 1:
        raise RequestError("--near has {given} pictures; give one, or use --morph to go from one to the other.", given=len(near))
    steps = imagine(options, near[0] if near else None, compute=compute)
    if options.count > 1:
        return run_many("imagine", steps, options, compute, given)
    return run_recipe("imagine", steps, options, compute, given)
