"""What was promised, beside what was measured."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks import allocations, rows
from benchmarks.comparison import best_peer, gradients, mean_speedup, speedup, thread_counts
from benchmarks.harness import ratio
from benchmarks.peers import COST_TASKS, EAGER, HAND, HIPS, PLAN, TORCH
from benchmarks.programs.black_scholes import SIZES
from benchmarks.programs.networks import LARGE, MEDIUM, NETWORKS, SMALL
from benchmarks.programs.program import GRADIENT, STEP
from benchmarks.workloads import COST, OPERATION, ROW


def counted(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def verdict(holds):
    return "holds" if holds else "missed"


def spread(median, low, high):
    return f"measured {median:.3g} × (quartiles {low:.3g} to {high:.3g})"


class Promise(Protocol):
    def lines(self, records) -> list[str]:
        """What was asked, what was measured, and whether it holds."""


@dataclass(frozen=True)
class OfOne:
    """A promise about one workload and task: a line for each record that can answer, or one that says that none can."""

    text: str
    workload: str
    task: str

    def lines(self, records):
        fitting = [r for r in records if (r.workload, r.task, r.device) == (self.workload, self.task, "cpu") and self.fits(r)]
        return [f"asked {self.text} ({counted(r.threads)}): {self.measured(r)}" for r in fitting] or [
            f"asked {self.text}: not measured in this run"]

    def fits(self, _record):
        return True

    def measured(self, record) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class Ratio(OfOne):
    """One contestant's time as a multiple of another's."""

    contestant: str
    against: str
    at_most: float
    threads: int | None = None  # None: with each number of threads that was measured

    def fits(self, record):
        return self.threads in (None, record.threads)

    def measured(self, record):
        for name in (self.contestant, self.against):
            if name not in record.rounds:
                return f"not measured, {name} is missing here"
        found = ratio(record.rounds[self.contestant], record.rounds[self.against])
        return f"{spread(*found)}: {verdict(found[0] <= self.at_most)}"


@dataclass(frozen=True)
class NoArrays(OfOne):
    """A planned program allocates no array data once it runs."""

    def measured(self, record):
        if not (notes := record.notes.get(PLAN)):
            return f"not measured, {PLAN} is missing here"
        number, scalars, kept = (notes[name] for name in (allocations.ALLOCATED, allocations.SCALARS, allocations.KEPT))
        found = f"measured {number:g} arrays per call, and {scalars:g} scalars; {kept:,} bytes kept"
        return f"{found}: {verdict(number == 0 and kept <= 0)}"


@dataclass(frozen=True)
class AsFast:
    """A plan's speed as a multiple of the best peer's, on each workload."""

    at_least: float

    def lines(self, records):
        nothing = f"asked {self.text('each workload')}: not measured in this run"
        return [self.line(record) for record in gradients(records)] or [nothing]

    def text(self, workload):
        return f"plan at least {self.at_least:g} × as fast as the best peer, {workload}"

    def line(self, record):
        asked, peer = f"asked {self.text(record.workload)} ({counted(record.threads)})", best_peer(record)
        if not (found := speedup(record, peer)):
            return f"{asked}: not measured, {PLAN if peer else 'every peer'} is missing here"
        return f"{asked}: {spread(*found)}, {peer}: {verdict(found[0] >= self.at_least)}"


@dataclass(frozen=True)
class OnAverage:
    """The geometric mean over the workloads of a plan's speed as a multiple of a peer's."""

    peer: str
    choose: Callable[[Any], Any]
    at_least: float

    def lines(self, records):
        asked = f"asked plan at least {self.at_least:g} × as fast as {self.peer}, geometric mean"
        return [f"{asked} ({counted(threads)}): {self.measured(gradients(records, threads))}"
                for threads in thread_counts(gradients(records))] or [f"{asked}: not measured in this run"]

    def measured(self, records):
        mean, number = mean_speedup(records, self.choose)
        if mean is None:
            return f"not measured, {PLAN} or {self.peer} is missing here"
        return f"measured {mean:.3g} × over {number} workloads: {verdict(mean >= self.at_least)}"


VALUE_PLANNED, BOTH_PLANNED = COST_TASKS
PROMISES: list[Promise] = [
    Ratio(f"{SMALL} at most 0.2 × HIPS/autograd, eager", SMALL, GRADIENT, EAGER, HIPS, 0.2, threads=1),
    Ratio(f"{SMALL} less than PyTorch eager, eager", SMALL, GRADIENT, EAGER, TORCH, 1.0, threads=1),
    Ratio(f"{MEDIUM} at most 1.15 × by hand, eager", MEDIUM, GRADIENT, EAGER, HAND, 1.15),
    # Linear in the length; the allowance is for the memory of 100,000 rows, which no cache holds.
    Ratio("chain of 100,000: an operation at most 1.5 × its time in one of 1,000", "chain", OPERATION,
          "gpuad, 100,000 operations", "gpuad, 1,000 operations", 1.5, threads=1),
    AsFast(1.0),
    OnAverage("the best peer", best_peer, 1.15),
    OnAverage(HIPS, lambda _record: HIPS, 4.0),
    OnAverage(TORCH, lambda _record: TORCH, 2.0),
    *(Ratio(f"{name}, planned value and gradient at most {most} × its value", name, COST, BOTH_PLANNED, VALUE_PLANNED, most)
      for name, most in ((MEDIUM, 3.1), (LARGE, 3.1), *((f"Black-Scholes {n}", 4.0) for n in SIZES))),
    *(Ratio(f"{name} chain, a row of a plan at most 1.5 × NumPy with out=", f"{name} chain", ROW, PLAN, rows.HAND, 1.5)
      for name in rows.CHAINS),
    *(NoArrays(f"{network.name}, a planned training step allocates no array", network.name, STEP) for network in NETWORKS),
]


def lines(records):
    return [line for promise in PROMISES for line in promise.lines(records)]
