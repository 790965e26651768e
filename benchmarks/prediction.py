"""What a model predicts for a GPU that is not at hand: launches, operations and bytes counted, and the time that they would take.

Each program is traced on NumPy's arrays and analysed as for the device; programs of very large arrays are traced on small ones,
whose lengths are then taken for the true ones. A kernel takes the longest of: its bytes at a part of the memory's rate, its
operations at a part of the arithmetic's rate, and a floor. Calls are queued as they come, so a call takes the device's time or
the host's, whichever is longer. No GPU is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import gpuad as ad
from benchmarks.counting import Work, planned, traced, works
from benchmarks.machine import named
from benchmarks.programs import jacobian
from benchmarks.programs.black_scholes import MANY, black_scholes
from benchmarks.programs.growth import growth
from benchmarks.programs.program import GRADIENT, STEP, Program
from benchmarks.programs.wide import WIDE, WIDTH, wide
from benchmarks.workloads import PROGRAMS

NAME = "gpu_predicted.md"
SMALL_WIDTH, FEW = 96, 1_000


@dataclass(frozen=True)
class Device:
    """Rates of a data sheet (bytes and operations per second), the parts of them that are expected, and times in seconds."""

    name: str
    bandwidth: float
    arithmetic: dict[str, float]
    products: dict[str, float]
    memory_part: float = 0.85
    arithmetic_part: float = 0.5
    product_part: float = 0.75
    kernel: float = 2.0e-6  # at least, for a kernel in a graph or on a busy stream
    product: float = 4.0e-6  # at least, for a matrix product
    eager: float = 8.0e-6  # of the host, for an eager operation
    launch: float = 5.0e-6  # of the host, for a launch of the stream schedule
    graph: float = 8.0e-6  # of the host, for a launch of a graph with its arguments

    def seconds(self, work: Work) -> float:
        """Of one step on the device."""
        rates, part = (self.products, self.product_part) if work.is_product else (self.arithmetic, self.arithmetic_part)
        least = self.product if work.is_product else self.kernel * work.launches + work.at_least
        return max(least, work.nbytes / (self.memory_part * self.bandwidth), work.operations / (part * rates[work.dtype]))


DEVICES = {"h200": Device(
    "H200 SXM", 4.8e12, {"float16": 67e12, "float32": 67e12, "float64": 34e12},
    {"float16": 990e12, "float32": 67e12, "float64": 67e12})}


@dataclass(frozen=True)
class Prediction:
    """One workload: the launches and seconds of each way to run it, and what a plan of it computes and moves."""

    workload: str
    task: str
    launches: dict[str, int]
    seconds: dict[str, float]
    operations: float
    nbytes: float
    product_part: float
    """The products' part of the time that the device is busy in a plan."""


def predictions(device: Device, only: str) -> Iterator[Prediction]:
    for program, task, lengths in workloads():
        title = f"{renamed(program, lengths)} {task}"
        if named(title, only):
            function = program.task(ad.value_and_grad, program.loss_over(np), task)
            yield predicted(device, renamed(program, lengths), task, function, program.data(), lengths)
    if named(f"{jacobian.NAME} {GRADIENT}", only):
        yield predicted(device, jacobian.NAME, GRADIENT, ad.jacobian(jacobian.function_over(np)), jacobian.data(), {})


def workloads() -> Iterator[tuple[Program, str, dict[int, int]]]:
    """(program, task, the lengths for which those that it is traced with stand)."""
    yield from ((p, task, {}) for task in (GRADIENT, STEP) for p in PROGRAMS if task in p.tasks)
    yield from ((wide(SMALL_WIDTH, p.dtype), task, {SMALL_WIDTH: WIDTH}) for p in WIDE for task in (GRADIENT, STEP))
    moving = ((black_scholes, MANY), (growth, MANY), (black_scholes, 10 * MANY))
    yield from ((make(FEW), GRADIENT, {FEW: n}) for make, n in moving)


def renamed(program: Program, lengths: dict[int, int]) -> str:
    for small, large in lengths.items():
        return program.name.replace(str(small), str(large))
    return program.name


def predicted(device: Device, name: str, task: str, function: Any, data: tuple, lengths: dict[int, int]) -> Prediction:
    recorded = traced(function, data, lengths)
    eager = [w for w in works(recorded, list(range(recorded.first, recorded.n_variables))) if w.launches]
    plan = [w for w in planned(recorded) if w.launches]
    busy = sum(map(device.seconds, plan))
    launches = {"eager": sum(w.launches for w in eager), "plan": sum(w.launches for w in plan)}
    seconds = {"eager": max(device.eager * launches["eager"], sum(map(device.seconds, eager))),
               "stream": max(device.launch * launches["plan"], busy), "graph": max(device.graph, busy)}
    products = sum(device.seconds(w) for w in plan if w.is_product)
    operations, nbytes = sum(w.operations for w in plan), sum(w.nbytes for w in plan)
    return Prediction(name, task, launches, seconds, operations, nbytes, products / busy)


# ---- in words

HEADER = ["predicted", "launches, eager", "launches, plan", "operations", "bytes moved", "eager", "plan as a stream",
          "plan as a graph", "of it products"]


def markdown(device: Device, only: str = "") -> str:
    """The predictions as a page; ``only`` names parts of titles."""
    from benchmarks.report import Table

    found = Table(HEADER, [line(p) for p in predictions(device, only)])
    return "\n".join([f"# Predicted for one {device.name}", "", *about(device), "", found.markdown()])


def line(p: Prediction) -> list[str]:
    times = [time(p.seconds[way]) for way in ("eager", "stream", "graph")]
    return [f"{p.workload}, {p.task}", str(p.launches["eager"]), str(p.launches["plan"]), scaled(p.operations),
            f"{scaled(p.nbytes)}B", *times, f"{p.product_part:.0%}"]


def about(device: Device) -> Iterator[str]:
    rates = ", ".join(f"{rate / 1e12:g} TFLOP/s in {dtype}" for dtype, rate in device.products.items())
    micro, tera = lambda seconds: f"{seconds * 1e6:g} µs", lambda dtype: f"{device.arithmetic[dtype] / 1e12:g}"
    yield ("**These are predictions of a model. No GPU has seen these programs: nothing on this page was measured.** Printed by "
           "`python -m benchmarks --predict h200`.")
    yield ""
    yield (f"The model, from the data sheet: memory moves {device.bandwidth / 1e12:g} TB/s, matrix products run at {rates}, "
           f"other arithmetic at {tera('float32')} TFLOP/s ({tera('float64')} in float64); "
           f"{device.memory_part:.0%}, {device.product_part:.0%} and {device.arithmetic_part:.0%} of them are taken for reached. "
           f"A kernel takes {micro(device.kernel)} at least, a product {micro(device.product)}. The host takes "
           f"{micro(device.eager)} for an eager operation, {micro(device.launch)} for a launch of the stream schedule and "
           f"{micro(device.graph)} for a graph; a call takes the host's time or the device's, whichever is longer. A function "
           "such as tanh counts as twenty operations. Eager launches are the rows of the traced program, one each.")


def scaled(number: float) -> str:
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g} "


def time(seconds: float) -> str:
    from benchmarks.report import short, unit_of

    scale, unit = unit_of([seconds])
    return f"{short(seconds * scale)}{unit}"


__all__ = ["DEVICES", "NAME", "Device", "Prediction", "markdown", "predictions"]
