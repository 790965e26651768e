"""``gpuad coverage``: what becomes of every function of NumPy's and SciPy's namespaces when an argument is under differentiation.

The table is made from what is there: the functions of the modules that are installed, gpuad's table of implementations, and
``gpuad.coverage_reasons`` for those without one.
"""
from __future__ import annotations

import operator
import textwrap
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from gpuad.coverage_reasons import (
    A_CLASS,
    CONSTANT,
    DEFAULTS,
    DIFFERENTIABLE,
    METHODS,
    NEW,
    PASSED,
    PASSED_THROUGH,
    REFUSED,
    REFUSED_FOR,
    STATUSES,
    UNCLASSIFIED,
)
from gpuad.dispatch import TABLE
from gpuad.namespace import BLANKS, CONSTRUCTORS
from gpuad.primitives.constants import CONSTANTS
from gpuad.traced import TracedArray

NUMPY = ("numpy", "numpy.linalg", "numpy.fft")
NDARRAY = "numpy.ndarray"
SCIPY = ("scipy.fft", "scipy.integrate", "scipy.linalg", "scipy.signal", "scipy.sparse", "scipy.sparse.linalg", "scipy.special",
         "scipy.stats")


@dataclass(frozen=True)
class Entry:
    """A function, by the namespace that it belongs to and its name there."""

    namespace: str
    name: str
    status: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}.{self.name}"


def entries(namespaces: Iterable[str] = (*NUMPY, NDARRAY, *SCIPY)) -> list[Entry]:
    """Every public function of the namespaces, in order."""
    found: list[Entry] = []
    for namespace in namespaces:
        found += _methods() if namespace == NDARRAY else _functions(namespace)
    return found


def counts(listed: Iterable[Entry]) -> dict[str, Counter[str]]:
    """Namespace -> how many of its names have each status."""
    table: dict[str, Counter[str]] = {}
    for entry in listed:
        table.setdefault(entry.namespace, Counter())[entry.status] += 1
    return table


# ---- functions of modules

def _functions(namespace: str) -> Iterator[Entry]:
    module = import_module(namespace)
    counterpart = import_module(namespace.replace("scipy", "gpuad.scipy", 1)) if namespace.startswith("scipy") else None
    for name, function in members(module):
        if namespace == "scipy.stats" and _is_distribution(function):
            yield from _distribution(name, function)
        else:
            yield Entry(namespace, name, *_status(namespace, name, function, counterpart))


def members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public names of a module that can be called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated names say so when they are looked up
        for name in sorted(dir(module)):
            if not name.startswith("_") and callable(function := getattr(module, name, None)):
                yield name, function


def _status(namespace: str, name: str, function: Any, counterpart: ModuleType | None) -> tuple[str, str]:
    if namespace == "numpy" and name in BLANKS - {"copy"}:
        return (CONSTANT, "") if name.endswith("_like") else (PASSED_THROUGH, NEW)
    if is_in(CONSTANTS, function):
        return CONSTANT, ""
    if is_in(TABLE, function) or (namespace == "numpy" and name in CONSTRUCTORS):
        return DIFFERENTIABLE, ""
    if (known := _REASONS.get((namespace, name))) is not None:
        return known
    if _written_here(counterpart, name):
        return DIFFERENTIABLE, ""
    if isinstance(function, type):
        return PASSED_THROUGH, A_CLASS
    return (REFUSED_FOR, DEFAULTS[namespace]) if namespace in DEFAULTS else (UNCLASSIFIED, "")


def is_in(table: Any, function: Any) -> bool:
    try:
        return function in table
    except TypeError:  # unhashable
        return False


def _written_here(counterpart: ModuleType | None, name: str) -> bool:
    """Whether gpuad's namespace has a function of its own of this name."""
    own = vars(counterpart).get(name) if counterpart else None
    return callable(own) and getattr(own, "__module__", "").startswith("gpuad")


def _flat() -> dict[tuple[str, str], tuple[str, str]]:
    return {(namespace, name): (status, reason) for status, tables in ((PASSED_THROUGH, PASSED), (REFUSED_FOR, REFUSED))
            for namespace, reasons in tables.items() for reason, names in reasons.items() for name in names.split()}


_REASONS = _flat()


# ---- methods

def _is_distribution(function: Any) -> bool:
    return not isinstance(function, type) and hasattr(function, "rvs")


def _distribution(name: str, function: Any) -> Iterator[Entry]:
    """The methods of one of SciPy's distributions."""
    from gpuad.scipy import stats

    differentiable = getattr(getattr(stats, name), "differentiable", ())
    for method in stats.METHODS:
        if hasattr(function, method):
            status = (DIFFERENTIABLE, "") if method in differentiable else (REFUSED_FOR, DEFAULTS["scipy.stats"])
            yield Entry("scipy.stats", f"{name}.{method}", *status)


def _methods() -> Iterator[Entry]:
    """Methods, attributes and operators of ndarray, and what a traced array has of them."""
    operators = {name for name in dir(operator) if name.startswith("__")} | {"__len__", "__iter__", "__bool__", "__divmod__"}
    for name in dir(np.ndarray):
        if name.startswith("_") and name not in operators & set(dir(np.ndarray)) - set(dir(object)) | _COMPARISONS:
            continue
        status, reason = _method_status(name)
        yield Entry(NDARRAY, name, status, reason)


_COMPARISONS = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}


def _method_status(name: str) -> tuple[str, str]:
    for status, reasons in METHODS.items():
        for reason, names in reasons.items():
            if name in names.split():
                return status, reason
    if name not in vars(TracedArray):
        return UNCLASSIFIED, ""
    function = getattr(np, name.strip("_"), None)
    return (CONSTANT if is_in(CONSTANTS, function) else DIFFERENTIABLE), ""


# ---- the report

def show(all_names: bool = False, status: str | None = None, markdown: bool = False) -> None:
    """Print the table: counts, and with ``all_names`` or a ``status`` the names, with the reasons where there are any."""
    listed = entries()
    table = rows(counts(listed))
    if markdown:
        print(_markdown(table))
    else:
        _print_aligned(table)
    if all_names or status is not None:
        print("\n".join(names_text([e for e in listed if status in (None, e.status)], markdown)))
    if unclassified := [str(e) for e in listed if e.status == UNCLASSIFIED]:
        print(f"\nunclassified, since this version of gpuad does not know them: {', '.join(unclassified)}")


def rows(table: dict[str, Counter[str]]) -> list[list[str]]:
    """The counts as rows of text, the head first; without the column of what nothing is."""
    shown = [s for s in STATUSES if s != UNCLASSIFIED or any(row[s] for row in table.values())]
    body = [[name, *(str(row[s]) for s in shown), str(row.total())] for name, row in table.items()]
    for label, group in (("NumPy's functions", NUMPY), ("SciPy's functions", SCIPY)):
        total = sum((table.get(name, Counter()) for name in group), Counter[str]())
        body.append([label, *(str(total[s]) for s in shown), str(total.total())])
    return [["namespace", *shown, "all"], *body]


def _markdown(table: list[list[str]]) -> str:
    rule = ["---", *("--:" for _ in table[0][1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in [table[0], rule, *table[1:]])


def _print_aligned(table: list[list[str]]) -> None:
    """By rich where it is installed, else in columns."""
    try:
        from rich.box import SIMPLE
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        for name, *numbers in table:
            print("  ".join([name.ljust(widths[0]), *(n.rjust(w) for n, w in zip(numbers, widths[1:], strict=True))]))
        return
    drawn = Table(box=SIMPLE, pad_edge=False, padding=(0, 1, 0, 0))
    for i, title in enumerate(table[0]):
        drawn.add_column(title, justify="right" if i else "left", no_wrap=i == 0)
    for i, line in enumerate(table[1:], 4 - len(table)):
        drawn.add_row(*line, end_section=i == 0)
    Console().print(drawn)


def names_text(listed: list[Entry], markdown: bool) -> list[str]:
    """The names as lines of text, by namespace, status and reason."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = {}
    for entry in listed:
        groups.setdefault(entry.namespace, {}).setdefault((entry.status, entry.reason), []).append(entry.name)
    lines: list[str] = []
    for namespace, parts in groups.items():
        lines += ["", f"### `{namespace}`" if markdown else namespace]
        for (status, reason), names in sorted(parts.items(), key=lambda part: (STATUSES.index(part[0][0]), part[0][1])):
            title, shown = f"{status}: {reason}" if reason else status, _together(names)
            text = ", ".join(f"`{name}`" for name in shown) if markdown else ", ".join(shown)
            lines += ["", f"{title} ({len(names)})", "", text] if markdown else [f"  {title} ({len(names)})", *_wrapped(text)]
    return lines


def _together(names: list[str]) -> list[str]:
    """The names, with the methods of one distribution as one: norm.{cdf pdf}."""
    methods: dict[str, list[str]] = {}
    for name in names:
        owner, _, method = name.partition(".")
        methods.setdefault(owner, []).append(method)
    return [f"{owner}.{{{' '.join(found)}}}" if found != [""] else owner for owner, found in methods.items()]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 110, initial_indent="    ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)
