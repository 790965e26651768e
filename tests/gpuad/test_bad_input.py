"""What people hand in that they should not, or that other libraries get silently wrong."""
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import scipy.sparse

import gpuad as ad
import linalg
from gpuad.traced import TracedArray
from linalg.arrays import is_cupy, to_host

pytestmark = pytest.mark.usefixtures("both_modes")


def close(got: Any, expected: Any, rtol: float = 1e-12, atol: float = 0) -> None:
    np.testing.assert_allclose(np.asarray(to_host(got)), np.asarray(to_host(expected)), rtol=rtol, atol=atol)


# ---- what is to be differentiated

@pytest.mark.parametrize("transform", [ad.grad, ad.value_and_grad, ad.hessian])
def test_non_scalar_output(xp: ModuleType, transform):
    with pytest.raises(TypeError, match=r"function to return a scalar \(shape \(\)\), got shape \(3,\); use jacobian"):
        transform(lambda x: 2 * x)(xp.ones(3))
    with pytest.raises(TypeError, match=r"got shape \(1,\)"):
        transform(lambda x: np.sum(x, keepdims=True))(xp.ones(1))


@pytest.mark.parametrize("output", [None, "a word", [1.0, 2.0], {"loss": 1.0}, object()])
def test_output_that_is_no_number(output):
    with pytest.raises(TypeError, match=f"expected the function to return a scalar.*got {type(output).__name__}"):
        ad.grad(lambda _x: output)(1.0)


@pytest.mark.parametrize("output", ["a word", object(), np.array([None]), np.array(["a"])])
def test_output_of_vjp_that_is_no_array(output):
    for transform in (ad.vjp, ad.linearize):
        with pytest.raises(TypeError, match="expected the function to return arrays or numbers"):
            transform(lambda _x: output, 1.0)


@pytest.mark.parametrize("argument", [3, True, np.int64(3), np.arange(3), np.ones(3, bool), np.uint8(3), "3",
                                      np.array(["a"]), np.array([None, 1.0]), object()])
def test_argument_that_carries_no_derivative(argument):
    for call in (lambda: ad.grad(np.sum)(argument), lambda: ad.vjp(np.sum, argument), lambda: ad.jacobian(np.sum)(argument),
                 lambda: ad.jvp(np.sum, (argument,), (1.0,)), lambda: ad.elementwise_grad(np.sin)(argument)):
        with pytest.raises(TypeError, match="expected floating-point or complex arrays to differentiate, got"):
            call()


def test_integer_argument_on_the_device(xp: ModuleType):
    with pytest.raises(TypeError, match=r"dtype int64; convert it with x.astype\(float\)"):
        ad.grad(np.sum)(xp.arange(3))


def test_integer_leaf_is_named():
    with pytest.raises(TypeError, match=r"argument 1\['layers'\]\[1\].*got int 3; convert it with float\(x\)"):
        ad.grad(lambda _x, p: p["layers"][0], (0, 1))(1.0, {"layers": [1.0, 3]})


def test_integer_argument_that_is_not_differentiated():
    assert ad.grad(lambda x, n: x**n)(3.0, 2) == 6
    close(ad.grad(lambda x, i: np.sum(x[i]))(np.ones(3), np.array([0, 0, 1])), [2, 1, 0])


def test_masked_array_is_refused():
    with pytest.raises(TypeError, match=r"subclass of ndarray; convert it with x.filled"):
        ad.grad(np.sum)(np.ma.masked_array([1.0, 2.0], [True, False]))


def test_output_that_does_not_depend_on_the_argument(xp: ModuleType):
    p = {"a": xp.ones((2, 3)), "b": 1.5, "c": xp.ones(2, dtype="float32")}
    gradient = ad.grad(lambda _p: 7.0)(p)
    assert gradient["b"] == 0
    for name in "ac":
        assert gradient[name].shape == p[name].shape and gradient[name].dtype == p[name].dtype
        assert is_cupy(gradient[name]) == is_cupy(p[name]) and not gradient[name].any()
    constant = xp.ones(4)
    out, pullback = ad.vjp(lambda _p: constant, p)
    close(out, np.ones(4))
    assert not pullback(constant)[0]["a"].any()
    _, tangent = ad.jvp(lambda _p: constant, (p,), (p,))
    assert tangent.shape == (4,) and not tangent.any()
    assert ad.jacobian(lambda _x: constant)(xp.ones(3)).shape == (4, 3)
    assert ad.jacobian(lambda _x: constant, order="forward")(xp.ones(3)).shape == (4, 3)
    assert not ad.hessian(lambda x: np.sum(constant * x))(xp.ones(4)).any()
    assert ad.grad(lambda x: float(ad.stop_gradient(x)) ** 2)(3.0) == 0
    _, system = ad.linearize(lambda _p: constant, p)
    assert system.pullback(xp.ones((5, 4)))[0]["a"].shape == (5, 2, 3)


def test_integer_output_carries_no_derivative():
    out, pullback = ad.vjp(lambda x: np.argmax(x), np.array([1.0, 3.0, 2.0]))
    assert out == 1
    close(pullback(1.0)[0], [0, 0, 0])


# ---- NumPy and CuPy mixed

def test_numpy_and_cupy_mixed(gpu: ModuleType):
    x, y = np.ones(3), gpu.ones(3)
    for a, b in ((x, y), (y, x)):
        for combine in (np.multiply, np.matmul, np.maximum):
            with pytest.raises(TypeError, match=r"NumPy and CuPy arrays mixed; move one side first"):
                ad.grad(lambda a, b=b, combine=combine: np.sum(combine(a, b)))(a)
    with pytest.raises(TypeError, match="NumPy and CuPy arrays mixed"):
        ad.grad(lambda a, b: np.sum(a * b), (0, 1))(x, y)
    _, pullback = ad.vjp(lambda y: 2 * y, y)
    with pytest.raises(TypeError, match="NumPy and CuPy"):
        pullback(x)


class ForeignArray(np.lib.mixins.NDArrayOperatorsMixin):
    """What a CuPy array is to NumPy: an object that refuses to be mixed with its arrays."""

    shape, ndim, dtype = (3,), 1, np.dtype(float)

    def __array_ufunc__(self, _ufunc: Any, _method: str, *_args: Any, **_kwargs: Any) -> Any:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")

    def __array_namespace__(self, api_version: Any = None) -> Any:
        return np


def test_libraries_mixed_without_a_gpu(monkeypatch: pytest.MonkeyPatch):
    """The message alone: that CuPy refuses is CuPy's, and held where there is a GPU."""
    monkeypatch.setattr(sys.modules["gpuad.differential"], "is_cupy", lambda x: isinstance(x, ForeignArray))
    with pytest.raises(TypeError, match=r"multiply: expected arrays of one library.*cupy.asarray\(x\) or cupy.asnumpy\(x\)"):
        ad.grad(lambda x: np.sum(x * ForeignArray()))(np.ones(3))


# ---- traced arrays where plain ones are expected

@pytest.mark.parametrize("convert", [
    lambda x: np.array([x, x]), lambda x: np.asarray([x, 1.0]), lambda x: np.asarray(x), lambda x: np.array(x),
    lambda x: np.full(3, x), lambda x: np.r_[x, x], lambda x: np.array([[x, x], [x, x]]), lambda x: np.array({"x": x}["x"]),
    lambda x: np.vectorize(lambda y: y)(x),
], ids=["array", "asarray", "asarray1", "array1", "full", "r_", "nested", "entry", "vectorize"])
def test_object_arrays(convert):
    with pytest.raises(ad.ArrayConversionError, match=r"would lose its derivative.*ad.numpy.*numpy.stack"):
        ad.grad(lambda x: np.sum(convert(x)))(1.0)


@pytest.mark.parametrize("convert", [
    lambda x: np.array([x, x], dtype=object), lambda x: np.array([x[0], x[1]], dtype=object)])
def test_object_arrays_asked_for(convert):
    with pytest.raises(TypeError):
        ad.grad(lambda x: np.sum(convert(x)))(np.ones(2))


def test_assignment_into_an_array():
    """NumPy turns the error into one of its own, which names ours as its cause."""
    def assigned(x):
        y = np.zeros(3)
        y[0] = x
        return np.sum(y)

    for f in (assigned, lambda x: np.sum(np.fromiter([x, x], float))):
        with pytest.raises((ValueError, ad.ArrayConversionError)) as caught:
            ad.grad(f)(1.0)
        error: BaseException | None = caught.value
        while error is not None and not isinstance(error, ad.ArrayConversionError):
            error = error.__cause__
        assert error is not None


@pytest.mark.parametrize(("convert", "name"), [
    (float, r"float\(\)"), (int, r"int\(\)"), (complex, r"complex\(\)"), (lambda x: x.item(), r"\.item\(\)"),
    (lambda x: x.tolist(), r"\.tolist\(\)"), (lambda x: [1, 2, 3][x], "index"), (lambda x: range(x), "index"),
    (lambda x: np.sin(float(x)), r"float\(\)"), (lambda x: __import__("math").sqrt(x), r"float\(\)")])
def test_numbers_that_would_lose_the_derivative(xp: ModuleType, convert, name):
    with pytest.raises(ad.ArrayConversionError, match=name + r".*\(shape \(\), float64\).*ad.stop_gradient"):
        ad.grad(lambda x: x * convert(x))(xp.asarray(1.0))


def test_plain_arrays_hold_no_derivatives():
    def add_out(x):
        return np.sum(np.add(x, 1, out=np.zeros(3)))

    def add_to_array(x):
        y = np.zeros(3)
        y += x
        return np.sum(y)

    def store(x):
        y = np.zeros(3)
        y[0] = x[0]
        return np.sum(y)

    for f in (add_out, add_to_array, store):
        with pytest.raises((TypeError, ValueError)) as caught:
            ad.grad(f)(np.ones(3))
        assert "zeros_like" in str(caught.value) or "zeros_like" in str(caught.value.__cause__)
    assert ad.grad(lambda x: sum([x[0], x[1]]) * 1.0)(np.ones(3)).tolist() == [1, 1, 0]


def test_traced_array_as_index_or_key():
    with pytest.raises(TypeError, match=r"indexing with a traced array|use as an index"):
        ad.grad(lambda x: np.sum(x[x]))(np.ones(3))
    with pytest.raises(TypeError, match="unhashable"):
        ad.grad(lambda x: {x: 1}[x])(1.0)


def test_library_function_without_a_differential():
    with pytest.raises(ad.NotDifferentiableError, match=r"numpy.packbits.*ad.primitive"):
        ad.grad(lambda x: np.sum(np.packbits(x)))(np.ones(3))


# ---- a trace that ends

def leak(f: Any = lambda x: x) -> Any:
    kept = []
    ad.grad(lambda x: (kept.append(f(x)), np.sum(x))[1])(np.ones(3))
    return kept[0]


@pytest.mark.parametrize("use", [lambda x: x + 1, np.sin, lambda x: x @ x, np.sum, lambda x: x[0], lambda x: np.ones(3) * x,
                                 lambda x: np.concatenate([x, x]), lambda x: np.stack([x, x]), lambda x: x.reshape(3, 1)],
                         ids=["add", "sin", "matmul", "sum", "index", "multiply", "concatenate", "stack", "reshape"])
def test_leaked_array(use):
    leaked = leak()
    assert type(leaked) is TracedArray
    with pytest.raises(ad.LeakedTraceError, match=r"whose function has already returned.*has_aux=True.*ad.stop_gradient"):
        use(leaked)
    with pytest.raises(ad.LeakedTraceError):
        use(leak(lambda x: 2 * x))


def test_leaked_array_in_another_trace():
    leaked = leak()
    for f in (lambda x: np.sum(x * leaked), lambda _x: np.sum(leaked), lambda _x: leaked[0]):
        with pytest.raises(ad.LeakedTraceError):
            ad.grad(f)(np.ones(3))
    with pytest.raises((ad.LeakedTraceError, TypeError)):
        ad.grad(lambda x: np.sum(x))(leaked)
    with pytest.raises((ad.LeakedTraceError, TypeError)):
        ad.primitive(lambda x: x, differential=lambda _y, _x: 1)(leaked)


def test_leaked_result():
    leaked = leak(np.sum)
    with pytest.raises(ad.LeakedTraceError):
        ad.grad(lambda _x: leaked)(1.0)
    with pytest.raises(ad.LeakedTraceError):
        ad.vjp(lambda x: (x, leaked), 1.0)


def test_exception_inside_the_function_leaves_no_state():
    class Stop(Exception):
        pass

    kept = []

    def f(x, fail):
        y = np.sin(x) * 2
        kept.append(y)
        if fail:
            raise Stop
        return np.sum(y)

    x = np.arange(3.0)
    before = ad.grad(f)(x, False)
    for transform in (lambda: ad.grad(f)(x, True), lambda: ad.vjp(f, x, 1.0),
                      lambda: ad.grad(ad.grad(lambda x: f(x, True)))(1.0)):
        with pytest.raises(Stop):
            transform()
        with pytest.raises(ad.LeakedTraceError):
            kept[-1] + 1
    np.testing.assert_array_equal(ad.grad(f)(x, False), before)

    def survives(x):
        try:
            ad.grad(lambda y: f(x * y, True))(2.0)
        except Stop:
            return np.sum(x**2)
        raise AssertionError

    close(ad.grad(survives)(x), 2 * x)


# ---- six threads

def test_six_threads():
    w = np.random.default_rng(0).normal(size=(6, 8, 8)) / 3
    x = np.linspace(-1, 1, 8)
    start, results, errors = threading.Barrier(6), {}, []

    def loss(x, k):
        for _ in range(30):
            x = np.tanh(w[k] @ x)
        return np.sum(x**2)

    def work(k):
        try:
            start.wait()
            results[k] = [ad.grad(loss)(x, k) for _ in range(10)] + [ad.grad(lambda x: ad.grad(loss)(x, k) @ x)(x)]
        except BaseException as error:  # reported by the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors, errors
    for k in range(6):
        alone = ad.grad(loss)(x, k)
        for gradient in results[k][:-1]:
            np.testing.assert_array_equal(gradient, alone)
        np.testing.assert_array_equal(results[k][-1], ad.grad(lambda x, k=k: ad.grad(loss)(x, k) @ x)(x))


def test_one_trace_recorded_from_six_threads():
    def loss(x):
        def part(k):
            y = x * k
            for _ in range(50):
                y = np.sin(y)
            return np.sum(y)

        with ThreadPoolExecutor(6) as pool:
            return sum(pool.map(part, range(1, 13)))

    def alone(x):
        total = 0
        for k in range(1, 13):
            y = x * k
            for _ in range(50):
                y = np.sin(y)
            total = total + np.sum(y)
        return total

    x = np.linspace(0.1, 1, 5)
    for _ in range(5):
        close(ad.grad(loss)(x), ad.grad(alone)(x), rtol=1e-12)


def test_system_solved_by_six_threads():
    w = np.random.default_rng(0).normal(size=(5, 5))
    _, system = ad.linearize(lambda w: np.tanh(w @ w) @ w, w)
    expected = [system.pullback(np.full((5, 5), float(k)))[0] for k in range(6)]
    _, system = ad.linearize(lambda w: np.tanh(w @ w) @ w, w)
    results: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda k=k: results.update({k: system.pullback(np.full((5, 5), float(k)))[0]}))
               for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(6):
        np.testing.assert_array_equal(results[k], expected[k])


# ---- arrays that change

def spoil(*arrays: Any) -> None:
    for array in arrays:
        array[...] = 1e6


OPERATIONS = {
    "multiply": lambda x, c: x * c,
    "divide": lambda x, c: c / x,
    "power": lambda x, c: x**c,
    "matmul": lambda x, c: np.outer(c, c) @ x,
    "einsum": lambda x, c: np.einsum("i,j,j->i", c, x, c),
    "tensordot": lambda x, c: np.tensordot(x, c, 0),
    "kron": lambda x, c: np.kron(c, x),
    "maximum": lambda x, c: np.maximum(x, c),
    "where": lambda x, c: np.where(c > 2, x, c * x),
    "clip": lambda x, c: np.clip(x, c - 1, c + 1) * x * c,
    "concatenate": lambda x, c: np.concatenate([x * x, c]) ** 2,
    "stack": lambda x, c: np.prod(np.stack([x, c]), axis=0),
    "solve": lambda x, c: np.linalg.solve(np.diag(c), x),
    "norm": lambda x, c: np.linalg.norm(x * c),
    "sort": lambda x, c: np.sort(x * c) * c,
    "cumsum": lambda x, c: np.cumsum(x * c) * c,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_primals_and_constants_change_before_the_solve(xp: ModuleType, name):
    def arrays():
        return xp.asarray([1.0, 2.0, 3.0]), xp.asarray([3.0, 1.5, 2.5])

    x, c = arrays()
    _, pullback = ad.vjp(lambda x: OPERATIONS[name](x, c), x)
    fresh_x, fresh_c = arrays()
    out, expected_pullback = ad.vjp(lambda x: OPERATIONS[name](x, fresh_c), fresh_x)
    ones = xp.ones_like(out)
    expected = expected_pullback(ones)[0]
    _, system = ad.linearize(lambda x: OPERATIONS[name](x, c), x)
    view_x, view_c = x[::-1], c.reshape(1, 3)
    spoil(view_x, view_c)
    close(pullback(ones)[0], expected)
    close(system.pullback(ones)[0], expected)
    close(system.pushforward(xp.ones(3)), ad.jvp(lambda x: OPERATIONS[name](x, fresh_c), (fresh_x,), (xp.ones(3),))[1])


@pytest.mark.parametrize("name", OPERATIONS)
def test_primals_and_constants_change_inside_the_function(xp: ModuleType, name):
    def arrays():
        return xp.asarray([1.0, 2.0, 3.0]), xp.asarray([3.0, 1.5, 2.5])

    x, c = arrays()
    fresh_x, fresh_c = arrays()

    def f(traced):
        y = np.sum(OPERATIONS[name](traced, c))
        spoil(x, c)
        return y * np.sum(traced)

    close(ad.grad(f)(x), ad.grad(lambda x: np.sum(OPERATIONS[name](x, fresh_c)) * np.sum(x))(fresh_x))


def test_constant_changes_in_a_loop():
    """A buffer that is filled anew for every step."""
    def f(x):
        buffer, total = np.empty(3), 0.0
        for k in range(4):
            buffer[:] = k
            total = total + np.sum(np.sin(x * buffer))
        return total

    x = np.array([0.1, 0.2, 0.3])
    close(ad.grad(f)(x), sum(k * np.cos(k * x) for k in range(4)))


def test_index_and_mask_change_before_the_solve():
    x = np.arange(4.0)
    index, mask, order = np.array([0, 0, 1]), np.array([True, False, True, False]), np.array([3, 2, 1, 0])
    counts, out_of = np.array([1, 2, 0, 1]), np.array([[0], [1]])
    functions = [lambda x: x[index], lambda x: x[mask], lambda x: np.where(mask, x, 0), lambda x: np.take(x, order),
                 lambda x: np.repeat(x, counts), lambda x: np.take_along_axis(x.reshape(2, 2), out_of, 1)]
    traced = [ad.vjp(f, x) for f in functions]
    expected = [ad.vjp(f, x)[1](np.ones_like(out))[0] for f, (out, _) in zip(functions, traced, strict=True)]
    for array in (index, mask, order, counts, out_of):
        array[...] = 0
    for (out, pullback), wanted in zip(traced, expected, strict=True):
        np.testing.assert_array_equal(pullback(np.ones_like(out))[0], wanted)


def operators() -> dict[str, tuple[Any, Any, Any]]:
    """An operator, the array in it, and a function that applies it."""
    csr = scipy.sparse.csr_matrix(np.array([[1.0, 2], [0, 3]]))
    d, matrix = np.array([4.0, 5.0]), np.array([[1.0, 2], [3, 4]])
    tridiagonal = linalg.SymTridiagonal(d, np.ones(1))
    return {
        "Diagonal": (linalg.Diagonal(d), d, linalg.LinearOperator.__matmul__),
        "Dense": (linalg.Dense(matrix), matrix, linalg.LinearOperator.__matmul__),
        "Sparse": (linalg.Sparse(csr), csr.data, linalg.LinearOperator.__matmul__),
        "Sparse, solved": (linalg.Sparse(csr), csr.data, linalg.solve),
        "SymTridiagonal": (tridiagonal, d, linalg.LinearOperator.__matmul__),
        "SymTridiagonal, solved": (tridiagonal, d, linalg.solve),
        "Dense, solved": (linalg.Dense(matrix), matrix, linalg.solve),
    }


@pytest.mark.parametrize("name", operators())
def test_operator_in_the_program_changes_before_the_solve(name):
    operator, data, apply = operators()[name]
    expected = ad.jacobian(lambda x: apply(operator, x))(np.ones(2))
    operator, data, apply = operators()[name]
    _, system = ad.linearize(lambda x: apply(operator, x), np.ones(2))
    data[...] = 1e6
    close(system.pullback(np.eye(2))[0], expected)


def test_results_own_their_memory(xp: ModuleType):
    """Changing a result, the output or the cotangent afterwards changes nothing else."""
    functions = [lambda x, y: (x, y), lambda x, _y: (x, x), lambda x, y: (x + y, x + y), lambda x, y: (x[:], y[::-1]),
                 lambda x, _y: (x.reshape(3, 1), x.T), lambda x, y: (np.broadcast_to(x, (2, 3)), np.sum(y)),
                 lambda x, y: (np.concatenate([x, y]), np.stack([x, y]))]
    for f in functions:
        x, y = xp.ones(3), xp.ones(3)
        out, system = ad.linearize(f, x, y)
        cotangent = tuple(xp.ones_like(o) for o in out)
        pulled, again = system.pullback(cotangent), system.pullback(cotangent)
        pushed, anew = system.pushforward(x, y), system.pushforward(x, y)
        arrays = [x, y, *out, *cotangent, *pulled, *again, *pushed, *anew]
        arrays = [a for a in arrays if not isinstance(a, np.generic)]  # NumPy's scalars cannot change
        copies = [a.copy() for a in arrays]
        for i, array in enumerate(arrays):
            array[...] = -7
            for j, (other, copy) in enumerate(zip(arrays, copies, strict=True)):
                assert i == j or (other == copy).all(), (i, j)
            array[...] = copies[i]


def test_gradients_own_their_memory(xp: ModuleType):
    x, y = xp.ones(3), xp.ones(3)
    for f in (lambda x, y: np.sum(x + y), lambda x, _y: np.sum(x) + np.sum(x), lambda x, y: np.sum(x * y),
              lambda x, y: x[0] + y[0]):
        value, (gx, gy) = ad.value_and_grad(f, (0, 1))(x, y)
        for g in (gx, gy):
            assert g.flags.writeable if isinstance(g, np.ndarray) else True
        kept, value = gy.copy(), float(value)
        gx[...] = -7
        assert (gy == kept).all() and (x == 1).all() and (y == 1).all()
    gx, gy = ad.grad(lambda x, y: x + y, (0, 1))(xp.asarray(1.0), xp.asarray(2.0))
    gx[...] = 5
    assert gy == 1
    x = xp.asarray(2.0)
    value, _ = ad.value_and_grad(lambda x: x)(x)
    x[...] = 3
    assert value == 2


def test_value_that_is_a_constant_owns_its_memory(xp: ModuleType):
    constant = xp.asarray(3.0)
    value, _ = ad.value_and_grad(lambda _x: constant)(xp.ones(2))
    value[...] = 5
    assert constant == 3


def test_aux_and_outputs_own_their_memory(xp: ModuleType):
    x, c = xp.ones(3), xp.ones(3)
    _, aux = ad.grad(lambda x: (np.sum(x), (x, x[::-1])), has_aux=True)(x)
    aux[0][...] = 5
    assert (x == 1).all()
    out, pullback = ad.vjp(lambda x: (c, c * x), x)
    out[0][...] = 9
    assert (c == 1).all()
    assert (pullback((c, c))[0] == 1).all()


def test_right_hand_sides_are_left_as_they_are(xp: ModuleType):
    _, system = ad.linearize(lambda x: x + x + x * 2, xp.ones(3))
    side = xp.ones(3)
    close(system.pullback(side)[0], [4, 4, 4])
    close(system.pushforward(side), [4, 4, 4])
    assert (side == 1).all()


# ---- cotangents and tangents

@pytest.mark.parametrize(("cotangent", "error", "message"), [
    (np.ones(2), ValueError, r"cotangent of shape \(3,\).*got \(2,\)"), (np.ones(()), ValueError, r"got \(\)"),
    (1.0, ValueError, r"got \(\)"), (np.ones((3, 1)), ValueError, r"got \(3, 1\)"), ((np.ones(3),), ValueError, "structure"),
    (None, (ValueError, TypeError), "cotangent"), (np.ones(3, int), TypeError, "dtype float64, got int64"),
    (np.ones(3, bool), TypeError, "got bool"), (np.ones(3) * 1j, TypeError, "expected a real cotangent"),
    (np.array(["a", "b", "c"]), TypeError, "dtype"), (np.array([None] * 3), TypeError, "got object")])
def test_cotangent_that_does_not_fit(cotangent, error, message):
    _, pullback = ad.vjp(np.sin, np.ones(3))
    with pytest.raises(error, match=message):
        pullback(cotangent)
    _, system = ad.linearize(np.sin, np.ones(3))
    with pytest.raises(error):
        system.pullback(cotangent)


@pytest.mark.parametrize(("tangents", "error"), [
    ((np.ones(2),), ValueError), ((np.ones(3), np.ones(3)), ValueError), (np.ones(3), TypeError), ((np.ones(3, int),), TypeError),
    ((np.ones(3) * 1j,), TypeError), (((np.ones(3),),), ValueError), ((np.ones((2, 3)),), ValueError)])
def test_tangent_that_does_not_fit(tangents, error):
    with pytest.raises(error, match=r"(jvp|pushforward) expected .*tangent"):
        ad.jvp(np.sin, (np.ones(3),), tangents)


def test_cotangent_of_another_precision_is_taken():
    _, pullback = ad.vjp(np.sin, np.zeros(3, np.float32))
    gradient = pullback(np.ones(3))[0]
    assert gradient.dtype == np.float32
    close(gradient, [1, 1, 1])


# ---- values

def test_nan_and_infinity_pass_through(xp: ModuleType):
    x = xp.asarray([np.nan, np.inf, -np.inf, 1.0])
    with np.errstate(all="ignore"):
        close(ad.grad(lambda x: np.sum(x * 2))(x), [2, 2, 2, 2])
        close(ad.grad(lambda x: np.sum(x * x))(x), 2 * to_host(x))
        close(ad.grad(lambda x: np.sum(np.exp(x)))(x), np.exp(to_host(x)))
        close(ad.grad(lambda x: np.sum(np.tanh(x)))(x), [np.nan, 0, 0, 1 - np.tanh(1.0) ** 2])
        zero = xp.asarray([0.0, 1.0])
        close(ad.grad(lambda x: np.sum(np.sqrt(x)))(zero), [np.inf, 0.5])
        close(ad.grad(lambda x: np.sum(np.log(x)))(zero), [np.inf, 1])
        close(ad.grad(lambda x: np.sum(1 / x))(zero), [-np.inf, -1])
        value, gradient = ad.value_and_grad(np.sum)(x)
        assert np.isnan(to_host(value)) and (gradient == 1).all()
        _, pullback = ad.vjp(lambda x: 3 * x, xp.ones(2))
        close(pullback(xp.asarray([np.nan, np.inf]))[0], [np.nan, np.inf])


def test_nan_stays_in_its_entry():
    x = np.array([1.0, np.nan, 2.0])
    gradient = ad.grad(lambda x: np.sum(np.sin(x) * x))(x)
    assert np.isnan(gradient).tolist() == [False, True, False]


@pytest.mark.parametrize("A", [
    linalg.Diagonal(np.array([1.0, 0.0])), linalg.Dense(np.ones((2, 2))), linalg.Scaling(0.0, (2,)), linalg.Zero((2,), (2,)),
    linalg.SymTridiagonal(np.array([1.0, 1.0]), np.array([1.0])), linalg.Sparse(scipy.sparse.csr_matrix(np.ones((2, 2)))),
    linalg.Dense(np.ones((2, 3))), linalg.Kronecker(np.ones((1, 1)), np.ones((2, 2)))], ids=lambda a: type(a).__name__)
def test_singular_blocks(A):
    for operator in (A, A.T):
        with pytest.raises(np.linalg.LinAlgError, match="singular"):
            linalg.solve(operator, np.ones(operator.out_shape))


def test_singular_block_in_a_block_matrix():
    zero, one = linalg.Diagonal(np.array([1.0, 0.0])), linalg.Identity((2,))
    blocks = linalg.BlockMatrix([[(0, one)], [(0, one), (1, zero)]], [(2,), (2,)], [(2,), (2,)])
    with pytest.raises(np.linalg.LinAlgError, match="singular"):
        linalg.solve(blocks, [np.ones(2), np.ones(2)])
    missing = linalg.BlockMatrix([[(0, one)], [(0, one)]], [(2,), (2,)], [(2,), (2,)])
    with pytest.raises(np.linalg.LinAlgError, match=r"no diagonal block \(1, 1\)"):
        linalg.solve(missing, [np.ones(2), np.ones(2)])


def test_singular_matrix_in_a_program():
    with pytest.raises(np.linalg.LinAlgError):
        ad.grad(lambda a: np.sum(np.linalg.solve(a, np.ones(2))))(np.ones((2, 2)))


# ---- kinks: the mean of the two one-sided derivatives

@pytest.mark.parametrize(("f", "x", "derivative"), [
    (lambda x: np.maximum(x, 0), 0.0, 0.5), (lambda x: np.minimum(x, 0), 0.0, 0.5), (np.abs, 0.0, 0.0), (np.fabs, 0.0, 0.0),
    (lambda x: np.clip(x, -1, 1), 1.0, 0.5), (lambda x: np.clip(x, -1, 1), -1.0, 0.5), (lambda x: np.clip(x, -1, 1), 2.0, 0.0),
    (lambda x: np.where(x > 0, x, 0), 0.0, 0.0), (lambda x: np.where(x >= 0, x, 0), 0.0, 1.0), (np.sign, 0.0, 0.0),
    (np.sign, 2.0, 0.0), (np.floor, 2.0, 0.0), (lambda x: np.linalg.norm(np.stack([x, 0 * x])), 0.0, 0.0),
    (lambda x: np.max(np.stack([x, -x])), 0.0, 0.0), (lambda x: x**2.0, 0.0, 0.0), (lambda x: x**0, 0.0, 0.0),
    (lambda x: x**1, 0.0, 1.0)])
def test_kinks(f, x, derivative):
    assert ad.grad(lambda x: f(x) * 1.0)(x) == derivative


def test_ties_share(xp: ModuleType):
    x = xp.asarray([2.0, 1.0, 2.0, 2.0])
    close(ad.grad(np.max)(x), [1 / 3, 0, 1 / 3, 1 / 3])
    close(ad.grad(np.min)(-x), [1 / 3, 0, 1 / 3, 1 / 3])
    both = ad.grad(lambda a, b: np.sum(np.maximum(a, b)), (0, 1))(x, xp.full(4, 2.0))
    close(both[0], [0.5, 0, 0.5, 0.5])
    close(both[1], [0.5, 1, 0.5, 0.5])
