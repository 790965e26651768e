"""Gradients of each example, and their norms, against a loop over the examples; and how they are made."""
import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpuad as ad
import gpuad.per_example
from linalg.arrays import to_host
from linalg.disjoint import Disjoint, Outer
from tests.gpuad.models import LABELS, MODELS, B, H, N, X, normal, softmax
from tests.gpuad.test_random_programs import program, steps

pytestmark = pytest.mark.usefixtures("both_modes")

def close(got: Any, expected: Any, rtol: float = 1e-10, atol: float = 1e-13) -> None:
    np.testing.assert_allclose(to_host(got), to_host(expected), rtol=rtol, atol=atol)


def norms(grads: Any) -> Any:
    return {k: np.sqrt((g.reshape(B, -1) ** 2).sum(axis=1)) for k, g in grads.items()}


@pytest.mark.parametrize("name", MODELS)
def test_equal_to_a_loop_over_the_examples(name):
    model = MODELS[name]
    expected = model.grads
    got = ad.per_example_grads(model.f)(model.params, *model.data)
    assert list(got) == list(model.params)
    for k, g in got.items():
        rtol = 1e-10 if g.dtype == float else 1e-5
        assert type(g) is np.ndarray and g.shape == (B, *np.shape(model.params[k]))
        assert g.dtype == np.result_type(model.params[k])
        close(g, expected[k], rtol)
    by_leaf = ad.per_example_norms(model.f, by_leaf=True)(model.params, *model.data)
    for k, n in norms(expected).items():
        close(by_leaf[k], n, 1e-10 if by_leaf[k].dtype == float else 1e-5)
    total = ad.per_example_norms(model.f)(model.params, *model.data)
    close(total, np.sqrt(sum(n**2 for n in norms(expected).values())), 1e-6 if name == "scalar" else 1e-10)


def test_lies_where_the_arguments_lie(xp: ModuleType):
    model = MODELS["network"]
    params = {k: xp.asarray(v) for k, v in model.params.items()}
    x, y = xp.asarray(X), xp.asarray(LABELS)
    got = ad.per_example_grads(model.f)(params, x, y)
    assert all(type(g) is type(x) for g in got.values())
    for k, g in model.grads.items():
        close(got[k], g)
    close(ad.per_example_norms(model.f)(params, x, y), np.sqrt(sum(n**2 for n in norms(model.grads).values())))


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_dtypes(dtype):
    """Complex parameters have ∂/∂Re + i ∂/∂Im of each loss."""
    w, x = (normal(N, H) + 0.3j).astype(dtype) if dtype[0] == "c" else normal(N, H).astype(dtype), X.astype("float32")
    f = lambda w, x: np.sum(np.abs(x @ w) ** 2, axis=1)
    got = ad.per_example_grads(f)(w, x)
    expected = np.stack([ad.grad(lambda w, i=i: f(w, x[i: i + 1])[0])(w) for i in range(B)])
    assert got.dtype == dtype
    close(got, expected, 1e-4, 1e-5)
    total = ad.per_example_norms(f)(w, x)
    assert total.dtype == got.real.dtype
    close(total, np.sqrt(np.sum(np.abs(expected) ** 2, axis=(1, 2))), 1e-4)


# ---- arguments

def test_several_arguments_and_axes():
    def f(w, scale, x, shared, b):
        return np.sum((w.T @ x) ** 2, axis=0) * scale * np.sum(shared) + np.sum(b)

    w, x, shared, b = normal(N, H), normal(N, B), normal(3), normal(2)
    in_axes = (None, None, 1, None, None)
    by_w, by_b = ad.per_example_grads(f, (0, -1), in_axes)(w, 1.5, x, shared, b)
    factor = 2 * 1.5 * np.sum(shared)
    close(by_w, np.stack([factor * np.outer(c, w.T @ c) for c in x.T]))
    close(by_b, np.ones((B, 2)))
    close(ad.per_example_norms(f, 1, (None, 0, -1, None, None))(w, 1.5, x, shared, b),
          np.abs(np.sum((w.T @ x) ** 2, axis=0) * np.sum(shared)))
    (n, m) = ad.per_example_norms(f, (0, 4), in_axes, by_leaf=True)(w, 1.5, x, shared, b)
    close(n, np.sqrt((by_w**2).sum(axis=(1, 2))))
    close(m, np.full(B, np.sqrt(2)))


def test_data_in_pytrees_and_keywords():
    def f(w, batch, *, power=1):
        return np.sum(batch["x"] @ w, axis=1) ** power * batch["y"]

    batch = {"x": X, "y": np.arange(B), "none": None}
    got = ad.per_example_grads(f)(normal(N, 2) * 0 + 1.0, batch, power=2)
    factor = 2 * 2 * X.sum(axis=1) * np.arange(B)
    close(got, np.stack([a * np.outer(x, [1, 1]) for a, x in zip(factor, X, strict=True)]))


def test_data_that_are_closed_over():
    model = MODELS["network"]
    got = ad.per_example_grads(lambda p: model.f(p, *model.data))(model.params)
    for k, g in model.grads.items():
        close(got[k], g)


@pytest.mark.parametrize("n", [0, 1])
def test_small_batches(n):
    model = MODELS["network"]
    data = [x[:n] for x in model.data]
    got = ad.per_example_grads(model.f)(model.params, *data)
    for k, g in model.grads.items():
        close(got[k], g[:n])
    assert ad.per_example_norms(model.f)(model.params, *data).shape == (n,)


def test_examples_of_different_lengths():
    """Rows of one matrix that belong to examples, three of one and none of another."""
    owner = np.array([3, 0, 0, 1, 3, 3, 4])

    def f(w, x):
        z = np.sum(np.tanh(x @ w) ** 2, axis=1)
        return np.stack([np.sum(z[owner == i]) for i in range(B)])

    w, x = normal(N, H), normal(7, N)
    got = ad.per_example_grads(lambda w: f(w, x))(w)
    close(got, ad.jacobian(lambda w: f(w, x))(w))
    assert not got[2].any()
    close(ad.per_example_norms(lambda w: f(w, x))(w), np.sqrt((got**2).sum(axis=(1, 2))))


# ---- programs that mix examples

MIXING: dict[str, Callable[..., Any]] = {
    "batch norm": lambda w, x: np.sum(((x @ w - np.mean(x @ w, axis=0)) / np.std(x @ w, axis=0)) ** 3, axis=1),
    "normalised data": lambda w, x: np.sum(((x - np.mean(x, axis=0)) @ w) ** 2, axis=1),
    "total": lambda w, x: np.sum(x @ w, axis=1) * np.sum(np.sin(x @ w)),
    "contrast": lambda w, x: -np.diagonal(np.log(softmax((x @ w) @ (x @ w).T))),
    "reversed": lambda w, x: np.sum(x @ w, axis=1)[::-1],
    "neighbours": lambda w, x: np.sum((x @ w) * np.roll(x @ w, 1, axis=0), axis=1),
    "transform": lambda w, x: np.sum(np.abs(np.fft.fft(x @ w, axis=0)), axis=1),
    "solve": lambda w, x: np.sum(np.linalg.solve(x @ x.T + np.eye(B), x @ w), axis=1),
}


@pytest.mark.parametrize("name", MIXING)
def test_programs_that_mix_examples_are_refused(name):
    w, f = normal(N, H), MIXING[name]
    for transform in (ad.per_example_grads, ad.per_example_norms):
        with pytest.raises(TypeError, match="mixes examples"):
            transform(f)(w, X)
    if name != "reversed":  # nobody looks at what is closed over: these are the rows of the Jacobian
        close(ad.per_example_grads(lambda w: f(w, X))(w), ad.jacobian(lambda w: f(w, X))(w))


def test_what_examples_share_is_not_mixed():
    center = np.mean(X, axis=0)
    f = lambda w, x, center: np.sum(((x - center) @ w) ** 2, axis=1)
    w = normal(N, H)
    got = ad.per_example_grads(f, 0, (None, 0, None))(w, X, center)
    close(got, ad.jacobian(lambda w: f(w, X, center))(w))


@pytest.mark.parametrize("f", [
    lambda w, x: np.real(np.fft.ifft(np.fft.fft(x @ w))).sum(axis=1), lambda w, x: np.sum(np.linalg.inv(w) @ x.T, axis=0),
    lambda w, x: np.sum(ad.checkpoint(lambda w, x: np.tanh(x @ w))(w, x), axis=1),
    lambda w, x: np.stack([x[i] @ w @ x[i] for i in range(B)]), lambda w, x: np.prod(1 + (x @ w) ** 2, axis=1),
    lambda w, x: np.sum(np.einsum("bi,ij->bij", x, w) ** 2, axis=(1, 2)),
    lambda w, x: np.sum(np.where(x > 0, x @ w, 1.0), axis=1),
    lambda w, x: np.linalg.norm(np.concatenate([x @ w, np.broadcast_to(w[0], (B, N))], axis=1), axis=1),
    lambda w, x: np.trace(w @ np.reshape(x, (B, N, 1)) @ np.reshape(x, (B, 1, N)), axis1=1, axis2=2),
    lambda w, x: np.sum(np.linalg.cholesky(w @ w.T + x[:, :, None] * x[:, None, :]), axis=(1, 2)),
], ids=["fft", "inverse", "checkpoint", "loop", "product", "einsum", "where", "concatenate", "trace", "cholesky"])
def test_other_programs(f):
    w = normal(N, N) + 2 * np.eye(N)
    expected = ad.jacobian(lambda w: f(w, X))(w)
    close(ad.per_example_grads(f)(w, X), expected)
    close(ad.per_example_norms(f)(w, X), np.sqrt((expected**2).sum(axis=(1, 2))))


@settings(max_examples=60)
@given(steps, st.booleans())
def test_rows_of_the_jacobian_of_any_program(code, every_entry):
    """Whatever a program mixes, its rows are right; checkpoints inside change nothing."""
    x = np.array([[0.3, -0.7, 1.1], [0.9, 0.2, -0.4]])
    weights = np.array([[1.0, -0.5, 2.0], [0.3, 0.8, -1.2]])

    def f(w, u):
        start = [np.broadcast_to(w, x.shape), x * w, x @ u]
        out = weights * gpuad.checkpoint(program(code))(*start) if every_entry else program(code)(*start)
        return np.ravel(out) if every_entry else np.sum(out * weights, axis=1)

    w, u = np.array([0.5, -0.2, 0.8]), np.array([[0.1, 0.4, -0.3], [0.7, -0.6, 0.2], [0.5, 0.9, -0.8]])
    expected = gpuad.jacobian(lambda w, u: f(w, u), (0, 1))(w, u)
    got = gpuad.per_example_grads(f, (0, 1))(w, u)
    squares = gpuad.per_example_norms(f, (0, 1), by_leaf=True)(w, u)
    for p, q, n in zip(got, expected, squares, strict=True):
        size = np.abs(q).max() + 1e-3
        close(p / size, q / size, 1e-8, 1e-8)
        close(n / size, np.sqrt((q.reshape(len(q), -1) ** 2).sum(axis=1)) / size, 1e-6, 1e-6)


# ---- derivatives, and how they are made

def test_may_be_differentiated():
    """The gradient of a penalty on the norms."""
    model = MODELS["layer norm"]

    def penalty(p):
        return np.sum((ad.per_example_norms(model.f)(p, *model.data) - 1) ** 2)

    def by_jacobian(p):
        rows = ad.jacobian(lambda p: model.f(p, *model.data))(p)
        return np.sum((np.sqrt(sum(np.sum(np.reshape(g, (B, -1)) ** 2, axis=1) for g in rows.values())) - 1) ** 2)

    got, expected = ad.grad(penalty)(model.params), ad.grad(by_jacobian)(model.params)
    for k in got:
        close(got[k], expected[k], 1e-9)


def test_zeros_that_have_derivatives():
    """Where a right-hand side is zero at this point only, it is not taken for nothing."""
    def f(w, x):
        return np.real(np.fft.ifft(np.fft.fft(x * w, axis=1), axis=1))[:, 0] * w[1]

    w = np.array([1.0, 0.0, 2.0, 3.0])
    got = ad.jacobian(lambda w: ad.per_example_grads(f)(w, X))(w)
    close(got, ad.jacobian(ad.jacobian(lambda w: f(w, X)))(w))


def test_one_solve_for_all_examples(monkeypatch):
    solves, calls = [], []
    substitute = gpuad.per_example.back_substitute
    monkeypatch.setattr(gpuad.per_example, "back_substitute", lambda *args: (solves.append(1), substitute(*args))[1])
    for model in (MODELS["network"], MODELS["recurrent"], MODELS["tied"]):
        for transform in (ad.per_example_grads, ad.per_example_norms):
            transform(lambda *args, f=model.f: (calls.append(1), f(*args))[1])(model.params, *model.data)
    assert len(solves) == len(calls) == 6


@pytest.mark.parametrize("name", MODELS)
def test_whose_gradients_are_formed(name, monkeypatch):
    """Norms do without the gradients, where forming them is not less work; and nothing is done B times over."""
    formed: list[Any] = []
    stacked = Outer.stacked
    monkeypatch.setattr(Outer, "stacked", lambda self: (formed.append(1), stacked(self))[1])
    apart: list[Any] = []
    one_by_one = Disjoint.stacked
    monkeypatch.setattr(Disjoint, "stacked", lambda self: (apart.append(self.values.shape), one_by_one(self))[1])
    model = MODELS[name]
    gpuad.per_example_norms(model.f)(model.params, *model.data)
    assert len(formed) == model.formed and not apart


def test_no_array_of_the_size_of_all_gradients():
    """B = 40 examples, parameters 300 × 200: activations are 40 × 500."""
    rng = np.random.default_rng(1)
    w1, w2, x = rng.normal(size=(300, 200)) * 0.05, rng.normal(size=(200, 300)) * 0.05, rng.normal(size=(40, 300))
    f = lambda p, x: np.sum((np.tanh(x @ p[0]) @ p[1] - x) ** 2, axis=1)
    gpuad.per_example_norms(f)([w1, w2], x)
    tracemalloc.start()
    try:
        got = gpuad.per_example_norms(f)([w1, w2], x)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    activations = x.nbytes + 40 * 200 * 8
    assert peak < 2 * (w1.nbytes + w2.nbytes) + 12 * activations < 40 * w1.nbytes / 4
    grads = gpuad.per_example_grads(f)([w1, w2], x)
    close(got, np.sqrt(sum((g.reshape(40, -1) ** 2).sum(axis=1) for g in grads)))


# ---- bad input

def test_what_is_said():
    w = normal(N, H)
    good = lambda w, x: np.sum(x @ w, axis=1)
    with pytest.raises(TypeError, match=r"losses of the examples, a real array of shape \(5,\), got shape \(\).*leave out"):
        ad.per_example_grads(lambda w, x: np.mean(good(w, x)))(w, X)
    with pytest.raises(TypeError, match=r"a real array of shape \(5,\), got shape \(5, 6\)"):
        ad.per_example_norms(lambda w, x: x @ w)(w, X)
    with pytest.raises(TypeError, match=r"got shape .* and dtype complex128"):
        ad.per_example_norms(lambda w, x: np.sum(x @ w, axis=1) * 1j)(w, X)
    with pytest.raises(TypeError, match="got tuple"):
        ad.per_example_norms(lambda w, x: (good(w, x), 1.0))(w, X)
    with pytest.raises(ValueError, match=r"same number of examples in all data, got \[4, 5\].*in_axes"):
        ad.per_example_grads(lambda w, x, _y: good(w, x))(w, X, np.ones(4))
    with pytest.raises(ValueError, match=r"an array whose axis 0 counts the examples in argument 2, got float 0.5.*None"):
        ad.per_example_grads(lambda w, x, _y: good(w, x))(w, X, 0.5)
    with pytest.raises(ValueError, match=r"axis 2 counts the examples in argument 1, got an array of shape \(5, 4\)"):
        ad.per_example_grads(good, in_axes=2)(w, X)
    with pytest.raises(ValueError, match="in_axes as an integer or None, or a tuple with one for each of the 2 arguments, got"):
        ad.per_example_grads(good, in_axes=(None, 0, 0))(w, X)
    with pytest.raises(ValueError, match="in_axes"):
        ad.per_example_grads(good, in_axes=True)(w, X)
    with pytest.raises(ValueError, match="argnums=3 is out of range"):
        ad.per_example_grads(good, 3)(w, X)
    with pytest.raises(TypeError, match="per_example_norms expected a function"):
        ad.per_example_norms(good(w, X))
    with pytest.raises(TypeError, match="argument 0: expected floating-point"):
        ad.per_example_norms(good)(np.ones((N, H), int), X)
