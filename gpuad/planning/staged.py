"""StagedArray: what stands in for an array while a plan is traced. It records every NumPy call, differentiable or not.

A staged array lies under all traces: where the planned function differentiates, the values of its traced arrays are staged.
So a gradient's substitution is recorded with the rest, as the NumPy calls that it makes.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from gpuad.aliasing import own, view
from gpuad.errors import PlanError
from gpuad.planning import functions
from gpuad.planning.device import calls as device
from gpuad.primitives.assignment import Flat
from gpuad.primitives.views import IMAGINARY, PICKED, REAL
from gpuad.traced import STAND_INS, laid_out, settled
from linalg import Gather, LinearOperator
from linalg.arrays import Shape, is_array, is_basic, is_cupy
from linalg.elements.algebra import Transpose

if TYPE_CHECKING:
    from gpuad.planning.recorder import Recorder

STEERING = ("A plan runs one recorded program for all values, so values cannot steer Python: use numpy.where for a choice "
            "between arrays, static_argnums for arguments that are settings (axes, sizes, flags), or call the function without "
            "ad.plan")


NUMBERS = (bool, int, float, complex)
"""Types of Python's numbers (NumPy's scalars are subclasses of some of them, but no such number)."""

STAGED: set[type] = set()
"""What stands for a variable of a plan: it has the value of the tracing run, and its index."""


def values_of(tree: Any) -> Any:
    """The arguments of a call as they are in the tracing run."""
    kind = type(tree)
    if kind in STAGED:
        return tree.value
    if isinstance(tree, (tuple, list)):
        return (list if kind is list else tuple)(map(values_of, tree))
    if kind is dict:
        return {k: values_of(part) for k, part in tree.items()}
    return slice(*map(values_of, (tree.start, tree.stop, tree.step))) if kind is slice else tree


def staged_in(tree: Any) -> StagedArray | None:
    """Some staged array in the arguments of a call."""
    kind = type(tree)
    if kind is StagedArray:
        return tree
    if kind in (tuple, list, dict, slice):
        parts = tree.values() if kind is dict else (tree.start, tree.stop, tree.step) if kind is slice else tree
        return next((found for part in parts if (found := staged_in(part)) is not None), None)
    return None


class StagedArray:
    """An array, scalar or number of a plan: its value in the tracing run, and the variable that it is."""

    __slots__ = ("__weakref__", "index", "is_argument", "link", "recorder", "value", "views")

    __array_priority__ = 900.0

    def __init__(self, value: Any, recorder: Recorder, index: int):
        if type(value) is np.ndarray and value.flags.writeable:
            value = value.view()
            value.flags.writeable = False  # functions that write to their arguments are told so
        self.value, self.recorder, self.index, self.is_argument = value, recorder, index, False

    def become(self, other: Any) -> None:
        """Stand for another variable: see ``gpuad.aliasing``."""
        if self.is_argument:
            raise PlanError(f"in-place change of an argument of a plan (shape {self.shape}): the caller's array would have to "
                            "change. Begin with x = x.copy(), return the new array, and donate the argument where its memory is "
                            "to be used again (ad.plan(f, donate=…))")
        if type(other) is not StagedArray:
            raise PlanError(f"in-place change of an array (shape {self.shape}) by one that is being differentiated, of which it "
                            "is no part: make it inside the differentiated function, with numpy.zeros_like(x) or ad.numpy.zeros")
        self.value, self.recorder, self.index = other.value, other.recorder, other.index

    # ---- attributes that are known when the plan is made

    @property
    def shape(self) -> Shape:
        return np.shape(self.value)

    @property
    def dtype(self) -> np.dtype:
        return self.value.dtype if hasattr(self.value, "dtype") else np.asarray(self.value).dtype

    @property
    def ndim(self) -> int:
        return np.ndim(self.value)

    @property
    def size(self) -> int:
        return np.size(self.value)

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def device(self) -> Any:
        return getattr(self.value, "device", "cpu")

    @property
    def is_number(self) -> bool:
        """Whether it is no array, but a number of Python's or a scalar of NumPy's."""
        return not hasattr(self.value, "__setitem__")

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        del api_version
        return device.namespace() if is_cupy(self.value) else np

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self, _memo: Any) -> StagedArray:
        return self.copy("K")

    def __hash__(self) -> int:
        raise TypeError("unhashable type: StagedArray (as numpy.ndarray)")

    def __copy__(self) -> StagedArray:
        return self.copy("K")

    def __repr__(self) -> str:
        return f"StagedArray({self.dtype}{list(self.shape)})"

    def __format__(self, spec: str) -> str:
        return self._refuse("formatting") if spec else repr(self)

    # ---- what would freeze a value

    def _refuse(self, what: str) -> NoReturn:
        self._raise(f"{what} of an array in a plan (shape {self.shape}, {self.dtype}). {STEERING}")

    def _raise(self, message: str) -> NoReturn:
        self.recorder.refusal = error = PlanError(message)  # NumPy may raise an error of its own in its place
        raise error

    def __bool__(self) -> bool:  # noqa: PLE0304 (it raises)
        self._refuse("bool(), as in if, while, and, or, not, assert,")

    def __index__(self) -> int:  # noqa: PLE0305 (it raises)
        self._refuse("use as an integer (range(n), an axis, a shape, an index of a list or of a plain array, where "
                     "ad.numpy.take(x, i, axis=0) does it)")

    def __int__(self) -> int:
        self._refuse("int()")

    def __float__(self) -> float:
        self._refuse("float(), a function of Python's math (numpy has it too), or storing in an element of an ndarray "
                     "(y[i] = x),")

    def __complex__(self) -> complex:
        self._refuse("complex()")

    def item(self, *_args: Any) -> NoReturn:
        self._refuse(".item()")

    def tolist(self) -> NoReturn:
        self._refuse(".tolist()")

    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        self._raise(
            f"conversion to a NumPy array (numpy.array, asarray, full, assignment into an ndarray, an index of a plain array) of "
            f"an array in a plan (shape {self.shape}, {self.dtype}): its value would be frozen. Build arrays with numpy.stack, "
            "concatenate or ad.numpy.array; write ad.numpy.take(x, i, axis=0) for x[i]; make a function that is not NumPy's a "
            "node with ad.primitive, or leave it out of the planned function")

    # ---- what records

    def _record(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs) as one row, whatever it does with the values."""
        self.recorder.refusal = None  # what NumPy refused is done in this way
        return self.recorder.call(function, *args, **kwargs)

    def _record_seed(self, function: Callable[..., Any], x: Any) -> Any:
        """function(x) for a seed of a derivative, as it is now: the function may write to x, and use it again."""
        if not is_array(x):
            return self._record(function, x)
        copy = x.copy()
        self.recorder.seeds[id(copy)] = x
        return self._record(function, copy)

    def _apply_linear(self, element: LinearOperator) -> Any:
        """E x for an element E that works on plain arrays: one row."""
        if isinstance(element, Transpose) and isinstance(element.a, Gather):
            return element.a._scatter(self)
        return self.recorder.call(deepcopy(element)._apply, self)

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(p, slice) and staged_in(p) is not None for p in parts):
            raise PlanError("x[i:j] with bounds that are computed in the plan, or are arguments: the shape of its result depends "
                            f"on values. For n entries from i on write x[i + numpy.arange(n)]. {STEERING}")
        if any(isinstance(p, StagedArray) and p.dtype == bool for p in parts):
            raise PlanError("x[mask] with a mask that is computed in the plan, or is an argument: the shape of its result "
                            f"depends on values, and a plan's shapes are fixed. {STEERING}")
        if isinstance(self.value, (tuple, list)):
            return self.recorder.call(functions.component, self, index)
        index = tuple(map(_index_part, parts))
        picked = self.recorder.call(functions.getitem, self, index)
        return view(picked, self, PICKED, index) if is_basic(index) and not picked.is_number else picked

    def astype(self, dtype: Any, **options: Any) -> Any:
        # layout and casting rules: the tracing run has checked nothing that they would forbid
        if self.dtype == np.dtype(dtype) and not self.is_number:
            return self.copy(options.get("order", "K")) if options.get("copy", True) else self
        return self.recorder.call(functions.cast, self.as_array() if type(self.value) in NUMBERS else self, np.dtype(dtype))

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Any:
        del copy
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order)  # type: ignore[call-overload]

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self, order: str = "C") -> Any:
        return own(np.ravel(self, order))  # type: ignore[call-overload]

    def copy(self, order: str = "C") -> StagedArray:
        """The same variable under another name: what is written to one does not change the other."""
        return StagedArray(laid_out(self.value, order), self.recorder, self.index)

    def as_scalar(self) -> Any:
        """As a NumPy scalar, as gradients of numbers are: from a number of Python's or an array of shape ()."""
        if not self.is_number:
            return self[()]
        return self if hasattr(self.value, "dtype") else self.recorder.call(functions.convert, self, self.dtype.type)

    def as_array(self) -> Any:
        """As an array: scalars and numbers become arrays of shape ()."""
        return self.recorder.call(functions.convert, self, np.asarray) if self.is_number else self

    @property
    def T(self) -> Any:
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        return np.matrix_transpose(self)

    @property
    def real(self) -> Any:
        return view(self.recorder.call(functions.real, self), self, REAL, None) if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        if self.dtype.kind == "c":
            return view(self.recorder.call(functions.imaginary, self), self, IMAGINARY, None)
        return type(self.value)(0) if self.is_number else np.zeros(self.shape, self.dtype)

    def conjugate(self) -> Any:
        if self.dtype.kind != "c":
            return self
        return self.recorder.call(complex.conjugate if type(self.value) is complex else np.conjugate, self)

    conj = conjugate

    @property
    def flat(self) -> Any:
        return Flat(self)


def _index_part(part: Any) -> Any:
    """A part of an index: lists of numbers as arrays."""
    part = settled(part)
    return np.asarray(part, None if np.size(part) else int) if isinstance(part, list) and staged_in(part) is None else part


STAND_INS.add(StagedArray)
STAGED.add(StagedArray)
