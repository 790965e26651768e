"""compare.png: how training went, and the system that every gradient of it was solved from."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

import gpuad as ad
from gpuad.compare import network
from gpuad.compare.options import Options
from gpuad.compare.report import Report
from gpuad.compare.train import Training

INK, QUIET, RULE, PAPER = "#1d2733", "#66717d", "#d9dde2", "#ffffff"
UNIT, BELOW, INPUT = "#8b95a1", "#1f6fb4", "#d1622b"
TRAINING = {"CPU": "#1f6fb4", "CPU plan": "#1f6fb4", "GPU": "#3a9a5b", "GPU plan": "#3a9a5b"}
DOTS_PER_INCH = 200


def write(report: Report, path: Path) -> None:
    """Draw compare.png. Matplotlib's global state (pyplot, backend, rcParams) stays as it is."""
    figure = Figure(figsize=(13.5, 7.2), dpi=DOTS_PER_INCH, facecolor=PAPER)
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1, 1.62))[0]
    _draw_training(left.subplots(2, 1, sharex=True, height_ratios=(2, 1)), report)
    left.align_ylabels()
    left.subplots_adjust(left=0.155, right=0.93, bottom=0.105, top=0.8, hspace=0.12)
    _draw_system(right.add_axes((0.11, 0.09, 0.88, 0.71), anchor="N"), report.options)
    _title(left, 0.03, "Training", _training_words(report))
    _title(right, 0.0, "The system that every gradient is solved from",
           "(I − L) dx = D dP, one block row for each operation.   "
           "Backpropagation is its back substitution, Dᵀ ((I − L)ᵀ \\ e).")
    _key(right)
    figure.savefig(path, facecolor=PAPER)


def _title(figure: Any, x: float, title: str, words: str) -> None:
    figure.text(x, 0.945, title, size=14, weight="bold", color=INK)
    figure.text(x, 0.905, words, size=9.5, color=QUIET)


def _key(figure: Any) -> None:
    """What the colours mean, along the bottom of the system."""
    for x, color, words in ((0.11, UNIT, "I, the result of the row"),
                            (0.335, BELOW, "−L, what it reads from earlier rows"),
                            (0.655, INPUT, "D, what it reads from the parameters")):
        figure.text(x, 0.062, "■", size=11, color=color, va="center")
        figure.text(x + 0.02, 0.062, words, size=9, color=INK, va="center")
    figure.text(0.11, 0.027, "Inside each block its non-zero entries, drawn for 3 images and narrow layers.",
                size=9, color=QUIET, va="center")


def _training_words(report: Report) -> str:
    options = report.options
    return f"digits, {options.shape}, {options.activation}, {options.dtype}, batch {options.batch}"


# ---- training

def _draw_training(axes: np.ndarray, report: Report) -> None:
    losses, accuracies = axes
    for k, training in enumerate(report.trainings):
        _draw_curves(losses, accuracies, training, dashed=k > 0)
    for ax in axes:
        _plain(ax)
    losses.set_xlim(0, 1.01 * report.options.epochs)
    losses.set_yscale("log")
    losses.yaxis.set_major_formatter(lambda loss, _: f"{loss:g}")
    losses.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.2, 0.5)))
    losses.set_ylabel("loss (cross-entropy)", color=INK)
    losses.legend(frameon=False, fontsize=9, labelcolor=INK, loc="upper right")
    _accuracy_axis(accuracies, report)


def _draw_curves(losses: Axes, accuracies: Axes, training: Training, dashed: bool) -> None:
    color, style = TRAINING[training.device], (0, (4, 3)) if dashed else "-"
    epochs = np.arange(1, len(training.test_loss) + 1)
    batches = np.asarray(training.batch_loss)
    means = batches.reshape(len(epochs), -1).mean(axis=1)
    if not dashed:
        time = np.arange(1, len(batches) + 1) * len(epochs) / len(batches)
        losses.plot(time, batches, color=color, alpha=0.22, lw=0.7)
    look: dict[str, Any] = {"ls": style, "marker": "." if len(epochs) < 10 else None}
    losses.plot(epochs, means, color=color, lw=1.8, label=f"training, {training.device}", **look)
    losses.plot(epochs, training.test_loss, color=QUIET if dashed else INK, lw=1.2,
                label=f"test, {training.device}", **look)
    accuracies.plot(epochs, 100 * np.asarray(training.test_accuracy), color=color, lw=1.8, **look)


def _accuracy_axis(ax: Axes, report: Report) -> None:
    best = max(t.test_accuracy[-1] for t in report.trainings)
    floor = min(0.9, best - 0.05)
    ax.set_ylim(100 * floor, 100.6)
    if report.goal is not None:
        ax.axhline(100 * report.goal, color=QUIET, lw=0.8, ls=(0, (1, 2)))
    ax.set_ylabel("test accuracy, %", color=INK)
    ax.set_xlabel("epoch", color=INK)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    ax.text(0.99, 0.05 if best > 0.5 else 0.8, _accuracies(report), transform=ax.transAxes, ha="right",
            size=9.5, color=INK, weight="bold")


def _accuracies(report: Report) -> str:
    return ", ".join(f"{training.device} {training.test_accuracy[-1]:.1%}" for training in report.trainings)


def _plain(ax: Axes) -> None:
    ax.set_facecolor(PAPER)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(QUIET)
    ax.tick_params(which="both", colors=QUIET, labelsize=9)
    ax.grid(True, color=RULE, lw=0.6)


# ---- the system

def small_system(options: Options, batch: int = 3) -> Any:
    """The system of the same program on a few images and narrow layers, so that entries can be seen."""
    widths = (*(min(width, 4 + k % 2) for k, width in enumerate(options.widths[:-1])), 3)
    params = network.initialise(widths, options.seed)
    random = np.random.default_rng(options.seed)
    images, targets = random.uniform(size=(batch, widths[0])), np.eye(widths[-1])[np.arange(batch) % 3]
    return ad.linearize(lambda p: network.loss(p, images, targets, options.activation), params)[1]


def parameter_names(options: Options) -> list[str]:
    """Names of the block columns of D."""
    return [f"${name}_{{{k}}}$" for k in range(1, len(options.widths)) for name in "Wb"]


def _draw_system(ax: Axes, options: Options) -> None:
    system = small_system(options)
    _draw_blocks(ax, system.L, system.D, row_names(system), parameter_names(options))


def row_names(system: Any) -> list[str]:
    """Names of the program's rows: the operation of each; of a linear one the element that it applies."""
    return [row.label for row in system.rows[system.n_inputs:]]


def _draw_blocks(ax: Axes, lower: Any, inputs: Any, rows: list[str], columns: list[str]) -> None:
    """Every present block as a cell, with the non-zero entries of the block inside."""
    n, gap = len(rows), 1.4
    _frame(ax, 0, n, n)
    _frame(ax, n + gap, len(columns), n)
    for i, shape in enumerate(lower.row_shapes):
        _draw_cell(ax, i, i, np.eye(int(np.prod(shape)), dtype=bool), UNIT)
    for i, j, element in lower.blocks():
        _draw_cell(ax, i, j, element.to_dense() != 0, BELOW)
    for i, k, element in inputs.blocks():
        _draw_cell(ax, i, n + gap + k, element.to_dense() != 0, INPUT)
    _label(ax, n, gap, rows, columns)
    ax.set(xlim=(-0.1, n + gap + len(columns) + 0.1), ylim=(n + 0.1, -0.1), aspect="equal")
    ax.axis("off")


def _frame(ax: Axes, left: float, width: int, height: int) -> None:
    """A pale grid, so that absent blocks are seen to be absent."""
    for x in range(width + 1):
        ax.plot([left + x] * 2, [0, height], color=RULE, lw=0.5, zorder=0)
    for y in range(height + 1):
        ax.plot([left, left + width], [y] * 2, color=RULE, lw=0.5, zorder=0)


def _draw_cell(ax: Axes, top: int, left: float, entries: np.ndarray, color: str) -> None:
    squares = list(_squares(entries, left + 0.07, top + 0.07, 0.86))
    ax.add_collection(PolyCollection([_square(left, top, 1, 1)], facecolor=color, alpha=0.16, lw=0, zorder=1))
    ax.add_collection(PolyCollection(squares, facecolor=color, lw=0, zorder=2))


def _squares(entries: np.ndarray, left: float, top: float, side: float) -> Iterator[np.ndarray]:
    height, width = side / entries.shape[0], side / entries.shape[1]
    for i, j in np.argwhere(entries):
        yield _square(left + j * width, top + i * height, width, height)


def _square(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def _label(ax: Axes, n: int, gap: float, rows: list[str], columns: list[str]) -> None:
    size = float(np.clip(160 / n, 4, 9))
    for i, name in enumerate(rows):
        ax.text(-0.35, i + 0.5, name, ha="right", va="center", size=size, color=INK)
    for k, name in enumerate(columns):
        _above(ax, n + gap + k + 0.5, 5, name, size + 1)
    for x, name in ((n / 2, "$I - L$"), (n + gap + len(columns) / 2, "$D$")):
        _above(ax, x, 22, name, 13)


def _above(ax: Axes, x: float, points: float, words: str, size: float) -> None:
    """Words centred at x, so many points above the matrices."""
    ax.annotate(words, (x, 0), (0, points), textcoords="offset points", ha="center", size=size, color=INK)
