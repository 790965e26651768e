"""TracedArray: what stands in for an array while a function is traced."""
from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gpuad.errors import ArrayConversionError

if TYPE_CHECKING:
    from gpuad.program import Program
    from linalg.arrays import Shape


class TracedArray:
    """An array under differentiation: its value, and the variable that it is in a program.

    It has the operators, methods and attributes of an ndarray (``gpuad.operators`` attaches those that record) and takes
    part in NumPy's and CuPy's protocols. It is immutable, and nobody else can change its value.
    """

    __slots__ = ("index", "program", "value")

    __array_priority__ = 1000.0

    def __init__(self, value: Any, program: Program, index: int):
        self.value = value
        self.program = program
        self.index = index

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
        return self  # immutable

    def __hash__(self) -> int:
        raise TypeError("unhashable type: TracedArray (as numpy.ndarray)")

    def __repr__(self) -> str:
        return f"TracedArray({self.value!r})"

    def __format__(self, spec: str) -> str:
        return format(self.value, spec)

    # ---- conversions that would lose the derivative

    def _refuse(self, what: str) -> NoReturn:
        raise ArrayConversionError(
            f"{what} of a traced array (shape {self.shape}, {self.dtype}) would lose its derivative. Build arrays from "
            "traced ones with ad.numpy (array, asarray, full) or numpy.stack; make a function that is not NumPy's a node with "
            "ad.primitive; or take ad.stop_gradient(x) where the derivative is not wanted")

    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        self._refuse("conversion to a NumPy array (numpy.array, asarray, full, assignment into an ndarray)")

    def __float__(self) -> float:
        self._refuse("float(), or storing in an element of an ndarray (y[i] = x),")

    def __int__(self) -> int:
        self._refuse("int()")

    def __complex__(self) -> complex:
        self._refuse("complex()")

    def __index__(self) -> int:  # noqa: PLE0305 (it raises)
        self._refuse("use as an index")

    def item(self, *_args: Any) -> NoReturn:
        self._refuse(".item()")

    def tolist(self) -> NoReturn:
        self._refuse(".tolist()")

    def __setitem__(self, _key: Any, _value: Any) -> NoReturn:
        raise TypeError(
            f"in-place assignment x[…] = … on a traced array (shape {self.shape}): traced arrays are immutable. Build the "
            "new array instead: numpy.where(mask, new, x), x + an array that is zero elsewhere, concatenate or stack")


STAND_INS: set[type] = {TracedArray}
"""The types that stand in for an array while a function runs: gpuad's own ways of recording."""


def value_of(x: Any) -> Any:
    """The value of a traced array one trace further out; x itself where it is not traced."""
    return x.value if type(x) is TracedArray else x


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
