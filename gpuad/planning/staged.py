"""StagedArray: what stands in for an array while a plan is traced. It records every NumPy call, differentiable or not.

A staged array lies under all traces: where the planned function differentiates, the values of its traced arrays are staged.
So a gradient's substitution is recorded with the rest, as the NumPy calls that it makes.
"""
from __future__ import annotations

import operator
import threading
import zlib
from collections.abc import Callable, Iterator
from copy import deepcopy
from inspect import signature
from typing import Any, NoReturn

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from gpuad.dispatch import TABLE, any_traced
from gpuad.errors import PlanError
from gpuad.planning import functions
from gpuad.planning.program import Row, Spec, Var, spec_of
from gpuad.traced import STAND_INS, TracedArray
from linalg import Gather, LinearOperator
from linalg.arrays import Shape, is_basic
from linalg.elements.algebra import Transpose

STEERING = ("A plan runs one recorded program for all values, so values cannot steer Python: use numpy.where for a choice between "
            "arrays, static_argnums for arguments that are settings (axes, sizes, flags), or call the function without ad.plan")


class Recorder:
    """The rows of a plan under construction, and the constants that they read."""

    def __init__(self) -> None:
        self.inputs: list[Spec] = []
        self.rows: list[Row] = []
        self.constants: list[np.ndarray] = []  # as they were met: the same at every trace, or they are no constants
        self.marks: dict[int, int] = {}  # what was in them when they were met first
        self.lock = threading.Lock()
        self.refusal: PlanError | None = None
        self.errors = np.geterr()
        self.closed = False

    def input(self, value: Any) -> StagedArray:
        """A staged array that stands for a leaf of the arguments."""
        _require_plain(value, "as an argument of a plan")
        self.inputs.append(spec_of(value))
        return StagedArray(value, self, ~(len(self.inputs) - 1))

    def call(self, function: Callable[..., Any], *args: Any, ordered: bool = False, **kwargs: Any) -> Any:
        """function(*args, **kwargs), computed now and recorded as a row."""
        if self.closed:
            raise PlanError(f"{getattr(function, '__name__', function)}: got an array of a plan whose function has already "
                            "returned: it leaked out (through a global, an attribute or a closure). Return it instead")
        value = function(*_values(args), **_values(kwargs))
        _require_plain(value, f"from {getattr(function, '__name__', function)} in a plan")
        errors = np.geterr()
        row = Row(function, self._recorded(args), self._recorded(kwargs), spec_of(value), ordered,
                  errors if errors != self.errors else None)
        with self.lock:
            self.rows.append(row)
            index = len(self.rows) - 1
        if isinstance(value, (tuple, list)):
            parts = [self.call(functions.component, StagedArray(value, self, index), k) for k in range(len(value))]
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
        return StagedArray(value, self, index)

    def _recorded(self, tree: Any) -> Any:
        """Arguments as a row has them: variables, and constants that are noted."""
        kind = type(tree)
        if kind is StagedArray or kind is StagedGenerator:
            if tree.recorder is not self:
                raise PlanError("expected arrays of one plan, got one of another plan, which leaked out of its function")
            return Var(tree.index)
        if isinstance(tree, (tuple, list)):
            return (list if kind is list else tuple)(self._recorded(part) for part in tree)
        if kind is dict:
            return {k: self._recorded(part) for k, part in tree.items()}
        if kind is slice:
            return slice(*map(self._recorded, (tree.start, tree.stop, tree.step)))
        if isinstance(tree, np.ndarray):
            self._meet(tree)
        return tree

    def _meet(self, constant: np.ndarray) -> None:
        """Note a constant; small ones are looked at each time, whether they have changed since they were met first."""
        self.constants.append(constant)
        if id(constant) not in self.marks:
            self.marks[id(constant)] = mark(constant)
        elif constant.nbytes < 65536:
            self._require_unchanged(constant)

    def _require_unchanged(self, constant: np.ndarray) -> None:
        if mark(constant) != self.marks[id(constant)]:
            raise PlanError(f"an array of shape {constant.shape} ({constant.dtype}) was changed in place by the planned function after it "
                            "had been used there. A plan reads it when it runs: make a new array for each use, or pass and return it")

    def close(self) -> None:
        """End the recording: no staged array records any more."""
        self.closed = True
        for constant in {id(c): c for c in self.constants}.values():
            self._require_unchanged(constant)


def mark(x: np.ndarray) -> int:
    """A number that tells arrays of different content apart."""
    return 0 if x.dtype.hasobject else zlib.crc32(np.ascontiguousarray(x).view(np.uint8).data) if x.size else 0


def _require_plain(value: Any, where: str) -> None:
    if isinstance(value, np.ndarray) and type(value) not in (np.ndarray, np.memmap):
        kind = type(value)
        raise PlanError(f"expected plain arrays, got {kind.__module__}.{kind.__name__}, a subclass of ndarray, {where}; convert it first: "
                        + ("x.filled(value)" if isinstance(value, np.ma.MaskedArray) else "numpy.asarray(x)"))


def _values(tree: Any) -> Any:
    kind = type(tree)
    if kind is StagedArray or kind is StagedGenerator:
        return tree.value
    if isinstance(tree, (tuple, list)):
        return (list if kind is list else tuple)(map(_values, tree))
    if kind is dict:
        return {k: _values(part) for k, part in tree.items()}
    return slice(*map(_values, (tree.start, tree.stop, tree.step))) if kind is slice else tree


def _staged(tree: Any) -> StagedArray | None:
    """Some staged array in the arguments of a call."""
    kind = type(tree)
    if kind is StagedArray:
        return tree
    if kind in (tuple, list, dict, slice):
        parts = tree.values() if kind is dict else (tree.start, tree.stop, tree.step) if kind is slice else tree
        return next((found for part in parts if (found := _staged(part)) is not None), None)
    return None


class StagedArray:
    """An array, scalar or number of a plan: its value in the tracing run, and the variable that it is."""

    __slots__ = ("index", "recorder", "value")

    __array_priority__ = 900.0

    def __init__(self, value: Any, recorder: Recorder, index: int):
        self.value, self.recorder, self.index = value, recorder, index

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
        return np

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __deepcopy__(self, _memo: Any) -> StagedArray:
        return self  # immutable

    def __hash__(self) -> int:
        raise TypeError("unhashable type: StagedArray (as numpy.ndarray)")

    def __copy__(self) -> StagedArray:
        return self

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

    def __bool__(self) -> bool:
        self._refuse("bool(), as in if, while, and, or, not, assert,")

    def __index__(self) -> int:  # noqa: PLE0305 (it raises)
        self._refuse("use as an integer (range(n), an axis, a shape, an index of a list or of a plain array, where ad.numpy.take(x, i, "
                     "axis=0) does it)")

    def __int__(self) -> int:
        self._refuse("int()")

    def __float__(self) -> float:
        self._refuse("float(), a function of Python's math (numpy has it too), or storing in an element of an ndarray (y[i] = x),")

    def __complex__(self) -> complex:
        self._refuse("complex()")

    def item(self, *_args: Any) -> NoReturn:
        self._refuse(".item()")

    def tolist(self) -> NoReturn:
        self._refuse(".tolist()")

    def __array__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        self._raise(
            f"conversion to a NumPy array (numpy.array, asarray, full, assignment into an ndarray, an index of a plain array) of an "
            f"array in a plan (shape {self.shape}, {self.dtype}): its value would be frozen. Build arrays with numpy.stack, concatenate "
            "or ad.numpy.array; write ad.numpy.take(x, i, axis=0) for x[i]; make a function that is not NumPy's a node with ad.primitive, "
            "or leave it out of the planned function")

    def __setitem__(self, _key: Any, _value: Any) -> NoReturn:
        raise PlanError(
            f"in-place assignment x[…] = … in a plan (shape {self.shape}): arrays of a plan are immutable. Build the new array "
            "instead: numpy.where(mask, new, x), concatenate or stack; to write over an argument, return the new array and donate the "
            "argument (ad.plan(f, donate=…))")

    # ---- what records

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        out = kwargs.get("out")
        if out is not None and any(o is not None for o in (out if isinstance(out, tuple) else (out,))):
            raise PlanError(f"numpy.{ufunc.__name__}: out= and in-place operators (x += y) are not available in a plan, whose arrays "
                            "are immutable: write x = x + y; the plan itself reuses memory")
        if any_traced(args, kwargs):
            return NotImplemented  # a traced array does this, whose values are staged
        kwargs.pop("out", None)
        recorder = self.recorder
        if method != "__call__":
            return _method_call(recorder, ufunc, method, args, kwargs)
        return recorder.call(ufunc, *args, **kwargs)

    def __array_function__(self, function: Any, _types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if any_traced(args, kwargs):
            return NotImplemented
        if (direct := DIRECT.get(function)) is not None:
            return direct(*args, **kwargs)
        name = f"{function.__module__}.{function.__name__}"
        if function in VALUE_SHAPED:
            raise PlanError(f"{name}: the shape of its result depends on values, and a plan's shapes are fixed. {STEERING}")
        if function in (np.histogram, np.histogram_bin_edges) and isinstance(kwargs.get("bins", args[1:] and args[1]), str):
            raise PlanError(f"{name} with bins by a rule: their number depends on values. Give the number of bins. {STEERING}")
        if function in KNOWN:
            return function(*_values(args), **_values(kwargs))
        if function in IN_PLACE:
            raise PlanError(f"{name} changes an array in place; arrays of a plan are immutable, and a plan changes no other: build the "
                            "new array instead, with numpy.where, concatenate or stack")
        if kwargs.get("out") is not None:
            _refuse_out(function, kwargs["out"])
        if len(args) > 1 or kwargs:
            _refuse_settings(function, name, args, kwargs)
        implementation = DECOMPOSED.get(function)
        if implementation is not None and (function in FOR_ALL_DTYPES or _floating(args)):
            return implementation(*args, **kwargs)
        return self.recorder.call(function, *args, **kwargs)  # NumPy's own

    def _record(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """function(*args, **kwargs) as one row, whatever it does with the values."""
        return self.recorder.call(function, *args, **kwargs)

    def _apply_linear(self, element: LinearOperator) -> Any:
        """E x for an element E that works on plain arrays: one row."""
        if isinstance(element, Transpose) and isinstance(element.a, Gather):
            return element.a._scatter(self)
        return self.recorder.call(deepcopy(element)._apply, self)

    def __getitem__(self, index: Any) -> Any:
        parts = index if isinstance(index, tuple) else (index,)
        if any(isinstance(p, slice) and _staged(p) is not None for p in parts):
            raise PlanError("x[i:j] with bounds that are computed in the plan, or are arguments: the shape of its result depends on "
                            f"values. For n entries from i on write x[i + numpy.arange(n)]. {STEERING}")
        if any(isinstance(p, StagedArray) and p.dtype == bool for p in parts):
            raise PlanError("x[mask] with a mask that is computed in the plan: the shape of its result depends on values, and a plan's "
                            f"shapes are fixed. {STEERING}")
        if type(self.value) is tuple:
            return self.recorder.call(functions.component, self, index)
        parts = tuple(np.asarray(p, None if np.size(p) else int) if isinstance(p, list) and _staged(p) is None else p for p in parts)
        return self.recorder.call(functions.getitem, self, parts)

    def astype(self, dtype: Any, **options: Any) -> Any:
        del options  # layout and casting rules: the tracing run has checked nothing that they would forbid
        return self if self.dtype == np.dtype(dtype) and not self.is_number else \
            self.recorder.call(functions.cast, self.as_array() if isinstance(self.value, (bool, int, float, complex)) and not isinstance(self.value, np.generic) else self, np.dtype(dtype))

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Any:
        del copy
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, order)

    def transpose(self, *axes: Any) -> Any:
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def flatten(self, order: str = "C") -> Any:
        return np.ravel(self, order)

    def copy(self, order: str = "C") -> Any:
        del order
        return self

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
        return self.recorder.call(functions.real, self) if self.dtype.kind == "c" else self

    @property
    def imag(self) -> Any:
        if self.dtype.kind == "c":
            return self.recorder.call(functions.imaginary, self)
        return type(self.value)(0) if self.is_number else np.zeros(self.shape, self.dtype)

    def conjugate(self) -> Any:
        if type(self.value) in (bool, int, float):
            return self
        return self.recorder.call(complex.conjugate if type(self.value) is complex else np.conjugate, self)

    conj = conjugate

    @property
    def flat(self) -> Any:
        return np.ravel(self)


STAND_INS.add(StagedArray)


# ---- operators: NumPy's ufuncs, but Python's own where both sides are numbers of Python's, which promote as numbers do

def _binary(symbol: str, ufunc: Any) -> None:
    plain = getattr(operator, symbol if symbol not in ("and", "or") else symbol + "_")

    def both(a: Any, b: Any) -> Any:
        staged = a if type(a) is StagedArray else b
        if type(a) is TracedArray or type(b) is TracedArray or isinstance(b, LinearOperator):
            return NotImplemented
        values = _values((a, b))
        function = plain if all(isinstance(v, (bool, int, float, complex)) and not isinstance(v, np.generic) for v in values) else ufunc
        return staged.recorder.call(function, a, b)

    setattr(StagedArray, f"__{symbol}__", lambda self, other: both(self, other))
    if symbol not in ("lt", "le", "gt", "ge", "eq", "ne"):
        setattr(StagedArray, f"__r{symbol}__", lambda self, other: both(other, self))
        setattr(StagedArray, f"__i{symbol}__", _rebind(symbol, both))


def _rebind(symbol: str, both: Callable[..., Any]) -> Callable[..., Any]:
    def in_place(self: StagedArray, other: Any) -> Any:
        if self.is_number:
            return both(self, other)  # as with NumPy's scalars and Python's numbers: the name is bound to a new one
        raise PlanError(f"in-place operator on an array of shape {self.shape} in a plan, whose arrays are immutable (__i{symbol}__): write "
                        "x = x + y instead of x += y; to write over an argument, return the new array and donate the argument")
    return in_place


for _symbol, _ufunc in {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide, "pow": np.power, "mod": np.remainder,
    "floordiv": np.floor_divide, "matmul": np.matmul, "lt": np.less, "le": np.less_equal, "gt": np.greater,
    "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal, "and": np.bitwise_and, "or": np.bitwise_or,
    "xor": np.bitwise_xor, "lshift": np.left_shift, "rshift": np.right_shift,
}.items():
    _binary(_symbol, _ufunc)


def _unary(plain: Any, ufunc: Any) -> Callable[..., Any]:
    def apply(x: StagedArray) -> Any:
        number = isinstance(x.value, (bool, int, float, complex)) and not isinstance(x.value, np.generic)
        return x.recorder.call(plain if number else ufunc, x)
    return apply


for _name, _plain, _ufunc in (("neg", operator.neg, np.negative), ("pos", operator.pos, np.positive),
                              ("abs", operator.abs, np.absolute), ("invert", operator.invert, np.invert)):
    setattr(StagedArray, f"__{_name}__", _unary(_plain, _ufunc))

StagedArray.__divmod__ = lambda x, y: (x // y, x % y)  # type: ignore[attr-defined]
StagedArray.__rdivmod__ = lambda x, y: (y // x, y % x)  # type: ignore[attr-defined]
StagedArray.__round__ = lambda x, *n: x.recorder.call(round, x, *n)  # type: ignore[attr-defined]


def _attach(name: str) -> None:
    function = getattr(np, name)
    setattr(StagedArray, name, lambda self, *args, **kwargs: function(self, *args, **kwargs))


for _name in """sum mean prod max min var std cumsum cumprod ptp dot clip take repeat diagonal trace swapaxes
        squeeze ravel argmax argmin argsort argpartition any all nonzero searchsorted round compress choose""".split():
    _attach(_name)


def _refused(name: str) -> Callable[..., Any]:
    def refuse(self: StagedArray, *_args: Any, **_kwargs: Any) -> Any:
        raise PlanError(f".{name}() changes an array in place; arrays of a plan (here of shape {self.shape}) are immutable: use the "
                        f"function that gives a new one (numpy.sort, where, full_like, …)")
    return refuse


for _name in ("sort", "partition", "fill", "put", "resize", "itemset", "setflags"):
    setattr(StagedArray, _name, _refused(_name))


# ---- NumPy's functions in the forms that analysis knows

_NO_VALUE = np._NoValue  # type: ignore[attr-defined]


def _recorder(*args: Any) -> Recorder:
    return _staged(args).recorder  # type: ignore[union-attr]


def _axes(axis: Any, ndim: int) -> Shape:
    return tuple(range(ndim)) if axis is None else tuple(sorted(normalize_axis_tuple(axis, ndim)))


def _reduction(ufunc: Any, function: Any) -> Callable[..., Any]:
    """A reduction in its plain form; with further options, NumPy's own call."""
    def reduce(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, initial: Any = _NO_VALUE,
               where: Any = _NO_VALUE) -> Any:
        _refuse_out(function, out)
        given = {k: v for k, v in (("initial", initial), ("where", where), ("dtype", dtype)) if v is not _NO_VALUE and v is not None}
        keepdims = keepdims is not _NO_VALUE and bool(keepdims)
        if given:
            return _recorder(a, initial, where).call(function, a, axis=axis, keepdims=keepdims, **given)
        return a.recorder.call(functions.reduce, a, ufunc, _axes(axis, a.ndim), keepdims)

    if function in (np.sum, np.prod):
        return reduce
    return lambda a, axis=None, out=None, keepdims=False, initial=_NO_VALUE, where=_NO_VALUE: reduce(
        a, axis, None, out, keepdims, initial, where)


def _logical(ufunc: Any, function: Any) -> Callable[..., Any]:
    plain = _reduction(ufunc, function)
    return lambda a, axis=None, out=None, keepdims=False, *, where=_NO_VALUE: plain(a, axis, out, keepdims, where=where)


def _refuse_out(function: Any, out: Any) -> None:
    if out is not None:
        raise PlanError(f"numpy.{function.__name__}: out= is not available in a plan, whose arrays are immutable: assign the result")


def _method_call(recorder: Recorder, ufunc: Any, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A method of a ufunc: reduce in its plain form, others as they are."""
    if method == "reduce" and set(kwargs) <= {"axis", "keepdims"} and len(args) <= 2:
        axis = args[1] if len(args) == 2 else kwargs.get("axis", 0)
        return recorder.call(functions.reduce, args[0], ufunc, _axes(axis, args[0].ndim), bool(kwargs.get("keepdims", False)))
    if method in ("at", "reduceat"):
        raise PlanError(f"numpy.{ufunc.__name__}.{method} in a plan: it changes an array in place, or takes positions that steer shapes. "
                        f"{STEERING}")
    return recorder.call(getattr(ufunc, method), *args, **kwargs)


def _mean(a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = False, *, where: Any = _NO_VALUE) -> Any:
    _refuse_out(np.mean, out)
    keepdims = keepdims is not _NO_VALUE and bool(keepdims)
    if dtype is not None or where is not _NO_VALUE or a.dtype.kind not in "fc" or a.itemsize < 4 or 0 in a.shape:
        given = {k: v for k, v in (("dtype", dtype), ("where", where)) if v is not _NO_VALUE and v is not None}
        return _recorder(a, where).call(np.mean, a, axis=axis, keepdims=keepdims, **given)
    axes = _axes(axis, a.ndim)
    return np.sum(a, axis=axes, keepdims=keepdims) / float(np.prod([a.shape[i] for i in axes], dtype=float))


def _where(condition: Any, *branches: Any) -> Any:
    if len(branches) != 2:
        raise PlanError(f"numpy.where with a condition alone: the shape of its result depends on values. {STEERING}")
    return _recorder(condition, branches).call(functions.select, condition, *branches)


def _numpys(a: Any) -> Any:
    """Numbers of Python's as arrays; NumPy's scalars stay."""
    return a if hasattr(a.value, "dtype") else a.as_array()


def _reshape(a: Any, /, shape: Any = None, order: str = "C", *, newshape: Any = None, copy: Any = None) -> Any:
    del copy
    shape = newshape if shape is None else shape
    if order != "C":
        return np.transpose(np.reshape(np.transpose(a), tuple(np.empty(a.shape).reshape(shape).shape)[::-1]))
    a = _numpys(a)
    target = np.broadcast_to(False, a.shape).reshape(shape).shape
    return a if target == a.shape else a.recorder.call(functions.reshape, a.as_array(), target)


def _transpose(a: Any, axes: Any = None) -> Any:
    a, n = _numpys(a), a.ndim
    axes = tuple(range(n))[::-1] if axes is None else normalize_axis_tuple(axes, n)
    return a if axes == tuple(range(n)) else a.recorder.call(functions.transpose, a, axes)


def _broadcast(array: Any, shape: Any, subok: bool = False) -> Any:
    del subok
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    return array if shape == array.shape and not array.is_number else array.recorder.call(functions.broadcast, array, shape)


def _concatenate(arrays: Any, /, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind") -> Any:
    _refuse_out(np.concatenate, out)
    given = {} if dtype is None else {"dtype": dtype, "casting": casting}
    return _recorder(list(arrays)).call(np.concatenate, tuple(arrays), axis=axis, **given)


DIRECT: dict[Any, Callable[..., Any]] = {
    np.sum: _reduction(np.add, np.sum), np.prod: _reduction(np.multiply, np.prod), np.mean: _mean,
    np.max: _reduction(np.maximum, np.max), np.min: _reduction(np.minimum, np.min),
    np.any: _logical(np.logical_or, np.any), np.all: _logical(np.logical_and, np.all),
    np.where: _where, np.reshape: _reshape, np.transpose: _transpose, np.broadcast_to: _broadcast,
    np.concatenate: _concatenate, np.copy: lambda a, *_args, **_kwargs: a.as_array(),
    np.astype: lambda x, dtype, **options: x.astype(dtype, **options),
    np.real: lambda val: val.real, np.imag: lambda val: val.imag,
}
DIRECT[np.amax], DIRECT[np.amin] = DIRECT[np.max], DIRECT[np.min]

IN_PLACE = {getattr(np, name) for name in "copyto put place putmask put_along_axis fill_diagonal save savez savetxt".split()}
"""Functions with an effect, which a plan would not repeat."""

_BY_MODULE = {function: rule for function, rule in TABLE.items() if not isinstance(function, np.ufunc) and function not in DIRECT}
FOR_ALL_DTYPES = {function for function, rule in _BY_MODULE.items()
                  if getattr(rule, "__module__", "").rpartition(".")[2] in ("shapes", "joining", "triangles")}
DECOMPOSED = {function: rule for function, rule in _BY_MODULE.items()
              if function in FOR_ALL_DTYPES or function in (np.clip, np.diff, np.std)
              or (function is not np.einsum and getattr(rule, "__module__", "").endswith(".products"))}
"""Functions that are recorded as those which their differentials are made of: views, joins and products, which analysis knows."""


def _floating(args: Any) -> bool:
    """Whether all arrays among the arguments are floating-point or complex, as the functions with differentials expect."""
    if isinstance(args, (tuple, list)):
        return all(map(_floating, args))
    return not hasattr(args, "dtype") or args.dtype.kind in "fc"


SETTINGS = set("""axis axes axis1 axis2 axisa axisb axisc shape newshape num n N M k kth repeats reps bins pad_width shift obj
    indices_or_sections size minlength decimals keepdims ord mode""".split())
"""Parameters of NumPy's functions that are no arrays, or that decide the shape of the result."""


def _refuse_settings(function: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        given = signature(function).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):  # a function without a signature, or a call that NumPy will refuse
        return
    for parameter, value in given.items():
        if parameter in SETTINGS and (found := _staged(value)) is not None:
            found._refuse(f"argument {parameter} of {name}, which decides what the function does, as the value")


VALUE_SHAPED = {getattr(np, name) for name in """argwhere nonzero flatnonzero unique unique_all unique_counts unique_inverse
    unique_values union1d intersect1d setdiff1d setxor1d extract compress trim_zeros bincount""".split() if hasattr(np, name)}
VALUE_SHAPED.add(np.linalg.lstsq)
"""Functions whose result's shape depends on values."""

KNOWN = {getattr(np, name) for name in """shape ndim size result_type can_cast common_type min_scalar_type iscomplexobj isrealobj
    zeros_like ones_like empty_like may_share_memory shares_memory array_repr array_str array2string""".split()}
"""Functions of what is known of an array before the plan runs (and texts of it): they are called at once."""


class StagedGenerator:
    """A random generator among the arguments of a plan: every method call is a row that is run anew, in order."""

    __slots__ = ("index", "recorder", "value")

    def __init__(self, generator: Any, recorder: Recorder, index: int):
        self.value, self.recorder, self.index = generator, recorder, index

    def __getattr__(self, name: str) -> Any:
        if not callable(getattr(self.value, name)) or name in ("shuffle", "spawn", "seed", "set_state", "get_state"):
            raise PlanError(f"{name} of a random generator in a plan: only draws can be recorded (permutation instead of shuffle)")

        def record(*args: Any, **kwargs: Any) -> Any:
            if kwargs.get("out") is not None:
                _refuse_out(getattr(self.value, name), kwargs["out"])
            function = getattr(self.value, name)
            _refuse_settings(function, name, args, kwargs)
            if name in ("rand", "randn", "tomaxint", "bytes") and (found := _staged(args)) is not None:
                found._refuse(f"size of a draw ({name})")
            return self.recorder.call(draw, self, name, *args, ordered=True, **kwargs)

        return record


def draw(generator: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """Call a generator's method."""
    return getattr(generator, method)(*args, **kwargs)
