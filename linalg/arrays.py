"""The one file that knows which array libraries exist: NumPy, CuPy, and traced stand-ins for either.

Everything else is written once, with operators, methods and the namespace that :func:`namespace` returns.
"""
from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from types import ModuleType
from typing import Any

import array_api_compat
import numpy as np
import scipy.sparse
import scipy.sparse.linalg

Array = Any
"""A NumPy array or scalar, a CuPy array, or an object that behaves like one (a traced array)."""

Shape = tuple[int, ...]


ON_HOST = frozenset({np.ndarray, np.float64, np.float32, np.complex128, np.complex64, float, int, complex, type(None)})
"""Types of what surely lies on the host: other types are worth a closer look."""


def cupy() -> ModuleType:
    """CuPy, imported on demand.

    Raises ImportError where CuPy is missing, naming the extra to install, or where it is there and cannot be imported.
    """
    try:
        import cupy as module
    except ImportError as error:
        if error.name == "cupy" and isinstance(error, ModuleNotFoundError):
            raise ImportError(
                "CuPy is not installed: expected it for arrays on a GPU; "
                "install it with `pip install 'gpuad[cuda13]'` (or `gpuad[cuda12]`)"
            ) from error
        said = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip(" =-")), "no reason given")
        raise ImportError(f"CuPy is installed and cannot be imported ({said}); install it anew, one of its packages only, with "
                          "`pip install 'gpuad[cuda13]'` (or `gpuad[cuda12]`)") from error
    return module


def gpu_unavailable_reason() -> str | None:
    """Why no GPU can be used here, in one line; None where one can."""
    try:
        module = cupy()
    except ImportError as error:
        missing = getattr(error.__cause__, "name", None) == "cupy"
        return "CuPy is not installed (pip install 'gpuad[cuda13]')" if missing else str(error)
    if module.is_available():
        return None
    driver, needed = (version // 1000 for version in (module.cuda.runtime.driverGetVersion(),
                                                      module.cuda.runtime.runtimeGetVersion()))
    if not driver:
        return "CuPy finds no NVIDIA driver (nvidia-smi shows one; a container needs --gpus all)"
    if driver < needed:
        return (f"the NVIDIA driver is too old: it runs CUDA {driver}, and this CuPy needs CUDA {needed}; update the driver"
                + (", or pip uninstall cupy-cuda13x and pip install 'gpuad[cuda12]'" if driver == 12 else ""))
    return "CuPy finds no CUDA device (there is a driver; CUDA_VISIBLE_DEVICES may hide the GPU)"


def queue() -> tuple[int, int]:
    """The device and the stream on which CuPy's work is enqueued now: what one has made, another may read too early."""
    cuda = cupy().cuda
    return cuda.device.get_device_id(), cuda.get_current_stream().ptr


def _require_current_device(x: Array) -> None:
    """Raise ValueError for a CuPy array of another device than the current one, on which programs run."""
    here, there = cupy().cuda.device.get_device_id(), x.data.device_id
    if there != here:
        raise ValueError(f"expected arrays of one device, the current one ({here}), got an array on device {there}; run the "
                         f"whole program under `with cupy.cuda.Device({there}):`, or move the array with cupy.asarray(x)")


def is_cupy(x: Any) -> bool:
    """Whether x is a CuPy array; never imports CuPy."""
    return array_api_compat.is_cupy_array(x)


def is_array(x: Any) -> bool:
    """Whether x is an array or scalar of NumPy or CuPy, or stands in for one (has a shape and an array namespace)."""
    return type(x) is np.ndarray or isinstance(x, (np.ndarray, np.generic)) or (
        hasattr(x, "__array_namespace__") and hasattr(x, "shape")) or is_cupy(x)  # CuPy's own have no such namespace


def is_traced(x: Any) -> bool:
    """Whether x stands in for an array: it has an array's namespace and shape, and is neither NumPy's nor CuPy's own."""
    return is_array(x) and not isinstance(x, (np.ndarray, np.generic)) and not is_cupy(x)


def namespace(*arrays: Any) -> Any:
    """The module whose functions take these arrays: a traced array's own, else CuPy's, else NumPy's.

    Raises TypeError where NumPy and CuPy arrays are mixed.
    """
    for x in arrays:
        if not isinstance(x, np.ndarray) and not is_cupy(x) and is_array(x) and not isinstance(x, np.generic):
            return x.__array_namespace__()
    known = [x for x in arrays if isinstance(x, np.ndarray) or is_cupy(x)]
    if len({is_cupy(x) for x in known}) > 1:
        raise TypeError(
            "expected arrays of one library, got NumPy and CuPy arrays mixed; "
            "move one side first, with cupy.asarray(x) or cupy.asnumpy(x)"
        )
    return array_api_compat.array_namespace(*known) if known and is_cupy(known[0]) else np


def device_of(x: Any) -> int | None:
    """The number of the device that holds x; None for the host."""
    return x.device.id if is_cupy(x) else None


def placed(x: Any, xp: Any, dtype: Any = None) -> Array:
    """A number, a list or an array of the host as an array of a library. For CuPy a kernel writes a number: no copy."""
    if isinstance(x, (int, float, complex, np.generic)) and getattr(xp, "__name__", "").endswith("cupy"):
        return xp.full((), x, dtype=dtype)
    return xp.asarray(x, dtype=dtype)


def to_host(x: Any) -> Any:
    """x as a NumPy array: CuPy arrays are copied to the host, others are returned as they are."""
    return cupy().asnumpy(x) if is_cupy(x) else x


def synchronize(x: Any) -> None:
    """Wait until the device that holds x has done its work; nothing to do on the host."""
    if is_cupy(x):
        cupy().cuda.get_current_stream().synchronize()


def sparse_module(like: Any) -> ModuleType:
    """``scipy.sparse`` or ``cupyx.scipy.sparse``, whichever stores matrices where ``like`` lies."""
    if is_cupy(like) or type(like).__module__.startswith("cupyx"):
        cupy()
        import cupyx.scipy.sparse as module

        return module
    return scipy.sparse


def sparse_solvers(like: Any) -> ModuleType:
    """``scipy.sparse.linalg`` or ``cupyx.scipy.sparse.linalg``, whichever takes matrices that lie where ``like`` does."""
    if sparse_module(like) is scipy.sparse:
        return scipy.sparse.linalg
    import cupyx.scipy.sparse.linalg as module

    return module


def scipy_module(name: str, like: Any) -> ModuleType:
    """``scipy.<name>`` or ``cupyx.scipy.<name>``, whichever takes arrays that lie where ``like`` does."""
    return import_module(f"cupyx.scipy.{name}" if is_cupy(like) else f"scipy.{name}")


def entry_dtype(*dtypes: np.dtype) -> np.dtype:
    """The dtype of an assembled matrix: the operators' common one, or where sparse matrices cannot have that, a wider one.

    Operators whose entries are 0 and 1 (dtype bool) are neutral; where all are, it is float64.
    """
    dtype = np.result_type(bool, *dtypes)
    if dtype.kind not in "fc":
        return np.dtype(float)
    return np.result_type(dtype, np.float32) if dtype.itemsize < 4 else dtype


def solve_matrices(a: Array, b: Array) -> Array:
    """x with a x = b, for a of shape (*batch, n, n) and b of shape (*rhs, *batch, n, k): one factorisation for each matrix.

    Raises numpy.linalg.LinAlgError where a matrix is exactly singular, on the device too.
    """
    extra, n_batch = b.ndim - a.ndim, a.ndim - 1
    if extra <= 0:
        return library_solve(a, b)
    columns = b.transpose((*range(extra, b.ndim - 1), *range(extra), b.ndim - 1))
    x = library_solve(a, columns.reshape((*columns.shape[:n_batch], size(columns.shape[n_batch:]))))
    return x.reshape(columns.shape).transpose((*range(n_batch, b.ndim - 1), *range(n_batch), b.ndim - 1))


def library_solve(a: Array, b: Array) -> Array:
    """``solve`` of the arrays' library, for stacks that broadcast. Raises LinAlgError where a matrix is exactly singular."""
    xp = namespace(a, b)
    if not is_cupy(a):
        return xp.linalg.solve(a, b)
    from cupyx import errstate

    if 0 in b.shape:
        return xp.zeros(b.shape, dtype=np.result_type(a.dtype, b.dtype))
    with errstate(linalg="raise"):  # CuPy ignores singular matrices unless asked
        return xp.linalg.solve(xp.broadcast_to(a, (*b.shape[:-1], a.shape[-1])), b)


class _Keeping(threading.local):
    borrowed = False


_keeping = _Keeping()


@contextmanager
def borrowing() -> Iterator[None]:
    """Within, ``snapshot`` copies nothing: for programs that are only recorded, and read their arrays anew when they are run."""
    before, _keeping.borrowed = _keeping.borrowed, True
    try:
        yield
    finally:
        _keeping.borrowed = before


def is_borrowing() -> bool:
    """Whether this thread is within ``borrowing``."""
    return _keeping.borrowed


def snapshot(x: Array) -> Array:
    """x itself where nobody can change it, else a copy: what is kept for later must not change under our hands."""
    if type(x) is np.ndarray or type(x) is np.memmap:
        if _keeping.borrowed:
            return x
        x = x if type(x) is np.ndarray else x.view(np.ndarray)
        return x.copy("K") if x.flags.writeable or _writeable(x.base) else x
    if is_cupy(x):
        _require_current_device(x)
        return x if _keeping.borrowed else x.copy("K")
    if isinstance(x, np.ndarray):
        return x if _keeping.borrowed else x.copy("K")
    return x.copy("K") if is_traced(x) else x  # the same variable, whatever x becomes


def _writeable(base: Any) -> bool:
    """Whether the owner of a read-only view can be written to."""
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return True
        base = base.base
    try:
        return base is not None and not memoryview(base).readonly
    except TypeError:  # an owner that does not say
        return True


def size(shape: Shape) -> int:
    """Number of entries of an array of this shape."""
    return math.prod(shape)


def matmul(a: Array, b: Array) -> Array:
    """``a @ b``: NumPy's matrices by ``dot``, the same BLAS call at half the overhead; a stack times a matrix as one product."""
    if type(a) is type(b) is np.ndarray and a.ndim == b.ndim == 2:
        return a.dot(b)
    if b.ndim == 2 and a.ndim > 2 and a.shape[-1] == b.shape[0]:
        return matmul(a.reshape((size(a.shape[:-1]), a.shape[-1])), b).reshape((*a.shape[:-1], b.shape[-1]))
    return a @ b


def sum_axes(x: Array, axes: Shape) -> Array:
    """Sum over axes (any sign), which disappear."""
    if type(x) is np.ndarray:
        if axes == (-2,) and x.ndim == 2 and x.dtype.char in "fd" and len(x) <= 4096:
            return _ones(x.shape[0], x.dtype).dot(x)  # up to five times as fast as np.add.reduce
        return np.add.reduce(x, axes)
    return x.sum(axis=axes)


@lru_cache(maxsize=64)
def _ones(n: int, dtype: np.dtype) -> np.ndarray:
    return np.ones(n, dtype)


def broadcast(x: Array, shape: Shape) -> Array:
    """x broadcast to shape, as a view that repeats entries without storing them."""
    if x.shape == shape:
        return x
    if type(x) is np.ndarray or isinstance(x, np.generic):
        return _broadcast_view(np.asarray(x), shape)
    return namespace(x).broadcast_to(x, shape)


def _broadcast_view(x: np.ndarray, shape: Shape) -> np.ndarray:
    if x.size == 1:  # a quarter of the time of np.broadcast_to
        return np.ndarray(shape, x.dtype, x, 0, (0,) * len(shape))
    return np.broadcast_to(x, shape)


def add_into(total: Array, term: Array) -> Array:
    """total + term, written over total where total is an array that can be: the caller owns total."""
    if type(total) is type(term) and (type(total) is np.ndarray or is_cupy(total)) and total.dtype == term.dtype:
        total += term
        return total
    return total + term


def select(x: Array, index: tuple[Any, ...]) -> Array:
    """``x[index]``, where the index may hold stand-ins too."""
    try:
        return x[index]
    except TypeError:
        if (stand_in := next(filter(records, index), None)) is None or is_traced(x):
            raise
        return stand_in._record(select, x, index)


def scatter_add(x: Array, index: Any, shape: Shape) -> Array:
    """Zeros of the given shape, to which the entries of x are added at index: the transpose of ``z[index]``."""
    for part in (x, *index):
        if records(part):
            return part._record(scatter_add, x, index, shape)
    xp = namespace(x)
    out = xp.zeros(shape, dtype=x.dtype)
    if selects_once(index):
        out[index] = x
    else:
        add_at(out, index, x)
    return out


def add_at(out: Array, index: Any, x: Array) -> None:
    """``out[index] += x``, where an entry that is named twice gets both."""
    xp = namespace(out)
    if selects_once(index):
        out[index] += x
    elif is_cupy(out) and out.dtype.kind == "c":  # CuPy adds at places by atomic operations, which take real numbers
        xp.add.at(out.real, index, x.real)
        xp.add.at(out.imag, index, x.imag)
    else:
        xp.add.at(out, index, x)


def assigned(x: Array, v: Any, index: tuple[Any, ...]) -> Array:
    """A copy of x in which v is written at index."""
    for part in (x, v, *index):
        if records(part):
            return part._record(assigned, x, v, index)
    if is_cupy(x):
        from linalg.kernels import assignment

        return assignment.assigned(x, v, index)
    out = x.copy("K") if hasattr(x, "__setitem__") else np.array(x)
    out[index] = v
    return out


def erased(x: Array, index: tuple[Any, ...]) -> Array:
    """A copy of x with zeros at index."""
    return assigned(x, 0, index)


def written_last(shape: Shape, index: tuple[Any, ...]) -> Array:
    """Which entries of v stay where v is written at an index that may name a place twice: those that are written last."""
    for part in index:
        if records(part):
            return part._record(written_last, shape, index)
    if any(map(is_cupy, index)):
        from linalg.kernels import assignment

        return assignment.written_last(shape, index)
    places = np.arange(size(shape)).reshape(shape)[index]
    last = np.zeros(size(shape), int)
    last[places.ravel()] = np.arange(places.size)  # NumPy keeps the last
    return last[places] == np.arange(places.size).reshape(places.shape)


def records(x: Any) -> bool:
    """Whether x is a stand-in that takes any function as one operation, not those only that have a differential."""
    return hasattr(x, "_record")


_BASIC = {slice, int, type(None), type(Ellipsis)}


def is_basic(index: Any) -> bool:
    """Whether an index selects a view (slices, integers, Ellipsis, None), so that no entry is selected twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(type(p) in _BASIC or (isinstance(p, (int, np.integer)) and not isinstance(p, bool)) for p in parts)


def selects_once(index: Any) -> bool:
    """Whether no entry can be selected twice: a basic index, or one with a single boolean mask."""
    parts = index if isinstance(index, tuple) else (index,)
    others = [p for p in parts if not is_basic(p)]
    return not others or (len(others) == 1 and is_array(others[0]) and others[0].dtype.kind == "b")
