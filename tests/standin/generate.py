"""Write what the installed CuPy offers into cupy.json: ``python -m tests.standin.generate``. It needs CuPy, but no GPU."""
from __future__ import annotations

import importlib
import inspect
import json
import re
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

TABLE = Path(__file__).with_name("cupy.json")
OF_CUDA = "Device Event Graph MemoryPointer MemoryPool Stream UnownedMemory".split()
"""Classes of cupy.cuda whose methods are written down."""
MODULES = ("cupy", "cupy.linalg", "cupy.fft", "cupyx.scipy.fft", "cupyx.scipy.special")


def parameters(function: Any) -> list[list[Any]] | None:
    """Name, kind and whether required, for each parameter; None where CuPy does not say."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, int(p.kind), p.default is p.empty] for p in found]


def methods(cls: type) -> dict[str, list[str] | None]:
    """Names of the public members of a class, and of the parameters of methods; None where CuPy does not say, or for values."""
    return {name: names(getattr(cls, name)) for name in dir(cls) if not name.startswith("_")}


def names(member: Any) -> list[str] | None:
    """The names of a method's parameters: Cython writes them into the first line of its text."""
    found = re.match(r"[\w.]+\((.*?)\)( ->.*)?\n", f"{member.__doc__}\n") if callable(member) else None
    if found:
        return [p.split("=")[0].split(" ")[-1] for p in found[1].split(", ")][1:]
    described = parameters(member) if callable(member) else None
    return described and [p[0] for p in described][1:]


def described(module: ModuleType, ufunc: type) -> dict[str, Any]:
    """The public functions and ufuncs of a module."""
    public = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    ufuncs = {name: f.types for name, f in public.items() if isinstance(f, ufunc)}
    functions = {name: parameters(f) for name, f in public.items()
                 if callable(f) and not isinstance(f, (type, ModuleType)) and name not in ufuncs}
    return {"ufuncs": ufuncs, "functions": functions}


def table() -> dict[str, Any]:
    """What CuPy has: functions with their parameters, ufuncs with their loops, names of an array's attributes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _table()


def _table() -> dict[str, Any]:
    import cupy
    import cupyx.scipy.special  # noqa: F401 (reached through its name)
    from cupy._core._kernel import ufunc
    from cupyx.scipy import sparse

    modules = {name: described(importlib.import_module(name), ufunc) for name in MODULES}
    classes = {"ndarray": cupy.ndarray, **{k: getattr(sparse, k) for k in ("csr_matrix", "csc_matrix", "coo_matrix")}}
    attributes = {name: [a for a in dir(cls) if not a.startswith("_")] for name, cls in classes.items()}
    cuda = {name: methods(getattr(cupy.cuda, name)) for name in OF_CUDA}
    cuda |= {name: methods(getattr(cupy, name)) for name in ("RawKernel", "RawModule")}
    held = {name: sorted(n for n in dir(module) if not n.startswith("_")) for name, module in (
        ("cupy.cuda", cupy.cuda), ("cupy.cuda.runtime", cupy.cuda.runtime), ("cupy.cuda.memory", cupy.cuda.memory),
        ("cupy.cuda.compiler", cupy.cuda.compiler))}
    return {"version": cupy.__version__, "modules": modules, "attributes": attributes, "cuda": cuda, "held": held}


if __name__ == "__main__":
    TABLE.write_text(json.dumps(table(), separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
