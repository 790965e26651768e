"""What an entry of the catalogue of programs is, and makers of arguments."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Maker = Callable[[np.random.Generator, np.dtype], np.ndarray]


@dataclass(frozen=True)
class Case:
    """A program f, makers of its arguments, and the functions of the table that it stands for."""

    name: str
    f: Callable[..., Any]
    makers: tuple[Maker, ...]
    covers: tuple[Any, ...]
    kinds: str = "dD"  # dtypes: float64, complex128
    lists: bool = False  # uses lists as operands of ufuncs, which CuPy does not take
    scalars: bool = False  # binds NumPy's scalars anew by x += y, where CuPy has arrays, which that would change

    def arguments(self, kind: str) -> list[np.ndarray]:
        """Arguments, the same at every call; integer ones are constants of the program."""
        rng = np.random.default_rng(len(self.name))
        return [make(rng, np.dtype(kind)) for make in self.makers]


CASES: list[Case] = []


def first_of_each(cases: list[Case]) -> list[Case]:
    """The first program of each function: for tests of what does not depend on its keywords."""
    return [c for c in cases if c.name.endswith("#0")]


def like(x: Any, values: Any) -> Any:
    """A constant of a program, in the library of x."""
    return x.__array_namespace__().asarray(values)


def case(covers: Any, f: Callable[..., Any], *makers: Any, name: str = "", **options: Any) -> None:
    """Enter a program; a tuple as maker stands for normal numbers of that shape."""
    pair = isinstance(covers, tuple) and len(covers) == 2 and all(isinstance(c, str) and "." not in c for c in covers)
    covers = covers if isinstance(covers, tuple) and not pair else (covers,)
    label = name or getattr(covers[0], "__name__", None) or (".".join(covers[0]) if pair else str(covers[0]))
    count = sum(c.name.rpartition("#")[0] == label for c in CASES)
    made = tuple(normal(m) if isinstance(m, tuple) else m for m in makers)
    CASES.append(Case(f"{label}#{count}", f, made, covers, **options))


# ---- makers of arguments

def normal(shape: tuple[int, ...]) -> Maker:
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = rng.standard_normal(shape)
        return np.asarray(x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x, dtype)
    return make


def between(low: float, high: float, shape: tuple[int, ...]) -> Maker:
    """Real parts (and small imaginary parts) between two bounds."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        x = rng.uniform(low, high, shape)
        return np.asarray(x + 0.3j * rng.uniform(-1, 1, shape) if dtype.kind == "c" else x, dtype)
    return make


def positive(shape: tuple[int, ...]) -> Maker:
    return between(0.3, 2.0, shape)


def away(shape: tuple[int, ...]) -> Maker:
    """Numbers of any sign whose absolute values lie apart, and away from zero."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        n = int(np.prod(shape))
        magnitudes = rng.permutation(np.linspace(0.6, 2.0, n) ** 1.3) * rng.choice([-1.0, 1.0], n)
        phases = np.exp(1j * rng.uniform(-1, 1, n)) if dtype.kind == "c" else 1
        return np.asarray(magnitudes * phases, dtype).reshape(shape)
    return make


def integers(values: Any) -> Maker:
    """A constant of the program: an array that is not differentiated."""
    return lambda _rng, _dtype: np.asarray(values)


def regular(shape: tuple[int, ...]) -> Maker:
    """Square matrices far from singular."""
    def make(rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
        return np.asarray(normal(shape)(rng, dtype) + 3 * np.eye(shape[-1]), dtype)
    return make
