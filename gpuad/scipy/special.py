"""``scipy.special``, differentiable."""
from __future__ import annotations

from typing import Any

from gpuad.primitives import (  # noqa: F401 (each enters its functions into the table)
    special_bessel,
    special_distributions,
    special_elementary,
    special_elliptic,
    special_equations,
    special_error,
    special_gamma,
    special_incomplete,
    special_integrals,
    special_polynomials,
    special_softmax,
)
from gpuad.primitives.special import sc as namespace


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'gpuad.scipy.special' has no attribute {name!r}")
    return getattr(namespace, name)


def __dir__() -> list[str]:
    return dir(namespace)
