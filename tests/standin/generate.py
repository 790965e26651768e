"""Write what the installed CuPy offers into cupy.json: ``python -m tests.standin.generate``. It needs CuPy, but no GPU."""
from __future__ import annotations

import importlib
import inspect
import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

TABLE = Path(__file__).with_name("cupy.json")
MODULES = ("cupy", "cupy.linalg", "cupy.fft", "cupyx.scipy.fft", "cupyx.scipy.special")


def parameters(function: Any) -> list[list[Any]] | None:
    """Name, kind and whether required, for each parameter; None where CuPy does not say."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[p.name, int(p.kind), p.default is p.empty] for p in found]


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
    return {"version": cupy.__version__, "modules": modules, "attributes": attributes}


if __name__ == "__main__":
    TABLE.write_text(json.dumps(table(), separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8")
