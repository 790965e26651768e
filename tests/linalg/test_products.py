"""Products by cuBLASLt: how they are stated, on NumPy's memory; and what they compute, on a device or its stand-in."""
from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from linalg.kernels.problems import Matrix, Problem, Unsupported, problem
from tests.standin import nvmath_

DTYPES = ["float16", "float32", "float64", "complex64", "complex128"]
Arrays = tuple[Any, Any]


def normal(shape: tuple[int, ...], dtype: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return (x + 1j * rng.normal(size=shape) if np.dtype(dtype).kind == "c" else x).astype(dtype)


CASES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Callable[[Any, Any], Arrays]]] = {
    "matrices": ((5, 4), (4, 3), lambda a, b: (a, b)),
    "left transposed": ((4, 5), (4, 3), lambda a, b: (a.T, b)),
    "right transposed": ((5, 4), (3, 4), lambda a, b: (a, b.T)),
    "both transposed": ((4, 5), (3, 4), lambda a, b: (a.T, b.T)),
    "a square and its transpose": ((4, 4), (4, 4), lambda a, _: (a, a.T)),
    "parts of larger ones": ((9, 8), (7, 9), lambda a, b: (a[2:7, 1:5], b[:4, 3:6])),
    "transposed parts": ((9, 8), (7, 9), lambda a, b: (a[2:6, 1:6].T, b[:3, 3:7].T)),
    "matrix and vector": ((5, 4), (4,), lambda a, b: (a, b)),
    "vector and matrix": ((4,), (4, 3), lambda a, b: (a, b)),
    "vector and transposed matrix": ((4,), (3, 4), lambda a, b: (a, b.T)),
    "vectors": ((4,), (4,), lambda a, b: (a, b)),
    "every second entry": ((5, 4), (8,), lambda a, b: (a, b[::2])),
    "a column of a matrix": ((5, 4), (4, 6), lambda a, b: (a, b[:, 2])),
    "one row": ((1, 4), (4, 3), lambda a, b: (a, b)),
    "one column": ((5, 4), (4, 1), lambda a, b: (a, b)),
    "a column times a row": ((5, 1), (1, 3), lambda a, b: (a, b)),
    "numbers": ((1, 1), (1, 1), lambda a, b: (a, b)),
    "stacks": ((2, 5, 4), (2, 4, 3), lambda a, b: (a, b)),
    "transposed stacks": ((2, 4, 5), (2, 3, 4), lambda a, b: (a.swapaxes(1, 2), b.swapaxes(1, 2))),
    "a stack and one matrix": ((2, 5, 4), (4, 3), lambda a, b: (a, b)),
    "one matrix and a stack": ((5, 4), (2, 4, 3), lambda a, b: (a, b)),
    "two batch axes": ((2, 3, 5, 4), (2, 3, 4, 3), lambda a, b: (a, b)),
    "a batch axis of one": ((2, 1, 5, 4), (2, 3, 4, 3), lambda a, b: (a, b)),
    "batches that repeat one another": ((2, 1, 5, 4), (1, 3, 4, 3), lambda a, b: (a, b)),
    "batch axes exchanged": ((3, 2, 5, 4), (2, 3, 4, 3), lambda a, b: (a.swapaxes(0, 1), b)),
    "a broadcast stack": ((5, 4), (2, 4, 3), lambda a, b: (np.broadcast_to(a, (2, 5, 4)), b)),
    "a part of a stack": ((4, 5, 4), (2, 4, 3), lambda a, b: (a[::2], b)),
    "a stack and a vector": ((2, 5, 4), (4,), lambda a, b: (a, b)),
    "a vector and a stack": ((4,), (2, 4, 3), lambda a, b: (a, b)),
    "a stack of rows": ((6, 1, 4), (4, 3), lambda a, b: (a, b)),
}


def entries(address: int, itemsize: int, dtype: str, m: Matrix, count: int) -> np.ndarray:
    """A stack of matrices as cuBLASLt reads it: column-major, with a leading dimension."""
    n = (count - 1) * m.step + (m.columns - 1) * m.leading + m.rows
    memory = np.frombuffer((ctypes.c_char * (n * itemsize)).from_address(address), dtype)
    stack = np.array([[[memory[k * m.step + j * m.leading + i] for j in range(m.columns)] for i in range(m.rows)]
                      for k in range(count)])
    return stack.swapaxes(1, 2) if m.transposed else stack


def computed(stated: Problem, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The product, from nothing but addresses and what was stated."""
    found = []
    for at_x, at_y, _, _ in stated.offsets:
        a = entries(y.ctypes.data + at_y, y.itemsize, y.dtype.name, stated.a, stated.count)
        b = entries(x.ctypes.data + at_x, x.itemsize, x.dtype.name, stated.b, stated.count)
        found.append((a @ b).swapaxes(1, 2))
    return np.array(found)


@pytest.mark.parametrize("name", CASES)
def test_how_products_are_stated(name: str) -> None:
    left, right, views = CASES[name]
    x, y = views(normal(left, "float64", 0), normal(right, "float64", 1))
    out = np.empty_like(np.matmul(x, y))
    stated = problem(x, y, np.asarray(out))
    np.testing.assert_allclose(computed(stated, x, y).reshape(out.shape), x @ y, rtol=1e-14, atol=1e-14)
    assert stated.count * len(stated.offsets) * stated.d.rows * stated.d.columns == out.size
    assert min(m.leading - m.rows for m in (stated.a, stated.b, stated.c, stated.d)) >= 0


def test_a_stack_times_one_matrix_is_one_product() -> None:
    x, y, out = np.ones((6, 5, 4)), np.ones((4, 3)), np.empty((6, 5, 3))
    stated = problem(x, y, out)
    assert (stated.count, stated.d.columns) == (1, 30)
    assert problem(x[::2], y, out[::2]).count == 3
    assert problem(np.broadcast_to(np.ones((1, 4)), (6, 1, 4)), y, np.empty((6, 1, 3))).count == 6


REFUSED: dict[str, tuple[str, Callable[[], Any]]] = {
    "no contiguous axis": ("contiguous rows or columns.*cupy.ascontiguousarray",
                           lambda: problem(np.ones((8, 8))[::2, ::2], np.ones((4, 3)), np.ones((4, 3)))),
    "a repeated row": ("contiguous", lambda: problem(np.broadcast_to(np.ones(4), (5, 4)), np.ones((4, 3)), np.ones((5, 3)))),
    "backwards": ("contiguous", lambda: problem(np.ones((5, 4))[::-1], np.ones((4, 3)), np.ones((5, 3)))),
    "a transposed result": ("rows of the result", lambda: problem(np.ones((5, 4)), np.ones((4, 3)), np.ones((3, 5)).T)),
    "mixed dtypes": ("one dtype, got float64, float32", lambda: problem(np.ones((5, 4)), np.ones((4, 3), "f"), np.ones((5, 3)))),
    "nothing to sum": (r"have entries, got \(5, 0\)", lambda: problem(np.ones((5, 0)), np.ones((0, 3)), np.ones((5, 3)))),
    "many places": ("equal distances", lambda: problem(np.ones((3, 1, 5, 4)), np.ones((1, 9, 4, 3))[:, ::-1],
                                                       np.ones((3, 9, 5, 3)))),
    "half entries": ("whole entries", lambda: problem(np.ones((5, 4), [("a", "f8"), ("b", "f4")])["a"], np.ones((4, 3)),
                                                      np.ones((5, 3)))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_says_why(name: str) -> None:
    message, program = REFUSED[name]
    with pytest.raises(Unsupported, match=message):
        program()


# ---- on a device

@pytest.fixture(scope="module")
def products(gpu: ModuleType) -> Any:
    """The module, and a workspace."""
    module = pytest.importorskip("linalg.kernels.products")
    if (reason := module.unavailable_reason()) is not None:
        pytest.skip(reason)
    module.workspace = gpu.empty(32 << 20, "u1")
    return module


def check(found: Any, expected: np.ndarray, dtype: str) -> None:
    tolerance = {"float16": 4e-3, "float32": 1e-5, "complex64": 1e-5}.get(dtype, 1e-13)
    np.testing.assert_allclose(found.get().astype(complex), expected.astype(complex), rtol=tolerance, atol=tolerance)


def wide(dtype: str) -> str:
    return "complex128" if np.dtype(dtype).kind == "c" else "float64"


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_products(gpu: ModuleType, products: Any, dtype: str, name: str) -> None:
    left, right, views = CASES[name]
    a, b = normal(left, dtype, 0), normal(right, dtype, 1)
    x, y = views(gpu.asarray(a), gpu.asarray(b))
    expected = np.matmul(*views(a.astype(wide(dtype)), b.astype(wide(dtype))))
    out = gpu.zeros(np.shape(expected), dtype)
    products.Product(x, y, out, products.workspace)()
    check(out, np.asarray(expected), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_and_scales(gpu: ModuleType, products: Any, dtype: str) -> None:
    a, b, c = normal((5, 4), dtype, 0), normal((4, 3), dtype, 1), normal((5, 3), dtype, 2)
    x, y, z, out = *map(gpu.asarray, (a, b, c)), gpu.zeros((5, 3), dtype)
    products.Product(x, y, out, products.workspace, alpha=-0.5, add=z)()
    check(out, c.astype(wide(dtype)) - a.astype(wide(dtype)) @ b.astype(wide(dtype)) / 2, dtype)
    products.Product(x, y, z, products.workspace, add=z)()
    check(z, c.astype(wide(dtype)) + a.astype(wide(dtype)) @ b.astype(wide(dtype)), dtype)
    np.testing.assert_array_equal(x.get(), a)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", [(5, 4), (2, 5, 4), (2, 3, 5, 4)])
def test_bias(gpu: ModuleType, products: Any, dtype: str, relu: bool, shape: tuple[int, ...]) -> None:
    a, b, c = normal(shape, dtype, 0), normal((4, 3), dtype, 1), normal((3,), dtype, 2)
    out = gpu.zeros((*shape[:-1], 3), dtype)
    try:
        products.Product(*map(gpu.asarray, (a, b)), out, products.workspace, bias=gpu.asarray(c), relu=relu)()
    except products.Unsupported as error:
        pytest.skip(str(error))  # the device's cuBLASLt decides
    expected = a.astype(float) @ b.astype(float) + c
    check(out, np.maximum(expected, 0) if relu else expected, dtype)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_bias_gradients(gpu: ModuleType, products: Any, dtype: str) -> None:
    h, g = normal((6, 4), dtype, 0), normal((6, 3), dtype, 1)
    x, y = map(gpu.asarray, (h, g))
    sums = gpu.zeros(3, dtype)
    for left, right, which in ((x.T, y, "column_sums"), (y.T, x, "row_sums")):
        out = gpu.zeros((left.shape[0], right.shape[1]), dtype)
        sums.fill(0)
        try:
            products.Product(left, right, out, products.workspace, **{which: sums})()
        except products.Unsupported as error:
            pytest.skip(str(error))
        check(sums, g.astype(float).sum(0), dtype)
        check(out, left.get().astype(float) @ right.get().astype(float), dtype)


def test_half_precision_is_summed_in_single(gpu: ModuleType, products: Any) -> None:
    x, y, out = gpu.ones((1, 4096), "float16"), gpu.ones((4096, 1), "float16"), gpu.zeros((1, 1), "float16")
    products.Product(x, y, out, products.workspace)()
    assert out.get() == 4096  # in float16 one more than 2048 is 2048


def test_bfloat16(gpu: ModuleType, products: Any) -> None:
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    try:
        x, y, out = gpu.ones((2, 512), bfloat16), gpu.ones((512, 2), bfloat16), gpu.zeros((2, 2), bfloat16)
    except (TypeError, ValueError) as error:
        pytest.skip(f"no bfloat16 here: {error}")
    products.Product(x, y, out, products.workspace)()
    assert (out.get().astype(float) == 512).all()


def test_tf32_only_when_asked(gpu: ModuleType, products: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = (gpu.asarray(normal((64, 64), "float32", k)) for k in range(2))
    expected, error = x.get().astype(float) @ y.get().astype(float), {}
    for asked in (False, True):
        monkeypatch.setenv("CUPY_TF32", str(int(asked)))
        assert products.tf32_wanted() == asked
        out = gpu.zeros((64, 64), "float32")
        products.Product(x, y, out, products.workspace)()
        error[asked] = abs(out.get() - expected).max()
    assert error[False] < 1e-4 and error[True] < 1e-1
    if nvmath_ is sys.modules.get("nvmath.bindings.cublasLt"):
        assert [call["compute"] for call in nvmath_.CALLS[-2:]] == ["COMPUTE_32F", "COMPUTE_32F_FAST_TF32"]


def test_runs_are_bitwise_the_same(gpu: ModuleType, products: Any) -> None:
    x, y, out = gpu.asarray(normal((8, 999), "float32", 0)), gpu.asarray(normal((999, 8), "float32", 1)), gpu.zeros((8, 8), "f")
    run = products.Product(x, y, out, products.workspace)
    run()
    first = out.get()
    for _ in range(5):
        out.fill(0)
        run()
        np.testing.assert_array_equal(out.get(), first)


def test_a_graph_holds_products(gpu: ModuleType, products: Any) -> None:
    graphs = pytest.importorskip("linalg.kernels.graphs")
    x, y, out, z = (gpu.ones(s, "f") for s in ((5, 4), (4, 3), (5, 3), (5, 3)))
    first, second = products.Product(x, y, out, products.workspace), products.Product(x, y, z, products.workspace, add=out)

    def body() -> None:
        first()
        second()

    graph = graphs.capture(body, (x, y, out, z, products.workspace))
    x.fill(2)
    graph.launch()
    assert (out.get() == 8).all() and (z.get() == 16).all()
    y.fill(-1)
    graph.launch()
    assert (z.get() == -16).all()


def test_tuning(gpu: ModuleType, products: Any) -> None:
    x, y, out = gpu.asarray(normal((32, 16), "float32", 0)), gpu.asarray(normal((16, 8), "float32", 1)), gpu.zeros((32, 8), "f")
    run = products.Product(x, y, out, products.workspace)
    assert run.tune() >= 0
    out.fill(0)
    products.Product(x, y, out, products.workspace)()
    check(out, x.get().astype(float) @ y.get().astype(float), "float32")
    with pytest.raises(ValueError, match="add is not out"):
        products.Product(x, y, out, products.workspace, add=out).tune()


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "bias of another length": ("vector of 3 entries", {"bias": ((4,), "f")}),
    "bias of another dtype": ("of float32", {"bias": ((3,), "d")}),
    "two vectors": ("at most one", {"bias": ((3,), "f"), "column_sums": ((3,), "f")}),
    "sums of rows of another length": ("vector of 5 entries", {"row_sums": ((3,), "f")}),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_vectors(gpu: ModuleType, products: Any, name: str) -> None:
    message, options = WRONG[name]
    given = {k: gpu.zeros(*v) for k, v in options.items()}
    with pytest.raises(products.Unsupported, match=message):
        products.Product(gpu.ones((5, 4), "f"), gpu.ones((4, 3), "f"), gpu.ones((5, 3), "f"), products.workspace, **given)


def test_what_cublaslt_does_not_do(gpu: ModuleType, products: Any) -> None:
    three = [gpu.ones((3, 3), "complex64") for _ in range(3)]
    with pytest.raises(products.Unsupported, match="real matrices"):
        products.Product(*three, products.workspace, bias=gpu.ones(3, "complex64"))
    with pytest.raises(products.Unsupported, match="floating-point"):
        products.Product(*(x.real.astype(int) for x in three), products.workspace)
