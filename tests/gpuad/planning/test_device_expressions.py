"""Expressions of generated kernels against NumPy and SciPy: every function of the table, every kind of dtype, special values."""
import operator
import warnings
import zlib

import numpy as np
import pytest
import scipy.special as sp

from gpuad.planning import functions
from gpuad.planning.device import expressions
from gpuad.planning.device.expressions import arguments, ctype, expression, is_supported, load, prelude, store
from gpuad.planning.device.mathematics import TABLE
from gpuad.planning.program import Program, Row, Spec, Var, spec_of
from tests.standin import compiling, emulation

needs_compiler = pytest.mark.skipif(bool(emulation.missing()), reason=emulation.missing() or "none")

REAL = [np.dtype(d) for d in ("float16", "float32", "float64")]
WHOLE = [np.dtype(d) for d in ("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")]
COMPLEX = [np.dtype(d) for d in ("complex64", "complex128")]
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-310, -1e-42, 1.0, -1.0, 2.0, -3.0, 0.5, 1.5, -2.5, 88.0,
           -700.0, 1e30, 3e-8, 100.0]
RAISES_ON_NEGATIVE = {np.power}
EITHER_ZERO = {np.maximum, np.minimum, np.fmax, np.fmin, np._core.umath.clip}
SCALES = (1e-3, 1.0, 10.0)
PARTS = (0.0, 0.25, -1.0, 3.0, -20.0)
ULPS = {"f": 16, "c": 64}
OWN = {f for f in TABLE if getattr(sp, f.__name__, None) is f}
"""SciPy's own ufuncs, which lose digits themselves and treat infinities in their ways: tested on moderate numbers."""


def values(dtype, k):
    """Ordinary and special values of a dtype, in an order of their own for each operand."""
    random = np.random.default_rng(k)
    if dtype.kind == "c":
        grid = np.array([complex(a, b) for a in PARTS for b in PARTS])
        x = np.concatenate([grid, *(random.normal(0, s, 40) + 1j * random.normal(0, s, 40) for s in SCALES)])
    elif dtype.kind == "f":
        x = np.concatenate([np.repeat(SPECIAL, len(SPECIAL)) if k == 0 else np.tile(SPECIAL, len(SPECIAL)),
                            *(random.normal(0, s, 60) for s in SCALES), random.uniform(0, 1, 60)])
    elif dtype.kind == "b":
        x = random.integers(0, 2, 100)
    else:
        info = np.iinfo(dtype)
        negative = [-1, -2, info.min + 1] if info.min else []
        edges = np.array([info.min, info.max, 0, 1, 2, 3, 7, 64, info.max - 1, *negative], dtype)
        x = np.concatenate([np.repeat(edges, len(edges)) if k == 0 else np.tile(edges, len(edges)),
                            random.integers(0, 100, 60).astype(dtype)])
    with np.errstate(all="ignore"):
        return np.asarray(x).astype(dtype)


def row_of(function, *args, **kwargs):
    """A program of one row, and what NumPy gives for it. Arrays become inputs; other arguments stay."""
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    numbers = iter(range(len(arrays)))
    with np.errstate(all="ignore"):
        wanted = function(*args, **kwargs)
    names = tuple(Var(next(numbers)) if isinstance(a, np.ndarray) else a for a in args)
    row = Row(function, names, kwargs, spec_of(wanted))
    return Program(tuple(map(spec_of, arrays)), (), (row,), (Var(len(arrays)),)), row, arrays, wanted


def ufunc_cases():
    """(ufunc, arrays) for all loops of the table."""
    for ufunc, loops in TABLE.items():
        whole = WHOLE if "i" in "".join(loops) else WHOLE[1:9:6]  # functions of floats take integers all alike
        pairs = [(d,) * ufunc.nin for d in (*whole, *REAL, *COMPLEX)]
        if ufunc.nin == 2:
            pairs += [(REAL[1], REAL[2]), (WHOLE[1], REAL[0]), (WHOLE[5], REAL[1]), (WHOLE[7], WHOLE[8]), (WHOLE[8], WHOLE[7]),
                      (WHOLE[3], WHOLE[2]), (REAL[1], COMPLEX[0]), (COMPLEX[1], REAL[1]), (REAL[2], WHOLE[5]),
                      (REAL[1], WHOLE[5])]
        for dtypes in pairs:
            arrays = [values(d, k) for k, d in enumerate(dtypes)]
            if ufunc in OWN:
                if any(d not in REAL[1:] for d in dtypes):
                    continue
                arrays = [a[~(np.abs(a) > 40) & ~((a != 0) & (np.abs(a) < 1e-30))] for a in arrays]
            n = min(map(len, arrays))
            arrays = [a[:n] for a in arrays]
            if ufunc in RAISES_ON_NEGATIVE and arrays[1].dtype.kind == "i":
                arrays[1] = np.abs(arrays[1] % 100)
            try:
                yield row_of(ufunc, *arrays)
            except TypeError:
                continue


def other_cases():
    """Selections, casts, parts, numbers of Python's."""
    x, z = values(REAL[1], 0)[:100], values(COMPLEX[0], 0)[:100]
    small = np.random.default_rng(3).uniform(-100, 100, 100)
    for source in (np.abs(small).astype(np.uint8), small.astype(np.int64), small.astype(np.float16), small,
                   small.astype(np.float32), small + 1j, small > 0):
        for target in (*WHOLE, *REAL, *COMPLEX):
            if not (source.dtype.kind in "fci" and target.kind == "u"):  # negative numbers, of which C says nothing
                with np.errstate(all="ignore"):
                    yield row_of(functions.cast, source, target)
    yield row_of(functions.select, x > 0, x, small)
    yield row_of(functions.select, x, 0, np.float32(2))
    yield row_of(functions.select, x > 0, z, np.nan)
    yield row_of(functions.real, z)
    yield row_of(functions.imaginary, z)
    yield row_of(functions.call_where, np.log, small > 0, small, np.abs(small))
    yield row_of(functions.convert, z, np.asarray)
    for number in (0.1, 3, True, np.inf, -0.0):
        yield row_of(np.multiply, x, number)
        yield row_of(np.maximum, number, x.astype(np.float16))
        yield row_of(np.subtract, number, z)
        yield row_of(np.add, np.arange(100, dtype=np.int8), number)
    yield row_of(np.less, np.arange(-50, 50), 3.5)
    yield row_of(np.power, x, 3)
    yield row_of(np.add, small, np.float32(0.1))
    yield row_of(np.add, np.ones(100, np.float32), x.astype(np.int8), dtype=np.float64)


def kernel(k, program, row, arrays):
    """A kernel that computes one row on one-dimensional arrays."""
    names = [f"a{i}" for i in range(len(arrays))]
    parameters = [f"const {ctype(a.dtype)}* {name}" for a, name in zip(arrays, names, strict=True)]
    operands = [load(program.spec(x.index).dtype, f"a{x.index} + i") if type(x) is Var else "" for x in arguments(row)]
    body = store(row.out.dtype, "out + i", expression(program, row, operands))
    return (f'extern "C" __global__ void k{k}({", ".join(parameters)}, {ctype(row.out.dtype)}* out, int n) {{\n'
            f"  for (int i = threadIdx.x; i < n; i += blockDim.x) {body};\n}}\n")


@pytest.fixture(scope="module")
def cases():
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # complex numbers cast to real ones
        found = [case for case in (*ufunc_cases(), *other_cases()) if is_supported(*case[:2])]
    assert len(found) > 400
    return found


@pytest.fixture(scope="module")
def source(cases):
    kernels = "".join(kernel(k, *case[:3]) for k, case in enumerate(cases))
    return prelude(kernels) + kernels


def tolerance(row, out):
    name = {np.dtype("float16"): 2**-10, np.dtype("complex64"): 2**-23, np.dtype("complex128"): 2**-52}
    eps = name.get(out.dtype) or np.finfo(out.dtype).eps
    if row.function in (np.power, np.float_power) and out.dtype == np.complex64:
        return 1e-4  # NumPy's own, which is computed in float32
    return 2000 * eps if row.function in OWN else ULPS[out.dtype.kind] * eps


def agree(row, out, wanted):
    if wanted.dtype.kind not in "fc":
        np.testing.assert_array_equal(out, wanted)
        return
    if wanted.dtype.kind == "c":
        finite = np.isfinite(wanted)
        size = np.abs(wanted[finite]) if row.function not in (np.log, np.log1p) else np.maximum(np.abs(wanted[finite]), 1)
        close = np.abs(out[finite] - wanted[finite]) <= tolerance(row, out) * size + np.finfo(out.dtype).tiny
        assert close.all(), (out[finite][~close], wanted[finite][~close])
        return
    tiny = float(np.finfo(wanted.dtype).tiny)
    own = row.function in OWN
    np.testing.assert_allclose(out, wanted, rtol=tolerance(row, out), atol=np.finfo(wanted.dtype).eps if own else tiny)
    exact = wanted == 0
    if not own and row.function not in EITHER_ZERO:
        np.testing.assert_array_equal(np.signbit(out[exact]), np.signbit(wanted[exact]))


@needs_compiler
def test_every_function_agrees_with_numpy(cases, source):
    failures = []
    for k, (_, row, arrays, wanted) in enumerate(cases):
        out = np.empty_like(wanted)
        emulation.run(source, f"k{k}", (1,), (32,), [*map(np.ascontiguousarray, arrays), out, np.int32(out.size)])
        try:
            with np.errstate(all="ignore"):
                agree(row, out, wanted)
        except AssertionError as error:
            failures.append(f"{row.function} {[a.dtype.name for a in arrays]} {row.args}: {error}")
    assert not failures, f"{len(failures)}\n" + "\n".join(failures)


@needs_compiler
def test_bfloat16_is_rounded_after_each_row():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    x, y = (np.linspace(a, 9, 200).astype(bfloat16) for a in (-3, 0.01))
    for function, args in ((np.multiply, (x, y)), (np.tanh, (x,)), (functions.select, (x > 0, x, y))):
        program, row, given, wanted = row_of(function, *args)
        text, out = kernel(0, program, row, given), np.empty(200, np.uint16)
        emulation.run(prelude(text) + text, "k0", (1,), (32,), [*given, out, np.int32(200)])
        np.testing.assert_array_equal(out, wanted.view(np.uint16))


def test_every_function_compiles_for_the_device(cases):
    chosen = {(row.function, arrays[0].dtype.kind): (program, row, arrays) for program, row, arrays, _ in cases}
    text = "".join(kernel(k, *case) for k, case in enumerate(chosen.values()))
    compiling.require_compiles(prelude(text) + text)


def test_every_ufunc_of_the_table_has_a_case(cases):
    assert set(TABLE) <= {row.function for _, row, _, _ in cases}


@pytest.mark.parametrize(("value", "dtype", "text"), [
    (0.1, "float32", "0x1.99999a0000000p-4f"), (0.1, "float64", "0x1.999999999999ap-4"),
    (-1, "float32", "(-0x1.0000000000000p+0f)"),
    (-2**63, "int64", "(-9223372036854775807ll - 1)"), (2**64 - 1, "uint64", "18446744073709551615ull"), (True, "bool", "true"),
    (np.inf, "float16", "infinity<float>()"), (1e6, "float16", "infinity<float>()"), (-5, "int8", "(signed char)(-5)"),
    (1j, "complex64", "Complex<float>(0x0.0p+0f, 0x1.0000000000000p+0f)")])
def test_literals_are_exact(value, dtype, text):
    assert expressions.literal(value, dtype) == text


def test_numbers_are_weak_and_arrays_are_not():
    specs = Spec((4,), np.dtype(np.float32)), Spec((), np.dtype(float), "number"), Spec((), np.dtype(float))
    program = Program(specs, (), (), ())
    weak = Row(np.add, (Var(0), Var(1)), {}, Spec((4,), np.dtype(np.float32)))
    strong = Row(np.add, (Var(0), Var(2)), {}, Spec((4,), np.dtype(np.float64)))
    assert expression(program, weak, ["a", "b"]) == "(a + (float)(b))"
    assert expression(program, strong, ["a", "b"]) == "((double)(a) + b)"


def test_operators_of_numbers():
    number = Spec((), np.dtype(float), "number")
    whole = Spec((), np.dtype(int), "number")
    program = Program((number, whole), (), (), ())
    assert expression(program, Row(operator.mul, (Var(0), Var(1)), {}, number), ["a", "b"]) == "(a * (double)(b))"
    ratio = Row(operator.truediv, (Var(1), 2), {}, number)
    assert expression(program, ratio, ["a", ""]) == "((double)(a) / 0x1.0000000000000p+1)"


@pytest.mark.parametrize("row", [
    Row(np.add.reduce, (Var(0),), {}, Spec((), np.dtype(float))), Row(np.modf, (Var(0),), {}, Spec((), None, "tuple")),
    Row(np.add, (Var(0), 1), {"where": Var(0)}, Spec((4,), np.dtype(float))),
    Row(sp.ellipk, (Var(0),), {}, Spec((4,), np.dtype(float))), Row(np.sort, (Var(0),), {}, Spec((4,), np.dtype(float)))])
def test_what_has_no_expression_is_refused(row):
    program = Program((Spec((4,), np.dtype(float)),), (), (), ())
    assert not is_supported(program, row)


def test_a_constant_that_the_loop_cannot_hold_is_refused():
    program = Program((Spec((4,), np.dtype(np.int8)),), (), (), ())
    assert not is_supported(program, Row(np.less, (Var(0), 1000), {}, Spec((4,), np.dtype(bool))))


def test_the_prelude_has_what_is_used_and_its_order_does_not_depend_on_the_text():
    assert prelude("x + y") == ""
    text = prelude("b = complex_sqrt(a)")
    assert "struct Complex" in text and "digamma" not in text
    assert prelude("log_odds digamma") == prelude("digamma log_odds")
    assert zlib.crc32(prelude("complex_power").encode()) == zlib.crc32(prelude("complex_power").encode())
