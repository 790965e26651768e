"""The same programs in JAX, in float64 on the CPU."""
from __future__ import annotations

import functools
import os
from types import SimpleNamespace
from typing import Any

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax  # noqa: E402 (after the variable that it reads)
import jax.numpy as jnp  # noqa: E402
import jax.scipy.special  # noqa: E402

from tests.fuzz.programs import Program, attribute, known  # noqa: E402

jax.config.update("jax_enable_x64", True)


def put(x: Any, index: Any, value: Any) -> Any:
    """x with ``x[index] = value``."""
    return x.at[index].set(value)


JAX = {"np": jnp, "put": put,
       "special": SimpleNamespace(**{**vars(jax.nn), **vars(jax.scipy.special)})}

UNLIKE = {
    "np.nextafter": "JAX has no derivative of it",
}
"""Functions that both have, and why they are not compared."""


@functools.cache
def shared(name: str) -> bool:
    """Whether gpuad differentiates the function of this name, and JAX has it."""
    return known(name) and name not in UNLIKE and (hasattr(jax.Array, name[1:]) if name.startswith(".")
                                                   else name == "put" or attribute(JAX, name) is not None)


def value_and_gradient(program: Program) -> tuple[Any, list[np.ndarray]]:
    """JAX's value and gradient, the latter ∂/∂Re + i ∂/∂Im, as gpuad's, where JAX gives its conjugate."""
    inputs = [jnp.asarray(x) for x in program.inputs.values()]
    f = jax.value_and_grad(lambda *x: program.run(JAX, x), argnums=tuple(range(len(inputs))))
    value, gradient = f(*inputs)
    return np.asarray(value), [np.conj(np.asarray(g)) for g in gradient]
