"""`python -m style_core weights list | pull NAME | verify`."""

import argparse
import json
import sys
from contextlib import closing
from functools import partial
from typing import Any

from tqdm import tqdm

from style_core.errors import RequestError
from style_core.weights import registry as weights
from style_core.weights.gallery import verify_gallery


def add(commands: Any) -> None:
    """Add the `weights` command to the shell's subcommands."""
    parser = commands.add_parser("weights", help="List, download and check the weight files.")
    actions = parser.add_subparsers(required=True, metavar="ACTION", parser_class=type(parser))
    for name, run, summary in (
        ("list", _list, "List each weight file, its source and where it is now."),
        ("pull", _pull, "Download a weight file from the hub. An interrupted download resumes."),
        ("verify", _verify, "Hash and test every weight file on this machine."),
    ):
        action = actions.add_parser(name, help=summary, description=summary)
        action.add_argument("--json", action="store_true", help="Print one JSON object to standard output.")
        action.set_defaults(run=run)
        if name == "pull":
            action.add_argument("name", metavar="NAME", help=f"One of {', '.join(weights.registry())}.")


def _list(given: argparse.Namespace) -> int:
    rows = [
        {"name": entry.name, "where": weights.whereabouts(entry.name), "megabytes": round(entry.bytes / 1e6, 1),
         "license": entry.license, "about": entry.about, "source": entry.source}
        for entry in weights.registry().values()
    ]  # fmt: skip
    if given.json:
        print(json.dumps({"weights": rows}, ensure_ascii=False))
        return 0
    for row in rows:
        print(
            f"{row['name']:<10} {row['megabytes']:>6} MB  {row['where']}\n"
            f"{'':<10} {row['about']}\n{'':<10} {row['license']}; {row['source']}"
        )
    return 0


def _pull(given: argparse.Namespace) -> int:
    steps = weights.fetch(given.name, patient=True)
    bar = tqdm(total=0, unit="MB", file=sys.stderr, disable=not sys.stderr.isatty(), leave=False)
    path = None
    with closing(steps), bar:
        while path is None:
            try:
                step = next(steps)
            except StopIteration as end:
                path = end.value
                break
            bar.total, bar.n = step.total, step.iteration
            bar.set_description(step.note, refresh=True)
    if given.json:
        print(json.dumps({"name": given.name, "where": weights.whereabouts(given.name), "sha256": weights.sha256_of(path)}))
    else:
        print(f"{given.name}: {weights.whereabouts(given.name)}, sha256 {weights.sha256_of(path)}", file=sys.stderr)
    return 0


def _verify(given: argparse.Namespace) -> int:
    results, failed = {}, False
    checks = {name: partial(weights.verify, name) for name in weights.registry()} | {"gallery": verify_gallery}
    for name, check in checks.items():
        try:
            results[name] = check()
        except RequestError as error:
            results[name], failed = str(error), True
    if given.json:
        print(json.dumps({"verified": results, "ok": not failed}, ensure_ascii=False))
    else:
        for name, result in results.items():
            print(f"{name:<10} {result}")
    return 2 if failed else 0
