"""CuPy's namespace, differentiable: ``import gpuad.cupy as cp``. CuPy is imported at the first use of a name.

A name raises ImportError where CuPy is missing, and RuntimeError where no GPU can be used.
"""
from __future__ import annotations

from typing import Any

import numpy

from gpuad.namespace import Namespace
from linalg.arrays import cupy, gpu_unavailable_reason

_namespaces: list[Namespace] = []


def namespace() -> Namespace:
    """The namespace over CuPy. Raises ImportError, naming the extra to install, where CuPy is missing."""
    if not _namespaces:
        _namespaces.append(Namespace(cupy(), numpy, "gpuad.cupy"))
    return _namespaces[0]


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.cupy' has no attribute {name!r}")
    found = namespace()
    if (reason := gpu_unavailable_reason()) is not None:
        raise RuntimeError(f"gpuad.cupy.{name}: no GPU can be used: {reason}")
    globals()[name] = attribute = getattr(found, name)
    return attribute


def __dir__() -> list[str]:
    return dir(cupy())
