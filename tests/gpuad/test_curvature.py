"""The Gauss–Newton matrix times a vector, against the dense Jᴴ H J."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(4, 3)), RNG.normal(size=(5, 3))
T, LABELS = RNG.normal(size=(4, 3)), np.array([0, 2, 3, 1, 1])


def close(got: Any, expected: Any, rtol: float = 1e-11, atol: float = 1e-13) -> None:
    np.testing.assert_allclose(to_host(got), to_host(expected), rtol=rtol, atol=atol)


def cross_entropy(logits: Any) -> Any:
    top = np.max(logits, axis=1, keepdims=True)
    normalizer = np.log(np.sum(np.exp(logits - top), axis=1)) + top[:, 0]
    return np.mean(normalizer - logits[np.arange(5), LABELS])


def dense(f: Any, loss: Any, w: Any) -> Any:
    out = f(w)
    jacobian = ad.jacobian(f)(w).reshape(out.size, w.size)
    hessian = np.eye(out.size) if loss is None else ad.hessian(loss)(out).reshape(out.size, out.size)
    return jacobian.T @ hessian @ jacobian


@pytest.mark.parametrize("loss", [None, cross_entropy, lambda y: 0.5 * np.sum(y**2), lambda y: np.sum(np.cosh(y))],
                         ids=["none", "cross-entropy", "squares", "cosh"])
def test_against_the_dense_matrix(loss):
    f = lambda w: np.tanh(X @ w.T) * 2.0
    (got,) = ad.gnvp(f, (W,), (T,), loss)
    assert got.shape == W.shape
    matrix = dense(f, loss, W)
    close(got.ravel(), matrix @ T.ravel())
    close(matrix, matrix.T)
    assert np.sum(got * T) > 0
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


def test_lies_where_the_arguments_lie(xp: ModuleType):
    w, x, t = xp.asarray(W), xp.asarray(X), xp.asarray(T)
    (got,) = ad.gnvp(lambda w: np.tanh(x @ w.T), (w,), (t,))
    assert type(got) is type(w)
    close(got, ad.gnvp(lambda w: np.tanh(X @ w.T), (W,), (T,))[0])


def test_pytrees_and_several_primals():
    def f(p, scale):
        return {"mean": np.tanh(X @ p["w"].T) * scale, "deviation": np.exp(p["b"])}

    def loss(y):
        return np.sum(y["mean"] ** 2 / y["deviation"]) + 2 * np.sum(np.log(y["deviation"]))

    primals = {"w": W, "b": np.array([0.1, -0.2, 0.3, 0.0])}, 1.5
    tangents = {"w": T, "b": np.array([1.0, 2.0, -1.0, 0.5])}, -0.7
    p, scale = ad.gnvp(f, primals, tangents, loss)
    _, tangent = ad.jvp(f, primals, tangents)
    ((pulled),) = ad.hvp(loss, (f(*primals),), (tangent,))
    expected = ad.vjp(f, *primals)[1](pulled)
    close(p["w"], expected[0]["w"])
    close(p["b"], expected[0]["b"])
    close(scale, expected[1])
    assert isinstance(scale, float)


def test_is_the_hessian_where_the_model_is_linear():
    f = lambda w: X @ w.T
    close(ad.gnvp(f, (W,), (T,), cross_entropy)[0], ad.hvp(lambda w: cross_entropy(f(w)), (W,), (T,))[0])
    assert np.abs(ad.gnvp(lambda w: np.sin(f(w)), (W,), (T,), cross_entropy)[0]
                  - ad.hvp(lambda w: cross_entropy(np.sin(f(w))), (W,), (T,))[0]).max() > 1e-3


def test_fisher_matrix_of_softmax():
    """The mean of the outer products of score vectors, over labels drawn from the model."""
    f = lambda w: X @ w.T
    scores = np.exp(f(W)) / np.sum(np.exp(f(W)), axis=1, keepdims=True)
    (got,) = ad.gnvp(f, (W,), (T,), cross_entropy)
    fisher = np.zeros((12, 12))
    for x, p in zip(X, scores, strict=True):
        for label in range(4):
            score = np.outer(np.eye(4)[label] - p, x).ravel()
            fisher += p[label] * np.outer(score, score) / len(X)
    close(got.ravel(), fisher @ T.ravel())


def test_complex_parameters():
    """JᴴJ t, of a holomorphic f: conj(f′) f′ t."""
    z, t = np.array([0.3 + 1j, -0.5j]), np.array([1.0 - 1j, 0.3 + 2j])
    close(ad.gnvp(np.exp, (z,), (t,))[0], np.abs(np.exp(z)) ** 2 * t)


def test_may_be_differentiated():
    """The derivative of tᵀ JᵀJ t = |J t|²."""
    f = lambda w: np.tanh(X @ w.T)
    got = ad.grad(lambda w: np.sum(ad.gnvp(f, (w,), (T,))[0] * T))(W)
    close(got, ad.grad(lambda w: np.sum(ad.jvp(f, (w,), (T,))[1] ** 2))(W))


def test_one_linearised_system(monkeypatch):
    made, calls = [], []
    for name in ("back_substitute", "forward_substitute"):
        substitute = getattr(ad.system, name)
        monkeypatch.setattr(ad.system, name, lambda *args, name=name, do=substitute: (made.append(name), do(*args))[1])
    ad.gnvp(lambda w: (calls.append(1), np.tanh(X @ w.T))[1], (W,), (T,))
    assert made == ["forward_substitute", "back_substitute"] and len(calls) == 1


def test_bad_input():
    with pytest.raises(TypeError, match="gnvp expected tangents as a tuple"):
        ad.gnvp(np.sin, (W,), T)
    with pytest.raises(ValueError, match="gnvp expected one tangent for each primal, got 1 primals and 2"):
        ad.gnvp(np.sin, (W,), (T, T))
    with pytest.raises(ValueError, match=r"gnvp expected a tangent of shape \(4, 3\), got \(3,\)"):
        ad.gnvp(np.sin, (W,), (T[0],))
    with pytest.raises(TypeError, match="gnvp expected a function"):
        ad.gnvp(np.sin, (W,), (T,), 3.0)
    with pytest.raises(TypeError, match="scalar"):
        ad.gnvp(np.sin, (W,), (T,), np.sin)
