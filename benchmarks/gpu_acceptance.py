"""What was promised of a GPU, beside what was measured there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.acceptance import Promise, spread, verdict
from benchmarks.ceilings import COPY, PRODUCTS
from benchmarks.comparison import best_peer
from benchmarks.harness import ratio
from benchmarks.peers import EAGER, PLAN, TORCH
from benchmarks.programs.program import GRADIENT, STEP
from benchmarks.workloads import MOVING, SMALL_NETWORKS, WIDE

TASKS = (GRADIENT, STEP)


@dataclass(frozen=True)
class Speed:
    """``who`` runs at least so many times as fast as ``against(record)``: a line for each workload that it is about.

    ``against`` gives None where that contestant is missing.
    """

    who: str
    at_least: float
    than: str
    about: str
    against: Callable[[Any], str | None]
    chosen: Callable[[Any], bool] = lambda _record: True

    def lines(self, records):
        fitting = [r for r in records if r.device == "gpu" and r.task in TASKS and self.chosen(r)]
        if not fitting:
            return [f"asked {self.asked}, {self.about}: not measured in this run"]
        return [f"asked {self.asked}, {r.workload}, {r.task}: {self.measured(r)}" for r in fitting]

    @property
    def asked(self):
        return f"{self.who} at least {self.at_least:g} × as fast as {self.than}"

    def measured(self, record):
        other = self.against(record)
        for name in (self.who, other):
            if name not in record.rounds:
                return f"not measured, {name or self.than} is missing here"
        found = ratio(record.rounds[other], record.rounds[self.who])
        return f"{spread(*found)}, {other}: {verdict(found[0] >= self.at_least)}"


def named(programs):
    names = {program.name for program in programs}
    return lambda record: record.workload in names


def fixed(name):
    return lambda _record: name


PROMISES: list[Promise] = [
    Speed(PLAN, 5.0, TORCH, "the three small networks", fixed(TORCH), named(SMALL_NETWORKS)),
    Speed(PLAN, 1.0, "the best of CUDA graph, torch.compile and JAX", "each workload", best_peer),
    Speed(PLAN, 0.95, "cuBLAS's products alone", "8192-wide layers", fixed(PRODUCTS), named(WIDE)),
    Speed(PLAN, 0.8, "the device's copy", "elementwise programs of 10⁷ and 10⁸ entries", fixed(COPY), named(MOVING)),
    Speed(EAGER, 1.0, TORCH, "each workload", fixed(TORCH)),
]


def lines(records):
    return [line for promise in PROMISES for line in promise.lines(records)]
