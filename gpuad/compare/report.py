"""What came out: one table for people, one JSON file for programs."""
from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from gpuad.compare.check import STEP, Check, Point, count
from gpuad.compare.device import CPU, Device
from gpuad.compare.options import Options
from gpuad.compare.timing import Timing
from gpuad.compare.train import Training

GOAL = 0.97
DEFINITION = "max |a − b| / max |b| over all parameters"


@dataclass(frozen=True)
class Report:
    """Everything that one comparison found."""

    options: Options
    devices: list[Device]
    at: Point
    entries: int
    """How many parameters had their central difference taken."""
    checks: list[Check]
    timings: list[Timing]
    trainings: list[Training]
    machine: dict[str, Any]
    no_gpu: str | None
    """Why there is no GPU column; None where there is one or none was asked for."""

    @property
    def accuracy_holds(self) -> bool:
        """Whether every device reached the goal, which is set for the default training only."""
        return self.goal is None or all(t.test_accuracy[-1] >= self.goal for t in self.trainings)

    @property
    def goal(self) -> float | None:
        """The test accuracy to reach; None where options have made it another training."""
        return GOAL if self.options.trains_as_by_default else None

    @property
    def holds(self) -> bool:
        """Whether every bound was kept."""
        return self.accuracy_holds and all(check.holds for check in self.checks)


def table(report: Report) -> Table:
    """The one table: differences and their bounds, times, accuracy; a column for each device."""
    result = Table(title=_title(report), caption=_caption(report), box=box.SIMPLE_HEAD, title_justify="left",
                   caption_justify="left", title_style="bold", caption_style="dim", pad_edge=False)
    result.add_column("")
    for device in report.devices:
        result.add_column(device.name, justify="right", no_wrap=True)
    result.add_column("bound", justify="right", no_wrap=True)
    result.add_column("", no_wrap=True)
    for section in (_differences(report), _times(report), _training(report)):
        for row in section:
            result.add_row(*row)
        result.add_section()
    return result


def _title(report):
    options = report.options
    return f"1,797 digits, {options.shape}, {options.activation}, seed {options.seed}"


def _caption(report):
    notes = [_about_differences(report), _about_times(report), *_about_gpu(report), *report.machine["warnings"]]
    return escape("\n".join(notes + [f"No GPU: {report.no_gpu}."] * bool(report.no_gpu)))


def _about_differences(report):
    at, total = report.at, count(report.at.params)
    some = "" if report.entries == total else f" (central differences: {report.entries:,} of them, at random)"
    kink = "" if math.isinf(at.margin) else f" whose ReLU inputs keep {at.margin:.2g} from the kink"
    return (f"Difference: {DEFINITION}, {total:,} in number{some}; initial parameters, "
            f"{len(at.digits)} images{kink}, central differences with step {STEP:g}.")


def _about_times(report):
    options, machine = report.options, report.machine
    rounds = min(timing.rounds for timing in report.timings)
    return (f"Time: median of {rounds} rounds, all in turns; {options.dtype}, batch {options.batch}; "
            f"{machine['blas']}, {_count(machine['threads'], 'thread')}.")


def _about_gpu(report):
    if any(device.name.startswith("GPU") for device in report.devices):
        yield "; ".join(f"{name}: {value}" for name, value in report.machine["gpu_details"].items()) + "."


def _count(number, noun):
    return f"{number or '?'} {noun}{'' if number == 1 else 's'}"


def _heading(report, words):
    return (f"[bold]{words}[/]", *[""] * (len(report.devices) + 2))


def _differences(report):
    yield _heading(report, "gradient, largest relative difference")
    rows: dict[tuple, dict[str, Check]] = {}
    for check in report.checks:
        rows.setdefault((check.dtype, check.reference), {})[check.device] = check
    for (dtype, reference), row in rows.items():
        cells = [_difference(row.get(device.name)) for device in report.devices]
        bound = next(iter(row.values())).bound
        holds = all(check.holds for check in row.values())
        yield (f"  {dtype} to {reference}", *cells, f"≤ {bound:.0e}", _mark(holds))


def _difference(check):
    if check is None:
        return ""
    return f"{check.difference:.1e}" if check.holds else f"[bold red]{check.difference:.1e}[/]"


def _times(report):
    yield _heading(report, "time of one loss and gradient")
    yield ("  gpuad", *(f"{t.gpuad * 1e6:,.0f} µs" for t in report.timings), "", "")
    yield ("  hand-written pass", *(f"{t.handwritten * 1e6:,.0f} µs" for t in report.timings), "", "")
    yield ("  gpuad / hand-written", *(f"{t.ratio:.2f}" for t in report.timings), "", "")
    if (eager := next((t for t in report.timings if t.device == CPU.name), None)) is not None:
        yield ("  eager on the CPU / gpuad", *(f"{eager.gpuad / t.gpuad:.2f}" for t in report.timings), "", "")


def _training(report):
    goal = ("", "") if report.goal is None else (f"≥ {report.goal:.0%}", _mark(report.accuracy_holds))
    yield _heading(report, f"after {_count(report.options.epochs, 'epoch')} of training")
    trained = {t.device: t for t in report.trainings}
    cells = [trained.get(device.name) for device in report.devices]
    yield ("  test accuracy", *(f"{t.test_accuracy[-1]:.1%}" if t else "" for t in cells), *goal)
    yield ("  test loss", *(f"{t.test_loss[-1]:.3g}" if t else "" for t in cells), "", "")
    yield ("  training time", *(f"{t.seconds:.1f} s" if t else "" for t in cells), "", "")


def _mark(holds):
    return "[green]✓[/]" if holds else "[bold red]✗[/]"


def write_json(report: Report, path: Path) -> None:
    """compare.json: options, machine, checks with their bounds, times in seconds, losses and accuracies."""
    text = json.dumps(_strict(_document(report)), indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def _document(report):
    return {
        "holds": report.holds,
        "options": {**asdict(report.options), "output": str(report.options.output)},
        "machine": {**report.machine, "no_gpu": report.no_gpu},
        "difference": {"definition": DEFINITION, "images": len(report.at.digits),
                       "kink_margin": report.at.margin, "central_difference_step": STEP,
                       "central_difference_entries": report.entries},
        "checks": [{**asdict(check), "holds": check.holds} for check in report.checks],
        "seconds_per_loss_and_gradient": [{**asdict(t), "ratio": t.ratio} for t in report.timings],
        "accuracy": {"goal": report.goal, "holds": report.accuracy_holds},
        "training": [{k: v for k, v in vars(t).items() if k != "params"} for t in report.trainings],
    }


def _strict(value):
    """The same document with null for what JSON cannot say: infinity and NaN."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
