"""Differential equations by the adjoint method, and integrals of functions: against closed forms and two-sided differences."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np
import optree
import pytest
import scipy.integrate

import gpuad as ad
from gpuad.scipy import integrate

TIGHT = {"rtol": 1e-11, "atol": 1e-11}


def differences(f: Callable[..., Any], args: Sequence[Any], h: float = 1e-3) -> list[np.ndarray]:
    """The gradient by two-sided differences of fourth order."""
    def partial(i: int, place: tuple[int, ...]) -> float:
        def at(k: float) -> float:
            moved = [np.array(a, float) for a in args]
            moved[i][place] += k * h
            return float(f(*moved))
        return (8 * (at(1) - at(-1)) - (at(2) - at(-2))) / (12 * h)

    return [np.array([partial(i, p) for p in np.ndindex(np.shape(a))]).reshape(np.shape(a)) for i, a in enumerate(args)]


def close(got: Any, expected: Any, tolerance: float = 1e-7) -> None:
    for a, b in zip(optree.tree_leaves(got), optree.tree_leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def prey(y: Any, _t: Any, a: Any, b: Any) -> Any:
    """Lotka–Volterra."""
    return [a * y[0] - b * y[0] * y[1], -0.7 * y[1] + 0.3 * y[0] * y[1]]


Y0, TIMES, A, B = np.array([1.0, 2.0]), np.array([0.0, 0.4, 1.5, 2.0]), 1.1, 0.4
WEIGHTS = np.random.default_rng(0).standard_normal((4, 2))


def by_odeint(y0: Any, t: Any, a: Any, b: Any, tolerances: Any = TIGHT) -> Any:
    return np.sum(WEIGHTS[:len(t)] * integrate.odeint(prey, y0, t, (a, b), **tolerances))


def by_solve_ivp(y0: Any, t: Any, a: Any, b: Any, tolerances: Any = TIGHT) -> Any:
    found = integrate.solve_ivp(lambda s, y, a, b: prey(y, s, a, b), (t[0], 2.5), y0, "DOP853", t_eval=t, args=(a, b),
                                **tolerances)
    return np.sum(WEIGHTS[:len(t)].T * found.y)


# ---- values

def test_values_are_scipys() -> None:
    expected = scipy.integrate.odeint(prey, Y0, TIMES, (A, B))
    np.testing.assert_array_equal(integrate.odeint(prey, Y0, TIMES, (A, B)), expected)
    np.testing.assert_array_equal(ad.vjp(lambda y: integrate.odeint(prey, y, TIMES, (A, B)), Y0)[0], expected)
    for options in ({}, {"t_eval": [0.5, 1.0]}, {"method": "LSODA", "rtol": 1e-6, "max_step": 0.1}):
        known = scipy.integrate.solve_ivp(lambda t, y: -y * t, (0, 2), Y0, **options)
        seen: list[Any] = []

        def f(y0: Any, options: Any = options, seen: Any = seen) -> Any:
            seen.append(integrate.solve_ivp(lambda t, y: -y * t, (0, 2), y0, **options))
            return seen[-1].y

        out, _ = ad.vjp(f, Y0)
        np.testing.assert_array_equal(out, known.y)
        assert (seen[-1].success, seen[-1].status) == (True, 0)
    both = [integrate.solve_ivp(lambda t, y: -y * t, (0, 2), y0, args=None) for y0 in (Y0, list(Y0))]
    np.testing.assert_array_equal(both[0].y, both[1].y)
    assert "RK45" in integrate.RK45.__name__


# ---- closed forms

def test_exponential() -> None:
    def f(k: Any) -> Any:
        return integrate.odeint(lambda y, _t, k: k * y, 2.0, np.array([0.0, 1.5]), (k,), **TIGHT)[-1, 0]

    close(ad.grad(f)(0.7), 3 * np.exp(1.05), 1e-9)
    close(ad.grad(ad.grad(f))(0.7), 4.5 * np.exp(1.05), 1e-9)


def test_third_derivative() -> None:
    def f(k: Any) -> Any:
        return integrate.solve_ivp(lambda _t, y, k: k * y, (0, 1), [1.0], "DOP853", [1.0], args=(k,), **TIGHT).y[0, 0]

    close(ad.grad(ad.grad(ad.grad(f)))(0.5), np.exp(0.5), 1e-8)


@pytest.mark.parametrize("method", ["RK45", "RK23", "DOP853", "Radau", "BDF", "LSODA"])
def test_harmonic_oscillator_by_every_method(method: str) -> None:
    """x = cos ωt: the gradient is as accurate as the tolerances."""
    def f(omega: Any, x0: Any, end: Any) -> Any:
        found = integrate.solve_ivp(lambda _t, y, w: np.stack([y[1], -w**2 * y[0]]), (0.0, 2.0), np.stack([x0, 0 * x0]), method,
                                    np.stack([0 * end + 1.0, end]), args=(omega,), rtol=1e-6, atol=1e-8)
        return found.y[0, 1] + 2 * found.y[0, 0]

    omega, x0, end = 1.3, 0.8, 1.7
    expected = (-x0 * (end * np.sin(omega * end) + 2 * np.sin(omega)), np.cos(omega * end) + 2 * np.cos(omega),
                -x0 * omega * np.sin(omega * end))
    close(ad.grad(f, (0, 1, 2))(omega, x0, end), expected, 1e-3 if method in ("RK23", "BDF", "LSODA") else 1e-4)


def test_stiff_equation() -> None:
    """y forgets its past fast: the first derivative does not integrate y backwards."""
    def f(k: Any, y0: Any) -> Any:
        return integrate.solve_ivp(lambda t, y, k: -k * (y - np.cos(t)), (0, 2), y0, "Radau", [2.0], args=(k,), rtol=1e-8,
                                   atol=1e-10).y[0, 0]

    k, t = 1000.0, 2.0

    def exact(k: float) -> float:
        return (k**2 * np.cos(t) + k * np.sin(t)) / (k**2 + 1)

    slope = (exact(k + 1) - exact(k - 1)) / 2
    close(ad.grad(f, (0, 1))(k, np.array([0.0])), (slope, np.zeros(1)), 1e-8)


# ---- every argument, every order

@pytest.mark.parametrize("f", [by_odeint, by_solve_ivp])
def test_lotka_volterra_against_differences(f: Callable[..., Any]) -> None:
    args = (Y0, TIMES, A, B)
    gradient = ad.grad(f, (0, 1, 2, 3))(*args)
    close(gradient, differences(f, args), 1e-7)
    direction = (np.array([0.3, -1.0]), np.array([0.1, 0.2, -0.3, 0.4]), 0.7, -0.2)
    _, tangent = ad.jvp(f, args, direction)
    close(tangent, sum(np.sum(g * v) for g, v in zip(gradient, direction, strict=True)), 1e-8)


@pytest.mark.parametrize("f", [by_odeint, by_solve_ivp])
def test_second_derivatives_against_differences(f: Callable[..., Any]) -> None:
    args, v = (Y0, TIMES, A, B), (np.array([0.3, -1.0]), np.array([0.1, 0.2, -0.3, 0.4]), 0.7, -0.2)
    gradient = ad.grad(f, (0, 1, 2, 3))

    def moved(k: float) -> Any:
        return gradient(*[a + k * 1e-3 * d for a, d in zip(args, v, strict=True)])

    expected = [(8 * (np.asarray(p) - m) - (np.asarray(q) - n)) / 12e-3 for p, m, q, n in zip(
        moved(1), moved(-1), moved(2), moved(-2), strict=True)]
    close(ad.hvp(f, args, v), expected, 1e-6)
    close(ad.vjp(gradient, *args)[1](v), expected, 1e-6)


@pytest.mark.parametrize("f", [by_odeint, by_solve_ivp])
def test_plans(f: Callable[..., Any]) -> None:
    """Values, gradients and products with the Hessian, at the arguments that the plan was made with and at others."""
    loose, v = {"rtol": 1e-4, "atol": 1e-4}, (np.array([0.3, -1.0]), np.array([0.1, 0.2]), 0.7, -0.2)
    g = ad.grad(lambda *args: f(*args, loose), (0, 1, 2, 3))
    for h in (lambda *args: f(*args, loose), g, lambda *args: ad.jvp(g, args, v)[1]):
        run = ad.plan(h)
        for args in ((Y0, TIMES[:2], A, B), (Y0[::-1] * 0.9, TIMES[:2] * 1.1, A + 0.1, B)):
            close(run(*args), h(*args), 1e-9)


def test_many_right_hand_sides() -> None:
    _, system = ad.linearize(lambda y0, a: integrate.odeint(prey, y0, TIMES, (a, B), **TIGHT), Y0, A)
    rng = np.random.default_rng(1)
    w, v = rng.standard_normal((3, 4, 2)), (rng.standard_normal((3, 2)), rng.standard_normal(3))
    for k in range(3):
        close([part[k] for part in system.pullback(w)], system.pullback(w[k]), 1e-8)
        close(system.pushforward(*v)[k], system.pushforward(v[0][k], v[1][k]), 1e-8)


def test_pytrees_of_parameters() -> None:
    def field(y: Any, t: Any, theta: Any, how: str) -> Any:
        assert how == "tanh"
        hidden = np.tanh(theta["layers"][0] @ y + theta["bias"] * t)
        return theta["layers"][1] @ hidden

    rng = np.random.default_rng(0)
    theta = {"layers": [rng.standard_normal((3, 2)), rng.standard_normal((2, 3)).astype(np.float32)], "bias": 0.3}

    def f(theta: Any) -> Any:
        return np.sum(integrate.odeint(field, Y0, np.array([0.0, 0.5, 1.0]), (theta, "tanh"), **TIGHT) ** 2)

    gradient = ad.grad(f)(theta)
    leaves, tree = optree.tree_flatten(theta)
    expected = differences(lambda *leaves: f(optree.tree_unflatten(tree, leaves)), leaves)
    assert gradient["layers"][1].dtype == np.float32
    close(gradient, optree.tree_unflatten(tree, expected), 1e-5)


def test_end_of_the_interval_without_t_eval() -> None:
    def f(start: Any, end: Any) -> Any:
        return integrate.solve_ivp(lambda t, y: t * y, (start, end), [1.0], "DOP853", **TIGHT).y[0, -1]

    value = np.exp((1.2**2 - 0.5**2) / 2)
    close(ad.grad(f, (0, 1))(0.5, 1.2), (-0.5 * value, 1.2 * value), 1e-8)


def test_backwards_in_time_and_repeated_times() -> None:
    def f(k: Any, t: Any) -> Any:
        return np.sum(integrate.odeint(lambda y, _t, k: -k * y, [1.0], t, (k,), **TIGHT)[1:, 0])

    t = np.array([1.0, 0.5, 0.5, -0.5])
    expected = sum(-(s - 1) * np.exp(-0.7 * (s - 1)) for s in t[1:])
    close(ad.grad(f)(0.7, t), expected, 1e-8)
    at = np.exp(-0.7 * (t - 1))
    close(ad.grad(f, 1)(0.7, t), np.array([0.7 * np.sum(at[1:]), *(-0.7 * at[1:])]), 1e-8)


def test_nothing_to_integrate() -> None:
    close(ad.grad(lambda y: np.sum(integrate.odeint(lambda y, _t: -y, y, [1.0, 1.0])))(np.ones(2)), 2 * np.ones(2))


def test_complex_equation() -> None:
    def f(k: Any, omega: Any) -> Any:
        return integrate.solve_ivp(lambda _t, y, k, w: (k + 1j * w) * y, (0, 1), np.array([1.0 + 0j]), "DOP853", [1.0],
                                   args=(k, omega), **TIGHT).y[0, 0]

    k, omega = 0.3 - 0.2j, 0.5
    y = np.exp(k + 1j * omega)
    back = ad.vjp(f, k, omega)[1](1 + 2j)
    close(back, (np.conj(y) * (1 + 2j), (np.conj(1j * y) * (1 + 2j)).real), 1e-8)
    close(ad.jvp(f, (k, omega), (1j, 2.0))[1], (1j + 2j) * y, 1e-8)


def test_tfirst_vectorized_lists_and_jacobians_of_the_user() -> None:
    def f(k: Any) -> Any:
        a = integrate.odeint(lambda _t, y, k: [k * y[0]], [1.0], [0, 1], (k,), tfirst=True, **TIGHT)[-1, 0]
        b = integrate.odeint(lambda y, _t, k: [k * y[0]], [1.0], [0, 1], (k,), Dfun=lambda _y, _t, k: [[k]], **TIGHT)[-1, 0]
        c = integrate.solve_ivp(lambda _t, y, k: k * y, (0, 1), [1.0], "BDF", [1.0], vectorized=True, args=(k,),
                                jac=lambda _t, _y, k: np.array([[k]]), **TIGHT).y[0, 0]
        return a + b + c

    close(ad.grad(f)(0.5), 3 * np.exp(0.5), 1e-7)


def test_in_place_programs() -> None:
    def field(y: Any, _t: Any, k: Any) -> Any:
        out = np.zeros_like(y)
        out[0], out[1] = k * y[1], -k * y[0]
        return out

    def f(k: Any) -> Any:
        return integrate.odeint(field, np.array([0.0, 1.0]), [0.0, 1.0], (k,), **TIGHT)[-1, 0]

    close(ad.grad(f)(0.6), np.cos(0.6), 1e-9)


def test_python_branches_and_hidden_state() -> None:
    """What cannot be planned is called as it is, throughout."""
    calls: list[float] = []

    def field(y: Any, t: Any, k: Any) -> Any:
        calls.append(1.0)
        return np.stack([k * y[0] if t < 0.5 else -k * y[0] + 0.0 * len(calls)])

    def f(k: Any) -> Any:
        return np.sum(integrate.odeint(field, [1.0], [0.0, 0.5, 0.8], (k,), **TIGHT)[1:, 0])

    close(ad.grad(f)(0.7), 0.5 * np.exp(0.35) + 0.2 * np.exp(0.14), 1e-5)
    assert len(calls) > 100


# ---- what is refused

@pytest.mark.parametrize("solve", [
    lambda k: integrate.odeint(lambda y, _t: k * y, [1.0], [0.0, 1.0]),
    lambda k: integrate.odeint(lambda y, _t: [k * y[0]], [k], [0.0, 1.0]),
    lambda k: integrate.solve_ivp(lambda _t, y: np.array([k * y[0]]), (0, 1), [1.0], t_eval=[1.0]).y,
    lambda k: integrate.quad(lambda x: k * x, 0, 1)[0],
])
def test_functions_that_read_traced_arrays_from_outside(solve: Any) -> None:
    with pytest.raises(ad.ArrayConversionError, match=r"reads an array under differentiation from outside.*args="):
        ad.vjp(solve, 0.5)
    with pytest.raises(ad.PlanError, match=r"reads an array of a plan from outside.*args="):
        ad.plan(solve)(0.5)


@pytest.mark.parametrize(("f", "error", "message"), [
    (lambda y: integrate.odeint(lambda y, _t: y, y, [0, 1], full_output=1), TypeError, "full_output is not available"),
    (lambda y: integrate.odeint(lambda y, _t: y, y, [0, 1], 3.0), TypeError, r"args as a tuple, got float.*args=\(θ,\)"),
    (lambda y: integrate.odeint(lambda y, _t: y, 1j * y, [0, 1]), TypeError, "expected real arrays.*solve_ivp"),
    (lambda y: integrate.solve_ivp(lambda _t, y, _c: y, (0, 1), y, args=(1j,)), TypeError, r"y0.astype\(complex\)"),
    (lambda y: integrate.solve_ivp(lambda _t, y: y, (0, 1), y, dense_output=True).y, ad.NotDifferentiableError, "t_eval"),
    (lambda y: integrate.solve_ivp(lambda _t, y: y, (0, 1), y, events=lambda _t, y: y[0]).y, ad.NotDifferentiableError, "events"),
    (lambda y: integrate.quad(lambda x: x, 0, y[0], weight="cos", wvar=1.0)[0], TypeError, "weight into the function"),
    (lambda y: integrate.quad_vec(lambda x: x, 0, y[0])[0], ad.NotDifferentiableError, "quad_vec has no differential"),
    (lambda y: integrate.dblquad(lambda x, _y: x, 0, y[0], 0, 1)[0], ad.NotDifferentiableError, "dblquad has no differential"),
    (lambda y: integrate.romb(y), ValueError, r"2ᵏ \+ 1 samples along the axis, got 4"),
    (lambda y: integrate.romb(y[:3], show=True), TypeError, "show is not available"),
    (lambda y: integrate.simpson(y, np.ones((1, 4))), ValueError, "as many as y"),
    (lambda y: integrate.trapezoid(y, np.ones(3)), ValueError, "got 3 and 4"),
    (lambda y: integrate.cumulative_trapezoid(y, initial=1), ValueError, "initial=None or initial=0, got 1"),
    (lambda y: integrate.cumulative_trapezoid(y[:0]), ValueError, "at least one sample"),
    (lambda y: integrate.fixed_quad(lambda x: x * y[0], 0, np.inf)[0], ValueError, "finite limits"),
])
def test_refusals(f: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ad.vjp(f, np.ones(4))


def test_cupy_arrays_are_refused(gpu: ModuleType) -> None:
    with pytest.raises(TypeError, match="SciPy's solver runs on the host"):
        integrate.odeint(lambda y, _t: y, gpu.ones(2), [0.0, 1.0])


def test_equations_of_derivatives_that_cannot_be_solved() -> None:
    def field(t: Any, y: Any, k: Any) -> Any:
        return -y + np.where(t < 0.5, 0.0, np.sqrt(k))

    out, pull = ad.vjp(lambda k: integrate.solve_ivp(field, (0, 1), [1.0], t_eval=[1.0], args=(k,)).y[0, 0], 0.0)
    np.testing.assert_allclose(out, np.exp(-1), rtol=1e-3)
    with pytest.raises(RuntimeError, match=r"a derivative is the solution of could not be solved.*method=RK45"), \
            np.errstate(all="ignore"):
        pull(1.0)


def test_a_plan_needs_the_times() -> None:
    with pytest.raises(ad.PlanError, match="expected t_eval"):
        ad.plan(lambda y0: integrate.solve_ivp(lambda _t, y: -y, (0, 1), y0).y)(Y0)


def test_a_plan_that_cannot_reach_the_end() -> None:
    run = ad.plan(lambda y0: integrate.solve_ivp(lambda _t, y: y**2, (0, 2), y0, t_eval=[1.0, 2.0]).y)
    assert run(np.array([0.1])).shape == (1, 2)
    with pytest.raises(RuntimeError, match="could not be solved up to the last time"), np.errstate(all="ignore"):
        run(np.array([1.0]))


# ---- quad

def test_quad() -> None:
    def f(k: Any, a: Any, b: Any) -> Any:
        return integrate.quad(lambda x, k: np.exp(-k * x * x), a, b, (k,), epsabs=1e-12, epsrel=1e-12)[0]

    args = (1.3, 0.2, 1.5)
    assert f(*args) == scipy.integrate.quad(lambda x, k: np.exp(-k * x * x), 0.2, 1.5, (1.3,), epsabs=1e-12, epsrel=1e-12)[0]
    close(ad.grad(f, (0, 1, 2))(*args), differences(f, args), 1e-10)
    v = (0.3, -0.4, 1.0)
    gradient = ad.grad(f, (0, 1, 2))
    expected = differences(lambda *a: sum(g * d for g, d in zip(gradient(*a), v, strict=True)), args)
    close(ad.hvp(f, args, v), expected, 1e-8)
    for g in (f, gradient, lambda *args: ad.hvp(f, args, v)):
        run = ad.plan(g)
        for at in (args, (1.1, 0.3, 1.2)):
            close(run(*at), g(*at), 1e-12)


def test_quad_to_infinity_and_of_pytrees() -> None:
    close(ad.grad(lambda k: integrate.quad(lambda x, k: np.exp(-k * x * x), -np.inf, np.inf, (k,))[0])(1.3),
          -0.5 * np.sqrt(np.pi) * 1.3**-1.5, 1e-10)

    def f(theta: Any) -> Any:
        value, _ = integrate.quad(lambda x, theta, n: np.sum(theta["w"] * x ** np.arange(n)) + theta["c"], 0, 2.0, (theta, 3))
        return value

    got = ad.grad(f)({"w": np.ones(3), "c": np.float32(2)})
    close(got, {"c": 2.0, "w": np.array([2, 2, 8 / 3])}, 1e-10)
    assert got["c"].dtype == np.float32


def test_constants_and_newton_cotes() -> None:
    assert integrate.newton_cotes(2)[0].shape == (3,)
    assert integrate.quad(np.cos, 0, 1) == scipy.integrate.quad(np.cos, 0, 1)
    close(ad.grad(lambda a: a * integrate.quad(np.cos, 0, 1)[0])(2.0), np.sin(1))
