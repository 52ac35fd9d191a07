"""Ship a trained file: copy it into `models/`, record its sha256 and size, and write its golden figures.

python -m style_core.training.register lite runs/lite/lite.safetensors
"""

import argparse
import json
import re
import shutil
import tempfile
from pathlib import Path

from safetensors import SafetensorError, safe_open

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.weights.registry import MODELS, registry
from style_core.weights.verify import golden_figures


def register(name: str, trained: Path) -> None:
    """Make `trained` the shipped file of the registry's entry `name`.

    Nothing is replaced by a file that can't be used.

    Raises:
        RequestError: for an entry that doesn't ship, and for a file that isn't one of its kind.
    """
    entry = registry()[name]
    if not entry.sha256:
        raise RequestError("{name} does not ship; its file comes from the hub.", name=name)
    path = MODELS / entry.file
    if path.exists() and _parts(trained) != _parts(path):
        raise RequestError("{file} is not a file of {name}: its tensors have other names.", file=trained.name, name=name)
    with tempfile.TemporaryDirectory(dir=MODELS) as place:
        copy = Path(place) / entry.file  # whose name tells what it is
        shutil.copyfile(trained, copy)
        golden = {key: round(value, 5) for key, value in golden_figures(copy).items()}
        copy.chmod(0o644)
        copy.replace(path)
    path.with_suffix(".golden.json").write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
    table = MODELS / "registry.toml"
    head, mark, body = table.read_text(encoding="utf-8").partition(f"[{name}]\n")
    body = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{sha256_of(path)}"', body, count=1)
    body = re.sub(r"(?m)^bytes = \d+$", f"bytes = {path.stat().st_size}", body, count=1)
    table.write_text(head + mark + body, encoding="utf-8")


def _parts(path: Path) -> set[str]:
    """The first words of a file's tensors' names, by which its kind is known.

    Raises:
        RequestError: for a file that isn't of safetensors.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name.partition(".")[0] for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise RequestError("{file} can't be read as safetensors: {reason}", file=path.name, reason=error) from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="An entry of models/registry.toml that ships.")
    parser.add_argument("trained", type=Path, help="The safetensors file.")
    given = parser.parse_args()
    try:
        register(given.name, given.trained)
    except RequestError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
