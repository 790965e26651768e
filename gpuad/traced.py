"""TracedArray: what stands in for an array while a function is traced."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from gpuad.errors import ArrayConversionError

if TYPE_CHECKING:
    from gpuad.program import Program
    from linalg.arrays import Shape


class NoProgram:
    """What stands for a program where a traced array is a constant, made to be written to: see :data:`NO_PROGRAM`."""

    level = -1
    rows = None


NO_PROGRAM: Any = NoProgram()
"""The program of arrays that depend on nothing yet: older than all programs, and what is computed from it is a plain array."""


class TracedArray:
    """An array under differentiation: its value, and the variable that it is in a program.

    It has the operators, methods and attributes of an ndarray (``gpuad.operators`` attaches those that record) and takes
    part in NumPy's and CuPy's protocols. Nobody changes its value: where it is written to, it becomes another variable (see
    ``gpuad.aliasing``).
    """

    __slots__ = ("__weakref__", "index", "link", "program", "value", "views")

    __array_priority__ = 1000.0

    def __init__(self, value: Any, program: Program, index: int):
        self.value = value
        self.program = program
        self.index = index

    def become(self, other: Any) -> None:
        """Stand for another variable, or for a constant."""
        if type(other) is TracedArray:
            self.value, self.program, self.index = other.value, other.program, other.index
        else:
            self.value, self.program, self.index = other, NO_PROGRAM, -1

    def copy(self, order: str = "C") -> TracedArray:
        """The same variable under another name: what is written to one does not change the other."""
        return TracedArray(laid_out(self.value, order), self.program, self.index)

    def __copy__(self) -> TracedArray:
        return self.copy("K")

    # ---- attributes of an ndarray that carry no derivative

    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def itemsize(self) -> int:
        return self.value.itemsize

    @property
    def nbytes(self) -> int:
        return self.value.nbytes

    @property
    def device(self) -> Any:
        return self.value.device

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape:
            raise TypeError("iteration over a traced array of shape (): expected at least one axis")
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __bool__(self) -> bool:
        return bool(self.value)

    def __deepcopy__(self, _memo: Any) -> TracedArray:
        return self.copy("K")

    def __hash__(self) -> int:
        raise TypeError("unhashable type: TracedArray (as numpy.ndarray)")

    def __repr__(self) -> str:
        return f"TracedArray({self.value!r})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    # ---- conversions that would lose the derivative

    def _refuse(self, what: str, plain: Callable[[Any], Any] | None = None) -> Any:
        if self.program is NO_PROGRAM and plain is not None:
            return plain(self.value)  # a constant
        raise ArrayConversionError(
            f"{what} of a traced array (shape {self.shape}, {self.dtype}) would lose its derivative. Build arrays from "
            "traced ones with ad.numpy (array, asarray, full) or numpy.stack; to fill an array entry by entry make it with "
            "numpy.zeros_like(x), numpy.zeros(shape, like=x) or ad.numpy.zeros; functions of SciPy are in ad.scipy; make any "
            "other function a node with ad.primitive; or take ad.stop_gradient(x) where the derivative is not wanted")

    def __array__(self, dtype: Any = None, *, copy: Any = None) -> Any:
        def plain(value: Any) -> np.ndarray:
            array = np.array(value, dtype)
            array.flags.writeable = bool(copy)  # what is written to asarray(x) would not be written to x
            return array

        return self._refuse("conversion to a NumPy array (numpy.array, asarray, full, assignment into an ndarray)", plain)

    def __float__(self) -> float:
        return self._refuse("float(), or storing in an element of an ndarray (y[i] = x),", float)

    def __int__(self) -> int:
        return self._refuse("int()", int)

    def __complex__(self) -> complex:
        return self._refuse("complex()", complex)

    def __index__(self) -> int:
        return self._refuse("use as an index", index)

    def item(self, *args: Any) -> Any:
        return self._refuse(".item()", lambda value: value.item(*args))

    def tolist(self) -> Any:
        return self._refuse(".tolist()", lambda value: value.tolist())


STAND_INS: set[type] = {TracedArray}
"""The types that stand in for an array while a function runs: gpuad's own ways of recording."""


def laid_out(value: Any, order: str) -> Any:
    """The value as a copy of it lies in memory: views of views depend on that, as in NumPy."""
    flags = getattr(value, "flags", None)
    if flags is None:
        return value.copy(order) if type(value) in STAND_INS else value
    if order == "A":
        order = "F" if flags.f_contiguous and not flags.c_contiguous else "C"
    fits = flags.c_contiguous if order == "C" else flags.f_contiguous if order == "F" else (
        flags.c_contiguous or flags.f_contiguous)
    return value if fits else value.copy(order)


def value_of(x: Any) -> Any:
    """The value of a traced array one trace further out; x itself where it is not traced."""
    return x.value if type(x) is TracedArray else x


def settled(x: Any) -> Any:
    """x, or its value where it is a constant that was made to be written to."""
    while type(x) is TracedArray and x.program is NO_PROGRAM:
        x = x.value
    return x


def is_scalar(x: Any) -> bool:
    """Whether the value under all traces is a number, no array."""
    x = raw(x)
    return isinstance(x, np.generic) or (type(x) in STAND_INS and x.is_number)


def stand_in(tree: Any) -> Any:
    """Some object that stands in for an array in a list or tuple of arguments, or in the values of a dictionary; None where all
    are plain.
    """
    kind = type(tree)
    if kind in STAND_INS:
        return tree
    if kind is dict:
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        return None
    for part in tree:
        if (found := stand_in(part)) is not None:
            return found
    return None


def stands_for_number(x: Any) -> bool:
    """Whether x stands in for a number of Python's, which promotes weakly."""
    return type(x) in STAND_INS and type(x) is not TracedArray and type(x.value) in (bool, int, float, complex)


def raw(x: Any) -> Any:
    """The NumPy or CuPy array under all traces."""
    while type(x) is TracedArray:
        x = x.value
    return x


def underlying(x: Any) -> Any:
    """The NumPy or CuPy array under all traces, and under a plan that records them."""
    x = raw(x)
    return x.value if type(x) in STAND_INS else x
