"""float16: stored in half the memory, dtypes kept, and training with a scaled loss, eager and planned."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host


def normal(xp: ModuleType, *shape: int, dtype: str = "float16", seed: int = 0) -> Any:
    return xp.asarray(np.random.default_rng(seed).normal(size=shape).astype(dtype))


def network(xp: ModuleType, dtype: str) -> Any:
    return [(normal(xp, 4, 8, dtype=dtype, seed=1), normal(xp, 8, dtype=dtype, seed=2)),
            (normal(xp, 8, 3, dtype=dtype, seed=3), normal(xp, 3, dtype=dtype, seed=4))]


def loss(parameters: Any, x: Any, y: Any) -> Any:
    for w, b in parameters[:-1]:
        x = np.tanh(x @ w + b)
    w, b = parameters[-1]
    return np.mean((x @ w + b - y) ** 2)


@pytest.mark.parametrize("planned", [False, True])
def test_gradients_keep_half_precision(xp: ModuleType, planned: bool) -> None:
    f = ad.value_and_grad(loss)
    f = ad.plan(f) if planned else f
    x, y = normal(xp, 16, 4, seed=5), normal(xp, 16, 3, seed=6)
    value, slopes = f(network(xp, "float16"), x, y)
    expected, exact = ad.value_and_grad(loss)(network(np, "float64"), to_host(x).astype(float), to_host(y).astype(float))
    assert value.dtype == np.float16 and float(value) == pytest.approx(float(expected), rel=5e-3)
    for layer, exact_layer in zip(slopes, exact, strict=True):
        for g, e in zip(layer, exact_layer, strict=True):
            assert g.dtype == np.float16
            np.testing.assert_allclose(to_host(g).astype(float), e, atol=2e-2)


PROGRAMS = {
    "softmax": lambda x: np.log(np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)))),
    "norm": np.linalg.norm, "std": np.std, "cumsum": lambda x: np.sum(np.cumsum(x, axis=0) * x),
    "einsum": lambda x: np.einsum("ij,kj->", x, x), "product": lambda x: np.sum(np.tanh(x @ x.T)),
    "indices": lambda x: np.sum(x[:, [0, 2, 2]]) + x[0, 1], "where": lambda x: np.sum(np.where(x > 0, x, x * x)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_in_half_precision(xp: ModuleType, name: str) -> None:
    x = normal(xp, 5, 5, seed=1)
    value, slope = ad.value_and_grad(PROGRAMS[name])(x)
    assert value.dtype == slope.dtype == np.float16
    exact = ad.grad(PROGRAMS[name])(to_host(x).astype(float))
    np.testing.assert_allclose(to_host(slope).astype(float), exact, rtol=1e-2, atol=2e-2)


# ---- loss scaling: the worked example of the documentation

def half_loss(parameters: Any, x: Any, y: Any) -> Any:
    """Half precision inside, where arrays are large; parameters and the loss in single."""
    for w, b in parameters[:-1]:
        x = np.tanh(x @ w.astype(np.float16) + b.astype(np.float16))
    w, b = parameters[-1]
    error = x @ w.astype(np.float16) + b.astype(np.float16) - y
    return 1e-6 * np.mean(error.astype(np.float32) ** 2)  # so small that its gradients vanish in float16


def scaled_step(parameters: Any, scale: Any, x: Any, y: Any) -> Any:
    value, slopes = ad.value_and_grad(lambda p: scale * half_loss(p, x, y))(parameters)
    slopes = [(dw / scale, db / scale) for dw, db in slopes]
    finite = np.isfinite(sum(np.sum(dw) + np.sum(db) for dw, db in slopes))
    moved = [(np.where(finite, w - 1e4 * dw, w), np.where(finite, b - 1e4 * db, b))
             for (w, b), (dw, db) in zip(parameters, slopes, strict=True)]
    return value / scale, moved, np.where(finite, scale, scale / 2)


@pytest.mark.parametrize("planned", [False, True])
def test_a_scaled_loss_keeps_small_gradients(xp: ModuleType, planned: bool) -> None:
    step = ad.plan(scaled_step) if planned else scaled_step
    x, y = normal(xp, 16, 4, seed=5), normal(xp, 16, 3, seed=6)
    parameters = network(xp, "float32")
    vanished = ad.grad(half_loss)(parameters, x, y)
    exact = ad.grad(lambda p: 1e-6 * loss(p, to_host(x).astype(float), to_host(y).astype(float)))(network(np, "float64"))
    one, large, huge = (xp.asarray(np.float32(s)) for s in (1, 2.0 ** 18, 2.0 ** 36))
    assert abs(to_host(vanished[0][0]) - exact[0][0]).max() > 0.05 * abs(exact[0][0]).max()

    _, moved, scale = step(parameters, large, x, y)
    for layer, new, e in zip(parameters, moved, exact, strict=True):
        for w, v, g in zip(layer, new, e, strict=True):
            assert v.dtype == np.float32
            np.testing.assert_allclose((to_host(w) - to_host(v)) / 1e4, g, rtol=2e-2, atol=1e-2 * abs(g).max())
    assert scale == large

    with np.errstate(over="ignore", invalid="ignore"):
        _, kept, smaller = step(parameters, huge, x, y)  # inf in float16: the step is skipped
    assert smaller == huge / 2 and smaller.dtype == np.float32
    for layer, new in zip(parameters, kept, strict=True):
        for w, v in zip(layer, new, strict=True):
            np.testing.assert_array_equal(to_host(v), to_host(w))

    value, _, scale = step(parameters, one, x, y)
    for _ in range(20):
        last, parameters, scale = step(parameters, large, x, y)
    assert float(last) < float(value)


def test_bfloat16_is_refused_by_name() -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    with pytest.raises(TypeError, match="dtype bfloat16; convert it"):
        ad.grad(np.sum)(np.ones(3, bfloat16))
