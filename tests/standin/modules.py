"""The stand-in's modules, and how they take the places of CuPy's in ``sys.modules``."""
from __future__ import annotations

import ctypes
import sys
from types import ModuleType
from typing import Any

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.signal

from tests.standin import counters, decompositions, kernels, memory, nvmath_, sparse, streams
from tests.standin import matrices as matrices_of_scipy
from tests.standin.array import performed, plain
from tests.standin.cuda_modules import MODULES as CUDA
from tests.standin.cuda_modules import cuda
from tests.standin.elementwise import ElementwiseKernel
from tests.standin.functions import module_function
from tests.standin.methods import ndarray
from tests.standin.special import special
from tests.standin.table import MODULES, TABLE
from tests.standin.ufunc import gufunc, ufunc

TYPES = ("bool_ dtype float16 float32 float64 complex64 complex128 int8 int16 int32 int64 uint8 uint16 uint32 uint64 "
         "intp integer floating complexfloating number generic inexact signedinteger unsignedinteger finfo iinfo "
         "inf nan pi e newaxis").split()


def filled(name: str, numpy_module: Any) -> ModuleType:
    """A module with CuPy's functions and ufuncs."""
    module = ModuleType(name)
    for function in MODULES[name]["functions"]:
        setattr(module, function, module_function(name, function, numpy_module))
    for function, types in MODULES[name]["ufuncs"].items():
        if hasattr(np, function):
            setattr(module, function, ufunc(function, types))
    return module


def linalg() -> ModuleType:
    module = filled("cupy.linalg", np.linalg)
    module.LinAlgError = np.linalg.LinAlgError  # type: ignore[attr-defined]
    for name, change in decompositions.OWN.items():
        setattr(module, name, change(getattr(module, name)))
    return module


def cupy() -> ModuleType:
    module = filled("cupy", np)
    for name in TYPES:
        setattr(module, name, getattr(np, name))
    module.__version__ = f"{TABLE['version']} (stand-in on the CPU)"
    for name, part in {"ndarray": ndarray, "ElementwiseKernel": ElementwiseKernel, "RawKernel": kernels.RawKernel,
                       "RawModule": kernels.RawModule, "ufunc": ufunc, "matmul": gufunc(), "bool": np.bool_, "linalg": linalg(),
                       "fft": filled("cupy.fft", np.fft), "cuda": cuda(), "random": random(),
                       "get_default_memory_pool": lambda: memory.DEFAULT,
                       "launches": counters.LAUNCHES, "allocations": counters.ALLOCATIONS, "transfers": counters.TRANSFERS,
                       "synchronisations": counters.SYNCHRONISATIONS}.items():
        setattr(module, name, part)
    return module


class Generator:
    """CuPy's random generator, as far as it is used: NumPy's numbers, on the device."""

    def __init__(self, seed: int):
        self._rng = np.random.default_rng(seed)

    def standard_normal(self, size: Any = None) -> ndarray:
        return sys.modules["cupy"].asarray(self._rng.standard_normal(size))

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> ndarray:
        return sys.modules["cupy"].asarray(self._rng.uniform(low, high, size))


def random() -> ModuleType:
    module = ModuleType("cupy.random")
    module.default_rng = Generator  # type: ignore[attr-defined]
    return module


# ---- cuSPARSE's tridiagonal solver, on addresses as it is called

def at(address: int, dtype: Any, *shape: int) -> np.ndarray:
    """The memory at an address, as an array."""
    length = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * length).from_address(address), dtype).reshape(shape)


def gtsv2(dtype: Any) -> Any:
    """T X = B in place, for the k columns of B, each ``ldb`` entries after the one before; not finite where T is singular."""
    def solve(_handle: int, m: int, k: int, lower: int, middle: int, upper: int, b: int, ldb: int, _buffer: int) -> None:
        streams.refuse("cuSPARSE")
        streams.catch_up()
        bands, columns = np.zeros((3, m), dtype), at(b, dtype, k, ldb)[:, :m]
        bands[0, 1:], bands[1], bands[2, :-1] = at(upper, dtype, m)[:-1], at(middle, dtype, m), at(lower, dtype, m)[1:]
        try:
            columns[...] = scipy.linalg.solve_banded((1, 1), bands, columns.T, check_finite=False).T
        except np.linalg.LinAlgError:
            columns[...] = np.nan
    return solve


def cusparse() -> ModuleType:
    module = ModuleType("cupy_backends.cuda.libs.cusparse")
    for prefix, dtype in {"s": "f", "d": "d", "c": "F", "z": "D"}.items():
        setattr(module, f"{prefix}gtsv2", gtsv2(np.dtype(dtype)))
        setattr(module, f"{prefix}gtsv2_bufferSizeExt", lambda *_arguments: 8)
    return module


def _filtered(b: Any, a: Any, x: Any, axis: int) -> Any:
    return performed("lfilter", lambda: scipy.signal.lfilter(b, a, x, axis))


# ---- installation

def modules() -> dict[str, ModuleType]:
    """Every module that the package reaches, by its name."""
    top = cupy()
    found = {"cupy": top, **{f"cupy.{name}": getattr(top, name) for name in ("linalg", "fft", "cuda", "random")},
             **{f"cupy.cuda.{name}": getattr(top.cuda, name) for name in CUDA}}
    matrices, solvers = ModuleType("cupyx.scipy.sparse"), ModuleType("cupyx.scipy.sparse.linalg")
    for name, cls in sparse.CLASSES.items():
        setattr(matrices, f"{name}_matrix", cls)
    for function in (sparse.identity, sparse.kron):
        setattr(matrices, function.__name__, function)
    solvers.splu = sparse.splu  # type: ignore[attr-defined]
    cupyx = ModuleType("cupyx")
    cupyx.errstate = decompositions.errstate  # type: ignore[attr-defined]
    found |= {"cupyx": cupyx, "cupyx.scipy": ModuleType("cupyx.scipy"), "cupyx.scipy.sparse": matrices,
              "cupyx.scipy.sparse.linalg": solvers, "cupy_backends": ModuleType("cupy_backends"),
              "cupy_backends.cuda": ModuleType("cupy_backends.cuda"),
              "cupy_backends.cuda.libs": ModuleType("cupy_backends.cuda.libs"),
              "cupy_backends.cuda.api": ModuleType("cupy_backends.cuda.api"), "cupy_backends.cuda.api.runtime": top.cuda.runtime,
              "cupy_backends.cuda.libs.cusparse": cusparse()}
    filters = ModuleType("cupyx.scipy.signal")  # which does not say what it has where there are no CUDA libraries
    filters.lfilter = (  # type: ignore[attr-defined]
        lambda b, a, x, axis=-1: _filtered(plain(b), plain(a), plain(x), axis))
    found |= {"cupyx.scipy.fft": filled("cupyx.scipy.fft", scipy.fft), "cupyx.scipy.linalg": matrices_of_scipy.linalg(),
              "cupyx.scipy.signal": filters, "cupyx.scipy.special": special()}
    for name, module in found.items():
        parent, _, last = name.rpartition(".")
        if parent in found:
            setattr(found[parent], last, module)
        module.__path__ = []
    return found


def install() -> ModuleType:
    """Put the stand-in in the places of CuPy and nvmath, for this process. Raises RuntimeError where CuPy is loaded already."""
    if "cupy" in sys.modules:
        raise RuntimeError("the stand-in must be installed before CuPy is imported")
    found = modules()
    sys.modules.update(found)
    nvmath_.install()
    return found["cupy"]
