"""minimize and least_squares: exact derivatives of functions of pytrees for SciPy's optimisers."""
from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import gpuad as ad

METHODS = ["Nelder-Mead", "Powell", "CG", "BFGS", "Newton-CG", "L-BFGS-B", "TNC", "COBYLA", "COBYQA", "SLSQP", "trust-constr",
           "dogleg", "trust-ncg", "trust-exact", "trust-krylov"]


def rosenbrock(x: Any, scale: Any = 100.0) -> Any:
    """Of a chain of numbers: x["head"], then x["tail"], of two axes."""
    chain = np.concatenate([np.reshape(x["head"], 1), np.ravel(x["tail"])])
    return np.sum(scale * (chain[1:] - chain[:-1] ** 2) ** 2 + (1 - chain[:-1]) ** 2)


def start() -> dict[str, Any]:
    return {"head": 0.5, "tail": np.array([[0.8], [1.2]])}


def close(got: Any, expected: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


# ---- methods

@pytest.mark.parametrize("method", [None, *METHODS])
def test_rosenbrock_by_every_method(method: Any) -> None:
    options = {"maxiter": 3000} if method not in ("TNC", "COBYLA") else {"maxfun": 3000} if method == "TNC" else {"maxiter": 9000}
    start_at = {"head": 0.9, "tail": np.array([[0.85], [0.75]])} if method in ("dogleg", "COBYLA") else start()
    result = ad.minimize(rosenbrock, start_at, 10.0, method, options=options, tol=1e-9 if method != "COBYQA" else 1e-7)
    assert result.success or result.fun < 1e-10, result.message
    assert type(result.x["head"]) is np.float64 and result.x["tail"].shape == (2, 1)
    close(result.x["head"], 1, 1e-3)
    close(result.x["tail"], np.ones((2, 1)), 1e-3)
    if method not in ("Nelder-Mead", "Powell", "COBYLA", "COBYQA"):
        close(result.jac["tail"], np.zeros((2, 1)), 1e-4)
        assert result.nfev < 200


@pytest.mark.parametrize(("method", "most"), [("trust-ncg", 25), ("trust-krylov", 25), ("trust-exact", 25), ("Newton-CG", 40)])
def test_exact_hessians_need_few_iterations(method: str, most: int) -> None:
    result = ad.minimize(rosenbrock, start(), method=method, tol=1e-8)
    assert result.success and result.nit <= most
    close(result.fun, 0, 1e-12)


@pytest.mark.parametrize("method", ["BFGS", "trust-ncg", "trust-exact"])
def test_by_a_plan(method: str) -> None:
    eager, planned = (ad.minimize(rosenbrock, start(), (50.0,), method, plan=p) for p in (False, True))
    assert eager.nit == planned.nit
    close(eager.x["tail"], planned.x["tail"], 1e-9)


def test_products_and_hessians_are_those_of_f() -> None:
    seen: dict[str, Any] = {}

    def method(fun: Any, x0: Any, **given: Any) -> Any:
        seen.update(given, x0=x0, fun=fun(x0))
        return scipy.optimize.OptimizeResult(x=x0, jac=given["jac"](x0))

    x = np.array([0.3, -0.7])
    result = ad.minimize(lambda x: np.sum(np.cos(x) * x), x, method=method)
    close(result.jac, ad.grad(lambda x: np.sum(np.cos(x) * x))(x))
    close(seen["hessp"](x, np.array([1.0, 2.0])), ad.hvp(lambda x: np.sum(np.cos(x) * x), (x,), (np.array([1.0, 2.0]),))[0])


def test_a_hessian_is_linearised_once_for_all_products() -> None:
    calls: list[int] = []

    def f(x: Any) -> Any:
        calls.append(1)
        return np.sum(np.cosh(x - np.arange(6.0)) * np.arange(1.0, 7.0))

    result = ad.minimize(f, np.ones(6), method="trust-ncg")
    assert result.nhev > 2 * result.nit  # products
    assert len(calls) <= result.nfev + result.njev + result.nit + 2


# ---- bounds and constraints

def test_bounds() -> None:
    for given in ({"head": (None, 0.4), "tail": None}, {"head": [(-1, 0.4)], "tail": (-np.inf, np.full((2, 1), 9.0))},
                  scipy.optimize.Bounds([-np.inf] * 3, [0.4, 9, 9])):
        result = ad.minimize(rosenbrock, start(), bounds=given, tol=1e-10)
        close(result.x["head"], 0.4)
        close(result.x["tail"].ravel()[0], 0.16, 1e-2)
    result = ad.minimize(lambda x: np.sum((x - 3) ** 2), np.zeros(2), bounds=[(0, 1), (0, 2)])
    close(result.x, [1, 2])
    result = ad.minimize(lambda x: np.sum((x - 3) ** 2), np.zeros(2), bounds=(0, 1))
    close(result.x, [1, 1])


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr", "COBYLA", "COBYQA"])
def test_constraints(method: str) -> None:
    """The nearest point of a sphere, as an equation and as inequalities, in pytrees."""
    target = {"a": np.array([1.0, 2.0]), "b": 2.0}

    def distance(x: Any) -> Any:
        return np.sum((x["a"] - target["a"]) ** 2) + (x["b"] - target["b"]) ** 2

    def norm(x: Any, c: float = 0.0) -> Any:
        return {"norm": np.sum(x["a"] ** 2) + x["b"] ** 2 + c}

    forms: list[Any] = [scipy.optimize.NonlinearConstraint(norm, 1, 1)]
    forms += [{"type": "eq", "fun": norm, "args": (-1.0,)}] if method in ("SLSQP", "trust-constr") else []
    for constraint in forms:
        result = ad.minimize(distance, {"a": np.array([0.5, 0.5]), "b": 0.5}, method=method, constraints=constraint,
                             options={"maxiter": 900})
        close(result.x["a"], target["a"] / 3, 1e-3)
        close(result.x["b"], 2 / 3, 1e-3)
    both = [scipy.optimize.NonlinearConstraint(norm, 0, 1), scipy.optimize.LinearConstraint([[1.0, -1.0, 0.0]], 0, np.inf)]
    result = ad.minimize(distance, {"a": np.array([0.5, 0.5]), "b": 0.5}, method=method, constraints=both,
                         options={"maxiter": 900})
    expected = np.array([1.5, 1.5, 2.0])
    close([*result.x["a"], result.x["b"]], expected / np.linalg.norm(expected), 1e-3)


def test_exact_hessians_of_constraints() -> None:
    result = ad.minimize(lambda x: -x[0] * x[1], np.array([0.9, 0.1]), method="trust-constr",
                         constraints=scipy.optimize.NonlinearConstraint(lambda x: np.stack([x @ x, x[0]]), [0, 0], [2, 9]))
    close(result.x, [1, 1], 1e-4)
    assert isinstance(result.constraint_jac, list) and result.jac.shape == result.grad.shape == (2,)


def test_more_constraints_than_unknowns() -> None:
    def f(x: Any) -> Any:
        return np.concatenate([x, 2 * x, x**2])

    result = ad.minimize(lambda x: np.sum(x), np.array([3.0, 4.0]), constraints={"type": "ineq", "fun": lambda x: f(x) - 1})
    close(result.x, [1, 1])


# ---- what comes back

def test_callbacks() -> None:
    seen: list[Any] = []
    ad.minimize(rosenbrock, start(), method="BFGS", callback=seen.append)
    assert len(seen) > 3 and all(x["tail"].shape == (2, 1) for x in seen)

    def stop(intermediate_result: Any) -> None:
        seen.append(intermediate_result)
        raise StopIteration

    result = ad.minimize(rosenbrock, start(), method="BFGS", callback=stop)
    assert result.nit == 1 and seen[-1].x["tail"].shape == (2, 1)

    def state_too(x: Any, state: Any) -> bool:
        seen.append(state)
        return state.nit > 3 and x["tail"].shape == (2, 1)

    result = ad.minimize(rosenbrock, start(), method="trust-constr", callback=state_too)
    assert result.nit == 4 and seen[-1].grad["tail"].shape == (2, 1)


def test_dtypes_and_numbers() -> None:
    result = ad.minimize(lambda x: np.sum((x[0] - 2) ** 2) + (x[1] - 1) ** 2, (np.zeros(2, np.float32), 5))
    assert result.x[0].dtype == result.jac[0].dtype == np.float32 and type(result.x[1]) is np.float64
    close(result.x[0], 2, 1e-5)
    result = ad.minimize(lambda x: (x - 1) ** 2, 0)
    close(result.x, 1)
    assert result.hess_inv.shape == (1, 1)
    result = ad.minimize(lambda x, a, flag: np.sum((x - a["m"]) ** 2) if flag else x, np.zeros((1, 2)), ({"m": 3}, True))
    close(result.x, [[3, 3]])


def test_arrays_on_the_device_come_back_there(gpu: ModuleType) -> None:
    x0 = {"a": gpu.zeros(2, gpu.float32), "b": 1.0}
    result = ad.minimize(lambda x: ((x["a"] - 2) ** 2).sum() + (x["b"] - 1) ** 2, x0, method="trust-ncg")
    assert isinstance(result.x["a"], gpu.ndarray) and result.x["a"].dtype == gpu.float32
    close(result.x["a"].get(), 2, 1e-5)


# ---- least squares

@pytest.mark.parametrize("jacobian", ["matrix", "operator"])
def test_least_squares(jacobian: str) -> None:
    t = np.linspace(0, 1, 7)
    y = 2 * np.exp(-1.3 * t)

    def residuals(x: Any, t: Any, y: Any) -> Any:
        return {"fit": x["scale"] * np.exp(-x["rate"] * t) - y, "prior": 0 * x["scale"]}

    result = ad.least_squares(residuals, {"scale": 1.0, "rate": np.array([0.3])}, (t, y), jacobian=jacobian, xtol=1e-12)
    close([result.x["scale"], *result.x["rate"]], [2, 1.3])
    assert result.fun.shape == (8,) and result.jac.shape == (8, 2) and result.nfev < 12
    bounded = ad.least_squares(residuals, {"scale": 1.0, "rate": np.array([0.3])}, (t, y), jacobian=jacobian,
                               bounds={"scale": (None, 1.5), "rate": (0, [2.0])}, loss="soft_l1")
    close(bounded.x["scale"], 1.5, 1e-4)
    assert bounded.grad["rate"].shape == (1,)


def test_least_squares_by_levenberg_and_marquardt() -> None:
    result = ad.least_squares(lambda x: np.stack([10 * (x[1] - x[0] ** 2), 1 - x[0]]), np.array([-1.2, 1.0]), method="lm")
    close(result.x, [1, 1])
    bounds = scipy.optimize.Bounds([-2, -2], [0.5, 2])
    close(ad.least_squares(lambda x: x - np.ones(2), np.zeros(2), bounds=bounds).x, [0.5, 1])


# ---- what is refused

@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: ad.minimize(lambda x: abs(x), 1j), TypeError, "expected real arrays in x0.*real and imaginary parts"),
    (lambda: ad.minimize(lambda x: x, np.ones(2)), TypeError, r"scalar \(shape \(\)\), got shape \(2,\)"),
    (lambda: ad.minimize(lambda x: x, np.ones(2), method="Powell"), TypeError, r"real scalar \(shape \(\)\).*\(2,\)"),
    (lambda: ad.minimize(lambda x: np.sum(x) * 1j, np.ones(2)), TypeError, "expected a real scalar, got a complex one"),
    (lambda: ad.minimize(lambda x: x, "text"), TypeError, "minimize: x0"),
    (lambda: ad.minimize(lambda x: x, 1.0, bounds={"a": (0, 1)}), ValueError, r"expected bounds \(low, high\)|structure of x0"),
    (lambda: ad.minimize(rosenbrock, start(), bounds=[(0, 1)] * 3), ValueError, "bounds with the structure of x0"),
    (lambda: ad.minimize(rosenbrock, start(), bounds={"head": (0, 1, 2), "tail": None}), ValueError, r"bounds \(low, high\)"),
    (lambda: ad.minimize(rosenbrock, start(), bounds={"head": (0, np.ones(4)), "tail": None}), ValueError, r"broadcast to"),
    (lambda: ad.minimize(lambda x: x, 1.0, constraints={"type": "eq", "fun": abs, "jac": abs}), TypeError, "without jac"),
    (lambda: ad.minimize(lambda x: x, 1.0, constraints=scipy.optimize.NonlinearConstraint(abs, 0, 1, jac=abs)), TypeError,
     "without jac and hess"),
    (lambda: ad.minimize(lambda x: x, 1.0, constraints=[3]), TypeError, "NonlinearConstraint or LinearConstraint, got int"),
    (lambda: ad.minimize(lambda x: x, 1.0, constraints={"type": "eq", "fun": lambda _x: "a"}), TypeError, "arrays or numbers"),
    (lambda: ad.grad(lambda x: ad.minimize(lambda y: (y - x) ** 2, x).x)(1.0), ad.NotDifferentiableError, "no differential"),
    (lambda: ad.grad(lambda x: ad.minimize(lambda y, z: (y - z) ** 2, 1.0, x).x)(1.0), ad.NotDifferentiableError, "no differ"),
    (lambda: ad.plan(lambda x: ad.minimize(lambda y: (y - x) ** 2, x).x)(1.0), ad.NotDifferentiableError, "no differential"),
    (lambda: ad.least_squares(lambda x: x, 1.0, jacobian="2-point"), ValueError, "'matrix' or 'operator', got '2-point'"),
    (lambda: ad.least_squares(lambda x: x, 1.0, jac="3-point"), TypeError, "exact anyway"),
    (lambda: ad.least_squares(lambda x: x, 1j), TypeError, "least_squares: expected real arrays"),
])
def test_refusals(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
