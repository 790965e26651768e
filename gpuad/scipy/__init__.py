"""SciPy's namespaces, differentiable: ``ad.scipy.special.gammaln(x)``. Each is imported at the first use of its name."""
from __future__ import annotations

from importlib import import_module
from typing import Any

from gpuad.traced import TracedArray

MODULES = ("fft", "integrate", "linalg", "signal", "sparse", "special", "stats")


def __getattr__(name: str) -> Any:
    if name not in MODULES:
        raise AttributeError(f"module 'gpuad.scipy' has no attribute {name!r}: it has {', '.join(MODULES)}; for scipy.optimize "
                             "see ad.minimize, ad.root and ad.fixed_point")
    return import_module(f"gpuad.scipy.{name}")


def __dir__() -> list[str]:
    return list(MODULES)


TracedArray.__scipy_namespace__ = lambda _self, name: import_module(f"gpuad.scipy.{name}")  # type: ignore[attr-defined]
