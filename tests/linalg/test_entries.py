"""Functions of entries as kernels: what is traced, what is not, what they give, and that CuPy's source of them compiles."""
from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import linalg
from linalg.arrays import to_host
from linalg.kernels.entries import PREAMBLE, Trace, Untraceable
from tests.standin.compiling import require_compiles

FLOAT, DOUBLE, COMPLEX, INT = map(np.dtype, "fdDl")
FUNCTIONS: dict[str, tuple[Callable[..., Any], str]] = {
    "tanh": (lambda y: 1 - y * y, "fdD"),
    "weak numbers": (lambda y: 2 * y + 0.5 - y / 3, "fdD"),
    "functions": (lambda y: np.exp(-y * y) * np.cos(y) + np.sqrt(1 + np.sinh(y) ** 2), "fdD"),
    "real functions": (lambda y: np.log1p(np.abs(y)) * np.hypot(1, y) + np.sign(y) * np.copysign(2, y), "fd"),
    "extremes": (lambda y: np.maximum(y, 0.5) - np.minimum(y, -0.5), "fd"),
    "choices": (lambda y: np.where((y > 0) & ~(y > 1), y, 0.25), "fd"),
    "shares": (lambda y: np.divide(y >= 0, np.add(y >= 0, y <= 0, dtype=np.float32)), "fd"),
    "limits": (lambda y: np.where(np.abs(y) == np.inf, np.nan, np.where(y < 0, -np.inf, y)), "fd"),
    "powers": (lambda y: 2.5 * y ** 1.5, "D"),
    "conjugates": (lambda y: y.conj() * np.abs(y), "D"),
    "casts": (lambda y: (y * 2).astype(np.float64) + 1, "f"),
}


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, (_, kinds) in FUNCTIONS.items() for kind in kinds])
def test_one_launch_gives_what_many_give(gpu: ModuleType, name: str, kind: str) -> None:
    function, rng = FUNCTIONS[name][0], np.random.default_rng(3)
    y, x, total = (np.asarray(rng.standard_normal((4, 5)) + (0.5j if kind == "D" else 0), kind) for _ in range(3))
    there = [gpu.asarray(a) for a in (y, x, total)]
    element = linalg.entrywise(function, (there[0],), (4, 5))
    assert isinstance(element, linalg.Entrywise)
    expected = function(y) * x
    tolerance = 8 * np.finfo(kind).eps
    for got, wanted in ((element @ there[1], expected), (element._plus_transpose(there[2], there[1]), total + expected),
                        (element._add_transpose(there[2] + 0, there[1]), total + expected)):
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(to_host(got), wanted, rtol=tolerance, atol=4 * tolerance)
    np.testing.assert_allclose(to_host(element.d), function(y), rtol=tolerance)
    np.testing.assert_array_equal(to_host(there[2]), total)


@pytest.mark.parametrize("x_kind", "fdD")
@pytest.mark.parametrize("kind", "fdD")
def test_dtypes_are_those_of_separate_launches(gpu: ModuleType, kind: str, x_kind: str) -> None:
    y, x = gpu.ones(3, kind), gpu.ones((2, 3), x_kind)
    element = linalg.entrywise(FUNCTIONS["tanh"][0], (y,), (3,))
    assert element.dtype == kind and (element @ x).dtype == (y * x).dtype and (element @ x).shape == (2, 3)
    total = gpu.zeros((2, 3), kind)
    assert element._add_transpose(total, x).dtype == (total + y * x).dtype


def test_numbers_and_absent_operands(gpu: ModuleType) -> None:
    x = gpu.asarray(np.array([1.0, 2.0]))
    for power in (2, 3.5):
        element = linalg.entrywise(lambda _y, a, b: b * a ** (b - 1), (None, x, power), (2,))
        assert isinstance(element, linalg.Entrywise)
        np.testing.assert_allclose(to_host(element @ x), power * np.array([1.0, 2.0]) ** power, rtol=1e-14)


def test_kernels_of_one_function_are_few(gpu: ModuleType) -> None:
    """Numbers stand in the source: a number that is another one at each call must not be compiled at each call."""
    x = gpu.ones(2)
    power = lambda a, b: b * a ** (b - 1)
    kinds = [type(linalg.entrywise(power, (x, 1 + k / 10), (2,))) for k in range(100)]
    assert kinds[0] is linalg.Entrywise and kinds[-1] is linalg.Diagonal


@pytest.mark.parametrize("function", [
    lambda y: y[0], lambda y: y.sum(), lambda y: y if y > 0 else -y, lambda y: np.add.reduce(y), lambda y: np.floor_divide(y, 2),
    lambda y: np.linalg.norm(y), lambda y: y * np.ones(3), lambda _y: 1.0, lambda y: np.where(y > 0),
])
def test_what_entries_cannot_do_is_not_traced(function: Callable[[Any], Any]) -> None:
    with pytest.raises((Untraceable, TypeError, AttributeError)):
        Trace(function, [FLOAT])


@pytest.mark.parametrize("kind", ["e", "i", "U1"])
def test_other_dtypes_are_not_computed_in(kind: str) -> None:
    with pytest.raises((Untraceable, TypeError)):
        Trace(lambda y: y * y, [np.dtype(kind)])


def test_integers_are_converted() -> None:
    assert Trace(lambda y, n: y * n, [DOUBLE, np.dtype("i")]).dtype == DOUBLE
    assert Trace(lambda n: np.where(n == 0, np.nan, 1 / np.maximum(n, 1)), [INT]).dtype == DOUBLE


# ---- the source

def rules() -> dict[str, tuple[Callable[..., Any], list[np.dtype]]]:
    """The functions above, and the rules of the table of derivatives, for each dtype that they can be traced for."""
    from gpuad.differential import Elementwise
    from gpuad.primitives import elementwise, reductions

    found = {"share of an extreme": (reductions._share_in(FLOAT), [np.dtype(bool), INT])}
    found |= {f"{name}, {k}": (f, [np.dtype(k)]) for name, (f, kinds) in FUNCTIONS.items() for k in kinds}
    for primitive in vars(elementwise).values():
        if isinstance(primitive, Elementwise):
            for position, rule in enumerate(primitive.rules):
                if rule is not None and primitive._constant[position] is None:
                    found |= {f"{primitive.name}[{position}], {d}": (rule, [d] * (1 + len(primitive.rules)))
                              for d in (FLOAT, DOUBLE, COMPLEX)}
    return found


def test_rules_of_differentials_are_traced() -> None:
    left = set()
    for name, (function, operands) in rules().items():
        try:
            Trace(function, operands)
        except (Untraceable, TypeError, AttributeError):
            left.add(name)
    real = {name.partition(",")[0] for name in left if "complex" not in name}
    assert real <= {"remainder[1]", "where[2]"}, real


def test_what_cupy_makes_of_them_compiles() -> None:
    cupy = pytest.importorskip("cupy")
    if "stand-in" in cupy.__version__:
        pytest.skip("CuPy's place is taken by the stand-in")
    kernels = importlib.import_module("cupy._core._kernel")
    headers = Path(cupy.__file__).parent / "_core" / "include"
    sources = []
    for i, (function, operands) in enumerate(rules().values()):
        try:
            trace = Trace(function, operands)
        except (Untraceable, TypeError, AttributeError):
            continue
        x = max(operands[0], FLOAT)  # no derivative is multiplied by booleans
        for plus in (False, True):
            lines, gives = trace.applied(x, plus)
            given = [*trace.parameters, f"{x.name} x", *[f"{gives.name} t"] * plus]
            kernel = cupy.ElementwiseKernel(", ".join(given), f"{gives.name} y", "\n".join(lines), f"k{i}_{plus:d}")
            sources.append(source(cupy, kernels, kernel, [*[p.split()[0] for p in given], gives]))
    folder = headers / "cupy" / "_cccl"
    includes = "".join(f"#include <cupy/{name}>\n" for name in ("complex.cuh", "carray.cuh", "atomics.cuh", "math_constants.h"))
    made = require_compiles(includes + PREAMBLE + "\n".join(sources), (
        f"-I{headers}", *[f"-I{folder / part}" for part in ("thrust", "cub", "libcudacxx")]))
    assert len(made) == len(sources) > 200


def source(cupy: Any, kernels: Any, kernel: Any, dtypes: list[Any]) -> str:
    """What CuPy would give nvrtc for contiguous arrays of these dtypes: it needs no device for that."""
    infos = [kernels._ArgInfo(1, cupy.ndarray, np.dtype(d), 1, True, True) for d in dtypes]
    indexer = kernels._ArgInfo(2, importlib.import_module("cupy._core._carray").Indexer, None, 1, True, True)
    text = kernels._get_elementwise_kernel_code((*infos, indexer), kernels._TypeMap(()), kernel.params, kernel.operation,
                                                kernel.name, "")
    return re.sub(r"\n\s*\n", "\n", text)
