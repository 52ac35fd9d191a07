"""The benefit of starting from the generator's picture: `python -m benchmarks.refine`; results are in refine.md.

Quality is the content distance plus STYLE_GAIN times the style distance, evaluated by VGG-19 in float32, which is the objective of
`optimize` at its default strength. It is compared with starting from noise at one size, as in Gatys, Ecker and Bethge (2016), from
noise coarse to fine, and from the photo in the style's colors, the default of `optimize`.
"""

from dataclasses import replace

from benchmarks.common import arguments, evaluation_network, paint_with, print_table, read_pair, validation_pairs
from style_core.devices import Compute
from style_core.optimization.losses import evaluate
from style_core.progress import finish
from style_core.recipes.loss_weights import STYLE_GAIN
from style_core.recipes.optimize import optimize
from style_core.recipes.optimize_options import OptimizeOptions

ITERATIONS = 150
REFINED = (20, 35, 45, 100)  # iterations from the generator's picture


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--size", type=int, default=384)
    given = parser.parse_args()
    paint_with(given.vgg19)
    evaluator = evaluation_network(given.vgg19)
    pairs = [read_pair(*pair, given.size) for pair in validation_pairs(given.data, given.pairs, seed=2)]
    base = OptimizeOptions(size=given.size, iterations=ITERATIONS, extractor="vgg19")
    variants = {
        f"from noise at one size, {ITERATIONS} iterations": replace(base, init="noise", pyramid=False),
        f"from noise, {ITERATIONS} iterations": replace(base, init="noise"),
        f"from the photo, {ITERATIONS} iterations": base,
    }
    for iterations in REFINED:
        variants[f"from the generator, {iterations} iterations"] = replace(base, iterations=iterations, init="generator")
    rows = []
    for name, options in variants.items():
        figures = [_figures(evaluator, content, style, options) for content, style in pairs]
        rows.append([name, *(sum(column) / len(figures) for column in zip(*figures))])
    print(f"{Compute.choose().describe()}; {given.pairs} pairs at {given.size} px\n")
    print_table(["", "style", "content", f"content + {STYLE_GAIN:g} style", "seconds"], rows)


def _figures(evaluator, content, style, options: OptimizeOptions) -> tuple[float, float, float, float]:
    step = finish(optimize(content, [style], options, preview_every=1e9))
    evaluated = evaluate(evaluator, step.result, content, style)
    return evaluated["style"], evaluated["content"], evaluated["content"] + STYLE_GAIN * evaluated["style"], step.seconds


if __name__ == "__main__":
    main()
