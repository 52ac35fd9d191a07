"""What an optimizer that remembers less costs in quality at equal time: `python -m benchmarks.histories`; results are in large.md.

The last level of a large picture: `optimize` with `lite` at half the size, enlarged; then L-BFGS with histories of several lengths, and
Adam, for as long as the longest takes for `--iterations`. Pairs come from the validation split; results are evaluated by VGG-19 in float32.
"""

import time

import torch
from torch import Tensor

from benchmarks.common import arguments, evaluation_network, paint_with, print_table, read_pair
from benchmarks.quality import sharp_pairs
from style_core import OptimizeOptions, finish, optimize
from style_core.devices import Compute
from style_core.optimization.descent import Descent, Diverged, History
from style_core.optimization.losses import evaluate
from style_core.progress import returned
from style_core.recipes.loss_weights import for_network, loss_weights_of
from style_core.recipes.memory_plan import budget
from style_core.recipes.optimize_inputs import OptimizeInputs
from style_core.weights.open import open_extractor

_LONGEST = History(10)
_SHORTER = [History(pairs, torch.bfloat16) for pairs in (10, 5, 3)]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="Long side, px (default 1024).")
    parser.add_argument("--iterations", type=int, default=30, help="Of the longest history (default 30).")
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.02], help="Learning rates of Adam to try.")
    given = parser.parse_args()
    paint_with(given.vgg19)
    evaluator = evaluation_network(given.vgg19)
    others = [(history, 0.0) for history in _SHORTER] + [(History(0), rate) for rate in given.rates]
    rows: dict[str, list[tuple[float, ...]]] = {}
    for pair in sharp_pairs(given.data, given.pairs, seed=7):
        content, style = read_pair(*pair, given.size)
        level = _LastLevel(content, style)
        seconds = level.paint(_LONGEST, iterations=given.iterations)
        rows.setdefault(_name(_LONGEST), []).append(level.figures(evaluator))
        for history, rate in others:
            level.paint(history, rate, seconds=seconds)
            rows.setdefault(_name(history, rate), []).append(level.figures(evaluator))
        print(f"{len(rows[_name(_LONGEST)])} of {given.pairs} pairs", flush=True)
    heads = ["", "loss", "style", "content", "iterations"]
    print_table(heads, [[name, *(sum(column) / len(column) for column in zip(*measured))] for name, measured in rows.items()])


class _LastLevel:
    """A picture at its last size, to be painted from the same start by one history after the other."""

    def __init__(self, content: Tensor, style: Tensor):
        size = max(content.shape[-2:])
        self.content, self.style = content, style
        self.start = finish(optimize(content, [style], OptimizeOptions(size=size // 2, extractor="lite"))).result
        options, compute = OptimizeOptions(size=size, extractor="lite"), Compute.choose()
        weights = loss_weights_of(options)
        extractor, _ = returned(open_extractor("lite", [*weights.content, *weights.style], compute))
        weights = for_network(weights, extractor.name, options)
        self.inputs = OptimizeInputs(content, [style], None, None, options, extractor, weights, budget(compute))
        self.objective = self.inputs.objective(self.inputs.planner.plan(self.inputs.size))

    def paint(self, history: History, rate: float = 0.0, *, iterations: int = 10**6, seconds: float = float("inf")) -> float:
        """Paint until either limit is reached; returns the seconds that it took."""
        descent = Descent(self.inputs.enlarged(self.start, *self.inputs.size, None), self.objective, history, rate)
        descent.step()  # the first one warms up
        began, self.loss, self.done = time.monotonic(), float("inf"), 0
        try:
            while self.done < iterations and time.monotonic() - began < seconds:
                self.loss, self.done = min(self.loss, descent.step()["total"]), self.done + 1
        except Diverged:
            self.loss = float("inf")
        self.image = descent.result()
        return time.monotonic() - began

    def figures(self, evaluator) -> tuple[float, ...]:
        """The best loss, the distances in VGG-19, and the iterations."""
        found = evaluate(evaluator, self.image, self.content, self.style)
        return self.loss, found["style"], found["content"], self.done


def _name(history: History, rate: float = 0.0) -> str:
    if history.is_adam:
        return f"Adam, rate {rate:g}"
    return f"L-BFGS, {history.pairs} pairs, {str(history.dtype).removeprefix('torch.')}"


if __name__ == "__main__":
    main()
