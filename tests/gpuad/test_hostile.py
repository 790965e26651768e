"""What a hostile reader tried: each of these once gave a wrong answer without an error, or took the wrong time."""
import threading
from fractions import Fraction

import numpy as np
import pytest

import gpuad as ad
from gpuad.differential import Primitive
from linalg.arrays import snapshot

pytestmark = pytest.mark.usefixtures("both_modes")

X = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("call", [
    lambda x: ad.numpy.divide(1.0, x, out=np.zeros(3), where=x > 1), lambda x: ad.numpy.exp(x, out=np.zeros(3)),
    lambda x: ad.numpy.add(x, x, np.zeros(3)), lambda x: np.exp(x, where=np.array([True, False, True])),
    lambda x: ad.numpy.exp(x, dtype=int), lambda x: np.exp(x, casting="no")])
def test_keywords_of_a_ufunc_are_refused_in_every_spelling(call):
    with pytest.raises(TypeError, match=r"not available for traced arrays|a plain numpy.ndarray|undefined unless out|for traced"):
        ad.grad(lambda x: np.sum(call(x)))(X)


def test_ufuncs_of_the_namespace_have_their_methods():
    np.testing.assert_array_equal(ad.grad(lambda x: ad.numpy.multiply.reduce(x))(X), [6, 3, 2])
    assert ad.numpy.add.reduce(X) == 6 and ad.numpy.add.nin == 2
    assert ad.grad(lambda x: np.sum(ad.numpy.multiply.outer(x, x)))(X).tolist() == [12, 12, 12]


def test_elementwise_grad_of_complex_functions_is_the_complex_derivative():
    z = np.array([1 + 1j, 2 - 3j])
    np.testing.assert_allclose(ad.elementwise_grad(lambda z: z**2)(z), 2 * z)
    np.testing.assert_allclose(ad.elementwise_grad(lambda t: np.exp(1j * t))(X), 1j * np.exp(1j * X))
    with pytest.raises(TypeError, match="holomorphic"):
        ad.elementwise_grad(lambda z: np.conj(z) ** 2)(z)


def test_in_place_operators_write_through_views():
    def total(x):
        s = 0.0
        for i in range(3):
            s += x[i] ** 2
        return s

    def through_a_view(x):
        y = x[0, ...]
        y += 1
        return np.sum(x * x)

    np.testing.assert_array_equal(ad.grad(total)(X), 2 * X)
    np.testing.assert_array_equal(ad.grad(through_a_view)(X), 2 * (X + np.array([1, 0, 0])))


@pytest.mark.parametrize("constant", [
    np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), np.eye(3).view(np.matrix), Fraction(1, 3),
    np.array([1, 2, 3], object)], ids=lambda c: type(c).__name__)
@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_operands_that_are_no_plain_arrays_are_named(constant):
    with pytest.raises(TypeError, match="expected plain floating-point arrays and numbers as operands"):
        ad.grad(lambda x: np.sum(x * constant))(X)


def test_an_array_of_another_thread_s_open_trace_is_no_constant():
    box, opened, done = [], threading.Event(), threading.Event()

    def inner(y):
        box.append(y)
        opened.set()
        done.wait(10)
        return np.sum(y)

    def outer(x):
        thread.start()
        opened.wait(10)
        return np.sum(x * box[0])

    thread = threading.Thread(target=lambda: ad.grad(inner)(X))
    try:
        with pytest.raises(ad.LeakedTraceError):
            ad.grad(outer)(X)
    finally:
        done.set()
        thread.join()


def test_integer_outputs_have_no_derivative_in_a_jacobian():
    np.testing.assert_array_equal(ad.jacobian(np.argsort)(X), np.zeros((3, 3)))


def test_tangents_have_the_dtype_of_the_output():
    x = X.astype("f2")
    out, tangent = ad.jvp(lambda x: np.maximum(x, 0), (x,), (x,))
    assert out.dtype == tangent.dtype == np.float16


def test_read_only_memory_is_used_in_place(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(snapshot(mapped), mapped)
    np.testing.assert_array_equal(ad.grad(lambda x: np.sum(x**2))(mapped), 2 * X)
    owner = X.copy()
    view = owner[:]
    view.flags.writeable = False
    assert not np.shares_memory(snapshot(view), owner)


def test_many_pieces_are_joined_in_linear_work(monkeypatch):
    """The rule of a join sees no list of all pieces, and remembers nothing for each number of them."""
    concatenate = next(r.primitive for r in ad.linearize(lambda t: np.concatenate([t, t]), X)[1].rows if r.primitive)
    seen = []
    rule = concatenate._rule
    monkeypatch.setattr(concatenate, "_rule", lambda *args, **options: (seen.append(len(args)), rule(*args, **options))[1])
    ad.grad(lambda t: np.sum(np.stack([t * k for k in range(50)])))(1.0)
    assert len(seen) == 50 and max(seen) == 3
    assert isinstance(concatenate, Primitive) and not concatenate.saves


def test_namespace_array_honours_ndmin():
    out, _ = ad.jvp(lambda x: ad.numpy.array([x[0], 2.0], ndmin=3), (X,), (X,))
    assert out.shape == (1, 1, 2)
    with pytest.raises(TypeError, match="order"):
        ad.grad(lambda x: np.sum(ad.numpy.array([x[0]], order="F")))(X)


def test_the_assembled_system_is_as_precise_as_the_program():
    low, inputs = ad.linearize(lambda x: np.maximum(x, 0).mean(), X)[1].to_sparse()
    assert low.dtype == inputs.dtype == np.float64
    assert low.toarray()[3].min() == -1 / 3
    assert ad.linearize(lambda z: z * (1j / 3), X + 0j)[1].to_sparse()[1].dtype == np.complex128
    assert ad.linearize(lambda x: np.maximum(x, 0).mean(), X.astype("f4"))[1].to_sparse()[0].dtype == np.float32


def test_vecdot_takes_its_axis():
    a = np.arange(6.0).reshape(2, 3)
    out, _ = ad.jvp(lambda a: np.vecdot(a, a, axis=0), (a,), (a,))
    np.testing.assert_array_equal(out, np.vecdot(a, a, axis=0))


def test_copy_takes_its_order_by_name():
    np.testing.assert_array_equal(ad.grad(lambda x: np.sum(x.copy(order="K") ** 2))(X), 2 * X)
