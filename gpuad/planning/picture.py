"""A schedule in time: what each step does, and where in the arena the buffers lie that it writes and reads."""
from __future__ import annotations

from typing import Any

import numpy as np

from gpuad.planning.costs import KINDS, Span, flops, in_use, kind_of, rows_of, spans
from gpuad.planning.host import Schedule
from gpuad.planning.report import size_in_words

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, MaxNLocator
except ImportError as error:
    raise ImportError("pictures need Matplotlib, which is not installed: pip install 'gpuad[plot]'") from error

INK, QUIET, RULE, PAPER = "#1d2733", "#66717d", "#d9dde2", "#ffffff"
COLORS = {"product": "#1f6fb4", "elementwise": "#d1622b", "reduction": "#3a9a5b", "supernode": "#8457a8", "other": "#8b95a1"}
WORDS = {"product": "matrix product", "other": "other functions"}
INCHES = (11.0, 6.0)
COLUMNS = 500
"""Bars of the upper strip: of a longer schedule, neighbouring steps share one."""
FEW, EDGES = 200, 2000
"""Up to how many there are gaps between bars and wide edges around buffers, and any edges at all."""
LETTERS = 7
EM = 0.62  # width of a letter, in font sizes


def draw(schedule: Schedule, ax: Any = None) -> Any:
    """The steps of a schedule from left to right: above, what each computes; below, the buffers, each a rectangle from its first
    to its last step, at its place in the arena. Gives the Matplotlib figure.

    Views are left out, as they take no time. Names of buffers are those of the source, where there is room for them.
    """
    kinds = [kind_of(schedule, step) for step in schedule.steps]
    column = np.cumsum([0, *(kind != "view" for kind in kinds)])  # of each step; views stand where the next step does
    ax = _axes(ax)
    strip, memory = ax.inset_axes((0.09, 0.71, 0.885, 0.14)), ax.inset_axes((0.09, 0.1, 0.885, 0.56))
    n = max(int(column[-1]), 1)
    found = spans(schedule)
    for part in (strip, memory):
        _plain(part)
        part.set_xlim(0, n)
        part.xaxis.set_major_locator(MaxNLocator(integer=True))
        part.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    _draw_steps(strip, schedule, kinds, n)
    _memory_axis(memory, schedule.storage.size)
    _draw_buffers(memory, found, kinds, column)
    _mark_peak(memory, schedule, found, column)
    memory.set_xlabel("steps, in the order in which they run", color=INK, fontsize=10)
    _write_head(ax, schedule, kinds, len(found))
    return ax.figure


def _axes(ax: Any) -> Any:
    """The axes to draw in, bare: a new figure's, which they fill."""
    if ax is None:
        figure = Figure(figsize=INCHES, dpi=150, facecolor=PAPER)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    return ax


def _plain(ax: Any) -> None:
    ax.set_facecolor(PAPER)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(QUIET)
    ax.tick_params(which="both", colors=QUIET, labelsize=9)


def _write_head(ax: Any, schedule: Schedule, kinds: list[str], buffers: int) -> None:
    """What the picture shows, and what its colours mean."""
    tiles = sum(t.scratch_bytes for t in schedule.tiles)
    words = f"{len(kinds) - kinds.count('view'):,} steps, {buffers:,} buffers in {size_in_words(schedule.storage.size)}"
    words += f", and {size_in_words(tiles)} of tiles" if tiles else ""
    ax.text(0.09, 0.945, words, transform=ax.transAxes, fontsize=13, weight="bold", color=INK, va="center")
    present = [kind for kind in KINDS if kind in kinds]
    handles = [PolyCollection([], facecolor=COLORS[kind], label=WORDS.get(kind, kind)) for kind in present]
    if present:
        ax.legend(handles=handles, loc="center left", bbox_to_anchor=(0.085, 0.89), ncols=len(present), frameon=False, fontsize=9,
                  labelcolor=INK, handlelength=0.9, handleheight=0.9, handletextpad=0.5, columnspacing=1.6, borderpad=0)


# ---- the steps

def _draw_steps(ax: Any, schedule: Schedule, kinds: list[str], n: int) -> None:
    """A bar for each step. Neighbouring steps may share a place: then the largest of each kind, the lower before the higher."""
    program = schedule.program
    counts = [(sum(flops(program, program.rows[i - program.first]) or 0 for i in rows_of(step)), kind)
              for kind, step in zip(kinds, schedule.steps, strict=True) if kind != "view"]
    width = -(-n // COLUMNS)
    gap = 0.1 if n <= FEW else 0
    low, high = _decades([count for count, _ in counts if count] or [1])
    bars: list[np.ndarray] = []
    colors: list[str] = []
    for at in range(0, len(counts), width):
        largest = {kind: count for count, kind in sorted(counts[at: at + width])}
        for kind, count in sorted(largest.items(), key=lambda pair: -pair[1]):
            height = max(count, 1.4 * low) - low  # what has no operations, or unknown ones, is seen too
            bars.append(_rectangle(at + gap, low, min(width, len(counts) - at) - 2 * gap, height))
            colors.append(COLORS[kind])
    ax.add_collection(PolyCollection(bars, facecolor=colors, lw=0))
    ax.set_yscale("log")
    ax.set_ylim(low, 2 * high)
    ax.minorticks_off()
    decades = round(np.log10(high / low))
    ax.set_yticks([low * 10.0**k for k in range(0, decades + 1, -(-decades // 3))])
    ax.yaxis.set_major_formatter(FuncFormatter(_short))
    ax.tick_params(labelbottom=False)
    ax.set_ylabel("operations", color=INK, fontsize=10)


def _decades(counts: list[int]) -> tuple[float, float]:
    """Powers of ten around all counts, one apart at least."""
    low = np.floor(np.log10(min(counts)))
    return 10.0**low, 10.0 ** max(np.ceil(np.log10(max(counts))), low + 1)


def _short(x: float, _: int = 0) -> str:
    """1000 as 1k."""
    power = min(round(np.log10(max(x, 1))) // 3, 4)
    return f"{x / 1000**power:g}{('', 'k', 'M', 'G', 'T')[power]}"


# ---- the memory

def _draw_buffers(ax: Any, found: list[Span], kinds: list[str], column: np.ndarray) -> None:
    """A rectangle for each buffer, with its name where there is room."""
    extent, (x0, x1), (y0, y1) = ax.get_window_extent(), ax.get_xlim(), ax.get_ylim()
    wide, high = (72 * length / ax.figure.dpi for length in (extent.width / (x1 - x0), extent.height / (y1 - y0)))
    lw = 0.8 if len(found) <= FEW else 0.3 if len(found) <= EDGES else 0
    places = [(span, column[span.start], column[span.end] - column[span.start]) for span in found]
    places = [place for place in places if place[2]]  # others are written over where they are made
    shapes = [_rectangle(left, span.offset, width, span.nbytes) for span, left, width in places]
    edges = [lw * (span.nbytes * high > 4 * lw) for span, *_ in places]
    colors = [COLORS[kinds[span.start]] for span, *_ in places]
    ax.add_collection(PolyCollection(shapes, facecolor=colors, edgecolor=PAPER, lw=edges, alpha=0.85))
    for span, left, width in places:
        x, y, name = left + width / 2, span.offset + span.nbytes / 2, f"b{span.variable}"
        if width * wide > EM * LETTERS * len(name) + 6 and span.nbytes * high > 1.3 * LETTERS:
            ax.text(x, y, name, ha="center", va="center", fontsize=LETTERS, color=PAPER)


def _mark_peak(ax: Any, schedule: Schedule, found: list[Span], column: np.ndarray) -> None:
    """The arena's end, and the step at which most of it is in use."""
    size, n = schedule.storage.size, ax.get_xlim()[1]
    if not found:
        ax.text(n / 2, 0.5, "no buffers", ha="center", va="center", fontsize=11, color=QUIET)
        return
    used = in_use(found, len(schedule.steps))
    at = used.index(max(used))
    x = column[at] + 0.5
    ax.axhline(size, color=INK, lw=0.9, ls=(0, (4, 3)))
    ax.plot([x], [1.03 * size], marker="v", ms=6, color=INK)
    side, shift = ("left", 0.012) if x < n / 2 else ("right", -0.012)
    words = f"peak: {max(used):,} of {size:,} bytes in use"
    ax.text(x + shift * n, 1.075 * size, words, ha=side, va="center", fontsize=9, color=INK)


def _memory_axis(ax: Any, size: int) -> None:
    ax.set_ylim(0, 1.15 * max(size, 1))
    if not size:
        ax.set_yticks([])
        return
    unit = 1024 ** min((size.bit_length() - 1) // 10, 4)
    ticks = MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)).tick_values(0, size / unit)
    ax.set_yticks([unit * y for y in ticks if y * unit <= size])
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / unit:g}"))
    ax.set_ylabel(f"place in the arena, {size_in_words(2 * unit).split()[1]}", color=INK, fontsize=10)


def _rectangle(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
