"""What programs meet on CuPy and not on NumPy. These tests hold on CuPy, where there is a GPU, and on its stand-in."""
from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import scatter_add, to_host
from tests.standin.generate import table
from tests.standin.table import TABLE

ROOT = Path(__file__).parents[1]
LEFT_OUT = " and ".join(f"not {name}" for name in (  # for their time
    "chain_of_100_000", "compare_on_the_gpu", "second_derivatives", "every_block", "device_catalogue"))


@pytest.mark.slow
def test_on_a_stand_in_for_cupy_without_any_gpu(pytestconfig: pytest.Config) -> None:
    """NOT A GPU RUN. What is meant for CuPy runs on tests/standin: no line of it may need NumPy."""
    if pytestconfig.getoption("--cupy-standin"):
        pytest.skip("this is the run on the stand-in")
    command = [sys.executable, "-m", "pytest", "--cupy-standin", "-q", "-p", "no:cacheprovider", "-k", LEFT_OUT,
               "tests/test_standin.py", "tests/linalg", "tests/gpuad"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert " passed" in run.stdout


def test_the_table_is_what_cupy_offers(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--cupy-standin"):
        pytest.skip("CuPy's place is taken by the stand-in")
    if TABLE["version"] not in installed_versions():
        pytest.skip(f"CuPy {TABLE['version']} is not installed")
    assert table() == TABLE, "run `python -m tests.standin.generate`"


def test_the_stand_in_invents_no_names(gpu: ModuleType) -> None:
    """Classes and modules of cupy.cuda: every public name is CuPy's, and methods have the parameters that CuPy's have."""
    if not hasattr(gpu, "launches"):
        pytest.skip("this is CuPy itself")
    for name, members in TABLE["cuda"].items():
        cls = getattr(gpu, name, None) or getattr(gpu.cuda, name)
        for member, value in vars(cls).items():
            if not member.startswith("_"):
                assert member in members, f"CuPy's {name} has no {member}"
            if not member.startswith("_") and inspect.isfunction(value):
                assert list(inspect.signature(value).parameters)[1:] == members[member], f"{name}.{member}"
    for module, names in TABLE["held"].items():
        assert {n for n in vars(sys.modules[module]) if not n.startswith("_")} <= set(names), module


def installed_versions() -> list[str]:
    found = []
    for name in ("cupy", "cupy-cuda12x", "cupy-cuda13x"):
        try:
            found.append(version(name))
        except PackageNotFoundError:
            continue
    return found


# ---- what NumPy takes and CuPy does not

REFUSED: dict[str, tuple[type[Exception], Callable[[Any], Any]]] = {
    "an array of NumPy's on the right": (TypeError, lambda cp: cp.ones(3) + np.ones(3)),
    "an array of NumPy's on the left": (TypeError, lambda cp: np.ones(3) * cp.ones(3)),
    "an array of NumPy's of no axes": (TypeError, lambda cp: cp.ones(3) * np.array(2.0)),
    "a list as operand": (TypeError, lambda cp: np.maximum(cp.ones(2), [0, 1])),
    "a conversion nobody asked for": (TypeError, lambda cp: np.asarray(cp.ones(3))),
    "libraries mixed in a list": (TypeError, lambda cp: cp.concatenate([cp.ones(2), np.ones(2)])),
    "a function that CuPy lacks": (TypeError, lambda cp: np.linalg.svdvals(cp.ones((2, 2)))),
    "where= of a sum": (TypeError, lambda cp: np.sum(cp.ones(3), where=cp.ones(3) > 0)),
    "where= of a ufunc": (TypeError, lambda cp: np.add(cp.ones(3), 1, where=cp.ones(3) > 0)),
    "hermitian= of svd": (TypeError, lambda cp: np.linalg.svd(cp.eye(2), hermitian=True)),
    "upper= of cholesky": (TypeError, lambda cp: np.linalg.cholesky(cp.eye(2), upper=True)),
    "min= of clip": (TypeError, lambda cp: np.clip(cp.ones(3), min=0, max=1)),
    "the maximum as a ufunc's reduction": (NotImplementedError, lambda cp: np.maximum.reduce(cp.ones(3))),
    "complex numbers added at places": (
        TypeError, lambda cp: cp.add.at(cp.ones(3, complex), cp.asarray([0, 0]), cp.ones(2, complex))),
    "matrices of a stack repeated by solve": (ValueError, lambda cp: cp.linalg.solve(cp.eye(2), cp.ones((3, 2, 2)))),
    "an array in place of the parts of an array": (ValueError, lambda cp: cp.ones(3).__setitem__(slice(None), np.ones(3))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(gpu: ModuleType, name: str) -> None:
    error, program = REFUSED[name]
    with pytest.raises(error):
        program(gpu)


# ---- what comes back

def test_everything_is_an_array(gpu: ModuleType) -> None:
    x = gpu.asarray(np.array([3.0, 4.0]))
    for y in (x.sum(), np.sum(x), x[0], np.linalg.norm(x), x @ x, np.float64(2) * x, 2 * x, x == 3, np.allclose(x, x)):
        assert type(y) is gpu.ndarray
    assert not hasattr(x, "__array_namespace__")


def test_views_know_their_base(gpu: ModuleType) -> None:
    x = gpu.zeros((2, 3))
    for view in (x[0], x.T, x.reshape(3, 2), x.T[1:], np.broadcast_to(x, (4, 2, 3))):
        assert view.base is x
    assert x.copy().base is None and x.sum(axis=0).base is None
    assert x.astype(float, copy=False) is x and gpu.asarray(x) is x


def test_singular_matrices_do_not_raise(gpu: ModuleType) -> None:
    assert not np.isfinite(np.linalg.inv(gpu.zeros((2, 2))).get()).any()


# ---- what the package makes of it

@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_scatter_add(gpu: ModuleType, dtype: str) -> None:
    x, index = (np.arange(4) * (1 - 2j if dtype.startswith("c") else 1)).astype(dtype), np.array([0, 2, 0, 2])
    expected = np.zeros(3, dtype)
    np.add.at(expected, index, x)
    np.testing.assert_array_equal(to_host(scatter_add(gpu.asarray(x), gpu.asarray(index), (3,))), expected)


def test_numbers_beside_arrays_of_the_device(gpu: ModuleType) -> None:
    x = gpu.asarray(np.array([1.0, 2.0]))
    f = lambda c, x: np.sin(c * x)
    out, tangent = ad.jvp(f, (2.0, x), (1.0, 0 * x))
    np.testing.assert_allclose(to_host(tangent), to_host(x * np.cos(2 * x)))
    for order in ("forward", "reverse"):
        np.testing.assert_allclose(to_host(ad.jacobian(f, order=order)(2.0, x)), to_host(tangent))
    assert out.shape == tangent.shape


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "network": lambda x: np.mean(np.tanh(np.maximum(x @ x, 0)) ** 2),
    "softmax": lambda x: np.sum(np.exp(x - np.max(x, axis=1, keepdims=True)) / np.sum(np.exp(x))),
    "absolute": lambda x: np.sum(np.abs(x) ** 1.5),
    "indices": lambda x: np.sum(x[:, [0, 2, 2]]) + x[0, 1],
    "reductions": lambda x: np.prod(x) + np.var(x) + np.max(x) + np.sum(np.cumsum(x)) + np.linalg.norm(x),
    "sorted": lambda x: np.sum(np.sort(x, axis=0) * x),
    "einsum": lambda x: np.einsum("ij,jk,kl->", x, x, x),
    "eigenvalues": lambda x: np.sum(np.linalg.eigvalsh(x + x.T)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_gradient_does_not_wait_for_the_device(gpu: ModuleType, name: str) -> None:
    waits = getattr(gpu, "synchronisations", None)
    if waits is None:
        pytest.skip("only the stand-in counts how often the host waits")
    x = gpu.asarray(np.random.default_rng(0).normal(size=(3, 3)))
    ad.grad(PROGRAMS[name])(x)
    before = len(waits)
    ad.value_and_grad(PROGRAMS[name])(x)
    assert waits[before:] == []
