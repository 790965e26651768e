"""``scipy.linalg``, differentiable."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from importlib import import_module
from typing import Any

import scipy.linalg

from gpuad.dispatch import TABLE, any_traced
from gpuad.namespace import traceable
from gpuad.scipy.namespace import ScipyNamespace
from linalg.scipy import UNSTEADY, call_scipy

for _family in "eigen equations factors functions matrices subspaces systems".split():
    import_module(f"gpuad.primitives.scipy_linalg_{_family}")  # which enters its functions in the table

namespace = ScipyNamespace("linalg")


def _unsteady(name: str) -> Callable[..., Any]:
    """A function whose results' dtypes or shapes depend on values: in a plan they must stay as they were when it was made."""
    function = getattr(scipy.linalg, name)
    traced = traceable(function, TABLE.get(function), f"gpuad.scipy.linalg.{name}")
    plain = partial(call_scipy, f"linalg.{name}")
    return wraps(function)(lambda *args, **kwargs: (traced if any_traced(args, kwargs) else plain)(*args, **kwargs))


for _name in UNSTEADY:
    setattr(namespace, _name.removeprefix("linalg."), _unsteady(_name.removeprefix("linalg.")))


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.linalg' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)
