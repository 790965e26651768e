"""Dual numbers: forward mode from a number type that knows + − × ÷ and promotion, nothing else."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, repr=False)
class Dual:
    """value + tangent ε, with ε² = 0.

    A program of + − × ÷ that is run on ``Dual(x, 1)`` gives its result and its derivative at x, by no other rule than

        (v + v′ε)(w + w′ε) = vw + (v′w + vw′) ε,    (v + v′ε)/(w + w′ε) = v/w + (v′w − vw′)/w² ε

    Value and tangent are anything that knows these operations: floats, fractions, SymPy expressions, arrays of NumPy or
    CuPy, or dual numbers again: ``Dual(Dual(x, 1), Dual(1, 0))`` gives second derivatives. Whatever is not a dual number, or
    is one of fewer levels, is a constant. Powers with integer exponents are products. There is no √, no sin, and no
    comparison: write them as programs.

    (Clifford 1873; Edelman, MIT 18.065, lecture 36.)

    >>> t = Dual(49.0, 1.0)
    >>> (1 + t) / 2
    25.0 + 0.5ε
    """

    value: Any
    tangent: Any

    __array_ufunc__ = None  # array + Dual is one dual number that holds arrays, not an array of dual numbers

    def __pos__(self) -> Dual:
        return self

    def __neg__(self) -> Dual:
        return Dual(-self.value, -self.tangent)

    def __add__(self, other: Any) -> Dual:
        a, b = _promote(self, other)
        return Dual(a.value + b.value, a.tangent + b.tangent)

    def __radd__(self, other: Any) -> Dual:
        a, b = _promote(other, self)
        return Dual(a.value + b.value, a.tangent + b.tangent)

    def __sub__(self, other: Any) -> Dual:
        a, b = _promote(self, other)
        return Dual(a.value - b.value, a.tangent - b.tangent)

    def __rsub__(self, other: Any) -> Dual:
        a, b = _promote(other, self)
        return Dual(a.value - b.value, a.tangent - b.tangent)

    def __mul__(self, other: Any) -> Dual:
        a, b = _promote(self, other)
        return Dual(a.value * b.value, _times(a.tangent, b.value) + _times(b.tangent, a.value))

    def __rmul__(self, other: Any) -> Dual:
        a, b = _promote(other, self)
        return Dual(a.value * b.value, _times(a.tangent, b.value) + _times(b.tangent, a.value))

    def __truediv__(self, other: Any) -> Dual:
        a, b = _promote(self, other)
        ratio = a.value / b.value
        return Dual(ratio, _over(a.tangent - _times(b.tangent, ratio), b.value))

    def __rtruediv__(self, other: Any) -> Dual:
        a, b = _promote(other, self)
        return a / b

    def __pow__(self, n: Any) -> Dual:
        """A product of n factors (or of 1/self), for an integer n."""
        if isinstance(n, bool) or not hasattr(n, "__index__"):
            return NotImplemented
        base, n = (self, int(n)) if n >= 0 else (1 / self, -int(n))
        if n == 0:
            return Dual(self.value**0, _times(self.tangent, 0))
        result = None
        while n:  # by squaring
            if n & 1:
                result = base if result is None else result * base
            n >>= 1
            base = base * base if n else base
        return result  # type: ignore[return-value]

    def __repr__(self) -> str:
        epsilon = "ε" if (n := _levels(self)) == 1 else f"ε{str(n).translate(_SUBSCRIPTS)}"
        tangent = _written(self.tangent)
        sign = "−" if tangent.startswith("-") and " " not in tangent else "+"
        return f"{_written(self.value)} {sign} {tangent.removeprefix('-') if sign == '−' else tangent}{epsilon}"


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _levels(x: Any) -> int:
    """How deep dual numbers are nested in x; 0 for a plain number."""
    return 1 + max(_levels(x.value), _levels(x.tangent)) if isinstance(x, Dual) else 0


def _promote(a: Any, b: Any) -> tuple[Dual, Dual]:
    """Both as dual numbers of as many levels as the deeper one has: the other is a constant, c + 0ε."""
    n = max(_levels(a), _levels(b))
    return (a if _levels(a) == n else Dual(a, 0)), (b if _levels(b) == n else Dual(b, 0))


def _times(tangent: Any, factor: Any) -> Any:
    """tangent · factor, where the 0 of a constant is no tangent at all: 0 · ∞ does not make a NaN of it."""
    return 0 if type(tangent) is int and tangent == 0 else tangent * factor


def _over(tangent: Any, divisor: Any) -> Any:
    return 0 if type(tangent) is int and tangent == 0 else tangent / divisor


def _written(x: Any) -> str:
    text = str(x)
    compound = isinstance(x, Dual) or (not text.startswith("[") and any(sign in text for sign in " /"))
    return f"({text})" if compound else text
