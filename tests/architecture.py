"""The packages and what they import: read from the code, for the architecture's tests and the map in ARCHITECTURE.md.

`python -m tests.architecture` (or `make map`) writes the map again.
"""

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "ARCHITECTURE.md"

# From the top down. A package may import from those below it, and from itself.
LAYERS = (
    ("app",),
    ("studio",),
    ("cli", "training", "rendering"),
    ("recipes",),
    ("weights", "optimization"),
    ("networks",),
    ("media",),
    ("leaves",),
)


def modules() -> Iterator[tuple[str, str, Path]]:
    """Each module: its dotted name, its package on the map, its file."""
    for path in [ROOT / "app.py", *sorted((ROOT / "studio").rglob("*.py")), *sorted((ROOT / "style_core").rglob("*.py"))]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield name, package_of(name), path


@functools.cache
def package_of(module: str) -> str:
    """`style_core.recipes.dream` -> `recipes`; the core's own files are its leaves, and its face is `style_core`."""
    parts = module.split(".")
    if parts[0] != "style_core":
        return parts[0]
    if len(parts) == 1:
        return "style_core"
    inside = (ROOT / "style_core" / parts[1]).is_dir()
    return parts[1] if inside else "cli" if parts[1] == "__main__" else "leaves"


@functools.cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Dotted names of our own modules that a file imports, wherever in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from style_core.weights import registry` names a module by what it imports.
            names = [f"{node.module}.{alias.name}" if _is_module(f"{node.module}.{alias.name}") else node.module for alias in node.names]
        else:
            continue
        found += [name for name in names if name.partition(".")[0] in ("app", "studio", "style_core")]
    return tuple(found)


@functools.cache
def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def arrows() -> dict[tuple[str, str], int]:
    """How many modules of one package import from another, by (importer, imported)."""
    found: dict[tuple[str, str], int] = {}
    for _, package, path in modules():
        for other in {package_of(name) for name in imports_of(path)} - {package}:
            found[package, other] = found.get((package, other), 0) + 1
    return found


def floor_of(package: str) -> int:
    """0 for the leaves at the bottom, more for what stands above; the public face stands between recipes and what uses them."""
    if package == "style_core":
        return floor_of("cli")
    return next(len(LAYERS) - 1 - index for index, layer in enumerate(LAYERS) if package in layer)


def drawn() -> str:
    """The map as Mermaid's text. Leaves are left out of the arrows: everything imports them."""
    lines = ["flowchart TD"]
    for layer in LAYERS:
        lines.append("    " + "; ".join(layer))
    pairs = sorted(arrows(), key=lambda pair: (-floor_of(pair[0]), pair))
    lines += [f"    {above} --> {below}" for above, below in pairs if below != "leaves" and "style_core" not in (above, below)]
    return "\n".join(lines)


def with_map(text: str) -> str:
    """A document with its Mermaid block drawn again."""
    return re.sub(r"(```mermaid\n).*?(```)", lambda block: f"{block[1]}{drawn()}\n{block[2]}", text, flags=re.DOTALL)


if __name__ == "__main__":
    MAP.write_text(with_map(MAP.read_text()))
