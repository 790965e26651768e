"""Alternating timing: every contestant runs in every round of one loop, and rounds are compared with themselves.

Fair alternation needs care. Thread pools spin after their work (OpenBLAS's for 0.1 s), and two libraries that spin on the
same cores slow each other down: on two cores, calls in turn took a 784-512-512-10 network by hand from 5.4 ms to
68 ms beside JAX, and OMP_WAIT_POLICY=passive took PyTorch from 160 to 600 µs on a small one. So a round gives each
contestant a block of calls with the machine to itself: wait until no thread of this process burns CPU, call untimed
until caches and the library's own threads are awake (JAX needs several calls), then time calls for some milliseconds.
So measured, libraries are as fast as in a process of their own, with their own defaults for waiting.
On a GPU a block's calls are queued as they come, and the wall clock stops when the device has done the last of them (one
wait for a block, none between calls): what a loop without any print sees, the host's time or the device's, whichever is longer.
The collector stays on; what was alive before the first round is frozen, so that nobody pays for the modules of others.
"""

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np


class Disagreement(Exception):
    """Two contestants computed different results: timing them would compare different work."""


@dataclass(frozen=True)
class Contestant:
    name: str
    call: Callable[[], Any]
    arrays: Callable[[Any], list]  # what call returned -> NumPy arrays, to compare with the reference
    wait: Callable[[Any], None] = lambda _result: None  # returns when the device has computed it
    operations: int = 1  # times are per operation


@dataclass(frozen=True)
class Expected:
    """An array and how far from it, at most, every entry may be."""

    array: Any
    allowed: float

    def check(self, name, got):
        if got.shape != self.array.shape:
            raise Disagreement(f"{name}: expected shape {self.array.shape}, got {got.shape}")
        difference = np.max(np.abs(got - self.array))
        if not difference <= self.allowed:
            raise Disagreement(f"{name}: differs by {difference:.1e}, expected at most {self.allowed:.1e}")


def expected(arrays, tolerance=1e-4):
    """Arrays within tolerance · max|array|."""
    return [Expected(np.asarray(x), tolerance * float(np.max(np.abs(x)))) for x in arrays]


@dataclass(frozen=True)
class Effort:
    """How long to measure one workload: rounds until `seconds` are over, within the two limits."""

    seconds: float = 5.0
    fewest: int = 7
    most: int = 31
    block: float = 0.02
    compiles: bool = True  # whether torch.compile takes part, which takes longest to get ready

    def share(self, part):
        """A part of the time; fewer rounds if slow ones need more."""
        return self if part == 1 else replace(self, seconds=part * self.seconds, fewest=min(5, self.fewest))


QUICK = Effort(seconds=1.0, fewest=3, most=7, block=0.005)
ON_GPU = Effort(seconds=1.5, fewest=5, most=15, block=0.01)
QUICK_ON_GPU = Effort(seconds=0.3, fewest=3, most=5, block=0.005, compiles=False)
EFFORTS = {"cpu": (Effort(), QUICK), "gpu": (ON_GPU, QUICK_ON_GPU)}
"""A full run and a quick one."""
CALLS = 2  # of which the last one's results are compared: the first one traces and compiles


def measure(contestants, effort):
    """{name: seconds of each round}; `agree` comes first."""
    if not contestants:
        return {}
    calls = {c.name: calls_in_block(c, effort.block) for c in contestants}
    rounds: dict[str, list[float]] = {c.name: [] for c in contestants}
    shuffle = np.random.default_rng(0).permutation
    gc.collect()
    gc.freeze()
    start = time.perf_counter()
    while not done(len(rounds[contestants[0].name]), time.perf_counter() - start, effort):
        for i in shuffle(len(contestants)):
            c = contestants[i]
            rounds[c.name].append(time_block(c, calls[c.name]) / c.operations)
    gc.unfreeze()
    return rounds


def agree(contestant, reference):
    """Raises Disagreement unless what a call after the first returns is what is expected."""
    for _ in range(CALLS):
        result = contestant.call()
    arrays = contestant.arrays(result)
    if len(arrays) != len(reference):
        raise Disagreement(f"{contestant.name}: expected {len(reference)} arrays, got {len(arrays)}")
    for got, expected in zip(arrays, reference, strict=True):
        expected.check(contestant.name, got)


def done(rounds, elapsed, effort):
    return rounds >= effort.fewest and (elapsed > effort.seconds or rounds >= effort.most)


def time_block(contestant, calls):
    """Seconds for one call, from a block that has the machine to itself."""
    settle()
    run(contestant, max(1, 3 * calls // 2))
    return run(contestant, calls) / calls


def run(contestant, calls):
    call, result = contestant.call, None
    start = time.perf_counter()
    for _ in range(calls):
        result = call()
    contestant.wait(result)
    return time.perf_counter() - start


def calls_in_block(contestant, seconds):
    calls, twice = 1, range(2)  # the quicker of two, lest one that was held up decides
    while (elapsed := min(run(contestant, calls) for _ in twice)) < seconds / 4:
        calls *= 2
    return max(1, round(calls * seconds / elapsed))


def settle(window=0.01, patience=1.0):
    """Sleeps until the process burns no CPU while it sleeps: all thread pools have gone to rest."""
    for _ in range(int(patience / window)):
        burnt = time.process_time()
        time.sleep(window)
        if time.process_time() - burnt < window / 10:
            return


def quartiles(values):
    """Median, first and third quartile."""
    return tuple(float(q) for q in np.quantile(values, (0.5, 0.25, 0.75)))


def ratio(times, others):
    """Median and quartiles of the ratio within each round."""
    return quartiles(np.divide(times, others))
