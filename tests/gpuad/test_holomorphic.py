"""holomorphic=True: complex derivatives f′(z), against closed forms, and what is refused."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")

Z = np.array([0.3 + 0.4j, -1.2 + 0.1j, 0.7 - 0.9j])


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 1e-14) -> None:
    np.testing.assert_allclose(to_host(got), to_host(expected), rtol=rtol, atol=atol)


@pytest.mark.parametrize(("f", "slope"), [
    (lambda z: z**3, lambda z: 3 * z**2), (np.exp, np.exp), (np.sin, np.cos), (lambda z: 1 / z, lambda z: -1 / z**2),
    (lambda z: 1j * z, lambda z: 1j * np.ones_like(z)), (np.sqrt, lambda z: 0.5 / np.sqrt(z)),
    (lambda z: np.tanh(z) * np.log(z), lambda z: (1 - np.tanh(z) ** 2) * np.log(z) + np.tanh(z) / z),
], ids=["cube", "exp", "sin", "reciprocal", "iz", "sqrt", "product"])
def test_complex_derivatives(xp: ModuleType, f, slope):
    z = xp.asarray(Z)
    gradient = ad.grad(lambda z: np.sum(f(z)), holomorphic=True)(z)
    assert gradient.dtype == z.dtype
    close(gradient, slope(Z))
    close(ad.elementwise_grad(f, holomorphic=True)(z), slope(Z))
    close(ad.elementwise_grad(f)(z), slope(Z))
    for order in ("forward", "reverse"):
        close(ad.jacobian(f, order=order, holomorphic=True)(z), np.diag(slope(Z)))
    number = complex(Z[0])
    assert abs(ad.grad(f, holomorphic=True)(number) - slope(number)) < 1e-14
    assert isinstance(ad.grad(f, holomorphic=True)(number), complex)


def test_precision_is_kept():
    z = Z.astype(np.complex64)
    value, gradient = ad.value_and_grad(lambda z: np.sum(z**2), holomorphic=True)(z)
    assert value.dtype == gradient.dtype == np.complex64
    close(gradient, 2 * z, rtol=1e-6)


def test_higher_derivatives():
    third = ad.grad(ad.grad(ad.grad(lambda z: z**4, holomorphic=True), holomorphic=True), holomorphic=True)
    close(third(1 + 2j), 24 * (1 + 2j))
    close(ad.hessian(lambda z: np.sum(z**3) * z[0], holomorphic=True)(Z),
          np.diag(6 * Z * Z[0]) + np.outer(3 * Z**2, [1, 0, 0]) + np.outer([1, 0, 0], 3 * Z**2))
    for order in ("forward", "reverse"):
        second = ad.jacobian(ad.jacobian(np.exp, order=order, holomorphic=True), holomorphic=True)(Z)
        close(second[range(3), range(3), range(3)], np.exp(Z))


def test_pytrees_and_aux():
    def f(p, scale):
        return np.sum(p["w"] ** 2) * p["c"] * scale, {"norm": np.abs(p["c"])}

    params = {"w": Z, "c": 2 + 1j}
    (value, aux), gradient = ad.value_and_grad(f, has_aux=True, holomorphic=True)(params, 3.0)
    close(value, np.sum(Z**2) * (2 + 1j) * 3)
    close(aux["norm"], abs(2 + 1j))
    close(gradient["w"], 2 * Z * (2 + 1j) * 3)
    close(gradient["c"], np.sum(Z**2) * 3)
    jacobian = ad.jacobian(lambda a, b: (a * b, np.sum(a**2)), (0, 1), holomorphic=True)(Z, 1j * Z)
    close(jacobian[0][0], np.diag(1j * Z))
    close(jacobian[0][1], np.diag(Z))
    close(jacobian[1][0], 2 * Z)
    assert not jacobian[1][1].any()


def test_relation_to_the_gradient_of_a_real_function():
    """Of Re h with h holomorphic the gradient ∂/∂Re + i ∂/∂Im is conj(h′); of a real f it is 2 ∂f/∂z̄."""
    def h(z):
        return np.sum(np.exp(z) * z)

    close(ad.grad(lambda z: np.real(h(z)))(Z), np.conj(ad.grad(h, holomorphic=True)(Z)))
    close(ad.grad(lambda z: np.imag(h(z)))(Z), 1j * np.conj(ad.grad(h, holomorphic=True)(Z)))
    x, y = Z.real, Z.imag

    def f(x, y):
        z = x + 1j * y
        return np.sum(np.abs(z) ** 2 * np.real(np.sin(z)))

    by_parts = ad.grad(f, (0, 1))(x, y)
    close(ad.grad(lambda z: np.sum(np.abs(z) ** 2 * np.real(np.sin(z))))(Z), by_parts[0] + 1j * by_parts[1])


def test_real_and_complex_arguments_of_a_real_function():
    """One gradient for both: real for the real argument, ∂/∂Re + i ∂/∂Im for the complex one."""
    a = np.array([0.5, -1.0, 2.0])
    real, complex_ = ad.grad(lambda a, z: np.sum(a * np.abs(z) ** 2 + np.real(z) * a**2), (0, 1))(a, Z)
    assert real.dtype == float
    close(real, np.abs(Z) ** 2 + 2 * Z.real * a)
    close(complex_, 2 * a * Z + a**2)


# ---- functions that are written with real parts and conjugates, holomorphic or not

@pytest.mark.parametrize(("f", "slope"), [
    (lambda z: np.real(z) + 1j * np.imag(z), np.ones_like), (lambda z: np.abs(z) ** 2 / np.conj(z), np.ones_like),
    (lambda z: np.conj(np.exp(np.conj(z))), np.exp),
], ids=["parts", "quotient", "reflection"])
def test_holomorphic_in_spite_of_its_parts(f, slope):
    close(ad.elementwise_grad(f, holomorphic=True)(Z), slope(Z))
    close(ad.grad(lambda z: np.sum(f(z)), holomorphic=True)(Z), slope(Z))
    for order in ("forward", "reverse"):
        close(ad.jacobian(f, order=order, holomorphic=True)(Z), np.diag(slope(Z)))


@pytest.mark.parametrize("f", [np.conj, lambda z: z + 1e-6 * np.conj(z), lambda z: np.abs(z) + 0j, lambda z: z * np.real(z)])
def test_not_holomorphic(f):
    message = "expected a holomorphic function of complex arguments, got one that depends on the conjugate"
    for transform in (ad.elementwise_grad(f), ad.elementwise_grad(f, holomorphic=True), ad.jacobian(f, holomorphic=True),
                      ad.jacobian(f, order="forward", holomorphic=True), ad.grad(lambda z: np.sum(f(z)), holomorphic=True)):
        with pytest.raises(TypeError, match=message):
            transform(Z)


def test_a_small_conjugate_beside_a_large_derivative():
    with pytest.raises(TypeError, match="depends on the conjugate"):
        ad.grad(lambda z: 1e12 * z[0] + np.conj(z[1]), holomorphic=True)(Z)


@pytest.mark.parametrize("transform", [ad.grad, ad.value_and_grad, ad.jacobian, ad.hessian, ad.elementwise_grad])
def test_real_numbers_are_refused(transform):
    with pytest.raises(TypeError, match=r"holomorphic=True\): expected complex arguments to differentiate, got dtype float64"):
        transform(lambda x: x**2 + 0j, holomorphic=True)(2.0)
    with pytest.raises(TypeError, match="complex"):
        transform(np.abs, holomorphic=True)(2.0 + 1j)
    with pytest.raises(TypeError, match="complex"):
        transform(lambda _z: 1.0, holomorphic=True)(2.0 + 1j)


def test_one_real_argument_among_several():
    with pytest.raises(TypeError, match="choose others with argnums"):
        ad.grad(lambda a, z: a * z, (0, 1), holomorphic=True)(2.0, 1j)
    close(ad.grad(lambda a, z: a * z, 1, holomorphic=True)(2.0, 1j), 2)


def test_what_to_do_instead_is_said():
    with pytest.raises(TypeError, match=r"holomorphic=True.*real and imaginary parts.*vjp and jvp"):
        ad.jacobian(np.exp)(Z)
    with pytest.raises(TypeError, match=r"holomorphic=True.*real and imaginary parts.*vjp and jvp"):
        ad.jacobian(lambda x: np.exp(1j * x))(np.ones(2))
    with pytest.raises(TypeError, match=r"grad\(f, holomorphic=True\)"):
        ad.grad(lambda z: z**2)(1j)


def test_results_that_do_not_depend_on_the_argument():
    assert ad.grad(lambda _z: 2j, holomorphic=True)(1 + 1j) == 0
    assert not ad.jacobian(lambda _z: np.ones(2) + 0j, holomorphic=True)(Z).any()
    assert not ad.jacobian(lambda _z: np.ones(2) + 0j, order="forward", holomorphic=True)(Z).any()


@pytest.mark.parametrize("order", ["forward", "reverse"])
def test_a_second_solve_only_where_the_structure_leaves_it_open(order, monkeypatch):
    made = []
    for name in ("back_substitute", "forward_substitute"):
        substitute = getattr(ad.system, name)
        monkeypatch.setattr(ad.system, name, lambda *args, do=substitute: (made.append(1), do(*args))[1])
    ad.jacobian(lambda z: np.exp(z) * z, order=order, holomorphic=True)(Z)
    assert len(made) == 1
    ad.jacobian(lambda z: np.conj(np.conj(z)), order=order, holomorphic=True)(Z)
    assert len(made) == 3
