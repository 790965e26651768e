"""The same programs in JAX, in float64 on the CPU."""
from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA prints its own failures, which are counted here

import jax
import jax.numpy as jnp
import jax.scipy

from tests.fuzz.programs import Program, attribute, known

jax.config.update("jax_enable_x64", True)


def put(x: Any, index: Any, value: Any) -> Any:
    """x with ``x[index] = value``."""
    return x.at[index].set(value)


def numpy_names() -> SimpleNamespace:
    """``jax.numpy``, whose ``array`` gives NumPy's constants: masks and indices are known when a program is compiled."""
    return SimpleNamespace(**{name: getattr(jnp, name) for name in dir(jnp)} | {"array": np.array})


for _module in ("fft", "integrate", "linalg", "signal", "special", "stats"):
    import_module(f"jax.scipy.{_module}")

JAX = {"np": numpy_names(), "put": put, "sp": jax.scipy,
       "special": SimpleNamespace(**{**vars(jax.nn), **vars(jax.scipy.special)})}

UNLIKE = {
    "np.nextafter": "JAX has no derivative of it",
    "np.vander": "JAX's derivative of x ** 0 is NaN at 0",
    "sp.linalg.sqrtm": "JAX has no derivative of schur, of which it is made",
    "special.betaln": "JAX's values are wrong by up to 1e-6 for arguments between 1 and 10",
}
"""Functions that both have, and why they are not compared."""


@functools.cache
def shared(name: str) -> bool:
    """Whether gpuad differentiates the function of this name, and JAX has it."""
    return known(name) and name not in UNLIKE and (hasattr(jax.Array, name[1:]) if name.startswith(".")
                                                   else name == "put" or attribute(JAX, name) is not None)


QUICK = {"xla_cpu_use_fusion_emitters": False, "xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True,
         "xla_cpu_parallel_codegen_split_count": 1}
"""Options of XLA for compiling in little time, since every program is run once. With them XLA 0.10 gives NaN now and then where
without them it does not: where results differ, JAX is asked again without."""

UNCOMPILED = (jax.errors.ConcretizationTypeError, jax.errors.NonConcreteBooleanIndexError, jax.errors.JaxRuntimeError)
"""What is raised where a program cannot be compiled as a whole: a function needs values, or XLA fails."""


def value_and_gradient(program: Program, quick: bool = True) -> tuple[Any, list[np.ndarray]]:
    """JAX's value and gradient, the latter ∂/∂Re + i ∂/∂Im, as gpuad's, where JAX gives its conjugate."""
    inputs = [jnp.asarray(x) for x in program.inputs.values()]
    f = jax.value_and_grad(lambda *x: program.run(JAX, x), argnums=tuple(range(len(inputs))))
    try:
        value, gradient = _compiled(jax.jit(f).lower(*inputs), quick)(*inputs)
    except UNCOMPILED:
        value, gradient = f(*inputs)
    return np.asarray(value), [np.conj(np.asarray(g)) for g in gradient]


def _compiled(lowered: Any, quick: bool) -> Any:
    try:
        return lowered.compile(compiler_options=QUICK if quick else None)
    except jax.errors.JaxRuntimeError:  # a version of XLA that does not know them
        return lowered.compile()


def ask(program: Program) -> Iterator[tuple[Any, list[np.ndarray]]]:
    """JAX's answer; where that is not believed, another one."""
    yield value_and_gradient(program)
    yield value_and_gradient(program, quick=False)


def forget() -> None:
    """Free what JAX keeps of earlier programs."""
    jax.clear_caches()
