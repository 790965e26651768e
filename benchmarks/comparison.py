"""A plan's time beside its peers': how many times as fast it is."""

import math

from benchmarks.harness import quartiles, ratio
from benchmarks.peers import COMPILED, GRAPH, HIPS, JAX, PLAN, TORCH
from benchmarks.programs.program import GRADIENT

PEERS = {"cpu": (TORCH, JAX, HIPS), "gpu": (GRAPH, COMPILED, JAX)}
"""Those that "the best peer" is chosen from. On the CPU torch.compile is shown, and not among them."""


def best_peer(record):
    """The peer with the shortest median; None where there is none."""
    medians = {name: quartiles(record.rounds[name])[0] for name in PEERS[record.device] if name in record.rounds}
    return min(medians, key=medians.__getitem__, default=None)


def speedup(record, name):
    """Median and quartiles of (time of ``name``) / (time of the plan), within each round; None where one is missing."""
    if name not in record.rounds or PLAN not in record.rounds:
        return None
    return ratio(record.rounds[name], record.rounds[PLAN])


def gradients(records, threads=None, device="cpu"):
    """The records that plans are judged by: value and gradient on a device."""
    return [r for r in records if r.task == GRADIENT and r.device == device and threads in (None, r.threads)]


def mean_speedup(records, choose):
    """(geometric mean of the medians of the speed-up over ``choose(record)``, number of workloads)."""
    found = [found[0] for record in records if (found := speedup(record, choose(record)))]
    return (math.exp(sum(map(math.log, found)) / len(found)) if found else None), len(found)


def thread_counts(records):
    return sorted({record.threads for record in records})
