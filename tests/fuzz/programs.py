"""Programs as text: lines over a pool of values, each a NumPy expression of earlier values."""
from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from types import CodeType
from typing import Any

import numpy as np
import scipy.special

import gpuad as ad
from gpuad import coverage
from gpuad.traced import TracedArray
from tests.fuzz.operations import names


def put(x: Any, index: Any, value: Any) -> Any:
    """x with ``x[index] = value`` done in a copy; gpuad's, since a constant of NumPy's cannot hold derivatives."""
    x = ad.numpy.copy(x)
    x[index] = value
    return x


for _module in ("fft", "integrate", "linalg", "signal", "stats"):
    import_module(f"scipy.{_module}")

NUMPY = {"np": np, "special": scipy.special, "sp": scipy, "put": put}
GPUAD = {"np": np, "special": ad.scipy.special, "sp": ad.scipy, "put": put}


@dataclass(frozen=True)
class Program:
    """Inputs by name, lines (name, expression), and the result: the sum over ``weights`` of weight times value, its real part."""

    inputs: dict[str, np.ndarray]
    lines: tuple[tuple[str, str], ...]
    weights: dict[str, np.ndarray]

    @functools.cached_property
    def _code(self) -> list[tuple[str, CodeType]]:
        return [(name, compiled(text)) for name, text in self.lines]

    def run(self, namespace: dict[str, Any], inputs: Iterable[Any], after: Callable[[Any], Any] | None = None) -> Any:
        """The result; ``after`` is applied to every value on the way."""
        values = dict(zip(self.inputs, inputs, strict=True))
        for name, code in self._code:
            value = eval(code, namespace, values)
            values[name] = value if after is None else after(value)
        return total(namespace["np"], [(w, values[name]) for name, w in self.weights.items()])

    @property
    def calls(self) -> Counter[str]:
        """How often each function occurs."""
        return Counter(name for _, text in self.lines for name in names(text))

    @property
    def depth(self) -> int:
        """The lines on the longest path."""
        depths = dict.fromkeys(self.inputs, 0)
        for name, text in self.lines:
            depths[name] = 1 + max((depths[v] for v in used_names(text) if v in depths), default=0)
        return max((depths[name] for name in self.weights), default=0)

    def source(self, more: str = "") -> str:
        """The program as Python's text: its arrays, and the function f of its inputs and what ``more`` names."""
        arrays = [f"{name} = {_literal(x)}" for name, x in self.inputs.items()]
        arrays += [f"{name}_weight = {_literal(w)}" for name, w in self.weights.items()]
        terms = " + ".join(f"np.sum({name}_weight * {name}).real" for name in self.weights)
        body = [*(f"{name} = {text}" for name, text in self.lines), f"return {terms}"]
        return "\n".join([*arrays, "", "", f"def f({', '.join(self.inputs)}{more}):", *(f"    {line}" for line in body)])

    def __repr__(self) -> str:
        return self.source()


@functools.lru_cache(maxsize=4096)
def compiled(text: str) -> CodeType:
    """An expression, compiled."""
    return compile(text, "<step>", "eval")


def used_names(text: str) -> set[str]:
    """The names that occur in an expression."""
    return set(compiled(text).co_names)


def _literal(x: np.ndarray) -> str:
    text = f"np.array({x.tolist()!r})"
    return text if x.size else f"np.zeros({x.shape})"


def total(xp: Any, terms: list[tuple[Any, Any]]) -> Any:
    """Σ Re Σ weight · value."""
    result: Any = 0.0
    for weight, value in terms:
        part = xp.sum(weight * value)
        result = result + (part.real if weight.dtype.kind == "c" else part)
    return result


# ---- what gpuad takes

@functools.cache
def _differentiable() -> set[str]:
    """The functions of NumPy and SciPy that a program may call, by their full names."""
    return {str(entry) for entry in coverage.entries([*coverage.NUMPY, *coverage.SCIPY]) if entry.status != coverage.REFUSED_FOR}


MODULES = {"np": "numpy", "special": "scipy.special", "sp": "scipy"}


@functools.cache
def known(name: str) -> bool:
    """Whether gpuad differentiates the function of this name."""
    if name == "put":
        return True
    if name.startswith("."):
        return hasattr(TracedArray, name[1:])
    first, _, rest = name.partition(".")
    return f"{MODULES[first]}.{rest}" in _differentiable()


def attribute(namespace: dict[str, Any], name: str) -> Any:
    """The function "np.linalg.inv" of a namespace; None where it has none."""
    first, *rest = name.split(".")
    return functools.reduce(lambda module, part: getattr(module, part, None), rest, namespace[first])
