"""Pictures of a system: the block pattern of I − L and D, and the computational graph with derivatives on its edges."""
from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from gpuad.layout import Point, layered
from gpuad.leaves import leaf_path
from gpuad.program import Row
from gpuad.traced import raw
from linalg import Diagonal, LinearOperator, back_substitute
from linalg.arrays import size, to_host

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import PolyCollection
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path
except ImportError as error:
    raise ImportError("pictures need Matplotlib, which is not installed: pip install 'gpuad[plot]'") from error

INK, QUIET, RULE, PAPER = "#1d2733", "#66717d", "#d9dde2", "#ffffff"
UNIT, BELOW, INPUT = "#8b95a1", "#1f6fb4", "#d1622b"
NAMED, NUMBERED, ENTRIES, CELLS, DOTS, NODES = 60, 16, 64, 400, 500, 400
"""Up to how many rows are named, scalar blocks written as numbers, entries drawn inside a block, rows drawn as cells; how many
dots stand for a longer program; and up to how many nodes a graph has."""
EM = 0.62  # width of a letter, in font sizes


def spy(system: Any, ax: Any = None) -> Any:
    """Which blocks of I − L and D are present, side by side; gives the Matplotlib figure.

    A small program's rows are named. Blocks of scalars are written as numbers, others show their non-zero entries.
    """
    n, k = len(system.rows) - system.n_inputs, system.n_inputs
    if n > CELLS:
        return _spy_long(ax, system, n, k)
    rows = [row.label for row in system.rows[k:]] if n <= NAMED else []
    columns = input_names(system) if k <= NAMED else []
    slanted = any(len(name) > 4 for name in columns)
    left, right = 1.0 + 0.4 * max(map(len, rows), default=0), n + 2.4 + k
    top = 1.5 + (0.24 * max(map(len, columns)) if slanted else 0.3)
    inches = min(float(np.clip(5 / n, 0.09, 0.45)) if n else 0.45, 14 / (left + right), 10 / (n + top + 0.6))
    ax = _axes(ax, (inches * (left + right), inches * (n + top + 0.6)))
    ax.set(xlim=(-left, right), ylim=(n + 0.6, -top), aspect="equal")
    points = 72 * min(_inches_per_unit(ax))
    _draw_cells(ax, system, n + 1.2, points)
    _write_names(ax, rows, columns, n + 1.2, slanted, points)
    for x, name in ((n / 2, "I − L"), (n + 1.2 + k / 2, "D")):
        ax.text(x, 0.35 - top, name, ha="center", va="top", fontsize=max(min(14, 0.62 * points), 9), color=INK)
    return ax.figure


def _axes(ax: Any, inches: tuple[float, float]) -> Any:
    """The axes to draw in, bare: a new figure's, of this size, which they fill."""
    if ax is None:
        figure = Figure(figsize=inches, dpi=150, facecolor=PAPER)
        FigureCanvasAgg(figure)
        ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    return ax


def _inches_per_unit(ax: Any) -> tuple[float, float]:
    extent = ax.get_window_extent()
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    return float(extent.width / ax.figure.dpi / width), float(extent.height / ax.figure.dpi / height)


# ---- the block pattern

def _draw_cells(ax: Any, system: Any, left: float, points: float) -> None:
    k = system.n_inputs
    n = len(system.rows) - k
    _frame(ax, 0, n, n)
    _frame(ax, left, k, n)
    numbers = n <= NUMBERED and all(row.shape == () for row in system.rows)
    for i, row in enumerate(system.rows[k:]):
        _cell(ax, i, i, np.eye(size(row.shape)) if size(row.shape) <= ENTRIES else None, UNIT, points if numbers else 0)
    for matrix, start, sign, color in ((system.L, 0, -1, BELOW), (system.D, left, 1, INPUT)):
        for i, j in np.argwhere(matrix.pattern()):
            _cell(ax, i, start + j, _entries(matrix[i, j], sign), color, points if numbers else 0)


def _entries(element: LinearOperator, sign: int) -> np.ndarray | None:
    """The matrix of a small block."""
    if max(element.shape) > ENTRIES or element.over_reals:
        return None
    return sign * np.asarray(to_host(raw(element.to_dense())), dtype=np.result_type(element.dtype, np.float32))


def _frame(ax: Any, left: float, width: int, height: int) -> None:
    """A pale grid, so that absent blocks are seen to be absent."""
    lines = [[(left + x, 0), (left + x, height)] for x in range(width + 1)]
    lines += [[(left, y), (left + width, y)] for y in range(height + 1)]
    ax.add_collection(PolyCollection(lines, edgecolor=RULE, facecolor="none", lw=0.5, closed=False, zorder=0))


def _cell(ax: Any, top: int, left: float, matrix: np.ndarray | None, color: str, points: float) -> None:
    """A block: filled where it is large, else with its entries; as a number where its size in points is given."""
    squares: list[np.ndarray] = []
    if points and matrix is not None:
        words = written(matrix[0, 0], 3)
        ax.text(left + 0.5, top + 0.5, words, ha="center", va="center", color=INK, zorder=3,
                fontsize=min(9, 0.4 * points, 0.9 * points / (EM * len(words))))
    elif matrix is not None:
        squares = _squares(matrix != 0, left + 0.07, top + 0.07, 0.86)
    alpha = 0.85 if matrix is None else 0.2
    ax.add_collection(PolyCollection([_rectangle(left, top, 1, 1)], facecolor=color, alpha=alpha, lw=0, zorder=1))
    ax.add_collection(PolyCollection(squares, facecolor=color, lw=0, zorder=2))


def _squares(present: np.ndarray, left: float, top: float, side: float) -> list[np.ndarray]:
    h, w = side / present.shape[0], side / present.shape[1]
    return [_rectangle(left + j * w, top + i * h, w, h) for i, j in np.argwhere(present)]


def _rectangle(x: float, y: float, width: float, height: float) -> np.ndarray:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def _write_names(ax: Any, rows: list[str], columns: list[str], left: float, slanted: bool, points: float) -> None:
    fontsize = min(10, 0.58 * points)
    for i, name in enumerate(rows):
        ax.text(-0.3, i + 0.5, name, ha="right", va="center", fontsize=fontsize, color=INK)
    for j, name in enumerate(columns):
        ax.text(left + j + (0.35 if slanted else 0.5), -0.25, name, ha="left" if slanted else "center", va="bottom",
                fontsize=fontsize, color=INK, rotation=60 if slanted else 0, rotation_mode="anchor")


def _spy_long(ax: Any, system: Any, n: int, k: int) -> Any:
    """A long program: a dot wherever one of the many blocks that fall on it is present."""
    dots = min(DOTS, n)
    gap, wide = dots // 20, max(dots * min(k, n) // n, dots // 30)
    picture = np.ones((dots, dots + gap + wide, 3))
    for i, row in enumerate(system.matrix.rows[k:]):
        y = i * dots // n
        picture[y, y] = _rgb(UNIT) if picture[y, y].min() == 1 else picture[y, y]
        for j, _ in row:
            if j >= k:
                picture[y, (j - k) * dots // n] = _rgb(BELOW)
            else:
                first = dots + gap + j * wide // k
                picture[y, first: max(first + 1, dots + gap + (j + 1) * wide // k)] = _rgb(INPUT)
    ax = _axes(ax, (7 * picture.shape[1] / dots + 0.3, 7.6))
    ax.imshow(picture, interpolation="nearest")
    for start, width, name in ((0, dots, f"I − L   ({n:,} rows)"), (dots + gap, wide, "D")):
        ax.add_collection(PolyCollection([_rectangle(start - 0.5, -0.5, width, dots)], facecolor="none", edgecolor=RULE, lw=0.8))
        ax.text(start + width / 2, -0.012 * dots, name, ha="center", va="bottom", fontsize=12, color=INK)
    ax.set(xlim=(-0.03 * dots, picture.shape[1] + 0.03 * dots), ylim=(1.03 * dots, -0.07 * dots))
    return ax.figure


def _rgb(color: str) -> tuple[float, ...]:
    return tuple(int(color[i: i + 2], 16) / 255 for i in (1, 3, 5))


# ---- names

SYMBOLS = {"add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "power": "^", "negative": "−", "matmul": "@"}
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789−.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·")


def symbol_of(row: Row) -> str:
    """The operation as one writes it, with the constant that it takes where that is a number that the row keeps: ``× 3``."""
    name = row.label
    constants = [a for a, j in zip(row.args, row.parents, strict=True) if j < 0 and a is not None and np.shape(a) == ()]
    if name not in SYMBOLS:
        return name
    if len(row.parents) == 2 and len(constants) == 1:
        number = written(to_host(raw(constants[0])))
        if name == "power" and row.parents[0] >= 0:
            return f"( ){number.translate(_SUPERSCRIPTS)}"
        return f"{number} {SYMBOLS[name]}" if row.parents[0] < 0 else f"{SYMBOLS[name]} {number}"
    return SYMBOLS[name]


def input_names(system: Any) -> list[str]:
    """P₀, P₁, … for the arguments (P for a single one); P₀['w'] for a leaf inside one."""
    tree = system.in_tree.unflatten(range(system.n_inputs))
    places = [leaf_path(tree, i) for i in range(system.n_inputs)]
    return [re.sub(r"^\[(\d+)\]", lambda m: "P" + m[1].translate(_SUBSCRIPTS) * (len(tree) > 1), place) for place in places]


def written(x: Any, digits: int = 4) -> str:
    """A number in few digits."""
    x = complex(x)
    return f"{x.real:.{digits}g}".replace("-", "−") if x.imag == 0 else f"{x:.{digits}g}"


# ---- the computational graph

def graph(system: Any, ax: Any = None) -> Any:
    """The computational graph, inputs on the left; gives the Matplotlib figure.

    In a program of numbers each edge goes forward with the value that it carries, and back with a block of L or D, the
    derivative of what it enters with respect to what it leaves; below a node stands the derivative of the output with respect
    to it. Values are those that the rows keep, or that follow from them. In a program of arrays the edges name the blocks.

    Raises ValueError for more rows than can be told apart.
    """
    if (n := len(system.rows)) > NODES:
        raise ValueError(f"graph expected a program of at most {NODES} rows, got {n}; draw its block pattern with spy")
    merged: dict[tuple[int, int], list[LinearOperator]] = {}
    for i, row in enumerate(system.matrix.rows):
        for j, element in row:
            merged.setdefault((j, i), []).append(element)
    places, paths = layered(n, list(merged))
    numbers = all(row.shape == () for row in system.rows)
    ax, scale = _canvas(ax, places)
    values = _values(system) if numbers else [None] * n
    names = input_names(system) + [symbol_of(row) for row in system.rows[system.n_inputs:]]
    widths = [(0.5 * EM * 11 * len(name) / 72 + 0.1) / WIDE for name in names]
    for (j, i), elements in merged.items():
        path = paths[j, i]
        path[0], path[-1] = (path[0][0] + widths[j], path[0][1]), (path[-1][0] - widths[i], path[-1][1])
        (_draw_pair if numbers else _draw_edge)(ax, path, elements, values[j], scale)
    _draw_nodes(ax, system, places, names, values, _adjoints(system) if numbers else None, scale)
    return ax.figure


WIDE, HIGH = 1.75, 1.05  # inches between layers, and between the nodes of one


def _canvas(ax: Any, places: list[Point]) -> tuple[Any, float]:
    """Axes that hold all places, and the size of what is written there: 1, or less where there are many."""
    margin = np.array((0.5, 0.65))
    (left, top), (right, bottom) = np.min(places, axis=0) - margin, np.max(places, axis=0) + margin
    fit = min(1, 24 / (WIDE * (right - left)), 14 / (HIGH * (bottom - top)))
    ax = _axes(ax, (fit * WIDE * (right - left), fit * HIGH * (bottom - top)))
    ax.set(xlim=(left, right), ylim=(bottom, top))
    x, y = _inches_per_unit(ax)
    return ax, min(1.2, x / WIDE, y / HIGH)


def _values(system: Any) -> list[Any]:
    """The value of each variable, where it is kept or follows from what is."""
    values = [leaf.value for leaf in system.primals] + [None] * (len(system.rows) - system.n_inputs)
    for i, row in enumerate(system.rows[system.n_inputs:], system.n_inputs):
        given = [values[j] if j >= 0 else a for a, j in zip(row.args, row.parents, strict=True)]
        values[i] = row.out if row.out is not None and np.shape(row.out) == () else None
        if values[i] is None and _can_repeat(row, given):
            with np.errstate(all="ignore"):
                values[i] = row.primitive.fun(*map(raw, given), **row.kwargs)  # type: ignore[union-attr]
    for index, value in enumerate(system.outputs, len(values) - len(system.outputs)):
        values[index] = value
    return [None if v is None else to_host(raw(v)) for v in values]


def _can_repeat(row: Row, given: Iterable[Any]) -> bool:
    from gpuad.custom import UserPrimitive

    return not isinstance(row.primitive, UserPrimitive) and all(v is not None for v in given)


def _adjoints(system: Any) -> list[Any] | None:
    """The derivative of the output by every variable, where there is one output."""
    if len(system.outputs) != 1:
        return None
    seed = [None] * (len(system.rows) - 1) + [np.ones_like(to_host(raw(system.outputs[0])))]
    return back_substitute(system._blocks, seed)


def _draw_nodes(ax: Any, system: Any, places: list[Point], names: list[str], values: list[Any], adjoints: list[Any] | None,
                scale: float) -> None:
    last = len(system.rows) - len(system.outputs)
    for i, (x, y) in enumerate(places):
        color = INPUT if i < system.n_inputs else BELOW if i < last else INK
        ax.text(x, y, names[i], ha="center", va="center", fontsize=11 * scale, color=PAPER, zorder=4,
                bbox={"boxstyle": "round,pad=0.45,rounding_size=0.5", "facecolor": color, "edgecolor": "none"})
        if i >= last and values[i] is not None:
            ax.text(x, y - 0.25, f"= {written(values[i])}", ha="center", va="bottom", fontsize=10 * scale, color=INK, zorder=5)
        if adjoints and i < last and adjoints[i] is not None:
            ax.text(x, y + 0.25, f"∂ = {written(to_host(raw(adjoints[i])))}", ha="center", va="top", fontsize=10 * scale,
                    color=INPUT, zorder=5)


def _draw_pair(ax: Any, path: list[Point], elements: Sequence[LinearOperator], value: Any, scale: float) -> None:
    """Two curves: forward with a value, back with a derivative."""
    derivative = sum(np.asarray(to_host(raw(e.to_dense()))).item() for e in elements)
    _arrow(ax, [(x, y - 0.055) for x, y in path], INK, scale)
    _arrow(ax, [(x, y + 0.055) for x, y in reversed(path)], INPUT, scale)
    x, y = _middle(path)
    if value is not None:
        _tag(ax, x, y - 0.085, written(value), INK, "bottom", scale)
    _tag(ax, x, y + 0.085, written(derivative), INPUT, "top", scale)


def _draw_edge(ax: Any, path: list[Point], elements: Sequence[LinearOperator], _value: Any, scale: float) -> None:
    """A curve, and the block that stands for it in the system."""
    _arrow(ax, path, QUIET, scale)
    x, y = _middle(path)
    shapes = f"{_shape(elements[0].in_shape)} → {_shape(elements[0].out_shape)}"
    _tag(ax, x, y, " + ".join(_kind(e) for e in elements) + f"\n{shapes}", QUIET, "center", scale * 0.85)


def _kind(element: LinearOperator) -> str:
    """The class of an element; of a product those of its factors, without the reshapes between them."""
    factors = getattr(element, "factors", ())
    names = [_kind(f) for f in factors if type(f).__name__ != "Reshape"]
    own = Diagonal if isinstance(element, Diagonal) else type(element)  # on the device of a kind of its own
    return " · ".join(names) if names else own.__name__


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "1"


def _tag(ax: Any, x: float, y: float, words: str, color: str, va: str, scale: float) -> None:
    ax.text(x, y, words, ha="center", va=va, fontsize=9 * scale, color=color, zorder=3, linespacing=1.1,
            bbox={"boxstyle": "square,pad=0.08", "facecolor": PAPER, "edgecolor": "none", "alpha": 0.85})


def _arrow(ax: Any, path: list[Point], color: str, scale: float) -> None:
    """A smooth curve through the points, level at each of them."""
    vertices, codes = [path[0]], [Path.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(path):
        vertices += [((x0 + x1) / 2, y0), ((x0 + x1) / 2, y1), (x1, y1)]
        codes += [Path.CURVE4] * 3
    ax.add_patch(FancyArrowPatch(path=Path(vertices, codes), arrowstyle="-|>", mutation_scale=10 * scale, color=color,
                                 lw=1.1 * scale, shrinkA=0, shrinkB=0, zorder=2))


def _middle(path: list[Point]) -> Point:
    (x0, y0), (x1, y1) = path[(len(path) - 1) // 2], path[len(path) // 2]
    return (x0 + x1) / 2, (y0 + y1) / 2
