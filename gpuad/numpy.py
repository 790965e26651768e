"""NumPy's namespace, differentiable: ``import gpuad.numpy as np``."""
from __future__ import annotations

from typing import Any

import numpy

from gpuad.namespace import Namespace

namespace = Namespace(numpy, numpy, "gpuad.numpy")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.numpy' has no attribute {name!r}")
    globals()[name] = attribute = getattr(namespace, name)
    return attribute


def __dir__() -> list[str]:
    return dir(numpy)
