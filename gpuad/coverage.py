"""``gpuad coverage``: what becomes of every function of NumPy's and SciPy's namespaces when an argument is under differentiation.

The table is made from what is there: the functions of the modules that are installed, gpuad's table of implementations, and
``gpuad.coverage_reasons`` for those without one.
"""
from __future__ import annotations

import operator
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from gpuad.coverage_reasons import A_CLASS, DEFAULTS, METHODS, PASSED, REFUSED
from gpuad.dispatch import TABLE
from gpuad.namespace import BLANKS, CONSTRUCTORS
from gpuad.primitives.constants import CONSTANTS
from gpuad.traced import TracedArray

DIFFERENTIABLE, CONSTANT, PASSED_THROUGH, REFUSED_FOR, UNCLASSIFIED = STATUSES = (
    "differentiable", "constant", "passed through", "refused", "unclassified")
MEANING = {
    DIFFERENTIABLE: "the result carries a derivative",
    CONSTANT: "the result carries none, since it is constant wherever it is differentiable",
    PASSED_THROUGH: "no argument that could be under differentiation",
    REFUSED_FOR: "raises an error that names the function",
    UNCLASSIFIED: "a name that this version of gpuad does not know; it raises an error too",
}

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
        if _is_distribution(function):
            for method in DISTRIBUTION_METHODS:
                if hasattr(function, method):
                    yield _entry(namespace, f"{name}.{method}", getattr(function, method), None)
        else:
            yield _entry(namespace, name, function, counterpart)


def members(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The public names of a module that can be called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated names say so when they are looked up
        for name in sorted(dir(module)):
            if not name.startswith("_") and callable(function := getattr(module, name, None)):
                yield name, function


def _entry(namespace: str, name: str, function: Any, counterpart: ModuleType | None) -> Entry:
    status, reason = _status(namespace, name, function, counterpart)
    return Entry(namespace, name, status, reason)


def _status(namespace: str, name: str, function: Any, counterpart: ModuleType | None) -> tuple[str, str]:
    if _in(CONSTANTS, function):
        return CONSTANT, ""
    if _in(TABLE, function) or _written_here(counterpart, name) or (namespace == "numpy" and name in _MADE):
        return DIFFERENTIABLE, ""
    if (known := _REASONS.get((namespace, name))) is not None:
        return known
    if isinstance(function, type):
        return PASSED_THROUGH, A_CLASS
    return (REFUSED_FOR, DEFAULTS[namespace]) if namespace in DEFAULTS else (UNCLASSIFIED, "")


_MADE = {*CONSTRUCTORS, *BLANKS}


def _in(table: Any, function: Any) -> bool:
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

DISTRIBUTION_METHODS = ("pdf logpdf pmf logpmf cdf logcdf sf logsf ppf isf entropy mean median std var moment stats interval "
                        "support expect fit rvs").split()
"""The methods of SciPy's distributions that are counted, one by one."""


def _is_distribution(function: Any) -> bool:
    return not isinstance(function, type) and hasattr(function, "rvs") and hasattr(type(function), "rvs")


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
    return (CONSTANT if _in(CONSTANTS, function) else DIFFERENTIABLE), ""


# ---- the report

def report(all_names: bool = False, status: str | None = None, markdown: bool = False) -> str:
    """The table as text: counts, and with ``all_names`` or a ``status`` the names, with the reasons where there are any."""
    listed = entries()
    chosen = [e for e in listed if status is None or e.status == status]
    lines = [_counts_text(counts(listed), markdown)]
    if all_names or status is not None:
        lines += _names_text(chosen, markdown)
    if unclassified := [str(e) for e in listed if e.status == UNCLASSIFIED]:
        lines.append(f"unclassified: {', '.join(unclassified)}")
    return "\n".join(lines)


def rows(table: dict[str, Counter[str]]) -> list[list[str]]:
    """The counts as rows of text, the head first: what all namespaces lack is left out."""
    shown = [s for s in STATUSES if s != UNCLASSIFIED or any(row[s] for row in table.values())]
    head = ["namespace", *shown, "all"]
    body = [[name, *(str(row[s]) for s in shown), str(row.total())] for name, row in table.items()]
    for label, group in (("NumPy", NUMPY), ("SciPy", SCIPY)):
        total = sum((table.get(name, Counter()) for name in group), Counter())
        body.append([f"{label}, together", *(str(total[s]) for s in shown), str(total.total())])
    return [head, *body]


def _counts_text(table: dict[str, Counter[str]], markdown: bool) -> str:
    lines = rows(table)
    if markdown:
        rule = ["---", *("--:" for _ in lines[0][1:])]
        return "\n".join("| " + " | ".join(line) + " |" for line in [lines[0], rule, *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
                     for line in lines)


def _names_text(listed: list[Entry], markdown: bool) -> list[str]:
    """The names by namespace, status and reason."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = {}
    for entry in listed:
        groups.setdefault(entry.namespace, {}).setdefault((entry.status, entry.reason), []).append(entry.name)
    lines: list[str] = []
    for namespace, parts in groups.items():
        lines += ["", f"### `{namespace}`" if markdown else namespace]
        for (status, reason), names in sorted(parts.items(), key=lambda part: (STATUSES.index(part[0][0]), part[0][1])):
            title = f"{status}: {reason}" if reason else status
            text = ", ".join(f"`{name}`" for name in names) if markdown else ", ".join(names)
            lines += ["", f"{title} ({len(names)})", "", text] if markdown else [f"  {title} ({len(names)})", *_wrapped(text)]
    return lines


def _wrapped(text: str, width: int = 110) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="    ", break_long_words=False,
                         break_on_hyphens=False)
