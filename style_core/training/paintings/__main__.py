"""Renders our paintings into files."""

import argparse
from pathlib import Path

from style_core.errors import RequestError
from style_core.training.paintings import PAINTINGS
from style_core.training.scenes.__main__ import save

_LIMIT = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m style_core.training.paintings", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which paintings; all of them if left out: {', '.join(PAINTINGS)}")
    parser.add_argument("--out", type=Path, default=Path("studio/samples/styles"), help="folder to write into")
    given = parser.parse_args()
    for name in given.names:
        if name not in PAINTINGS:
            raise RequestError(f"There is no painting named {name}. Choose from: {', '.join(PAINTINGS)}.")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.names or PAINTINGS:
        print(f"{name}: {save(PAINTINGS[name](), given.out / f'{name}.jpg', _LIMIT) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
