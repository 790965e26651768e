"""``scipy.special``, differentiable."""
from __future__ import annotations

from typing import Any

from gpuad.scipy.namespace import ScipyNamespace

namespace = ScipyNamespace("special")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.special' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)
