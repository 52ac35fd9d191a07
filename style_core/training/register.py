"""Ship a trained file: copy it into `models/`, record its sha256 and size, and write its golden figures.

python -m style_core.training.register lite runs/lite/lite.safetensors
"""

import argparse
import json
import re
import shutil
from pathlib import Path

from style_core.errors import RequestError
from style_core.files import sha256_of
from style_core.weights.registry import MODELS, registry
from style_core.weights.verify import golden_figures


def register(name: str, trained: Path) -> None:
    """Make `trained` the shipped file of the registry's entry `name`.

    Raises:
        RequestError: for an entry that doesn't ship.
    """
    entry = registry()[name]
    if not entry.sha256:
        raise RequestError("{name} does not ship; its file comes from the hub.", name=name)
    path = MODELS / entry.file
    if trained.resolve() != path.resolve():
        shutil.copyfile(trained, path)
    path.chmod(0o644)
    golden = {key: round(value, 5) for key, value in golden_figures(path).items()}
    path.with_suffix(".golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    table = MODELS / "registry.toml"
    head, mark, body = table.read_text().partition(f"[{name}]\n")
    body = re.sub(r'(?m)^sha256 = ".*"$', f'sha256 = "{sha256_of(path)}"', body, count=1)
    body = re.sub(r"(?m)^bytes = \d+$", f"bytes = {path.stat().st_size}", body, count=1)
    table.write_text(head + mark + body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="An entry of models/registry.toml that ships.")
    parser.add_argument("trained", type=Path, help="The safetensors file.")
    given = parser.parse_args()
    register(given.name, given.trained)


if __name__ == "__main__":
    main()
