"""Connecting to Ray, and what a worker of a cluster has: its share of devices, its threads."""

import time
from typing import Any

import ray

from style_core.devices import Compute, prepare_cpu
from style_core.errors import RequestError

LOCAL = "local"  # in place of an address: a Ray of this machine's own
_STORE_BYTES = 256 * 2**20  # of shared memory for a local Ray: pictures pass through it and are taken out at once

_SECONDS_TO_FREE = 30.0  # Ray frees what a run has held some seconds after its end


def connect(address: str) -> None:
    """Join the cluster at `address` (`host:port`, or `auto`), or start a local one (`local`).

    Raises:
        RequestError: when there is no cluster.
    """
    if ray.is_initialized():
        return
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address == LOCAL:
        how |= {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
    else:
        how["address"] = address
    try:
        ray.init(**how)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise RequestError(f"There is no Ray cluster at {address[:60]}; start one with `ray start --head`, or use {LOCAL}.") from error


def share_of(cores: int) -> tuple[int, dict[str, Any]]:
    """How many workers there is room for now, and what Ray is to give each.

    Args:
        cores: CPU cores for each worker where the cluster has no GPUs; with GPUs there is a worker for each.
    Raises:
        RequestError: when there is no room for even one: Ray would wait for it without a word.
    """
    until = time.monotonic() + _SECONDS_TO_FREE
    while True:
        have = ray.available_resources()
        # A worker lies on one machine: what is left over on two of them is not room for another.
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if gpus := min(int(have.get("GPU", 0)), sum(int(min(each.get("GPU", 0), each.get("CPU", 0))) for each in machines)):
            return gpus, {"num_gpus": 1, "num_cpus": 1}
        if count := min(int(have.get("CPU", 0)) // cores, sum(int(each.get("CPU", 0)) // cores for each in machines)):
            return count, {"num_cpus": cores}
        if max((each.get("CPU", 0) for each in machines), default=0) < cores or time.monotonic() > until:
            raise RequestError(
                f"The cluster has {int(have.get('CPU', 0))} cores free, and a worker needs {cores}; give workers fewer cores."
            )
        time.sleep(0.5)


def compute_of_worker() -> Compute:
    """Where the worker that this runs in computes. Ray shows it its own GPU and no other, and sets its threads to its cores."""
    given = ray.get_runtime_context().get_assigned_resources()
    compute = Compute.choose("cuda" if given.get("GPU") else "cpu")
    if compute.device.type == "cpu":
        prepare_cpu(threads=max(1, int(given.get("CPU", 1))))
    return compute
