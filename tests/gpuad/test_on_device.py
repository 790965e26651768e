"""Eager derivatives on the device: the host never waits for it, and nothing is copied there or back, but for the listed reasons.

On CuPy what makes the host wait raises (``cupyx.allow_synchronize``); on its stand-in it is counted, as are copies and launches.
"""
from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import groupby
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from linalg.arrays import is_cupy, to_host
from tests.gpuad.programs import CASES, Case
from tests.gpuad.test_primitives import Problem

COUNTS = "values decide how many entries there are"
CHECKS = "bad values raise, as in NumPy"
SINGULAR = "singular matrices raise, which cuSOLVER's status tells"
DECIDES = "values decide what is computed"



def table(*reasons: tuple[str, str, str]) -> dict[str, str]:
    """name -> reason, of rows (reason, what the names begin with, their ends; an end of several words has ~ for blanks)."""
    return {prefix + name.replace("~", " "): reason for reason, prefix, names in reasons for name in names.split()}


WAITS = table(
    (COUNTS, "", """ix_ trim_zeros extract getitem setitem piecewise unique unique_all unique_counts unique_inverse unique_values
        union1d setdiff1d setxor1d bincount histogram histogram2d histogramdd scipy.linalg~eigvalsh~by~value"""),
    (CHECKS, "", """choose geomspace average cov betabinom.logpmf dirichlet special~multigammaln quantile nanquantile percentile
        nanpercentile"""),
    (DECIDES, "", """lstsq lstsq~rcond lstsq~of~low~rank lstsq~with~many~solutions scipy.linalg~lstsq polymul polydiv poly roots
        polyfit polyfit~of~rank~one real_if_close sosfiltfilt decimate"""),
    (SINGULAR, "", "solve cholesky qr tensorsolve multivariate_normal wishart"),
    (SINGULAR, "scipy.linalg ", """tanm tanhm solve_sylvester solve_continuous_lyapunov solve_discrete_lyapunov solve
        solve_triangular cho_solve cho_solve_banded solveh_banded solve_banded cholesky cho_factor qr rq polar qr_multiply
        orthogonal_procrustes solve_toeplitz solve_circulant"""),
    ("the order of rows that LAPACK's exchanges lead to is found on the host", "scipy.linalg ",
     "lu lu_factor lu~with~indices lu~permuted lu_solve"),
    ("CuPy factors sparse matrices on the host", "sparse ", "spsolve spsolve~of~entries spsolve~with~constants splu"),
    ("the places of a constant sparse matrix are read, once", "sparse ",
     "constant~times~vector constant~times~matrix products~with~constants number~times~a~constant sums multiply"),
)
"""Programs whose derivatives make the host wait, and why."""

COPIES = table(
    ("numbers of the rule, one for each column", "", "vander polyfit polyfit~of~rank~one setitem nbinom.logpmf"),
    ("nodes of a quadrature", "special ", "gammainc gammaincinv betainc betaincinv chdtr chdtri gdtr fdtr fdtrc fdtri"),
    ("nodes of a quadrature", "", "gamma.cdf chi2.cdf invgamma.cdf beta.cdf f.cdf"),
    ("they wait anyway: see above", "scipy.linalg ",
     "solve solve_triangular cho_solve lu lu_factor lu~with~indices lu~permuted lu_solve"),
)
"""Programs whose substitutions copy something from the host, and what. So do all of sparse matrices: places of entries."""

BY_NAME = [(name, list(entries)) for name, entries in groupby(CASES, lambda c: c.name.rpartition("#")[0])]
NAMES = {name: [c for k, cs in BY_NAME if k == name for c in cs] for name, _ in BY_NAME}


@contextmanager
def watched(cupy: ModuleType, found: list[str]) -> Iterator[None]:
    """Collect in ``found`` what makes the host wait within; on CuPy that raises, and is all that is seen."""
    if hasattr(cupy, "synchronisations"):
        start = len(cupy.synchronisations)
        yield
        found += cupy.synchronisations[start:]
        return
    cupyx = importlib.import_module("cupyx")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="cupyx.allow_synchronize")
        with cupyx.allow_synchronize(False):
            try:
                yield
            except cupyx.DeviceSynchronized:
                found.append("synchronisation")


class There(Problem):
    """A problem whose arrays and constants lie on the device already."""

    def __init__(self, entry: Case, kind: str, xp: Any):
        super().__init__(entry, kind, xp)
        self.placed = [(i, xp.asarray(a)) for i, a in self.constants]
        self.at, self.along, self.back = (list(self.there(a)) for a in (self.primals, self.directions, self.weights))

    def program(self, *args: Any) -> list[Any]:
        args = list(args)
        for i, constant in self.placed:
            args.insert(i, constant)
        return ad_leaves(self.entry.f(*args))

    def gradient(self, *args: Any) -> tuple[Any, ...]:
        return ad.vjp(self.program, *args)[1](self.back)


def ad_leaves(tree: Any) -> list[Any]:
    return importlib.import_module("optree").tree_leaves(tree)


def problems(name: str, cupy: ModuleType) -> Iterator[There]:
    for entry in NAMES[name]:
        for kind in entry.kinds:
            try:
                yield There(entry, kind, cupy)
            except pytest.skip.Exception:
                continue


@pytest.mark.parametrize("name", NAMES)
def test_the_host_does_not_wait(gpu: ModuleType, name: str) -> None:
    waits, runs = [], 0
    for p in problems(name, gpu):
        derivatives: list[Callable[[], Any]] = [
            lambda p=p: p.gradient(*p.at), lambda p=p: ad.jvp(p.program, p.at, p.along),
            lambda p=p: ad.jvp(p.gradient, p.at, p.along)]
        for derivative in derivatives:
            try:
                derivative()  # what is made once is made
                with watched(gpu, waits):
                    derivative()
            except pytest.skip.Exception:
                continue
            runs += 1
    if not runs:
        pytest.skip("CuPy lacks it")
    if name not in WAITS:
        assert not waits, waits
    elif hasattr(gpu, "synchronisations"):
        assert waits, "the host does not wait, although it is listed"


@pytest.mark.parametrize("name", NAMES)
def test_substitutions_copy_nothing_from_the_host(gpu: ModuleType, name: str) -> None:
    if not hasattr(gpu, "transfers"):
        pytest.skip("only the stand-in counts copies")
    copies, runs = [], 0
    for p in problems(name, gpu):
        try:
            _, system = ad.linearize(p.program, *p.at)
        except pytest.skip.Exception:
            continue
        start, runs = len(gpu.transfers), runs + 1
        system.pullback(p.back)
        system.pushforward(*p.along)
        copies += gpu.transfers[start:]
    if not runs:
        pytest.skip("CuPy lacks it")
    if name.startswith("sparse ") or name in COPIES:
        return
    assert not copies


# ---- numbers of the host

NUMBERS: dict[str, Callable[[Any], Any]] = {
    "Python's": lambda x: np.sum(2 * x ** 3 / 4 - 1.5 + np.maximum(0, x) + np.where(x > 0.5, 1.0, x)),
    "NumPy's": lambda x: np.sum(np.float64(2) * x ** np.float64(3) / np.int64(4) - np.float32(1.5)
                                + np.maximum(np.float64(0), x)),
    "as arrays": lambda x: np.sum(np.append(x, 2.0) ** 2),
    "in NumPy's functions": lambda x: np.sum(np.clip(x, 0.2, 0.9) + np.power(x, 2) + np.add(1, x) + np.hypot(x, 3.0)
                                             + np.arctan2(1, x)),
    "of sizes": lambda x: np.mean(x) * x.size + np.var(x) + np.std(x, ddof=1) + np.linalg.norm(x) / len(x),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_stay_on_the_host(gpu: ModuleType, name: str) -> None:
    """Kernels get them as arguments: no array is made of them, and nothing is copied."""
    values = np.linspace(0.1, 1.3, 6)
    x = gpu.asarray(values)
    expected = ad.grad(NUMBERS[name])(values)
    np.testing.assert_allclose(to_host(ad.grad(NUMBERS[name])(x)), expected, rtol=1e-12)
    if hasattr(gpu, "transfers"):
        start = len(gpu.transfers)
        ad.hvp(NUMBERS[name], (x,), (x,))
        ad.value_and_grad(NUMBERS[name])(x)
        assert gpu.transfers[start:] == []


# ---- launches

def layers(params: Any, x: Any, y: Any) -> Any:
    for w, b in params[:-1]:
        x = np.tanh(x @ w + b)
    w, b = params[-1]
    return np.mean((x @ w + b - y) ** 2)


def cross_entropy(z: Any, y: Any) -> Any:
    shifted = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(y * shifted, axis=1))


def test_launches(gpu: ModuleType) -> None:
    """A derivative and its product with a cotangent are one launch; sums of two contributions are no launch of their own."""
    if not hasattr(gpu, "launches"):
        pytest.skip("only the stand-in counts launches")
    x, y = gpu.ones((8, 4)), gpu.ones((8, 4))
    params = [(gpu.ones((4, 4)), gpu.ones(4)) for _ in range(3)]
    counts = {}
    for name, f, args in (("layers", layers, (params, x, y)), ("cross entropy", cross_entropy, (x, y)),
                          ("tanh", lambda x: np.sum(np.tanh(x)), (x,)), ("x tanh x", lambda x: np.sum(np.tanh(x) * x), (x,))):
        ad.value_and_grad(f)(*args)
        start = len(gpu.launches)
        ad.value_and_grad(f)(*args)
        counts[name] = len(gpu.launches) - start
    assert counts["tanh"] <= 5  # x kept, tanh, sum, a one, (1 − y²) g
    assert counts["x tanh x"] <= 8
    assert counts["layers"] <= 37 and counts["cross entropy"] <= 25, counts


def test_gradients_stay_on_the_device(gpu: ModuleType) -> None:
    value, (g, h) = ad.value_and_grad(lambda x, y: np.sum(x * y), (0, 1))(gpu.ones(3), gpu.ones(3))
    assert is_cupy(value) and is_cupy(g) and is_cupy(h)
