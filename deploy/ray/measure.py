"""Pictures a second on one worker, and what Ray costs over none: `python -m deploy.ray.measure`."""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from deploy.ray.cluster import LOCAL
from deploy.ray.workers import open_pool
from studio import gpu
from style_core.devices import Compute, prepare_cpu
from style_core.progress import finish
from style_core.recipes.stylize import StylizeOptions, stylize


def stylized(photo: torch.Tensor, style: torch.Tensor, options: StylizeOptions, compute: Compute) -> torch.Tensor:
    return finish(stylize(photo, [style], options, compute=compute, remember=False)).result


def seconds_for(count: int, size: int, at_once: int, compute: Compute) -> float:
    """Seconds per picture: the best of three rounds of `count` pictures."""
    photo, style = torch.rand(3, size * 3 // 4, size), torch.rand(3, size, size)
    work = (stylized, photo, style, StylizeOptions(size=size), compute)
    rounds = []
    with ThreadPoolExecutor(at_once) as callers:
        list(callers.map(lambda _: gpu.call(*work), range(2 * at_once)))
        for _ in range(3):
            started = time.perf_counter()
            list(callers.map(lambda _: gpu.call(*work), range(count)))
            rounds.append((time.perf_counter() - started) / count)
    return min(rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default=LOCAL)
    parser.add_argument("--cores", type=int, default=1, help="Of each worker, and of this process without Ray.")
    parser.add_argument("--count", type=int, default=10, help="Pictures in a round.")
    parser.add_argument("--size", type=int, default=512, help="Long side in px.")
    given = parser.parse_args()
    prepare_cpu(given.cores)
    compute = Compute.choose()
    alone = seconds_for(given.count, given.size, 1, compute)
    gpu.work_on(open_pool(given.address, Path(tempfile.gettempdir()) / "pentimento-measure", given.cores))
    one = seconds_for(given.count, given.size, 1, compute)
    every = seconds_for(given.count * gpu.places(), given.size, gpu.places(), compute)
    print(f"{compute.describe()}, load {os.getloadavg()[0]:.1f}, {given.size} px, {given.cores} cores a worker")
    print(f"without Ray: {1 / alone:.2f} pictures a second ({alone * 1000:.0f} ms)")
    print(f"one worker: {1 / one:.2f} a second ({one * 1000:.0f} ms; {1000 * (one - alone):+.0f} ms)")
    print(f"{gpu.places()} workers: {1 / every:.2f} a second, {1 / every / gpu.places():.2f} each")


if __name__ == "__main__":
    main()
