"""Derivatives of any order in any nesting of forward and reverse, and the known ways to confuse perturbations."""
from collections.abc import Callable
from contextlib import suppress
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest

import gpuad as ad

pytestmark = pytest.mark.usefixtures("both_modes")

Derivative = Callable[[Callable[..., Any]], Callable[..., Any]]

DERIVATIVES: dict[str, Derivative] = {
    "grad": lambda f: ad.grad(f),
    "vjp": lambda f: lambda x: ad.vjp(f, x)[1](1.0)[0],
    "jvp": lambda f: lambda x: ad.jvp(f, (x,), (1.0,))[1],
    "push": lambda f: lambda x: ad.linearize(f, x)[1].pushforward(1.0),
    "jacobian": lambda f: ad.jacobian(f, order="forward"),
    "elementwise": lambda f: ad.elementwise_grad(f),
}
"""Ways to the derivative of a function of one number. Each looks ``ad`` up when it is called: the mode of the test."""

pairs = pytest.mark.parametrize(("outer", "inner"), list(product(DERIVATIVES.values(), repeat=2)),
                                ids=["-".join(names) for names in product(DERIVATIVES, repeat=2)])
single = pytest.mark.parametrize("D", DERIVATIVES.values(), ids=DERIVATIVES)


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 1e-13) -> None:
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=atol)


# ---- perturbation confusion

@pairs
def test_siskind_and_pearlmutter(outer, inner):
    """Siskind and Pearlmutter, Perturbation Confusion and Referential Transparency (2005), and its kin."""
    assert outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0) == 1  # confused: 2
    assert outer(lambda x: x * inner(lambda y: x * y)(2.0))(3.0) == 6  # x · x
    assert outer(lambda x: x * inner(lambda y: x * y * y)(x))(3.0) == 6 * 9  # x · 2x²
    assert outer(lambda x: inner(lambda _y: x)(2.0))(3.0) == 0
    assert outer(lambda x: inner(lambda y: y)(x))(3.0) == 0
    assert outer(lambda x: inner(lambda y: x - y)(x))(3.0) == 0
    close(outer(lambda x: inner(lambda y: np.sin(x) * np.exp(y))(x))(0.7), np.exp(0.7) * (np.sin(0.7) + np.cos(0.7)))


@pairs
def test_three_levels_that_share_their_variables(outer, inner):
    """∂/∂x of ∂/∂y of ∂/∂z, each evaluated where the variables outside are."""
    assert outer(lambda x: inner(lambda y: outer(lambda z: x * y**2 * z**3)(y))(x))(2.0) == 48 * 2**3  # 3xy⁴, 12x⁴
    close(outer(lambda x: inner(lambda y: x * outer(lambda z: y * z + x * np.sin(z))(x))(2.0))(0.3), 1.0)  # x ∂/∂y y = x


@pairs
def test_curried_shift(outer, inner):
    """Manzyuk et al., Perturbation confusion in forward automatic differentiation of higher-order functions (2019).

    With s(u)(f)(x) = f(x + u), D̂ = D s 0 is the derivative operator, and D̂ (D̂ f) is f″; tags that are shared give 0.
    """
    def shift(u: Any) -> Callable[..., Any]:
        return lambda f: lambda x: f(x + u)

    def hat(D: Derivative) -> Derivative:
        return lambda f: lambda x: D(lambda u: shift(u)(f)(x))(0.0)

    close(hat(outer)(hat(inner)(np.exp))(0.3), np.exp(0.3))
    close(hat(outer)(hat(inner)(lambda x: x**3))(2.0), 12)
    close(hat(outer)(hat(inner)(hat(outer)(lambda x: x**4)))(2.0), 48)


@single
def test_a_function_that_gives_a_function_has_no_derivative(D):
    """D s itself, a derivative of a closure: refused, where a tag would escape in it."""
    with pytest.raises(TypeError, match="function to return"):
        D(lambda u: lambda f: lambda x: f(x + u))(0.0)


@pairs
def test_church_encoded_pair_of_value_and_variable(outer, inner):
    """A closure made under one derivative is called under another."""
    def f(x):
        made = [lambda y: x * y**2]
        return inner(made[0])(x) + inner(lambda z: made[0](z) * z)(2.0)  # 2x², 12x

    assert outer(f)(3.0) == 4 * 3 + 12


@pairs
def test_a_derivative_made_outside_is_called_inside(outer, inner):
    slope = inner(lambda y: np.sin(3 * y))
    close(outer(lambda x: x * slope(x))(0.4), 3 * np.cos(1.2) - 9 * 0.4 * np.sin(1.2))


@single
def test_inner_variables_that_leak(D):
    """What escapes from a function that was differentiated is refused, not a wrong number."""
    for use in (lambda y: y * 2.0, lambda y: y, np.sin, lambda y: ad.jvp(np.sin, (y,), (1.0,))[1]):
        kept = []

        def f(x, kept=kept, use=use):
            D(lambda y: (kept.append(y), x * y)[1])(2.0)
            return use(kept[-1]) * 1.0

        with pytest.raises((ad.LeakedTraceError, ad.PlanError)):
            D(f)(3.0)


@single
def test_inner_variables_of_a_derivative_that_has_failed(D):
    """An error inside leaves nothing behind."""
    def f(x):
        with suppress(ZeroDivisionError):
            D(lambda y: (x * y, 1 / 0)[1])(2.0)
        return x**2

    assert D(f)(3.0) == 6


# ---- order

SIN = [np.sin, np.cos, lambda x: -np.sin(x), lambda x: -np.cos(x)]


@pytest.mark.parametrize("names", [["grad"] * 5, ["jvp"] * 5, ["grad", "jvp", "vjp", "elementwise", "push"],
                                   ["jacobian", "vjp", "jvp", "grad", "jacobian"]], ids="-".join)
def test_up_to_order_five(names):
    """exp(sin x) and sin(x²), whose derivatives are known, by the chosen derivatives one inside the other."""
    x = 0.6
    s, c = np.sin(x), np.cos(x)
    e = np.exp(s)
    known = [e * c, e * (c**2 - s), e * c * (c**2 - 3 * s - 1),
             e * (c**4 - 6 * s * c**2 - 4 * c**2 + 3 * s**2 + s),
             e * c * (c**4 - 10 * s * c**2 - 10 * c**2 + 15 * s**2 + 15 * s + 1)]
    f = lambda x: np.exp(np.sin(x))
    g = lambda x: np.sin(3 * x)
    for order, name in enumerate(names, 1):
        f, g = DERIVATIVES[name](f), DERIVATIVES[name](g)
        close(f(x), known[order - 1], rtol=1e-11)
        close(g(x), 3**order * SIN[order % 4](3 * x), rtol=1e-11)


@pytest.mark.parametrize("modes", list(product(["rev", "fwd"], repeat=3)), ids=lambda m: "-".join(m))
def test_three_directions_in_every_nesting(modes):
    """D³f[a, b, c] of f = Σ sin(x) exp(y) is the same whatever is forward and whatever reverse."""
    x = np.array([0.3, -0.8, 1.1])
    directions = [np.array([1.0, -2.0, 0.5]), np.array([0.3, 0.7, -1.0]), np.array([-1.5, 0.2, 0.4])]

    def along(f: Any, t: Any, mode: str) -> Any:
        if mode == "fwd":
            return lambda x: ad.jvp(f, (x,), (t,))[1]
        return lambda x: np.sum(ad.vjp(f, x)[1](1.0)[0] * t)

    f = lambda x: np.sum(np.sin(x) * np.exp(np.roll(x, 1)))
    for order in permutations(range(3)):
        g = f
        for i, mode in zip(order, modes, strict=True):
            g = along(g, directions[i], mode)
        if order == (0, 1, 2):
            first = g(x)
        close(g(x), first, rtol=1e-11)
    h = 1e-4
    second = along(along(f, directions[0], "rev"), directions[1], "fwd")
    close(first, (second(x + h * directions[2]) - second(x - h * directions[2])) / (2 * h), rtol=1e-6)


def test_jvp_of_jvp_along_one_tangent():
    """The same array as tangent of both: d²/dt² f(x + t v)."""
    x, v = np.array([0.2, 0.9]), np.array([1.5, -0.5])
    f = lambda x: np.exp(x[0] * x[1])
    got = ad.jvp(lambda x: ad.jvp(f, (x,), (v,))[1], (x,), (v,))[1]
    p, dp, ddp = x[0] * x[1], v[0] * x[1] + x[0] * v[1], 2 * v[0] * v[1]
    close(got, np.exp(p) * (dp**2 + ddp))


def test_jvp_whose_tangent_depends_on_the_point():
    """d/dx of f′(x) · x² where x² is the tangent: f″ x² + 2 f′ x."""
    f = np.sin
    got = ad.grad(lambda x: ad.jvp(f, (x,), (x**2,))[1])(0.7)
    close(got, -np.sin(0.7) * 0.49 + 2 * 0.7 * np.cos(0.7))
    got = ad.jvp(lambda x: ad.jvp(f, (x,), (x**2,))[1], (0.7,), (1.0,))[1]
    close(got, -np.sin(0.7) * 0.49 + 2 * 0.7 * np.cos(0.7))


def test_cotangent_depends_on_the_point():
    """d/dx of J(x)ᵀ u(x)."""
    w = np.array([[0.3, -1.0], [2.0, 0.4]])
    f = lambda x: np.tanh(w @ x)
    x = np.array([0.5, -0.2])
    got = ad.jacobian(lambda x: ad.vjp(f, x)[1](f(x))[0])(x)
    close(got, ad.hessian(lambda x: 0.5 * np.sum(f(x) ** 2))(x))


def test_grad_of_jvp_of_grad():
    f = lambda x: np.sum(np.sin(x) * x**2)
    x, v = np.array([0.4, 1.2]), np.array([2.0, -1.0])
    got = ad.grad(lambda x: np.sum(ad.jvp(ad.grad(f), (x,), (v,))[1]))(x)
    third = -x**2 * np.cos(x) - 6 * x * np.sin(x) + 6 * np.cos(x)
    close(got, third * v)


def test_vjp_inside_jvp_and_jvp_inside_vjp():
    w = np.array([[0.3, -1.0, 0.2], [2.0, 0.4, -0.7]])
    f = lambda x: np.tanh(w @ x)
    x, v, u = np.array([0.5, -0.2, 0.9]), np.array([1.0, 2.0, -1.0]), np.array([0.3, -0.8])
    forward_over_reverse = ad.jvp(lambda x: ad.vjp(f, x)[1](u)[0], (x,), (v,))[1]
    reverse_over_forward = ad.vjp(lambda x: ad.jvp(f, (x,), (v,))[1], x)[1](u)[0]
    close(forward_over_reverse, reverse_over_forward)
    y = np.tanh(w @ x)
    close(forward_over_reverse, w.T @ (u * -2 * y * (1 - y**2) * (w @ v)))


def test_transpose_by_two_pullbacks():
    """J v as the derivative of uᵀ ↦ uᵀ J along v: reverse over reverse gives forward mode."""
    w = np.array([[0.3, -1.0, 0.2], [2.0, 0.4, -0.7]])
    f = lambda x: np.tanh(w @ x)
    x, v = np.array([0.5, -0.2, 0.9]), np.array([1.0, 2.0, -1.0])
    twice = ad.vjp(lambda u: ad.vjp(f, x)[1](u)[0], np.zeros(2))[1](v)[0]
    close(twice, ad.jvp(f, (x,), (v,))[1])


# ---- Hessians and tensors of derivatives

def loss(p: Any) -> Any:
    hidden = np.tanh(p["w"] @ np.array([0.5, -1.0]) + p["b"])
    return np.sum(hidden**2) * p["scale"] + np.sum(p["w"] ** 3)


PARAMS = {"w": np.array([[0.3, -0.2], [0.8, 0.1], [-0.4, 0.6]]), "b": np.array([0.1, 0.2, -0.3]), "scale": 0.7}
TANGENT = {"w": np.array([[1.0, 0.2], [-0.5, 0.3], [0.4, -1.1]]), "b": np.array([-1.0, 0.5, 0.25]), "scale": 2.0}


def dot(a: Any, b: Any) -> Any:
    return sum(np.sum(a[k] * b[k]) for k in a)


def test_hessian_of_a_pytree_is_symmetric():
    hessian = ad.hessian(loss)(PARAMS)
    for a, b in product(PARAMS, repeat=2):
        m, n = np.ndim(PARAMS[a]), np.ndim(PARAMS[b])
        assert np.shape(hessian[a][b]) == np.shape(PARAMS[a]) + np.shape(PARAMS[b])
        close(np.transpose(hessian[a][b], (*range(m, m + n), *range(m))), hessian[b][a])


def test_hessian_vector_products_by_three_ways():
    forward_over_reverse = ad.jvp(ad.grad(loss), (PARAMS,), (TANGENT,))[1]
    reverse_over_forward = ad.grad(lambda p: ad.jvp(loss, (p,), (TANGENT,))[1])(PARAMS)
    reverse_over_reverse = ad.grad(lambda p: dot(ad.grad(loss)(p), TANGENT))(PARAMS)
    (product_,) = ad.hvp(loss, (PARAMS,), (TANGENT,))
    hessian = ad.hessian(loss)(PARAMS)
    for a in PARAMS:
        full = sum(np.tensordot(hessian[a][b], TANGENT[b], np.ndim(PARAMS[b])) for b in PARAMS)
        for way in (forward_over_reverse, reverse_over_forward, reverse_over_reverse, product_):
            close(way[a], full)


def test_hvp_of_hvp():
    """A fourth derivative: D²(x ↦ tᵀ ∇²f t)."""
    f = lambda x: np.sum(x**4)
    x, t = np.array([0.3, -1.1]), np.array([2.0, 0.5])
    quartic = lambda x: np.sum(ad.hvp(f, (x,), (t,))[0] * t)
    close(ad.hvp(quartic, (x,), (t,))[0], 24 * t**3)


@pytest.mark.parametrize("orders", list(product(["forward", "reverse"], repeat=3)), ids=lambda o: "-".join(o))
def test_jacobian_of_jacobian_of_jacobian(orders):
    a = np.random.default_rng(0).normal(size=(2, 3, 3, 3))

    def f(x):
        return np.einsum("aijk,i,j,k->a", a, x, x, x)

    g = f
    for order in orders:
        g = ad.jacobian(g, order=order)
    x = np.array([0.2, -0.5, 1.0])
    third = g(x)
    symmetric = sum(np.transpose(a, (0, *(i + 1 for i in p))) for p in permutations(range(3)))
    assert third.shape == (2, 3, 3, 3)
    close(third, symmetric)
    close(ad.jacobian(ad.jacobian(f))(x), np.einsum("aijk,k->aij", symmetric, x))


def test_mixed_partials_are_equal():
    def f(x, y, z):
        return np.sum(np.sin(x * y) * np.exp(z) / (1 + x**2 + z**2) + y**3 * z)

    x, y, z = np.array([0.2, 1.0]), np.array([0.5, -0.3]), np.array([-0.7, 0.4])
    results = []
    for order in permutations(range(3)):
        g = f
        for argnum in order:
            g = lambda *args, g=g, argnum=argnum: np.sum(ad.grad(g, argnum)(*args))
        results.append(g(x, y, z))
    close(results, results[0], rtol=1e-12)


def test_mixed_partials_of_two_arguments_of_a_hessian():
    f = lambda a, b: np.sum(np.outer(a**2, b**3) * np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    a, b = np.array([0.5, 2.0]), np.array([1.0, -1.0, 0.3])
    (_, ab), (ba, _) = ad.hessian(f, (0, 1))(a, b)
    close(ab, ba.T)
    close(ab, ad.jacobian(ad.grad(f, 0), 1)(a, b))
    close(ab, ad.jacobian(ad.grad(f, 1), 0)(a, b).T)


# ---- programs with derivatives inside

def test_meta_gradient_through_inner_steps():
    """∂/∂(rate, start) of the loss after three steps of gradient descent, against differences."""
    a = np.array([[3.0, 0.4], [0.4, 1.0]])

    def after(rate, w):
        for _ in range(3):
            w = w - rate * ad.grad(lambda w: 0.5 * w @ a @ w + np.sum(np.cos(w)))(w)
        return np.sum(w**2)

    start, h = np.array([1.0, -0.6]), 1e-6
    by_rate, by_start = ad.grad(after, (0, 1))(0.1, start)
    close(by_rate, (after(0.1 + h, start) - after(0.1 - h, start)) / (2 * h), rtol=1e-7)
    for i, e in enumerate(np.eye(2)):
        close(by_start[i], (after(0.1, start + h * e) - after(0.1, start - h * e)) / (2 * h), rtol=1e-7)


def test_newtons_method_is_differentiated():
    """x² = c by Newton's method with a derivative inside: dx/dc = 1/(2x)."""
    def root(c):
        x = c
        for _ in range(8):
            f = lambda x: x**2 - c
            x = x - f(x) / ad.grad(f)(x)
        return x

    close(root(2.0), np.sqrt(2))
    close(ad.grad(root)(2.0), 0.5 / np.sqrt(2))
    close(ad.grad(ad.grad(root))(2.0), -0.25 * 2**-1.5)


def test_divergence_laplacian_and_gradient_penalty():
    f = lambda x: np.sin(x[0]) * np.exp(x[1])
    x = np.array([0.4, 0.2])
    close(np.trace(ad.hessian(f)(x)), 0)  # harmonic
    field = lambda x: np.stack([x[0] ** 2 * x[1], np.sin(x[0] * x[1])])
    close(np.trace(ad.jacobian(field)(x)), 2 * x[0] * x[1] + x[0] * np.cos(x[0] * x[1]))
    penalty = lambda x: (np.sqrt(np.sum(ad.grad(f)(x) ** 2)) - 1) ** 2  # |∇f| = exp(x₁)
    close(ad.grad(penalty)(x), [0, 2 * (np.exp(0.2) - 1) * np.exp(0.2)])


def test_linearized_system_of_an_inner_program_is_differentiated():
    """Both substitutions of one system inside a function: tᵀ(J + Jᵀ)t."""
    w = np.array([[0.5, -1.0], [0.3, 0.8]])

    def f(x, t):
        _, system = ad.linearize(lambda y: np.tanh(w @ y), x)
        return np.sum(t * system.pushforward(t)) + np.sum(t * system.pullback(t)[0])

    x, t = np.array([0.2, 0.7]), np.array([1.0, -0.5])
    jacobian = lambda x: (1 - np.tanh(w @ x) ** 2)[:, None] * w
    close(ad.grad(f, 1)(x, t), 2 * (jacobian(x) + jacobian(x).T) @ t)
    h = 1e-6
    close(ad.grad(f)(x, t), [2 * t @ (jacobian(x + h * e) - jacobian(x - h * e)) @ t / (2 * h) for e in np.eye(2)], rtol=1e-8)
