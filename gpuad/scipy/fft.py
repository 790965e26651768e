"""``scipy.fft``, differentiable."""
from __future__ import annotations

from typing import Any

import gpuad.primitives.scipy_fourier  # noqa: F401 (which fills the table)
from gpuad.scipy.namespace import ScipyNamespace

namespace = ScipyNamespace("fft")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.fft' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)
