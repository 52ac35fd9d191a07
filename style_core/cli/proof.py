"""`proof`: how a picture would look printed, and the picture in the printer's inks."""

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

from style_core.errors import RequestError
from style_core.media.images import check_writable, read_image, write_image
from style_core.media.proof import check_separation, proof, read_profile, write_separation
from style_core.media.reading import PRINTS
from style_core.media.settings import settings_in
from style_core.sizes import DPI, check_dpi


def add(commands: Any) -> None:
    """Add the command to the shell's subcommands."""
    about = "Show how a picture would look printed, by the printer's color profile (a soft proof)."
    parser = commands.add_parser("proof", help=about, description=about)
    parser.add_argument("picture", metavar="PICTURE", help="The picture to print.")
    parser.add_argument("--profile", required=True, metavar="PROFILE.icc", help="A CMYK profile, which print shops offer for their papers.")
    parser.add_argument("-o", "--out", required=True, metavar="OUT.png", help="The proof to write: .png, .jpg, .webp, .avif or .tif.")
    parser.add_argument("--paper", action="store_true", help="Also show the color of the paper.")
    parser.add_argument("--cmyk", metavar="FILE.tif", help="Also write the picture in the profile's inks, as print shops take it.")
    parser.add_argument(
        "--dpi", type=float, metavar="N", help=f"Dots per inch of that file (default: those stored in PICTURE, else {DPI:g})."
    )
    parser.add_argument("--json", action="store_true", help="Print one JSON object to standard output at the end.")
    parser.set_defaults(run=_proof)


def _proof(given: argparse.Namespace) -> int:
    _check(given)
    profile, image, settings = read_profile(given.profile), read_image(given.picture, limits=PRINTS), settings_in(given.picture)
    dpi = given.dpi or _dpi_in(given.picture)
    made = proof(image, profile, paper=given.paper)
    write_image(given.out, made.image)
    if given.cmyk:
        write_separation(given.cmyk, image, profile, dpi=dpi, settings=settings)
    height, width = image.shape[-2:]
    if given.json:
        facts = {"out": given.out, "cmyk": given.cmyk, "width": width, "height": height, "profile": profile.name, "changed": made.changed}
        print(json.dumps({key: value for key, value in facts.items() if value is not None}, ensure_ascii=False))
        return 0
    written = " and ".join(Path(path).name for path in (given.out, given.cmyk) if path)
    print(f"{written}: {width} x {height} px by {profile.name}; {made.changed:.0%} of the picture changes visibly.", file=sys.stderr)
    return 0


def _check(given: argparse.Namespace) -> None:
    """Check the request before any work.

    Raises:
        RequestError: for files that can't be written, or would replace each other or the picture.
    """
    check_writable(given.out)
    check_dpi(given.dpi)
    if given.cmyk:
        check_separation(given.cmyk)
    elif given.dpi:
        raise RequestError("--dpi is for the file of --cmyk; give --cmyk too, or leave --dpi out.")
    paths = [Path(path).resolve() for path in (given.picture, given.out, given.cmyk) if path]
    if len(set(paths)) < len(paths):
        raise RequestError("PICTURE, OUT and the file of --cmyk must be different files.")


def _dpi_in(path: str) -> float:
    """Dots per inch stored in a picture that was read before, within what a print may have; else 300."""
    with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning), Image.open(path) as picture:
        # WebP and AVIF keep it in their EXIF; PNG counts dots per meter.
        found = picture.info["dpi"][0] if picture.info.get("dpi") else picture.getexif().get(ExifTags.Base.XResolution, 0.0)
        stored = round(float(found), 1)
    try:
        check_dpi(stored)
    except RequestError:
        return DPI
    return stored
