"""speed.png and gpu.png: how many times as fast as each peer a plan computes value and gradient, a line for each program."""

from benchmarks.acceptance import counted
from benchmarks.comparison import gradients, speedup, thread_counts
from benchmarks.peers import COMPILED, EAGER, GRAPH, HAND, HIPS, JAX, PLAN, TORCH

NAMES = {"cpu": "speed.png", "gpu": "gpu.png"}
INK, QUIET, RULE, PAPER = "#1d2733", "#66717d", "#d9dde2", "#ffffff"
LOOKS = {  # colour, marker
    HIPS: ("#3a9a5b", "s"),
    TORCH: ("#d1622b", "o"),
    COMPILED: ("#e8a87c", "D"),
    GRAPH: ("#a3421f", "P"),
    JAX: ("#1f6fb4", "o"),
    EAGER: ("#8b95a1", "v"),
    HAND: ("#1d2733", "|"),
}


def write(facts, records, path, device="cpu"):
    """Draws the picture, and says whether it could: where Matplotlib is installed, and plans were measured."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return False
    found = [record for record in gradients(records, device=device) if PLAN in record.rounds]
    counts = thread_counts(found)
    if not found:
        return False
    names = list(dict.fromkeys(record.workload for record in found))
    height = 1.9 + 0.44 * len(names)
    figure = Figure(figsize=(1.6 + 5.6 * len(counts) if device == "cpu" else 10, height), dpi=160, facecolor=PAPER)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(counts), sharex=True, sharey=True, squeeze=False)[0]
    for ax, threads in zip(axes, counts, strict=True):
        draw(ax, names, gradients(found, threads, device))
        ax.set_title(counted(threads) if device == "cpu" else "GPU", size=10, color=INK, loc="left", pad=8)
    axes[0].set_yticks(range(len(names)), names, color=INK, size=9.5)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    frame(figure, axes, facts, height, device)
    figure.savefig(path, facecolor=PAPER)
    return True


def draw(ax, names, records):
    """One dot for each peer and program: the median, and a line from quartile to quartile."""
    ax.set_xscale("log")
    ax.axvspan(1e-3, 1, color=RULE, alpha=0.35, lw=0, zorder=0)
    ax.axvline(1, color=INK, lw=1, zorder=1)
    for name, (color, marker) in LOOKS.items():
        points = [(names.index(r.workload), *found) for r in records if (found := speedup(r, found_as(name, r)))]
        if not points:
            continue
        y, median, low, high = zip(*points, strict=True)
        ax.hlines(y, low, high, color=color, lw=1.2, zorder=2)
        ax.plot(median, y, ls="", marker=marker, ms=11 if marker == "|" else 6, mew=1.6 if marker == "|" else 0.7,
                mec=color if marker == "|" else PAPER, color=color, label=name, zorder=3)


def found_as(name, record):
    """By hand with preallocated buffers, where there is such."""
    preallocated = f"{name}, preallocated"
    return preallocated if preallocated in record.rounds else name


def frame(figure, axes, facts, height, device):
    from matplotlib.ticker import LogLocator, NullFormatter

    left, right = limits(axes)
    for ax in axes:
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(QUIET)
        ax.tick_params(which="both", color=QUIET, labelcolor=INK, labelsize=9)
        ax.tick_params(axis="y", length=0)
        ax.grid(True, axis="both", color=RULE, lw=0.6, zorder=0)
        ax.set_axisbelow(True)
        ax.xaxis.set_major_locator(LogLocator(10, (1, 2, 5) if right < 100 * left else (1,)))
        ax.xaxis.set_major_formatter(lambda x, _: f"{x:g} ×")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlim(left, right)
    place = lambda inches: 1 - inches / height
    title = "A gpuad plan beside its peers: value and gradient"
    machine = ", ".join(facts[name] for name in ("GPU" if device == "gpu" else "processor", "date") if name in facts)
    words = f"Times as fast as each, logarithmic; right of the line the plan is faster.  {machine}"
    figure.text(0.012, place(0.28), title, size=13, weight="bold", color=INK, va="center")
    figure.text(0.012, place(0.54), words, size=9, color=QUIET, va="center")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False, fontsize=9, labelcolor=INK,
                  handletextpad=0.3, columnspacing=1.6)
    left = 1.75 if device == "cpu" else 2.2
    figure.subplots_adjust(left=left / figure.get_figwidth(), right=0.985, top=place(0.98), bottom=0.72 / height, wspace=0.06)


def limits(axes):
    """From the slowest to the fastest dot, with the line at 1 in sight."""
    dots = [x for ax in axes for line in ax.lines if line.get_marker() != "None" for x in line.get_xdata()]
    return min([*dots, 0.9]) / 1.15, max([*dots, 1.1]) * 1.15
