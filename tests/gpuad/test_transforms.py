"""The transforms: what they give, in which shapes and dtypes, and by how many solves."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
import gpuad.system
import gpuad.transforms
from linalg.arrays import is_cupy, to_host

pytestmark = pytest.mark.usefixtures("both_modes")


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 0) -> None:
    np.testing.assert_allclose(np.asarray(to_host(got)), np.asarray(to_host(expected)), rtol=rtol, atol=atol)


def random(xp: ModuleType, *shape: int, dtype: str = "float64", seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return xp.asarray((x + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype))


@pytest.fixture
def solves(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The substitutions that are made, in order."""
    made: list[str] = []

    def counted(name: str, substitute: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            made.append(name)
            return substitute(*args, **kwargs)
        return call

    for module in (gpuad.system, gpuad.transforms):
        for name in ("back_substitute", "forward_substitute"):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, counted(name.split("_")[0], getattr(module, name)))
    return made


# ---- grad and value_and_grad

def test_gradient_lies_where_the_argument_lies(xp: ModuleType):
    x = random(xp, 4)
    value, gradient = ad.value_and_grad(lambda x: np.sum(np.sin(x) * x))(x)
    assert is_cupy(gradient) == is_cupy(x) == is_cupy(value)
    close(value, (np.sin(to_host(x)) * to_host(x)).sum())
    close(gradient, np.cos(to_host(x)) * to_host(x) + np.sin(to_host(x)))


def test_one_solve_for_a_gradient(solves):
    ad.grad(lambda x: np.sum(x**2))(np.ones(3))
    assert solves == ["back"]


@pytest.mark.parametrize(("argnums", "picked"), [(0, 0), (1, 1), (-1, 2), (np.int64(1), 1)])
def test_argnums_one(argnums, picked):
    gradients = (2 * 5 * 7.0, 3 * 5 * 7.0, 3 * 2 * 7.0)
    gradient = ad.grad(lambda a, b, c: 7 * a * b * c, argnums)(3.0, 2.0, 5.0)
    assert gradient == {0: gradients[0], 1: gradients[1], 2: gradients[2]}[picked]


@pytest.mark.parametrize("argnums", [(0, 2), (-1, 0), [2, 1], (1,), ()])
def test_argnums_several(argnums):
    by_position = (10.0, 15.0, 6.0)
    gradient = ad.grad(lambda a, b, c: a * b * c, argnums)(3.0, 2.0, 5.0)
    assert gradient == tuple(by_position[i] for i in argnums)


@pytest.mark.parametrize(("argnums", "error"), [(3, ValueError), (-4, ValueError), ((0, 0), ValueError), ((0, -3), ValueError),
                                                ("x", TypeError), (1.0, TypeError), ((0, 1.0), TypeError)])
def test_argnums_that_do_not_fit(argnums, error):
    with pytest.raises(error, match="argnums"):
        ad.grad(lambda a, b, c: a * b * c, argnums)(3.0, 2.0, 5.0)


def test_keyword_arguments_are_constants():
    assert ad.grad(lambda x, *, power=2: x**power)(3.0, power=3) == 27
    assert ad.value_and_grad(lambda x, power=2: x**power)(3.0) == (9, 6)


def test_pytrees_in_the_container_and_shape_of_the_argument(xp: ModuleType):
    params = {"w": [random(xp, 3, 2), random(xp, 2, seed=1)], "scale": 2.0, "nothing": None, "empty": ()}
    x = random(xp, 5, 3, seed=2)

    def loss(p):
        return p["scale"] * np.sum(np.tanh(x @ p["w"][0] + p["w"][1]))

    gradient = ad.grad(loss)(params)
    assert list(gradient) == list(params) and gradient["nothing"] is None and gradient["empty"] == ()
    assert isinstance(gradient["w"], list) and gradient["w"][0].shape == (3, 2) and gradient["w"][1].shape == (2,)
    y = np.tanh(to_host(x) @ to_host(params["w"][0]) + to_host(params["w"][1]))
    close(gradient["scale"], y.sum())
    close(gradient["w"][0], 2 * to_host(x).T @ (1 - y**2), atol=1e-14)
    close(gradient["w"][1], 2 * (1 - y**2).sum(axis=0))


def test_has_aux():
    def f(x):
        return np.sum(x**2), {"doubled": 2 * x, "note": "kept", "count": 3}

    x = np.arange(3.0)
    (value, aux), gradient = ad.value_and_grad(f, has_aux=True)(x)
    assert value == 5 and aux["note"] == "kept" and aux["count"] == 3
    assert type(aux["doubled"]) is np.ndarray
    close(aux["doubled"], 2 * x)
    close(gradient, 2 * x)
    gradient, aux = ad.grad(f, has_aux=True)(x)
    close(gradient, aux["doubled"])
    with pytest.raises(TypeError, match="pair"):
        ad.grad(lambda x: np.sum(x), has_aux=True)(x)


def test_aux_of_a_nested_gradient_stays_traced():
    def inner(x):
        gradient, aux = ad.grad(lambda y: (y**3, y**2), has_aux=True)(x)
        return gradient * aux  # 3x² · x²

    assert ad.grad(inner)(2.0) == 12 * 8


def test_name_and_docstring_are_kept():
    def loss(x):
        """The loss."""
        return x

    for transform in (ad.grad, ad.value_and_grad, ad.jacobian, ad.hessian, ad.elementwise_grad):
        assert transform(loss).__doc__ == "The loss."


@pytest.mark.parametrize("transform", [ad.grad, ad.value_and_grad, ad.jacobian, ad.hessian, ad.elementwise_grad])
def test_not_a_function(transform):
    with pytest.raises(TypeError, match="expected a function, got float64"):
        transform(np.sin(2.0))(1.0)


# ---- vjp, jvp, linearize

def test_vjp_and_jvp_are_transposes(xp: ModuleType):
    w, x = random(xp, 3, 4), random(xp, 4, seed=1)

    def f(w, x):
        return {"y": np.tanh(w @ x), "s": np.sum(x**2)}

    out, pullback = ad.vjp(f, w, x)
    tangents = random(xp, 3, 4, seed=2), random(xp, 4, seed=3)
    cotangent = {"y": random(xp, 3, seed=4), "s": xp.asarray(0.3)}
    same, tangent = ad.jvp(f, (w, x), tangents)
    assert set(out) == set(same) == set(tangent) == {"y", "s"}
    close(out["y"], same["y"])
    pulled = pullback(cotangent)
    assert isinstance(pulled, tuple) and len(pulled) == 2
    left = sum(float((cotangent[k] * tangent[k]).sum()) for k in tangent)
    right = sum(float((g * t).sum()) for g, t in zip(pulled, tangents, strict=True))
    close(left, right)


def test_vjp_of_a_pytree_primal():
    _, pullback = ad.vjp(lambda p: p["a"] * p["b"], {"a": 2.0, "b": 3.0})
    assert pullback(1.0) == ({"a": 3.0, "b": 2.0},)
    assert pullback(np.array(2.0)) == ({"a": 6.0, "b": 4.0},)  # any number of times


def test_jvp_of_one_argument_that_is_a_tuple():
    out, tangent = ad.jvp(lambda p: p[0] * p[1], ((2.0, 3.0),), ((1.0, 0.5),))
    assert (out, tangent) == (6, 3 + 0.5 * 2)


def test_vjp_wants_one_cotangent():
    _, pullback = ad.vjp(lambda x: 2 * x, np.ones(3))
    with pytest.raises(ValueError, match=r"shape \(3,\), got \(2, 3\).*linearize"):
        pullback(np.ones((2, 3)))


def test_linearize_once_solve_often(xp: ModuleType, solves):
    w, x = random(xp, 3, 4), random(xp, 4, seed=1)
    calls = []

    def f(w, x):
        calls.append(1)
        return np.tanh(w @ x)

    out, system = ad.linearize(f, w, x)
    assert out.shape == (3,) and solves == []
    full = ad.jacobian(lambda x: np.tanh(w @ x))(x)
    solves.clear()
    for seed in range(3):
        t = random(xp, 4, seed=seed)
        close(system.pushforward(xp.zeros((3, 4)), t), full @ t)
        u = random(xp, 3, seed=seed)
        close(system.pullback(u)[1], u @ full)
    assert calls == [1] and solves == ["forward", "back"] * 3


@pytest.mark.parametrize("rhs", [(), (1,), (5,), (2, 3), (0,)])
def test_leading_axes_are_right_hand_sides(xp: ModuleType, rhs, solves):
    w, x = random(xp, 3, 4), random(xp, 4, seed=1)
    _, system = ad.linearize(lambda w, x: np.sum(np.tanh(w @ x) * np.stack([x[0], x[1], x[0]])) + x, w, x)
    u = random(xp, *rhs, 4, seed=2)
    gw, gx = system.pullback(u)
    assert gw.shape == (*rhs, 3, 4) and gx.shape == (*rhs, 4)
    t = random(xp, *rhs, 3, 4, seed=3), random(xp, *rhs, 4, seed=4)
    y = system.pushforward(*t)
    assert y.shape == (*rhs, 4)
    assert solves == ["back", "forward"]
    for place in np.ndindex(*rhs):
        close(gw[place], system.pullback(u[place])[0], atol=1e-14)
        close(y[place], system.pushforward(t[0][place], t[1][place]), atol=1e-14)


def test_right_hand_side_axes_agree():
    _, system = ad.linearize(lambda x, y: x + y, np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="same leading axes"):
        system.pushforward(np.ones((2, 3)), np.ones(3))


def test_system_says_what_it_is():
    _, system = ad.linearize(lambda x, y: np.sin(x) * y, 1.0, 2.0)
    assert repr(system) == "System(2 rows, 2 inputs, 1 outputs)"
    with pytest.raises(ValueError, match="'forward' or 'reverse'"):
        system.cost("sideways")


def test_assembled_system(xp: ModuleType):
    """Rows in order, the output last; columns of D are the leaves in pytree order."""
    p = {"b": random(xp, 2), "a": random(xp, 2, 2)}
    _, system = ad.linearize(lambda p: np.tanh(p["a"] @ p["b"]), p)
    matrix, inputs = system.to_sparse()
    assert is_cupy(matrix.data) == is_cupy(p["a"])
    inverse = np.linalg.inv(to_host(matrix.toarray()))
    jacobian = (inverse @ to_host(inputs.toarray()))[-2:]
    expected = ad.jacobian(lambda p: np.tanh(p["a"] @ p["b"]))(p)
    close(jacobian, np.hstack([to_host(expected["a"]).reshape(2, 4), to_host(expected["b"])]), atol=1e-15)  # optree sorts keys


# ---- jacobian and hessian

@pytest.mark.parametrize("order", ["auto", "forward", "reverse"])
@pytest.mark.parametrize(("m", "n"), [(2, 5), (5, 2), (3, 3), (1, 4), (4, 1)])
def test_jacobian_is_one_solve(xp: ModuleType, m, n, order, solves):
    w, x = random(xp, m, n), random(xp, n, seed=1)
    jacobian = ad.jacobian(lambda x: np.tanh(w @ x), order=order)(x)
    assert jacobian.shape == (m, n)
    close(jacobian, (1 - np.tanh(to_host(w @ x)) ** 2)[:, None] * to_host(w))
    assert solves == [{"forward": "forward", "reverse": "back", "auto": "back" if m <= n else "forward"}[order]]


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_jacobian_of_pytrees(order, solves):
    args = {"a": np.arange(1.0, 7.0).reshape(2, 3), "b": 2.0}

    def f(p, x):
        return (p["a"] * p["b"], np.sum(p["a"] ** 2), x)

    first, second, third = ad.jacobian(f, order=order)(args, np.ones(2))
    assert solves == ["forward" if order == "forward" else "back"]
    assert first["a"].shape == (2, 3, 2, 3) and first["b"].shape == (2, 3)
    close(first["a"].reshape(6, 6), 2 * np.eye(6))
    close(first["b"], args["a"])
    close(second["a"], 2 * args["a"])
    assert second["b"] == 0 and third["a"].shape == (2, 2, 3) and not third["a"].any() and third["b"].shape == (2,)


def test_jacobian_argnums():
    a, b = np.arange(1.0, 4.0), np.arange(2.0, 5.0)
    left, right = ad.jacobian(lambda a, b: a * b, (0, -1))(a, b)
    close(left, np.diag(b))
    close(right, np.diag(a))
    close(ad.jacobian(lambda a, b: a * b, -1)(a, b), np.diag(a))


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_jacobian_of_scalars_and_empty_arrays(order):
    assert np.shape(ad.jacobian(lambda x: x**2, order=order)(3.0)) == ()
    assert ad.jacobian(lambda x: x**2, order=order)(3.0) == 6
    assert ad.jacobian(lambda x: x[:0] * 2, order=order)(np.ones(3)).shape == (0, 3)
    assert ad.jacobian(lambda x: np.sum(x) + np.ones(2), order=order)(np.ones(0)).shape == (2, 0)


def test_jacobian_refuses():
    with pytest.raises(ValueError, match="'auto', 'forward' or 'reverse', got 'backward'"):
        ad.jacobian(np.sin, order="backward")
    with pytest.raises(TypeError, match="complex"):
        ad.jacobian(np.exp)(np.ones(2) + 1j)


def test_hessian(xp: ModuleType):
    a, x = random(xp, 3, 3), random(xp, 3, seed=1)
    close(ad.hessian(lambda x: x @ a @ x)(x), to_host(a + a.T), atol=1e-15)
    x = random(xp, 2, 2)
    hessian = ad.hessian(lambda x: np.sum(x**3))(x)
    assert hessian.shape == (2, 2, 2, 2)
    close(hessian.reshape(4, 4), np.diag(6 * to_host(x).ravel()))


def test_hessian_of_two_arguments():
    (aa, ab), (ba, bb) = ad.hessian(lambda a, b: a**2 * b**3, (0, 1))(2.0, 3.0)
    assert (aa, ab, ba, bb) == (54, 108, 108, 72)


def test_hvp(xp: ModuleType):
    w, x, t = random(xp, 3, 3), random(xp, 3, seed=1), random(xp, 3, seed=2)

    def f(x):
        return np.sum(np.tanh(w @ x) ** 2)

    product = ad.hvp(f, (x,), (t,))
    assert isinstance(product, tuple) and len(product) == 1
    close(product[0], ad.hessian(f)(x) @ t)
    first, second = ad.hvp(lambda a, b: a**2 * b, (3.0, 2.0), (1.0, 0.5))
    assert (first, second) == (2 * 2 + 6 * 0.5, 6)


def test_elementwise_grad(xp: ModuleType):
    x = random(xp, 3, 4)
    close(ad.elementwise_grad(np.tanh)(x), 1 - np.tanh(to_host(x)) ** 2)
    third = ad.elementwise_grad(ad.elementwise_grad(ad.elementwise_grad(np.sin)))
    close(third(x), -np.cos(to_host(x)))
    assert ad.elementwise_grad(lambda a, x: a * x**2, 1)(3.0, 2.0) == 12
    with pytest.raises(TypeError, match="elementwise function"):
        ad.elementwise_grad(np.sum)(x)


def test_stop_gradient(xp: ModuleType):
    x = random(xp, 3)
    close(ad.grad(lambda x: np.sum(x * ad.stop_gradient(x)))(x), x)
    kept = []
    ad.grad(lambda x: (kept.append(ad.stop_gradient({"x": x, "n": 1})), np.sum(x))[1])(x)
    assert type(kept[0]["x"]) is type(x) and kept[0]["n"] == 1
    assert kept[0]["x"] is not x
    assert ad.grad(ad.grad(lambda x: x * ad.stop_gradient(x) ** 2))(3.0) == 0


# ---- nested derivatives

@pytest.mark.parametrize("order", range(1, 6))
def test_derivatives_of_derivatives(order):
    f = np.sin
    for _ in range(order):
        f = ad.grad(f)
    close(f(0.7), [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)][order % 4](0.7))


def forward(f: Any) -> Any:
    return lambda x: ad.jvp(f, (x,), (np.ones_like(x),))[1]


@pytest.mark.parametrize("outer", ["grad", "forward", "jacobian", "elementwise_grad"])
@pytest.mark.parametrize("inner", ["grad", "forward", "jacobian", "elementwise_grad"])
def test_perturbations_are_not_confused(outer, inner):
    """d/dx (x · d/dy (x + y)) = 1, and its kin (Siskind and Pearlmutter, 2005)."""
    outer, inner = (forward if name == "forward" else getattr(ad, name) for name in (outer, inner))
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6
    assert outer(lambda x: inner(lambda y: x * y**2)(x))(3.0) == 12
    assert outer(lambda x: inner(lambda _y: x)(2.0))(3.0) == 0
    assert outer(lambda x: inner(lambda y: inner(lambda z: x * y * z**2)(y))(x))(2.0) == 8 * 2


def test_perturbations_through_a_function_that_returns_a_function():
    """Manzyuk et al. (2019): the derivative of a curried function."""
    def shift(offset):
        return lambda f: lambda x: f(x + offset)

    def derivative_of_shift(x):
        return ad.grad(lambda offset: shift(offset)(lambda z: ad.grad(lambda w: w**3)(z))(x))(0.0)

    close(derivative_of_shift(2.0), 12)


def test_gradient_descent_inside_a_function():
    def trained(rate):
        w = np.array(1.0)
        for _ in range(3):
            w = w - rate * ad.grad(lambda w: (w - 3) ** 2)(w)
        return (w - 3) ** 2

    rate = 0.1
    close(ad.grad(trained)(rate), 4 * 6 * (1 - 2 * rate) ** 5 * -2)  # (−2 (1 − 2r)³)²


def test_solve_of_a_system_inside_a_function():
    def f(x):
        _, system = ad.linearize(lambda y: y**3, x)
        return system.pullback(1.0)[0] + system.pushforward(1.0)

    assert ad.grad(f)(2.0) == 24


# ---- complex arrays: the gradient is ∂/∂Re + i ∂/∂Im

@pytest.mark.parametrize(("f", "gradient"), [
    (lambda z: np.sum(np.abs(z) ** 2), lambda z: 2 * z),
    (lambda z: np.sum(np.real(z)), lambda z: np.ones_like(z)),
    (lambda z: np.sum(np.imag(z)), lambda z: 1j * np.ones_like(z)),
    (lambda z: np.sum(np.real(z * z)), lambda z: 2 * np.conj(z)),
    (lambda z: np.sum(np.imag(np.exp(z))), lambda z: 1j * np.conj(np.exp(z))),
    (lambda z: np.sum(np.real(np.conj(z) * z * z)), lambda z: 2 * z * np.real(z) + np.abs(z) ** 2),
    (lambda z: np.sum(np.abs(z)), lambda z: z / np.abs(z)),
    (lambda z: np.sum(np.angle(z)), lambda z: 1j * z / np.abs(z) ** 2),
], ids=["abs²", "real", "imag", "real z²", "imag exp", "real z̄z²", "abs", "angle"])
def test_complex_gradients_follow_steepest_ascent(xp: ModuleType, f, gradient):
    z = random(xp, 4, dtype="complex128")
    got = ad.grad(f)(z)
    assert got.dtype == z.dtype
    close(got, gradient(to_host(z)))
    t, h = random(xp, 4, dtype="complex128", seed=1), 1e-6
    difference = float((f(z + h * t) - f(z - h * t)) / (2 * h))
    close(float((got.conj() * t).sum().real), difference, rtol=1e-7)


def test_complex_cotangents():
    """pullback is Jᴴ of ⟨u, v⟩ = Re Σ ūv: for a holomorphic f, conj(f′) u."""
    z, u = np.array([1 + 2j, -0.5j]), np.array([0.3 - 1j, 2 + 1j])
    _, pullback = ad.vjp(np.exp, z)
    close(pullback(u)[0], np.conj(np.exp(z)) * u)
    out, tangent = ad.jvp(np.exp, (z,), (u,))
    close(tangent, np.exp(z) * u)
    close(out, np.exp(z))
    with pytest.raises(TypeError, match="real scalar"):
        ad.grad(lambda z: z * 2)(1 + 2j)


def test_real_argument_of_a_complex_function():
    gradient = ad.grad(lambda x: np.abs(np.exp(1j * x) + 1) ** 2)(0.4)
    assert np.isrealobj(gradient)
    close(gradient, -2 * np.sin(0.4))


# ---- dtypes

@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_dtype_out_is_dtype_in(xp: ModuleType, dtype):
    x = random(xp, 3, dtype=dtype)

    def f(x):
        return np.sum(np.real(2.0 * np.exp(0.1 * x) * x + 1) ** 2) / 3

    value, gradient = ad.value_and_grad(f)(x)
    assert gradient.dtype == x.dtype
    assert value.dtype == f(x).dtype == np.finfo(dtype).dtype
    out, pullback = ad.vjp(np.tanh, x)
    assert out.dtype == pullback(out)[0].dtype == ad.jvp(np.tanh, (x,), (x,))[1].dtype == x.dtype
    if dtype != "complex64":
        assert ad.jacobian(np.tanh)(x).dtype == ad.jacobian(np.tanh, order="forward")(x).dtype == x.dtype


def test_mixed_dtypes(xp: ModuleType):
    x, w = random(xp, 3, dtype="float32"), random(xp, 3, seed=1)
    gradients = ad.grad(lambda x, w: np.sum(np.sin(x * w)), (0, 1))(x, w)
    assert [g.dtype for g in gradients] == [np.float32, np.float64]
    close(gradients[0], np.cos(to_host(x * w)) * to_host(w), rtol=1e-6)
    _, system = ad.linearize(lambda x: x.astype("float64") * w, x)
    assert system.pullback(w)[0].dtype == np.float32
    assert system.pushforward(x).dtype == np.float64


def test_numbers_in_numbers_out():
    gradient = ad.grad(lambda x: x**2)(3.0)
    assert isinstance(gradient, float) and gradient == 6
    value, gradient = ad.value_and_grad(lambda x: x**2)(np.float32(3))
    assert type(gradient) is np.float32 and value == 9
    gradient = ad.grad(lambda x: x**2)(np.array(3.0))
    assert type(gradient) is np.ndarray and gradient.shape == ()
