"""What elementwise functions are in CUDA C++: for each ufunc of NumPy and scipy.special, an expression for each kind of loop.

Kinds are those of the loop's first input: b, i, u, f, c. In an expression {0}, {1}, ... are the inputs, each of which stands
there once, in the loop's types; {T} is the C++ type of the first input, {O} of the result, and {f} the suffix of <math.h>'s
functions. Where a kind is missing the function has no such loop, or none that is accurate here.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sp

Loops = dict[str, str]
U = "(unsigned long long)"

TABLE: dict[Any, Loops] = {
    np.add: {"b": "({0} || {1})", "iu": f"({{T}})({U}{{0}} + {U}{{1}})", "fc": "({0} + {1})"},
    np.subtract: {"iu": f"({{T}})({U}{{0}} - {U}{{1}})", "fc": "({0} - {1})"},
    np.multiply: {"b": "({0} && {1})", "iu": f"({{T}})({U}{{0}} * {U}{{1}})", "fc": "({0} * {1})"},
    np.divide: {"biu": "(({O}){0} / ({O}){1})", "fc": "({0} / {1})"},
    np.floor_divide: {"iuf": "floor_quotient<{T}>({0}, {1})"},
    np.remainder: {"iuf": "floor_remainder<{T}>({0}, {1})"},
    np.fmod: {"iu": "remainder_of<{T}>({0}, {1})", "f": "fmod{f}({0}, {1})"},
    np.power: {"iu": "whole_power<{T}>({0}, {1})", "f": "pow{f}({0}, {1})", "c": "complex_power({0}, {1})"},
    np.float_power: {"f": "pow{f}({0}, {1})", "c": "complex_power({0}, {1})"},
    np.negative: {"iu": f"({{T}})(0ull - {U}{{0}})", "fc": "(-{0})"},
    np.positive: {"iufc": "{0}"},
    np.conjugate: {"iuf": "{0}", "c": "conjugated({0})"},
    np.absolute: {"bu": "{0}", "i": "magnitude<{T}>({0})", "f": "fabs{f}({0})", "c": "modulus({0})"},
    np.fabs: {"f": "fabs{f}({0})"},
    np.square: {"iu": f"({{T}})squared({U}{{0}})", "fc": "squared({0})"},
    np.reciprocal: {"f": "({T}(1) / {0})", "c": "({T}(1) / {0})"},
    np.sign: {"iuf": "sign_of<{T}>({0})", "c": "direction({0})"},
    np.heaviside: {"f": "step<{T}>({0}, {1})"},
    np.copysign: {"f": "copysign{f}({0}, {1})"},
    np.nextafter: {"f": "nextafter{f}({0}, {1})"},
    np.spacing: {"f": "spacing_of<{T}>({0})"},
    np.ldexp: {"f": "ldexp{f}({0}, bounded({1}))"},
    np.gcd: {"iu": "({T})common_divisor<{T}>({0}, {1})"},
    np.lcm: {"iu": "common_multiple<{T}>({0}, {1})"},
    np.bitwise_count: {"iu": "bit_count<{T}>({0})"},
    np.maximum: {"b": "({0} || {1})", "iuf": "largest<{T}>({0}, {1})"},
    np.minimum: {"b": "({0} && {1})", "iuf": "smallest<{T}>({0}, {1})"},
    np.fmax: {"b": "({0} || {1})", "iu": "largest<{T}>({0}, {1})", "f": "fmax{f}({0}, {1})"},
    np.fmin: {"b": "({0} && {1})", "iu": "smallest<{T}>({0}, {1})", "f": "fmin{f}({0}, {1})"},
    np.equal: {"biufc": "({0} == {1})"}, np.not_equal: {"biufc": "({0} != {1})"},
    np.less: {"biufc": "({0} < {1})"}, np.less_equal: {"biufc": "({0} <= {1})"},
    np.greater: {"biufc": "({0} > {1})"}, np.greater_equal: {"biufc": "({0} >= {1})"},
    np.logical_and: {"biufc": "(truth({0}) && truth({1}))"}, np.logical_or: {"biufc": "(truth({0}) || truth({1}))"},
    np.logical_xor: {"biufc": "(truth({0}) != truth({1}))"}, np.logical_not: {"biufc": "(!truth({0}))"},
    np.bitwise_and: {"b": "({0} && {1})", "iu": "({T})({0} & {1})"},
    np.bitwise_or: {"b": "({0} || {1})", "iu": "({T})({0} | {1})"},
    np.bitwise_xor: {"b": "({0} != {1})", "iu": "({T})({0} ^ {1})"},
    np.invert: {"b": "(!{0})", "iu": "({T})(~{0})"},
    np.left_shift: {"iu": "shifted_left<{T}>({0}, {1})"}, np.right_shift: {"iu": "shifted_right<{T}>({0}, {1})"},
    np.isnan: {"biu": "false", "fc": "({0} != {0})"},
    np.isinf: {"biu": "false", "f": "(fabs{f}({0}) == infinity<{T}>())", "c": "is_infinite_complex({0})"},
    np.isfinite: {"biu": "true", "f": "is_finite({0})", "c": "is_finite_complex({0})"},
    np.signbit: {"f": "(copysign{f}({T}(1), {0}) < 0)"},
    np.exp: {"f": "exp{f}({0})", "c": "complex_exp({0})"},
    np.expm1: {"f": "expm1{f}({0})", "c": "complex_expm1({0})"},
    np.log: {"f": "log{f}({0})", "c": "complex_log({0})"},
    np.log1p: {"f": "log1p{f}({0})", "c": "complex_log1p({0})"},
    np.sqrt: {"f": "sqrt{f}({0})", "c": "complex_sqrt({0})"},
    np.sinh: {"f": "sinh{f}({0})", "c": "complex_sinh({0})"},
    np.cosh: {"f": "cosh{f}({0})", "c": "complex_cosh({0})"},
    np.tanh: {"f": "tanh{f}({0})", "c": "complex_tanh({0})"},
    np.sin: {"f": "sin{f}({0})", "c": "(-turned(complex_sinh(turned({0}))))"},
    np.cos: {"f": "cos{f}({0})", "c": "complex_cosh(turned({0}))"},
    np.tan: {"f": "tan{f}({0})", "c": "(-turned(complex_tanh(turned({0}))))"},
    np.deg2rad: {"f": "({0} * {T}(0.017453292519943295))"}, np.radians: {"f": "({0} * {T}(0.017453292519943295))"},
    np.rad2deg: {"f": "({0} * {T}(57.29577951308232))"}, np.degrees: {"f": "({0} * {T}(57.29577951308232))"},
    np.logaddexp: {"f": "log_of_sum<{T}>({0}, {1})"}, np.logaddexp2: {"f": "log2_of_sum<{T}>({0}, {1})"},
    np.rint: {"f": "rint{f}({0})", "c": "{T}(rint(({0}).re), rint(({0}).im))"},
    **{getattr(np, name): {"biu": "{0}", "f": name + "{f}({0})"} for name in ("floor", "ceil", "trunc")},
    **{getattr(np, name): {"f": c + "{f}({0})"} for name, c in {
        "exp2": "exp2", "log2": "log2", "log10": "log10", "cbrt": "cbrt", "arcsin": "asin", "arccos": "acos", "arctan": "atan",
        "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh"}.items()},
    **{getattr(np, name): {"f": c + "{f}({0}, {1})"} for name, c in {"arctan2": "atan2", "hypot": "hypot"}.items()},
    np._core.umath.clip: {"iuf": "smallest<{T}>(largest<{T}>({0}, {1}), {2})"},  # type: ignore[attr-defined]
    sp.expit: {"f": "logistic({0})"}, sp.log_expit: {"f": "log_logistic({0})"}, sp.logit: {"f": "log_odds({0})"},
    sp.xlogy: {"f": "x_log<{T}>({0}, {1})"}, sp.xlog1py: {"f": "x_log1p<{T}>({0}, {1})"}, sp.entr: {"f": "entropy({0})"},
    sp.rel_entr: {"f": "relative_entropy<{T}>({0}, {1})"}, sp.exprel: {"f": "relative_expm1({0})"},
    sp.boxcox: {"f": "({T})box_cox<double>(log((double){0}), {1})"},
    sp.boxcox1p: {"f": "({T})box_cox<double>(log1p((double){0}), {1})"},
    sp.ndtr: {"f": "normal_below({0})"}, sp.log_ndtr: {"f": "log_normal_below({0})"},
    sp.gammaln: {"f": "log_gamma({0})"}, sp.gamma: {"f": "gamma_of({0})"}, sp.psi: {"f": "digamma({0})"},
    **{getattr(sp, name): {"f": c + "{f}({0})"} for name, c in {
        "erf": "erf", "erfc": "erfc", "erfcx": "erfcx", "erfinv": "erfinv", "erfcinv": "erfcinv", "ndtri": "normcdfinv",
        "exp2": "exp2", "exp10": "exp10", "expm1": "expm1", "log1p": "log1p", "cbrt": "cbrt", "j0": "j0", "j1": "j1",
        "y0": "y0", "y1": "y1", "i0": "cyl_bessel_i0", "i1": "cyl_bessel_i1"}.items()},
}
"""Ufunc -> kinds of loops -> expression."""

ROUNDED_APART = {np.nextafter, np.spacing}
"""Functions of a number's own precision, which float16 computed in float does not have."""


def template(ufunc: Any, kind: str) -> str | None:
    """The expression of a ufunc for a kind of loop; None where there is none."""
    for kinds, text in TABLE.get(ufunc, {}).items():
        if kind in kinds:
            return text
    return None
