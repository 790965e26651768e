"""``gpuad coverage``: every name has a status, the status is the truth, and what others differentiate is differentiable here."""
from __future__ import annotations

import importlib.util
import sys
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad import cli, coverage
from gpuad.coverage_reasons import (
    CONSTANT,
    DIFFERENTIABLE,
    METHODS,
    PASSED,
    PASSED_THROUGH,
    REFUSED,
    REFUSED_FOR,
    STATUSES,
    UNCLASSIFIED,
)
from gpuad.dispatch import TABLE
from gpuad.errors import ArrayConversionError, NotDifferentiableError
from gpuad.namespace import CONSTRUCTORS
from gpuad.traced import NO_PROGRAM, TracedArray

ENTRIES = coverage.entries()
STATUS = {str(e): e.status for e in ENTRIES}


def _named(tables: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    return {module: [name for names in reasons.values() for name in names.split()] for module, reasons in tables.items()}


def _attribute(path: str) -> Any:
    """The function of a name like "numpy.linalg.inv"."""
    module, _, name = path.rpartition(".")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(import_module(module), name, None)


def test_nothing_is_unclassified() -> None:
    assert not [str(e) for e in ENTRIES if e.status == UNCLASSIFIED]


def test_enough_is_differentiable() -> None:
    count = coverage.counts(e for e in ENTRIES if e.status == DIFFERENTIABLE)
    assert sum(count[name].total() for name in coverage.NUMPY) >= 250
    assert sum(count[name].total() for name in coverage.SCIPY) >= 100


def test_reasons_are_given_once_and_only_where_there_is_no_differential() -> None:
    for module, names in [*_named(PASSED).items(), *_named(REFUSED).items()]:
        functions = {name: _attribute(f"{module}.{name}") for name in names}
        stale = [name for name, f in functions.items() if f is not None and coverage.is_in(TABLE, f)]
        stale += [name for name in names if module == "numpy" and name in CONSTRUCTORS]
        assert not stale, f"{module}: {stale} have an implementation: take them out of gpuad/coverage_reasons.py"
    both = [f"{m}.{n}" for tables in (PASSED, REFUSED) for m, names in _named(tables).items() for n in names]
    methods = [n for names in _named(METHODS).values() for n in names]
    assert len(both) == len(set(both)) and len(methods) == len(set(methods))
    assert all(e.reason for e in ENTRIES if e.status in (PASSED_THROUGH, REFUSED_FOR))


def _call(function: Any, x: Any) -> Any:
    """The function of x, as often as it has required arguments."""
    for count in range(1, 7):
        try:
            return function(*[x] * count)
        except TypeError as error:
            if "required" not in str(error):
                raise
    return None


@pytest.mark.parametrize("module", [*coverage.NUMPY, *coverage.SCIPY])
def test_what_is_refused_says_so(module: str) -> None:
    namespace: Any = ad
    for part in module.split("."):
        namespace = getattr(namespace, part)

    def all_refused(x: Any) -> Any:
        for entry in (e for e in ENTRIES if e.namespace == module and e.status == REFUSED_FOR):
            function = namespace
            for part in entry.name.split("."):
                function = getattr(function, part)
            with pytest.raises((NotDifferentiableError, ArrayConversionError), match=f"{entry.name}\\b|would lose"):
                _call(function, x)
        return np.sum(x)

    ad.grad(all_refused)(np.ones((2, 2)))


def test_what_is_constant_carries_no_derivative() -> None:
    called = []

    def all_constant(x: Any) -> Any:
        for entry in (e for e in ENTRIES if e.status == CONSTANT and e.namespace in coverage.NUMPY):
            result = _constant(_attribute(str(entry)), x)
            leaves = list(result) if isinstance(result, (tuple, list)) else [result]
            assert not any(isinstance(leaf, TracedArray) and leaf.program is not NO_PROGRAM for leaf in leaves), str(entry)
            called.append(result is not NotImplemented)
        return np.sum(x)

    ad.grad(all_constant)(np.array([[1.0, 2.5], [3.2, 4.1]]))
    assert sum(called) >= 0.9 * len(called)


def _constant(function: Any, x: Any) -> Any:
    """The function of x, or of x and other things that it may need."""
    for arguments in ((x,), (x, x), (x[0], x[0]), (x[0], 1), ("ij,jk", x, x)):
        try:
            return function(*arguments)
        except (TypeError, ValueError, AttributeError):
            continue
    return NotImplemented


def test_the_methods_of_a_traced_array_are_what_the_table_says() -> None:
    missing = [e.name for e in ENTRIES if e.namespace == coverage.NDARRAY and e.status in (DIFFERENTIABLE, CONSTANT)
               and e.name not in vars(TracedArray)]
    assert set(missing) <= {"__contains__"}  # by __iter__


def test_a_new_name_is_unclassified(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(np, "a_new_function", lambda x: x, raising=False)
    assert [e.name for e in coverage.entries(["numpy"]) if e.status == UNCLASSIFIED] == ["a_new_function"]
    assert cli.main(["coverage"]) == 0
    assert "numpy.a_new_function" in capsys.readouterr().out


# ---- the command

@pytest.mark.parametrize("rich", [True, False])
def test_the_command_prints_counts(rich: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.table", None)
    assert cli.main(["coverage"]) == 0
    out = capsys.readouterr().out
    row = next(line.split() for line in out.splitlines() if "numpy.linalg" in line)
    counted = coverage.counts(coverage.entries(["numpy.linalg"]))["numpy.linalg"]
    assert [int(n) for n in row[1:]] == [*(counted[s] for s in STATUSES[:4]), counted.total()]
    assert all(name in out for name in (*coverage.NUMPY, coverage.NDARRAY, *coverage.SCIPY))


def test_the_command_prints_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["coverage", "--status", "refused"]) == 0
    out = capsys.readouterr().out
    assert "arange" in out and "use linspace" in out and "fftshift" not in out
    assert cli.main(["coverage", "--all", "--markdown"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("| namespace |") and "`fftshift`" in out and "### `scipy.stats`" in out


# ---- what HIPS/autograd differentiates

AUTOGRAD = """
    numpy: abs absolute add amax amin angle append arccos arccosh arcsin arcsinh arctan arctan2 arctanh array array_split astype
    atleast_1d atleast_2d atleast_3d broadcast_to clip column_stack concatenate conj conjugate cos cosh cross cumsum deg2rad
    degrees diag diagonal diff divide dot dsplit dstack einsum exp exp2 expand_dims expm1 fabs fliplr flipud fmax fmin full
    gradient hsplit hstack hypot imag inner kron linspace log log10 log1p log2 logaddexp logaddexp2 matmul max maximum mean min
    minimum mod moveaxis multiply nan_to_num negative outer pad partition power prod rad2deg radians ravel real real_if_close
    reciprocal remainder repeat reshape roll rollaxis rot90 row_stack sin sinc sinh sort split sqrt square squeeze stack std
    subtract sum swapaxes tan tanh tensordot tile trace transpose tril triu true_divide var vsplit vstack where
    numpy.fft: fft fft2 fftn fftshift ifft ifft2 ifftn ifftshift irfft irfft2 irfftn rfft rfft2 rfftn
    numpy.linalg: cholesky det eig eigh inv norm pinv slogdet solve svd
    scipy.integrate: odeint
    scipy.linalg: solve_banded solve_sylvester solve_triangular sqrtm
    scipy.signal: convolve
    scipy.special: beta betainc betaln digamma erf erfc erfcinv erfinv expit gamma gammainc gammaincc gammaln i0 i1 iv
    ive j0 j1 jn jv logit logsumexp multigammaln polygamma psi rgamma y0 y1 yn
    scipy.stats: beta.cdf beta.logpdf beta.pdf chi2.cdf chi2.logpdf chi2.pdf dirichlet.logpdf dirichlet.pdf gamma.cdf
    gamma.logpdf gamma.pdf multivariate_normal.entropy multivariate_normal.logpdf multivariate_normal.pdf norm.cdf norm.logcdf
    norm.logpdf norm.logsf norm.pdf norm.sf poisson.cdf poisson.logpmf poisson.pmf t.cdf t.logcdf t.logpdf t.pdf
"""
"""Functions with derivatives in autograd 1.9.1. Its gammasgn has the derivative 0; here it is constant."""


def _autograd_names() -> list[str]:
    found, module = [], ""
    for word in AUTOGRAD.split():
        if word.endswith(":"):
            module = word[:-1]
        else:
            found.append(f"{module}.{word}")
    return found


@pytest.mark.parametrize("name", _autograd_names())
def test_what_autograd_differentiates(name: str) -> None:
    if name in STATUS or "scipy" in name:  # NumPy 2 keeps row_stack for a while
        assert STATUS[name] == DIFFERENTIABLE


OWN = """
    make_sequence container_take container_untake sequence_extend_left sequence_extend_right _make_dict add mut_add covector
    inner_prod scalar_mul sparse_add truncate_pad __getitem__ dot_adjoint_0 dot_adjoint_1 tensordot_adjoint_0 tensordot_adjoint_1
    untake _array_from_scalar_or_array array_from_args concatenate_args make_diagonal""".split()
"""autograd's own functions."""


@pytest.mark.skipif(importlib.util.find_spec("autograd") is None, reason="autograd is not installed: pip install '.[bench]'")
@pytest.mark.filterwarnings("ignore")
def test_the_list_of_autograds_functions_is_complete() -> None:
    for name in ("numpy", "numpy.linalg", "numpy.fft", "scipy.linalg", "scipy.signal", "scipy.special", "scipy.integrate",
                 "scipy.stats"):
        import_module(f"autograd.{name}")
    core = import_module("autograd.core")
    functions = [getattr(f, "fun", f) for f in core.primitive_vjps]
    listed = {n: _attribute(n) for n in _autograd_names() if n.count(".") < 3 or ".stats." not in n}
    stats = {n.removeprefix("scipy.stats.") for n in _autograd_names() if n.startswith("scipy.stats")}
    unknown = []
    for f in functions:
        name = getattr(f, "__name__", "")
        owner = getattr(getattr(f, "__self__", None), "name", None) or type(getattr(f, "__self__", None)).__name__
        if name in OWN and str(getattr(f, "__module__", "")).startswith("autograd"):
            continue
        of_stats = any(s.endswith(f".{name}") and s.partition(".")[0] in (owner, owner.removesuffix("_gen")) for s in stats)
        by_name = any(n.rpartition(".")[2] == name for n in listed)
        if not (of_stats or by_name or name == "gammasgn"):
            unknown.append((owner, name))
    assert not unknown
