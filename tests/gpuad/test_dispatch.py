"""The table is covered, its four spellings agree, and what it cannot honour it refuses."""
from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad import NotDifferentiableError, primitives
from gpuad.differential import Elementwise, MultiOutput, Primitive, Variadic
from gpuad.dispatch import METHODS, TABLE
from gpuad.primitives.constants import CONSTANTS
from gpuad.traced import TracedArray
from linalg import Identity, LinearOperator
from linalg.arrays import to_host
from tests.gpuad.programs import CASES, Case

COVERED = {key for entry in CASES for key in entry.covers}


def test_every_function_of_the_table_is_in_the_catalogue() -> None:
    missing = [getattr(f, "__name__", f) for f in TABLE if f not in COVERED and f not in CONSTANTS]
    assert not missing, f"add cases to tests/gpuad/programs.py for {missing}"


def test_every_ufunc_method_is_in_the_catalogue() -> None:
    assert not [key for key in METHODS if key not in COVERED]


REFUSING = {
    "__array__", "__float__", "__int__", "__complex__", "__index__", "item", "tolist", "_refuse", "__hash__"}
PROTOCOL = {
    "__scipy_namespace__",
    "__array_ufunc__", "__array_function__", "__array_namespace__", "__cupy_override_elementwise_kernel__", "_apply_linear",
    "__init__", "__repr__", "__format__", "__bool__", "__deepcopy__", "__copy__", "become",
    *(f"__i{symbol}__" for symbol in "add sub mul truediv pow mod floordiv matmul".split())}
CONSTANT_METHODS = {
    "__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__", "__invert__", "argmax", "argmin", "argsort",
    "argpartition", "any", "all",
    "nonzero", "searchsorted", "round", "__round__"}
PLAIN = {"shape", "dtype", "ndim", "size", "itemsize", "nbytes", "device", "index", "program", "value", "link", "views"}


def test_every_method_of_a_traced_array_is_in_the_catalogue() -> None:
    names = {n for n, v in vars(TracedArray).items() if callable(v) or isinstance(v, property)}
    missing = names - REFUSING - PROTOCOL - CONSTANT_METHODS - PLAIN - {
        key.removeprefix("TracedArray.") for key in COVERED if isinstance(key, str)}
    assert not missing, f"add methods to tests/gpuad/programs.py: {missing}"


# ---- four spellings

DIRECT = [pytest.param(c, id=c.name) for c in CASES if c.covers and c.f in c.covers]


def _has(function: Any, xp: Any) -> bool:
    try:
        return _attribute(function, xp) is not None
    except AttributeError:
        return False


def _attribute(function: Any, root: Any) -> Callable[..., Any]:
    """The function of the same name in another namespace."""
    module = (getattr(function, "__module__", None) or "numpy").split(".")
    part = next((name for name in ("linalg", "fft") if name in module), None)
    return getattr(root if part is None else getattr(root, part), function.__name__)


def _gradient(f: Callable[..., Any], entry: Case, xp: Any) -> list[Any]:
    args = [xp.asarray(a) for a in entry.arguments(entry.kinds[0])]
    out, system = ad.linearize(lambda *a: _leaves(f(*a)), *args)
    return [to_host(g) for g in system.pullback([xp.ones_like(y) for y in out])]


def _leaves(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (tuple, list)) else [out]


@pytest.mark.parametrize("entry", DIRECT)
def test_the_namespaces_agree(entry: Case, xp: Any) -> None:
    module = ad.numpy if xp is np else ad.cupy
    if not _has(entry.f, xp):
        pytest.skip(f"CuPy has no {entry.f.__name__}")
    expected = _gradient(entry.f, entry, xp)
    for spelled in (_attribute(entry.f, module),
                    lambda x, *rest: _attribute(entry.f, x.__array_namespace__())(x, *rest)):
        for a, b in zip(_gradient(spelled, entry, xp), expected, strict=True):
            np.testing.assert_array_equal(a, b)


METHOD_NAMES = ("sum mean prod max min var std cumsum take repeat diagonal trace swapaxes squeeze ravel argmax argsort any all "
                "nonzero round transpose reshape clip dot conj").split()
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "take": ([0, 2],), "repeat": (2,), "swapaxes": (0, 1), "reshape": ((3, 2),), "clip": (-1, 1), "dot": (np.ones((3, 2)),)}


@pytest.mark.parametrize("name", METHOD_NAMES)
def test_methods_are_the_functions(name: str) -> None:
    x, args = np.random.default_rng(0).standard_normal((2, 3)), ARGUMENTS.get(name, ())
    def total(y: Any) -> Any:
        return np.sum(np.asarray(y) if name in CONSTANT_METHODS else y)
    by_method = ad.jacobian(lambda t: t * total(getattr(t, name)(*args)))(x)
    np.testing.assert_array_equal(by_method, ad.jacobian(lambda t: t * total(getattr(np, name)(t, *args)))(x))


OPERATORS: dict[str, tuple[Callable[..., Any], Any]] = {
    "add": (lambda a, b: a + b, np.add), "subtract": (lambda a, b: a - b, np.subtract),
    "multiply": (lambda a, b: a * b, np.multiply),
    "divide": (lambda a, b: a / b, np.divide), "power": (lambda a, b: a**b, np.power),
    "remainder": (lambda a, b: a % b, np.remainder),
    "matmul": (lambda a, b: a @ b, np.matmul)}


@pytest.mark.parametrize("name", OPERATORS)
def test_operators_are_the_functions(name: str) -> None:
    symbol, function = OPERATORS[name]
    rng = np.random.default_rng(1)
    a, b = rng.uniform(1, 2, (2, 2)), rng.uniform(2, 3, (2, 2))
    for f, g in ((symbol, function), (lambda x, y: symbol(x, b) + symbol(a, y), lambda x, y: function(x, b) + function(a, y))):
        for p, q in zip(ad.jacobian(f, (0, 1))(a, b), ad.jacobian(g, (0, 1))(a, b), strict=True):
            np.testing.assert_array_equal(p, q)


# ---- constants

def test_constant_functions_give_plain_arrays() -> None:
    seen = []
    def f(x: Any) -> Any:
        seen.extend([x > 0, np.floor(x), np.argmax(x), np.isfinite(x), x.argsort(), np.shape(x), np.round(x, 1),
                     np.searchsorted(np.arange(3.0), x), x == 1, ~(x > 0), np.linalg.matrix_rank(x[None]), np.bincount(x > 0),
                     np.histogram(x, 3)[0], np.signbit(x)])
        return np.sum(x * np.sign(x))
    x = np.array([1.0, -2.0, 0.5])
    np.testing.assert_array_equal(ad.grad(f)(x), np.sign(x))
    assert not any(isinstance(s, TracedArray) for s in seen)


# ---- what is refused

REFUSED: dict[str, Callable[[Any], Any]] = {
    "out of a ufunc": lambda x: np.add(x, 1, out=np.zeros(3)),
    "where of a ufunc": lambda x: np.exp(x, where=np.array([True, False, True])),
    "dtype of a ufunc": lambda x: np.exp(x, dtype=int), "casting of a ufunc": lambda x: np.exp(x, casting="no"),
    "out of sum": lambda x: np.sum(x, out=np.zeros(())),
    "out of take": lambda x: np.take(x, [0], out=np.zeros(1)),
    "out of dot": lambda x: np.dot(x, x, out=np.zeros(())),
    "dtype of concatenate": lambda x: np.concatenate([x, x], dtype=np.float32),
    "casting of concatenate": lambda x: np.concatenate([x, x], casting="no"),
    "casting of stack": lambda x: np.stack([x, x], casting="no"),
    "casting of vstack": lambda x: np.vstack([x, x], casting="no"),
    "casting of hstack": lambda x: np.hstack([x, x], casting="no"),
    "complex ends of ediff1d": lambda x: np.ediff1d(x, to_end=1j),
    "copy of nan_to_num": lambda x: np.nan_to_num(x, copy=False),
    "mask in take_along_axis": lambda x: np.take_along_axis(x, np.array([True, False, True]), 0),
    "dtype of einsum": lambda x: np.einsum("i,i", x, x, dtype=np.float32),
    "order of sort": lambda x: np.sort(x, order="f"),
    "device of astype": lambda x: x.astype(np.float32, device="gpu"),
    "safe cast": lambda x: x.astype(np.float32, casting="safe"),
    "mode of pad": lambda x: np.pad(x, 1, "ramp"),
    "function as mode of pad": lambda x: np.pad(x, 1, lambda *_: None),
    "constant_values with edge": lambda x: np.pad(x, 1, "edge", constant_values=3),
    "stat_length with constant": lambda x: np.pad(x, 1, stat_length=3),
    "layout of memory": lambda x: np.ravel(x[None], order="A"),
    "where without initial": lambda x: np.max(x, where=[True, False, True]),
    "ddof and correction": lambda x: np.var(x, ddof=1, correction=1),
    "raw qr": lambda x: np.linalg.qr(x[None], mode="raw"),
    "matrix norm of a vector": lambda x: np.linalg.norm(x, "fro", axis=0),
    "norm over three axes": lambda x: np.linalg.norm(x[None, None], 2),
    "fractional power": lambda x: np.linalg.matrix_power(x[:1, None], 0.5),
    "axis out of range": lambda x: np.sum(x, axis=1),
    "sizes in reshape": lambda x: x.reshape(2, -1),
    "two unknowns in reshape": lambda x: x.reshape(-1, -1),
    "traced index": lambda x: x[x],
    "lengths in tensordot": lambda x: np.tensordot(x, np.ones((2, 2)), 1),
    "too many axes in tensordot": lambda x: np.tensordot(x, x, 2),
    "cross of planes": lambda x: np.cross(x[:2], x[:2]),
    "unknown option": lambda x: np.einsum("i->", x, nonsense=1),
    "where with one branch": lambda x: np.where([True, False, True], x),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_honoured_is_refused(what: str) -> None:
    with pytest.raises((TypeError, ValueError, IndexError, np.linalg.LinAlgError)):
        ad.vjp(REFUSED[what], np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("f", [np.packbits, np.gcd, np.arctan2.accumulate])
def test_functions_without_a_differential_name_themselves(f: Any) -> None:
    name = f.__name__
    with pytest.raises(NotDifferentiableError, match=name):
        ad.vjp(lambda x: f(x, 1.0) if name == "gcd" else f(x), np.eye(2))


# ---- there are no reverse rules

SOURCES = sorted(Path(primitives.__file__).parent.glob("*.py"))
FORBIDDEN = ("vjp", "backward", "adjoint", "pullback", "cotangent", "reverse", "transpose_rule", "rmatvec", "_apply_transpose")


def _names(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        found |= {getattr(node, field) for field in ("name", "id", "attr", "arg") if isinstance(getattr(node, field, None), str)}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_no_primitive_has_a_reverse_rule(path: Path) -> None:
    names = _names(ast.parse(path.read_text()))
    assert not [n for n in names if any(word in n.lower() for word in FORBIDDEN)]


def test_a_primitive_is_a_function_and_its_differential() -> None:
    for kind in (Primitive, Elementwise, Variadic, MultiOutput):
        parameters = set(inspect.signature(kind).parameters)
        assert parameters <= {"name", "fun", "rules", "rule", "component"}


def test_a_rule_gives_an_element_and_nothing_else() -> None:
    identity = Primitive("identity", lambda x: x, lambda shape, _y, _x: Identity(shape))
    x = np.arange(3.0)
    _, system = ad.linearize(identity, x)
    assert all(isinstance(e, LinearOperator) for row in system._blocks for _, e in row)
    np.testing.assert_array_equal(system.pullback(np.ones(3))[0], np.ones(3))
