"""The numbers of the lectures: each test is named after its row in the list of what the lectures ask for."""
from fractions import Fraction
from itertools import combinations, pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
import linalg
from gpuad.testing import one_sided_difference, two_sided_difference
from linalg import BlockMatrix, Broadcast, Dense, Diagonal, LeftProduct, RightProduct, Scaling, UnitTriangular, solve
from linalg.arrays import to_host

pytestmark = pytest.mark.usefixtures("both_modes")


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 0) -> None:
    np.testing.assert_allclose(np.asarray(to_host(got)), np.asarray(to_host(expected)), rtol=rtol, atol=atol)


# ---- Edelman: dual numbers

def babylonian(x: Any, steps: int = 10) -> Any:
    t = (1 + x) / 2
    for _ in range(steps - 1):
        t = (t + x / t) / 2
    return t


def hand_differentiated(x: float, steps: int = 10) -> tuple[float, float]:
    t, dt = (1 + x) / 2, 1 / 2
    for _ in range(steps - 1):
        t, dt = (t + x / t) / 2, (dt + (t - x * dt) / t**2) / 2
    return t, dt


@pytest.mark.parametrize("x", [49, 100, np.pi])
def test_E1_babylonian_square_root(x):
    root = babylonian(ad.Dual(x, 1))
    close(root.value, np.sqrt(x), rtol=4e-16)
    close(root.tangent, 1 / (2 * np.sqrt(x)), rtol=4e-16)


def test_E1_knows_four_operations_and_promotion():
    x, y = ad.Dual(3.0, 1.0), ad.Dual(2.0, -4.0)
    assert x + y == ad.Dual(5.0, -3.0)
    assert x - y == ad.Dual(1.0, 5.0)
    assert x * y == ad.Dual(6.0, 3 * -4.0 + 2)
    assert x / y == ad.Dual(1.5, (1 * 2 - 3 * -4.0) / 4)
    assert 2 + x == x + 2 == ad.Dual(5.0, 1.0)
    assert 2 - x == -(x - 2) == ad.Dual(-1.0, -1.0)
    assert 2 * x == x * 2 == ad.Dual(6.0, 2.0)
    assert x / 2 == ad.Dual(1.5, 0.5)
    assert 6 / x == ad.Dual(2.0, -2 / 3)
    assert x**3 == ad.Dual(27.0, 27.0) and x**-1 == 1 / x and x**0 == ad.Dual(1.0, 0)
    for refused in (lambda: np.sqrt(x), lambda: x**0.5, lambda: float(x), lambda: x < y, lambda: x + "1"):
        with pytest.raises(TypeError):
            refused()


def test_E1_promotes_whatever_a_value_is(xp: ModuleType):
    assert Fraction(1, 2) * ad.Dual(Fraction(1, 3), Fraction(1)) == ad.Dual(Fraction(1, 6), Fraction(1, 2))
    assert np.float64(2) - ad.Dual(1, 1) == ad.Dual(1, -1)
    x = xp.asarray([49.0, 100.0])
    for one in (1.0, xp.ones(2)):
        root = babylonian(ad.Dual(x, one))
        close(root.value, [7, 10], rtol=1e-15)
        close(root.tangent, [1 / 14, 1 / 20], rtol=1e-15)
    product = x * ad.Dual(2.0, 1.0)  # not an array of dual numbers
    close(product.value, [98, 200])
    close(product.tangent, [49, 100])
    close((x / ad.Dual(2.0, 1.0)).tangent, [-49 / 4, -25])
    assert ad.Dual(float("inf"), 1.0) * 2 == ad.Dual(float("inf"), 2.0)


def test_E1_reads_like_a_dual_number():
    assert repr(ad.Dual(49.0, 1.0)) == "49.0 + 1.0ε"
    assert repr(ad.Dual(np.float64(2.5), -3)) == "2.5 − 3ε"
    assert repr(ad.Dual(Fraction(1, 2), Fraction(-1, 3))) == "(1/2) + (-1/3)ε"
    assert repr(ad.Dual(ad.Dual(2, 1), ad.Dual(1, 0))) == "(2 + 1ε) + (1 + 0ε)ε₂"


@pytest.mark.parametrize("steps", range(1, 11))
def test_E2_hand_differentiated_program_agrees_line_by_line(steps):
    by_hand = hand_differentiated(49.0, steps)
    dual = babylonian(ad.Dual(49.0, 1.0), steps)
    close([dual.value, dual.tangent], by_hand, rtol=1e-14)


def test_E2_sympy_runs_through_the_same_code():
    sympy = pytest.importorskip("sympy", reason="SymPy is not installed")
    x = sympy.Symbol("x")
    iterate = babylonian(ad.Dual(x, sympy.Integer(1)), 3)
    assert sympy.simplify(iterate.tangent - sympy.diff(iterate.value, x)) == 0
    assert sympy.simplify(iterate.value - babylonian(x, 3)) == 0
    assert (sympy.Integer(2) * ad.Dual(x, 1)).tangent == 2


def sine(x: Any, terms: int = 20) -> Any:
    term = total = x
    for k in range(1, terms):
        term = -term * x * x / (2 * k * (2 * k + 1))
        total = total + term
    return total


@pytest.mark.parametrize("x", [0.0, 0.3, 2.0, -3.0])
def test_E3_series_of_sine_gives_cosine(x):
    y = sine(ad.Dual(x, 1.0))
    close([y.value, y.tangent], [np.sin(x), np.cos(x)], rtol=0, atol=1e-14)


def test_E3_nesting_gives_second_derivatives():
    x = ad.Dual(ad.Dual(0.7, 1.0), ad.Dual(1.0, 0.0))
    y = sine(x)
    close(y.tangent.tangent, -np.sin(0.7), atol=1e-14)
    assert y.value.tangent == y.tangent.value
    root = babylonian(ad.Dual(ad.Dual(49.0, 1.0), 1.0))
    close(root.tangent.tangent, -1 / 4 * 49**-1.5)


# ---- Edelman: structure

@pytest.mark.parametrize("seed", range(3))
def test_E4_change_of_variables_by_svd(xp: ModuleType, seed):
    """dA = U (K Σ + dΣ − Σ K′) Vᵀ with antisymmetric K = UᵀdU, K′ = VᵀdV: 3 + 3 + 3 coordinates."""
    a = xp.asarray(np.random.default_rng(seed).normal(size=(3, 3)))
    u0, s0, vt0 = xp.linalg.svd(a)
    below = ([1, 2, 2], [0, 0, 1])

    def coordinates(a):
        u, s, vt = np.linalg.svd(a)
        return np.concatenate([(u0.T @ u)[below], s, (vt0 @ vt.T)[below]])

    jacobian = to_host(ad.jacobian(coordinates)(a)).reshape(9, 9)
    s = to_host(s0)
    volume = np.prod([s[i] ** 2 - s[j] ** 2 for i, j in combinations(range(3), 2)])
    close(abs(np.linalg.det(jacobian)), 1 / abs(volume), rtol=1e-9)


@pytest.mark.parametrize("n", [1, 5, 200_000])
def test_E5_symmetric_tridiagonal(xp: ModuleType, n):
    matrix = linalg.SymTridiagonal(2 * xp.ones(n), -xp.ones(n - 1))
    assert matrix.d.size + matrix.e.size == 2 * n - 1
    b = xp.asarray(np.random.default_rng(0).normal(size=n))
    x = solve(matrix, b)
    close(matrix @ x, b, rtol=0, atol=1e-14 * (1 + float(abs(x).max())))
    assert matrix.flops < 6 * n
    if n == 5:
        close(x, np.linalg.solve(2 * np.eye(5) - np.eye(5, k=1) - np.eye(5, k=-1), to_host(b)))


WEIGHTS, BIASES, X0, TARGET = [0.3, -0.7, 1.1, 0.4], [0.1, 0.2, -0.3, 0.05], 0.8, 0.6


def scalar_loss(params, x, y):
    for p in params:
        x = np.tanh(p[0] * x + p[1])
    return 0.5 * (y - x) ** 2


def scalar_matrices(xp: ModuleType) -> tuple[BlockMatrix, BlockMatrix]:
    """Edelman's L and D: rows x₂ … xₙ₊₁ and the loss; columns of D the pairs (wᵢ, bᵢ)."""
    n, x = len(WEIGHTS), X0
    lower: list[list[Any]] = []
    inputs: list[list[Any]] = []
    for i, (w, b) in enumerate(zip(WEIGHTS, BIASES, strict=True)):
        delta = 1 - np.tanh(w * x + b) ** 2
        inputs.append([(i, Dense(xp.asarray([[delta * x, delta]]), (2,), ()))])
        lower.append([(i - 1, Scaling(delta * w, ()))] if i else [])
        x = np.tanh(w * x + b)
    return (BlockMatrix([*lower, [(n - 1, Scaling(x - TARGET, ()))]], [()] * (n + 1), [()] * (n + 1)),
            BlockMatrix([*inputs, []], [()] * (n + 1), [(2,)] * n))


def test_E6_scalar_network_one_backslash(xp: ModuleType):
    lower, inputs = scalar_matrices(xp)
    params = [xp.asarray([w, b]) for w, b in zip(WEIGHTS, BIASES, strict=True)]
    e = [None] * len(WEIGHTS) + [xp.asarray(1.0)]
    gradient = inputs.T @ solve(UnitTriangular(lower).T, e)
    for g, expected in zip(gradient, ad.grad(scalar_loss)(params, X0, TARGET), strict=True):
        close(g, expected)


def test_E6_traced_layer_has_the_same_matrices(xp: ModuleType):
    def differential(y, p, x):
        delta = 1 - y**2
        block = xp.stack([delta * x, delta]).reshape(1, 2)
        return Dense(block, (2,), ()), Scaling(delta * p[0], ())

    layer = ad.primitive(lambda p, x: np.tanh(p[0] * x + p[1]), differential=differential)
    half_square = ad.primitive(lambda x: 0.5 * (TARGET - x) ** 2, differential=lambda _y, x: Scaling(x - TARGET, ()))

    def loss(params):
        x = xp.asarray(X0)
        for p in params:
            x = layer(p, x)
        return half_square(x)

    params = [xp.asarray([w, b]) for w, b in zip(WEIGHTS, BIASES, strict=True)]
    _, system = ad.linearize(loss, params)
    lower, inputs = scalar_matrices(xp)
    for traced, built in ((system.L, lower), (system.D, inputs)):
        assert (traced.pattern() == built.pattern()).all()
        close(traced.to_dense(), built.to_dense())
        assert all(type(a) is type(b) for (*_, a), (*_, b) in zip(traced.blocks(), built.blocks(), strict=True))
    n = len(WEIGHTS)
    np.testing.assert_array_equal(lower.pattern(), np.eye(n + 1, k=-1, dtype=bool))
    np.testing.assert_array_equal(inputs.pattern(), np.eye(n + 1, n, dtype=bool))
    seed = [None] * n + [xp.asarray(1.0)]
    by_hand = system.D.T @ solve(system.I_minus_L.T, seed)
    pulled = system.pullback(xp.asarray(1.0))[0]
    for g, p, expected in zip(by_hand, pulled, ad.grad(scalar_loss)(params, X0, TARGET), strict=True):
        close(g, expected)
        close(p, expected)


def matrix_network(xp: ModuleType) -> tuple[list[Any], Any]:
    rng = np.random.default_rng(0)
    params = [(xp.asarray(rng.normal(size=(m, n))), xp.asarray(rng.normal(size=n))) for m, n in pairwise([4, 6, 5, 2])]
    return params, xp.asarray(rng.normal(size=(7, 4)))


def matrix_loss(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return 0.5 * np.sum(x**2)


def test_E7_blocks_are_operators(xp: ModuleType):
    """X ↦ δ∘(XW) below the diagonal; dW ↦ δ∘(X dW) and db ↦ δ∘db in D."""
    params, x = matrix_network(xp)
    lower: list[list[Any]] = []
    inputs: list[list[Any]] = []
    shapes = []
    for i, (w, b) in enumerate(params):
        y = xp.tanh(x @ w + b)
        delta = Diagonal(1 - y**2)
        inputs.append([(2 * i, delta @ LeftProduct(x, w.shape)), (2 * i + 1, delta @ Broadcast(b.shape, y.shape))])
        lower.append([(i - 1, delta @ RightProduct(w, x.shape))] if i else [])
        x = y
        shapes.append(y.shape)
    lower.append([(len(params) - 1, linalg.AxisSum(x.shape, (-2, -1)) @ Diagonal(x))])
    L = BlockMatrix(lower, [*shapes, ()], [*shapes, ()])
    D = BlockMatrix([*inputs, []], [*shapes, ()], [p.shape for layer in params for p in layer])
    gradient = D.T @ solve(UnitTriangular(L).T, [None] * len(params) + [xp.asarray(1.0)])
    expected = ad.grad(matrix_loss)(*matrix_network(xp))
    for g, e in zip(gradient, [p for layer in expected for p in layer], strict=True):
        close(g, e, atol=1e-14)


def test_E7_traced_layer_has_the_same_matrices(xp: ModuleType):
    @ad.primitive(differential=lambda y, x, w, b: (
        Diagonal(1 - y**2) @ RightProduct(w, x.shape), Diagonal(1 - y**2) @ LeftProduct(x, w.shape),
        Diagonal(1 - y**2) @ Broadcast(b.shape, y.shape)))
    def layer(x, w, b):
        return np.tanh(x @ w + b)

    def loss(params, x):
        for w, b in params:
            x = layer(x, w, b)
        return 0.5 * np.sum(x**2)

    params, x = matrix_network(xp)
    _, system = ad.linearize(lambda p: loss(p, x), params)
    np.testing.assert_array_equal(system.D.pattern()[:3], np.kron(np.eye(3), [1, 1]))
    assert [type(f) for f in system.D[0, 0].factors] == [Diagonal, LeftProduct]
    assert [type(f) for f in system.L[1, 0].factors] == [Diagonal, RightProduct]
    expected = ad.grad(matrix_loss)(params, x)
    for got, wanted in zip(system.pullback(xp.asarray(1.0))[0], expected, strict=True):
        close(got[0], wanted[0], atol=1e-14)
        close(got[1], wanted[1], atol=1e-14)


# ---- Strang

@pytest.mark.parametrize(("f", "value", "gradient"), [
    (lambda x, y: x**3 * (x + 3 * y), 88, (140, 24)), (lambda x, y: x**3 * (x - y), -8, (-4, -8))])
def test_S1_the_graph_and_its_derivatives(f, value, gradient):
    out, system = ad.linearize(f, 2.0, 3.0)
    assert float(out) == value
    assert system.pullback(1.0) == gradient
    assert ad.grad(f, (0, 1))(2.0, 3.0) == gradient
    assert [system.pushforward(1.0, 0.0), system.pushforward(0.0, 1.0)] == list(gradient)


def test_S1_local_derivatives_stand_in_the_system():
    _, system = ad.linearize(lambda x, y: x**3 * (x + 3 * y), 2.0, 3.0)
    np.testing.assert_array_equal(system.D.to_dense(), [[12, 0], [0, 3], [1, 0], [0, 0]])
    np.testing.assert_array_equal(system.L.to_dense(), [[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0], [11, 0, 8, 0]])


def test_S1_the_graph_is_drawn_with_values_and_derivatives():
    pytest.importorskip("matplotlib", reason="Matplotlib is not installed")
    _, system = ad.linearize(lambda x, y: x**3 * (x + 3 * y), 2.0, 3.0)
    words = [text.get_text() for text in system.graph().axes[0].texts]
    assert {"8", "11", "9", "= 88", "∂ = 140", "∂ = 24"} <= set(words)
    assert "12" in words  # ∂c/∂x


@pytest.mark.parametrize(("m", "n"), [(50, 3), (3, 50), (4, 4)])
def test_S3_order_of_a_product(m, n):
    a, at = (m, n), (n, m)
    right, left = (linalg.multiplication_count([a, at, a], order) for order in ((1, 0), (0, 0)))
    assert (right, left) == (n * m * n + m * n * n, m * n * m + m * m * n)  # A(AᵀA), (AAᵀ)A
    cheapest = linalg.cheapest_order([a, at, a])
    assert linalg.multiplication_count([a, at, a], cheapest) == min(right, left)
    if m != n:
        assert linalg.parenthesize(cheapest, ["A", "Aᵀ", "A"]) == ("A(AᵀA)" if m > n else "(AAᵀ)A")
    matrix = np.random.default_rng(0).normal(size=(m, n))
    close(linalg.multiply_chain([matrix, matrix.T, matrix]), matrix @ matrix.T @ matrix)


def test_S3_three_matrices():
    m, n, p, q = 2, 30, 4, 50
    shapes = [(m, n), (n, p), (p, q)]
    assert linalg.multiplication_count(shapes, (1, 0)) == n * p * q + m * n * q
    assert linalg.multiplication_count(shapes, (0, 0)) == m * n * p + m * p * q
    assert linalg.parenthesize(linalg.cheapest_order(shapes), "ABC") == "(AB)C"


@pytest.mark.parametrize(("m", "n", "cheaper"), [(3, 40, "reverse"), (40, 3, "forward")])
def test_S3_forward_against_reverse_is_this_choice(m, n, cheaper):
    w = np.random.default_rng(0).normal(size=(n, m))
    _, system = ad.linearize(lambda x: np.tanh(x @ w), np.ones(n))
    costs = {order: system.cost(order) for order in ("forward", "reverse")}
    assert min(costs, key=costs.get) == cheaper
    assert costs["forward"] * m == costs["reverse"] * n


# ---- Manning

def test_M2_jacobians_of_the_pieces(xp: ModuleType):
    rng = np.random.default_rng(0)
    w, x, b, u = (xp.asarray(rng.normal(size=s)) for s in ((3, 4), (4,), (3,), (3,)))
    z, h = w @ x + b, xp.tanh(w @ x + b)
    _, f = ad.linearize(np.tanh, z)
    close(f.D.to_dense(), np.diag(1 - to_host(h) ** 2))
    close(ad.jacobian(np.tanh)(z), np.diag(1 - to_host(h) ** 2))
    close(ad.jacobian(lambda x: w @ x + b)(x), w)
    close(ad.jacobian(lambda b: w @ x + b)(b), np.eye(3))
    close(ad.jacobian(lambda u: u @ h)(u), h)
    close(ad.jacobian(lambda x: u @ np.tanh(w @ x + b))(x), to_host(u) @ np.diag(1 - to_host(h) ** 2) @ to_host(w))


def test_M3_jacobian_form_against_the_shape_convention(xp: ModuleType):
    rng = np.random.default_rng(0)
    n, m = 3, 4
    w, x, b, u = (xp.asarray(rng.normal(size=s)) for s in ((n, m), (m,), (n,), (n,)))

    def score(w):
        return u @ np.tanh(w @ x + b)

    delta = to_host(u) * (1 - np.tanh(to_host(w @ x + b)) ** 2)
    expected = np.outer(delta, to_host(x))
    gradient = ad.grad(score)(w)
    assert gradient.shape == (n, m)  # the shape convention: what is subtracted from W
    close(gradient, expected)
    _, system = ad.linearize(score, w)
    inverse = np.linalg.inv(np.eye(system.L.shape[0]) - to_host(system.L.to_dense()))
    row = (inverse @ to_host(system.D.to_dense()))[-1:]
    assert row.shape == (1, n * m)  # the Jacobian form, which chains
    close(row, expected.reshape(1, n * m))


def test_M5_any_directed_acyclic_graph():
    def f(x, y, z):
        return (x + y) * np.maximum(y, z)

    value, gradient = ad.value_and_grad(f, (0, 1, 2))(1.0, 2.0, 0.0)
    assert value == 6
    assert gradient == (2, 5, 0)
    _, system = ad.linearize(f, 1.0, 2.0, 0.0)
    np.testing.assert_array_equal(system.D.to_dense()[0], [1, 1, 0])  # + distributes
    np.testing.assert_array_equal(system.D.to_dense()[1], [0, 1, 0])  # max routes
    np.testing.assert_array_equal(system.L.to_dense()[2], [2, 3, 0])  # × switches
    assert ad.grad(lambda x: x * 3 + x * 4 + np.maximum(x, 0))(1.0) == 8  # outward branches sum
    for i, j, _ in system.L.blocks():
        assert j < i  # topological order


def test_M7_a_node_of_ones_own(xp: ModuleType):
    calls = []

    def backward(y, x):
        calls.append((type(y), x.shape))
        return y * (1 - y)

    sigmoid = ad.primitive(lambda x: 1 / (1 + xp.exp(-x)), differential=backward)
    x = xp.linspace(-2.0, 2.0, 5)
    y = to_host(sigmoid(x))
    assert calls == []
    close(ad.grad(lambda x: np.sum(sigmoid(x)))(x), y * (1 - y))
    close(ad.elementwise_grad(ad.elementwise_grad(sigmoid))(x), y * (1 - y) * (1 - 2 * y), atol=1e-16)
    assert calls[0][1] == (5,)


def test_M8_two_sided_difference_is_better_by_an_order():
    x, t, exact = 0.7, 1.0, np.exp(np.sin(0.7)) * np.cos(0.7)

    def f(x):
        return np.exp(np.sin(x))

    def errors(h):
        return abs(one_sided_difference(f, (x,), (t,), h) - exact), abs(two_sided_difference(f, (x,), (t,), h) - exact)

    one, two = errors(1e-4)
    assert one < 1e-4 and two < 1e-8
    assert two < one / 500
    halved = errors(5e-5)
    assert 1.9 < one / halved[0] < 2.1  # O(h)
    one, two = errors(1e-2)
    halved = errors(5e-3)
    assert 3.9 < two / halved[1] < 4.1  # O(h²)


def test_M8_check_grads_finds_a_wrong_derivative():
    ad.check_grads(lambda x: np.exp(np.sin(x)), (np.linspace(0, 2, 5),))
    wrong = ad.primitive(lambda x: x**3, differential=lambda _y, x: 2 * x**2)
    with pytest.raises(AssertionError, match=r"order 1, forward mode, along argument \[0\].*expected .* got"):
        ad.check_grads(wrong, (np.arange(1.0, 4.0),))
