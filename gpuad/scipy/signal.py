"""``scipy.signal``, differentiable."""
from __future__ import annotations

from typing import Any

from gpuad.primitives import filters, periodograms, resampling, responses, signals, smoothing  # noqa: F401 (which fill the table)
from gpuad.scipy.namespace import ScipyNamespace

namespace = ScipyNamespace("signal")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.signal' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)
