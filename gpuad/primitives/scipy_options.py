"""How functions of SciPy's enter the table: with the options that matter to their results."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from gpuad.dispatch import TABLE

LEFT_OUT = {"check_finite", "lapack_driver", "lwork", "max_ev", "method", "overwrite_a", "overwrite_a_band", "overwrite_ab",
            "overwrite_b", "tol", "workers"}
"""Options that concern memory, checks and algorithms: traced arrays do not need them."""


def implements_scipy(function: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the traced implementation of a function of SciPy's, which takes those of its parameters that matter.

    Calls may give the others too, where they are among those that are left out; any else raise TypeError.
    """
    parameters = signature(function)

    def enter(implementation: Callable[..., Any]) -> Callable[..., Any]:
        taken = set(signature(implementation).parameters)

        @wraps(implementation)
        def call(*args: Any, **kwargs: Any) -> Any:
            given = parameters.bind(*args, **kwargs).arguments
            if refused := set(given) - taken - LEFT_OUT:
                raise TypeError(f"{function.__name__}: keyword arguments {sorted(refused)} are not available for traced arrays, "
                                f"expected some of {sorted(taken)}")
            return implementation(**{k: v for k, v in given.items() if k in taken})

        TABLE[function] = call
        return implementation

    return enter


__all__ = ["LEFT_OUT", "implements_scipy"]
