"""A user's own node: what it takes, what it refuses, and what may change under it."""
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import gpuad as ad
import linalg
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 0) -> None:
    np.testing.assert_allclose(np.asarray(to_host(got)), np.asarray(to_host(expected)), rtol=rtol, atol=atol)


def test_without_a_differential():
    node = ad.primitive(lambda x: x**2)
    assert node(3.0) == 9

    def table_look_up(x):
        return x**2

    for node in (ad.primitive(table_look_up), ad.primitive(differential=None)(table_look_up)):
        with pytest.raises(ad.NotDifferentiableError, match=r"table_look_up has no differential.*ad.primitive\(table_look_up, "
                                                            r"differential=.*ad.stop_gradient"):
            ad.grad(node)(3.0)
        assert ad.grad(lambda x, node=node: x * node(ad.stop_gradient(x)))(3.0) == 9


@pytest.mark.parametrize(("differential", "error", "message"), [
    (lambda _y, a, _b: (a,), ValueError, "to give 2 entries, one for each positional argument.*got 1"),
    (lambda _y, a, b: (a, b, b), ValueError, "got 3"), (lambda _y, a, _b: a, ValueError, "got one ndarray"),
    (lambda _y, _a, _b: None, ValueError, "got one NoneType"),
    (lambda _y, _a, _b: ("b", None), TypeError, r"entry 0.*linalg.LinearOperator, an array or a number.*got str"),
    (lambda _y, _a, _b: (np.ones((3, 3)), None), ValueError, r"shape \(3, 3\) does not broadcast.*\(3,\).*linalg.Dense\(matrix"),
    (lambda _y, _a, _b: (linalg.Identity((2,)), None), ValueError, r"an operator \(3,\) -> \(3,\).*got \(2,\) -> \(2,\)"),
    (lambda _y, _a, _b: (linalg.Dense(np.ones((2, 3))), None), ValueError, r"got \(3,\) -> \(2,\)"),
    (lambda _y, a, _b: (1j * a, None), TypeError, "complex128.*real"),
    (lambda _y, _a, _b: (np.array([None] * 3), 1), TypeError, "object")])
def test_with_a_differential_that_does_not_fit(differential, error, message):
    node = ad.primitive(lambda a, b: a * b, differential=differential)
    with pytest.raises(error, match="<lambda>.*" + message):
        ad.grad(lambda x: np.sum(node(x, np.ones(3))))(np.ones(3))


def test_sum_is_not_elementwise():
    node = ad.primitive(np.sum, differential=lambda _y, x: np.ones_like(x))
    with pytest.raises(ValueError, match=r"shape \(3,\) does not broadcast to the result's, \(\)"):
        ad.grad(node)(np.ones(3))


def test_results_are_snapshots():
    table, shared = np.arange(3.0), np.ones(3)
    for f in (lambda _x: table, lambda x: x, lambda x: x[::-1][::-1], lambda _x: np.broadcast_to(shared, (3,))):
        node = ad.primitive(f, differential=lambda _y, _x: 1)
        x = np.ones(3)
        for y in (node(x), ad.vjp(node, x)[0]):
            y[...] = -7
        assert (x == 1).all() and (table == np.arange(3)).all() and (shared == 1).all()
    node = ad.primitive(lambda _x: table, differential=lambda _y, _x: 1)
    _, pullback = ad.vjp(lambda x: node(x) ** 2, np.ones(3))
    table[...] = 100
    close(pullback(np.ones(3))[0], [0, 2, 4])


def test_may_write_to_its_arguments_and_read_from_lists():
    def in_place(x, c):
        x *= 2
        c += 1
        return (x * c).tolist()

    node = ad.primitive(in_place, differential=lambda _y, x, c: (2 * (c + 1), 2 * x))
    x, c = np.ones(3), np.ones(3)
    y, pullback = ad.vjp(lambda x: node(x * 1, c) * x, x)
    close(y, [4, 4, 4])
    close(pullback(np.ones(3))[0], [8, 8, 8])
    assert (x == 1).all()
    assert ad.grad(ad.primitive(lambda _x: 3, differential=lambda _y, _x: 1), 0) is not None
    with pytest.raises(TypeError, match="floating-point or complex results"):
        ad.grad(ad.primitive(lambda _x: 3, differential=lambda _y, _x: 1))(1.0)


def test_differential_is_evaluated_when_the_function_is():
    """What it reads from outside may change before the solve."""
    scale, matrix = np.full(3, 2.0), np.eye(3)
    partial = ad.primitive(lambda x: scale * x, differential=lambda _y, _x: scale)
    operator = ad.primitive(lambda x: matrix @ x, differential=lambda _y, _x: linalg.Diagonal(scale) @ linalg.Dense(matrix))
    sparse = scipy.sparse.csr_matrix(matrix)
    assembled = ad.primitive(lambda x: sparse @ x, differential=lambda _y, _x: linalg.Sparse(sparse))
    pullbacks = [ad.vjp(f, np.ones(3))[1] for f in (partial, operator, assembled)]
    scale[...], matrix[...], sparse.data[...] = 7, 7, 7
    for pullback, expected in zip(pullbacks, (2, 2, 1), strict=True):
        close(pullback(np.ones(3))[0], np.full(3, expected))


def test_cannot_write_to_what_others_keep():
    def differential(y, _x):
        y *= 2
        return y

    node = ad.primitive(np.exp, differential=differential)
    with pytest.raises(ValueError, match="read-only"):
        ad.grad(lambda x: np.sum(node(x)))(np.ones(3))


def test_arguments_that_would_lose_a_derivative():
    node = ad.primitive(lambda a, scale=1.0: a * scale, differential=lambda _y, _a, **_k: 1)
    with pytest.raises(TypeError, match="positional arguments, got one inside a container or by keyword"):
        ad.grad(lambda x: node(1.0, scale=x))(2.0)
    with pytest.raises(TypeError, match="inside a container"):
        ad.grad(lambda x: node([x, x]))(2.0)
    with pytest.raises(TypeError, match="reads it from outside"):
        ad.grad(lambda x: ad.primitive(lambda a: a * x, differential=lambda _y, _a: 1)(1.0 * x))(2.0)
    with pytest.raises(TypeError, match="dtype object"):
        ad.primitive(lambda _x: object(), differential=lambda _y, _x: 1)(2.0)


def test_wants_functions():
    for call in (lambda: ad.primitive(3), lambda: ad.primitive(np.sin, differential=3)):
        with pytest.raises(TypeError, match="expected functions f and differential, got int"):
            call()


def test_with_several_results(xp: ModuleType):
    def polar(x, y):
        return np.hypot(x, y), np.arctan2(y, x)

    node = ad.primitive(polar, differential=lambda out, x, y: ((x / out[0], y / out[0]), (-y / out[0] ** 2, x / out[0] ** 2)))
    x, y = xp.asarray([3.0, 1.0]), xp.asarray([4.0, 2.0])
    for order in ("forward", "reverse"):
        got = ad.jacobian(lambda x, y: node(x, y), (0, 1), order=order)(x, y)
        expected = ad.jacobian(polar, (0, 1))(x, y)
        for row, wanted in zip(got, expected, strict=True):
            for g, e in zip(row, wanted, strict=True):
                close(g, e)
    ad.check_grads(lambda x, y: node(x, y)[0] * node(x, y)[1], (x, y))
    wrong = ad.primitive(polar, differential=lambda out, x, y: (x, y, out))
    with pytest.raises(ValueError, match="to give 2 rows, one for each result, got 3"):
        ad.grad(lambda x: np.sum(wrong(x, y)[0]))(x)


def test_broadcasts_and_takes_other_dtypes():
    node = ad.primitive(np.multiply, differential=lambda _y, a, b: (b, a))
    a, b = np.ones((3, 1), np.float32), np.arange(4.0)
    gradients = ad.grad(lambda a, b: np.sum(node(a, b)), (0, 1))(a, b)
    assert gradients[0].dtype == np.float32 and gradients[0].shape == (3, 1)
    close(gradients[0], np.full((3, 1), 6))
    close(gradients[1], np.full(4, 3))
    single = ad.primitive(np.exp, differential=lambda y, _x: y.astype(np.float64))
    assert ad.jvp(single, (a,), (a,))[1].dtype == np.float32
    assert node.__name__ == "multiply"


def test_as_a_method():
    class Model:
        scale = 3.0

        @ad.primitive(differential=lambda _y, self, _x: (None, self.scale))
        def __call__(self, x):
            """Scaled."""
            return self.scale * x

    assert ad.grad(Model())(2.0) == 3
    assert Model.__call__.__doc__ == "Scaled."
