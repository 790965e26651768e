"""checkpoint(f): the derivatives of f, with its arguments as all that is kept."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")

RNG = np.random.default_rng(0)
W, X, B = RNG.normal(size=(3, 3)), RNG.normal(size=(4, 3)), RNG.normal(size=3)


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(to_host(got), to_host(expected), rtol=rtol, atol=atol)


class Layer:
    """A function that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, x: Any, w: Any) -> Any:
        self.calls += 1
        return np.tanh(x @ w) * 1.5


def loss(f: Any) -> Any:
    return lambda w, x: np.sum(f(f(x, w), w) ** 2)


# ---- the same derivatives

TRANSFORMS = {
    "grad": lambda f: ad.grad(loss(f), (0, 1))(W, X),
    "vjp": lambda f: ad.vjp(f, X, W)[1](X),
    "jvp": lambda f: ad.jvp(loss(f), (W, X), (X[:3], X))[1],
    "jacobian": lambda f: ad.jacobian(lambda w: f(X, w), order="reverse")(W),
    "forward": lambda f: ad.jacobian(lambda w: f(X, w), order="forward")(W),
    "hessian": lambda f: ad.hessian(lambda w: loss(f)(w, X))(W),
    "hvp": lambda f: ad.hvp(lambda w: loss(f)(w, X), (W,), (X[:3],)),
    "grad of grad": lambda f: ad.grad(lambda w: np.sum(np.sin(ad.grad(loss(f))(w, X))))(W),
    "third": lambda f: ad.jvp(ad.grad(lambda w: np.sum(ad.grad(loss(f))(w, X) ** 2)), (W,), (X[:3],))[1],
    "grad of jvp": lambda f: ad.grad(lambda w: ad.jvp(loss(f), (w, X), (W, X))[1])(W),
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_derivatives_are_those_of_the_function(name):
    transform = TRANSFORMS[name]
    plain = transform(lambda x, w: np.tanh(x @ w) * 1.5)
    for got in (transform(ad.checkpoint(Layer())), transform(ad.checkpoint(ad.checkpoint(Layer())))):
        for p, q in zip(*(r if isinstance(r, tuple) else (r,) for r in (got, plain)), strict=True):
            close(p, q)


def test_bitwise_in_first_order():
    plain, checkpointed = (ad.grad(loss(f), (0, 1))(W, X) for f in (Layer(), ad.checkpoint(Layer())))
    for p, q in zip(plain, checkpointed, strict=True):
        np.testing.assert_array_equal(p, q)


def test_on_every_library(xp: ModuleType):
    w, x = xp.asarray(W), xp.asarray(X)
    value, gradient = ad.value_and_grad(loss(ad.checkpoint(Layer())))(w, x)
    expected = ad.value_and_grad(loss(Layer()))(W, X)
    assert type(gradient) is type(w)
    close(value, expected[0])
    close(gradient, expected[1])


@pytest.mark.parametrize("dtype", ["float32", "complex64", "complex128"])
def test_dtypes(dtype):
    w, x = (W + 0.3).astype(dtype), X.astype(dtype)

    def f(x, w):
        y = np.tanh(x @ w)
        return y, np.sum(np.real(y * np.conj(y)))  # a complex and a real result

    def total(f):
        def of(w):
            y, s = f(x, w)
            return np.sum(np.abs(y) ** 2) * s
        return of

    got, expected = ad.grad(total(ad.checkpoint(f)))(w), ad.grad(total(f))(w)
    assert got.dtype == expected.dtype == w.dtype
    close(got, expected, rtol=1e-5 if dtype != "complex128" else 1e-12)


def test_arguments_of_several_dtypes():
    f = lambda x, w, z: np.sum(x * np.real(z) + w * np.imag(z))
    args = np.float32([1, 2]), np.array([3.0, 4.0]), np.array([1 + 2j, 3 - 1j])
    got, expected = ad.grad(ad.checkpoint(f), (0, 1, 2))(*args), ad.grad(f, (0, 1, 2))(*args)
    for p, q in zip(got, expected, strict=True):
        assert p.dtype == q.dtype
        close(p, q)


def test_pytrees_in_and_out_and_keywords():
    @ad.checkpoint
    def f(p, *, scale, names):
        assert names == ("a", "b")
        return {"y": p["a"] * scale, "rest": (p["b"], np.sum(p["b"]) * p["c"], 3, None, np.arange(2))}

    def total(p, scale):
        out = f(p, scale=scale, names=("a", "b"))
        b, s, three, nothing, counts = out["rest"]
        assert three == 3 and nothing is None and counts.tolist() == [0, 1]
        return np.sum(out["y"] * b) * s

    p = {"a": np.array([1.0, 2.0]), "b": np.array([0.5, -1.0]), "c": 3.0}
    gradient, by_scale = ad.grad(total, (0, 1))(p, 2.0)
    s = -0.5 * 3
    close(gradient["a"], 2 * p["b"] * s)
    close(gradient["b"], 2 * p["a"] * s + np.sum(2 * p["a"] * p["b"]) * 3)
    assert gradient["c"] == np.sum(2 * p["a"] * p["b"]) * -0.5
    assert by_scale == np.sum(p["a"] * p["b"]) * s
    assert isinstance(by_scale, float)


def test_where_nothing_is_traced_it_is_the_function():
    layer = Layer()
    out = ad.checkpoint(layer)(X, W)
    assert type(out) is np.ndarray and layer.calls == 1
    assert ad.grad(lambda x: x * ad.checkpoint(lambda y: y + 1)(2.0))(1.0) == 3
    assert ad.grad(lambda x: x * ad.checkpoint(lambda _y: 2.0)(x))(1.0) == 2
    assert ad.grad(ad.checkpoint(lambda x: x))(1.0) == 1


def test_used_twice_and_results_that_are_not_used():
    f = ad.checkpoint(lambda x: (np.sin(x), np.exp(x), x))
    close(ad.grad(lambda x: f(x)[0] * f(f(x)[0])[1])(0.3),
          ad.grad(lambda x: np.sin(x) * np.exp(np.sin(x)))(0.3))


def test_is_a_decorator_and_keeps_the_name():
    @ad.checkpoint
    def block(x):
        """A block."""
        return x * x

    assert block.__name__ == "block" and block.__doc__ == "A block."
    with pytest.raises(TypeError, match="checkpoint expected a function, got float64"):
        ad.checkpoint(np.sin(1.0))


# ---- what f closes over

def test_traced_arrays_that_are_closed_over_have_derivatives():
    def f(w, b, x):
        for _ in range(3):
            x = ad.checkpoint(lambda x: np.tanh(x @ w + b))(x)
        return np.sum(x**2)

    def plain(w, b, x):
        for _ in range(3):
            x = np.tanh(x @ w + b)
        return np.sum(x**2)

    for p, q in zip(ad.grad(f, (0, 1, 2))(W, B, X), ad.grad(plain, (0, 1, 2))(W, B, X), strict=True):
        close(p, q)
    close(ad.hessian(f)(W, B, X), ad.hessian(plain)(W, B, X))


def test_closed_over_variables_of_several_traces():
    """The outer variable in the inner function, in both modes outside."""
    def inner(x):
        return lambda y: ad.checkpoint(lambda y: np.sin(x * y) * x)(y)

    for outer in (ad.grad, lambda f: lambda x: ad.jvp(f, (x,), (1.0,))[1]):
        got = outer(lambda x: ad.grad(inner(x))(0.7))(0.4)
        close(got, ad.grad(lambda x: ad.grad(lambda y: np.sin(x * y) * x)(0.7))(0.4))
        got = outer(lambda x: ad.jvp(inner(x), (0.7,), (1.0,))[1])(0.4)
        close(got, ad.grad(lambda x: ad.grad(lambda y: np.sin(x * y) * x)(0.7))(0.4))


# ---- with everything else

def test_holomorphic_functions():
    z = np.array([0.3 + 1j, -0.5j])
    f = ad.checkpoint(lambda z: np.exp(z) * z)
    close(ad.grad(lambda z: np.sum(f(z)), holomorphic=True)(z), np.exp(z) * (z + 1))
    with pytest.raises(TypeError, match="holomorphic"):
        ad.grad(lambda z: np.sum(ad.checkpoint(np.conj)(z)), holomorphic=True)(z)


def test_a_loop_of_steps_with_derivatives_inside():
    """Gradient descent whose steps are checkpoints, differentiated by the rate."""
    def after(rate, wrap):
        def step(w, rate):
            return w - rate * ad.grad(lambda w: np.sum(np.cos(w) + w**2 * rate))(w)

        w = np.array([1.0, -0.5])
        for _ in range(4):
            w = wrap(step)(w, rate)
        return np.sum(w**2)

    close(ad.grad(lambda r: after(r, ad.checkpoint))(0.2), ad.grad(lambda r: after(r, lambda f: f))(0.2))
    close(ad.grad(ad.grad(lambda r: after(r, ad.checkpoint)))(0.2), ad.grad(ad.grad(lambda r: after(r, lambda f: f)))(0.2))


def test_long_chain_of_checkpoints():
    def f(x):
        for _ in range(400):
            x = ad.checkpoint(lambda x: np.sin(x) * 1.01)(x)
        return x

    derivative, x = 1.0, 0.5
    for _ in range(400):
        derivative, x = derivative * np.cos(x) * 1.01, np.sin(x) * 1.01
    close(ad.grad(f)(0.5), derivative, rtol=1e-9)
