"""Discrete Fourier transforms, of complex arrays and of real ones, and the orthogonal cosine and sine transforms."""
from __future__ import annotations

from math import log2

import numpy as np

from linalg.arrays import Array, Shape, is_cupy, is_traced, namespace, records, scipy_module, size
from linalg.checks import require_shape
from linalg.elements.identity import BOOL, Identity
from linalg.operator import LinearOperator

SWAPPED = {"backward": "forward", "ortho": "ortho", "forward": "backward"}
"""Which of two opposite transforms has the factor 1/n, as NumPy names it, seen from the other one."""

DOUBLE = np.dtype(np.complex128)


class Fourier(LinearOperator):
    """The discrete Fourier transform along axes: y_k = c Σ_j exp(∓2πi jk/n) x_j, with + for the inverse.

    NumPy's names for the factor c: "backward" (1/n in the inverse), "forward" (1/n in the other one), "ortho" (1/√n in both).
    The matrix is symmetric, and unitary up to a factor: the transpose is the transform itself, the conjugate its opposite.
    """

    __slots__ = ("axes", "dtype", "in_shape", "inverse", "norm", "out_shape")

    def __init__(self, shape: Shape, axes: Shape, inverse: bool = False, norm: str = "backward", dtype: np.dtype = DOUBLE):
        require_shape(shape, "Fourier")
        self.in_shape = self.out_shape = shape
        self.axes = tuple(_negative(axis, shape, "Fourier") for axis in axes)
        self.inverse, self.norm, self.dtype = inverse, norm, np.dtype(dtype)

    @property
    def flops(self) -> int:
        return _flops(self.in_shape, *self.axes)

    def _apply(self, x: Array) -> Array:
        fft = namespace(x).fft
        return (fft.ifftn if self.inverse else fft.fftn)(x, axes=self.axes, norm=self.norm)

    _apply_transpose = _apply

    @property
    def T(self) -> Fourier:
        return self

    def conj(self) -> Fourier:
        return Fourier(self.in_shape, self.axes, not self.inverse, SWAPPED[self.norm], self.dtype)

    def _opposite(self) -> Fourier:
        return Fourier(self.in_shape, self.axes, not self.inverse, self.norm, self.dtype)

    def _solve(self, b: Array) -> Array:
        return self._opposite()._apply(b)

    _solve_transpose = _solve

    def _after(self, first: LinearOperator) -> LinearOperator | None:
        opposite = isinstance(first, Fourier) and (first.axes, first.norm, first.inverse) == (
            self.axes, self.norm, not self.inverse)
        return Identity(self.in_shape) if opposite else None


class HalfFourier(LinearOperator):
    """The entries 0 … n/2 of the Fourier transform of a real array along an axis (the others are their conjugates).

    ``conjugated`` gives their conjugates. ``n`` is the number of entries of the real array.
    """

    __slots__ = ("axis", "conjugated", "dtype", "in_shape", "norm", "out_shape")
    over_reals = True

    def __init__(self, shape: Shape, axis: int, norm: str = "backward", conjugated: bool = False, dtype: np.dtype = DOUBLE):
        require_shape(shape, "HalfFourier")
        self.axis, self.norm, self.conjugated = _negative(axis, shape, "HalfFourier"), norm, conjugated
        self.in_shape, self.out_shape = shape, _with_length(shape, self.axis, shape[self.axis] // 2 + 1)
        self.dtype = np.dtype(dtype)

    @property
    def flops(self) -> int:
        return _flops(self.in_shape, self.axis) // 2

    def _apply(self, x: Array) -> Array:
        y = namespace(x).fft.rfft(x.real, axis=self.axis, norm=self.norm)
        return y.conj() if self.conjugated else y

    def _apply_transpose(self, y: Array) -> Array:
        """Re Σ_k c exp(∓2πi jk/n) y_k, as half of what the inverse transform makes of y and its mirror image."""
        n = self.in_shape[self.axis]
        y = y * _weights(y, self.axis, n, 0.5)
        return namespace(y).fft.irfft(y if self.conjugated else y.conj(), n=n, axis=self.axis, norm=SWAPPED[self.norm])

    def conj(self) -> HalfFourier:
        return HalfFourier(self.in_shape, self.axis, self.norm, not self.conjugated, self.dtype)


class FromHalfFourier(LinearOperator):
    """The real array of n entries along an axis whose Fourier transform begins with the entries of z: inverse of HalfFourier.

    ``conjugated`` takes the conjugates of z. Imaginary parts that such a transform has not are dropped.
    """

    __slots__ = ("axis", "conjugated", "dtype", "in_shape", "norm", "out_shape")
    over_reals = True

    def __init__(self, shape: Shape, axis: int, norm: str = "backward", conjugated: bool = False, dtype: np.dtype = DOUBLE):
        """``shape`` is that of the result."""
        require_shape(shape, "FromHalfFourier")
        self.axis, self.norm, self.conjugated = _negative(axis, shape, "FromHalfFourier"), norm, conjugated
        self.in_shape, self.out_shape = _with_length(shape, self.axis, shape[self.axis] // 2 + 1), shape
        self.dtype = np.dtype(dtype)

    @property
    def flops(self) -> int:
        return _flops(self.out_shape, self.axis) // 2

    def _apply(self, z: Array) -> Array:
        n = self.out_shape[self.axis]
        return namespace(z).fft.irfft(z.conj() if self.conjugated else z, n=n, axis=self.axis, norm=self.norm)

    def _apply_transpose(self, x: Array) -> Array:
        z = namespace(x).fft.rfft(x.real, axis=self.axis, norm=SWAPPED[self.norm])
        z = z * _weights(z, self.axis, self.out_shape[self.axis], 2.0)
        return z if self.conjugated else z.conj()

    def conj(self) -> FromHalfFourier:
        return FromHalfFourier(self.out_shape, self.axis, self.norm, not self.conjugated, self.dtype)


def _weights(z: Array, axis: int, n: int, inner: float) -> Array:
    """One for the entries of a half spectrum that are alone in the whole one (0, and n/2 of an even n), ``inner`` for others."""
    weights = namespace(z).full(n // 2 + 1, inner, dtype=np.finfo(z.dtype).dtype)
    weights[0] = 1
    if n % 2 == 0:
        weights[-1] = 1
    return weights.reshape((-1,) + (1,) * (-1 - axis))


class CosineTransform(LinearOperator):
    """The discrete cosine transform of type 1, 2, 3 or 4 along an axis, or the sine transform, in its orthogonal form.

    Types 1 and 4 are symmetric; types 2 and 3 are transposes of each other.
    """

    __slots__ = ("axis", "in_shape", "out_shape", "sine", "type")
    dtype = BOOL

    def __init__(self, shape: Shape, axis: int, type: int = 2, sine: bool = False):  # noqa: A002 (SciPy's name)
        require_shape(shape, "CosineTransform")
        if type not in (1, 2, 3, 4):
            raise ValueError(f"CosineTransform expected type 1, 2, 3 or 4, got {type!r}")
        self.in_shape = self.out_shape = shape
        self.axis, self.type, self.sine = _negative(axis, shape, "CosineTransform"), type, sine

    @property
    def flops(self) -> int:
        return _flops(self.in_shape, self.axis) // 2

    def _apply(self, x: Array) -> Array:
        if records(x):
            return x._record(_cosines, x, self.axis, self.type, self.sine)
        if is_traced(x):
            return x._apply_linear(CosineTransform(x.shape, self.axis, self.type, self.sine))
        return _cosines(x, self.axis, self.type, self.sine)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    _solve = _apply_transpose

    @property
    def T(self) -> CosineTransform:
        return CosineTransform(self.in_shape, self.axis, {2: 3, 3: 2}.get(self.type, self.type), self.sine)


def _cosines(x: Array, axis: int, type: int, sine: bool) -> Array:  # noqa: A002
    if is_cupy(x) and type in (1, 4):  # which CuPy has not
        return _cosines_by_fourier(x, axis, type, sine)
    fft = scipy_module("fft", x)
    return (fft.dst if sine else fft.dct)(x, type=type, axis=axis, norm="ortho")


def _cosines_by_fourier(x: Array, axis: int, type: int, sine: bool) -> Array:  # noqa: A002
    """Types 1 and 4 as parts of Fourier transforms of twice the length."""
    if x.dtype.kind == "c":
        return _cosines_by_fourier(x.real, axis, type, sine) + 1j * _cosines_by_fourier(x.imag, axis, type, sine)
    xp = namespace(x)
    x = xp.moveaxis(x, axis, -1)
    n = x.shape[-1]
    at = xp.arange(n, dtype=x.dtype)
    if type == 4:
        z = xp.fft.fft(x * xp.exp(-0.5j * np.pi / n * at), n=2 * n)[..., :n] * xp.exp(-0.25j * np.pi / n * (2 * at + 1))
    elif sine:
        n += 1
        z = xp.fft.rfft(x, n=2 * n)[..., 1:n] * xp.exp(-1j * np.pi / n * (at + 1))
    else:
        n -= 1
        ends = xp.where((at == 0) | (at == n), 0.5**0.5, 1.0)
        z = ends * xp.fft.rfft(x * ends, n=2 * n)
    return xp.moveaxis(((2 / n) ** 0.5 * (-z.imag if sine else z.real)).astype(x.dtype, copy=False), -1, axis)


def _negative(axis: int, shape: Shape, name: str) -> int:
    """The axis counted from the last one, so that it stays where it is when leading axes come."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"{name} expected one of the {len(shape)} axes of {shape}, got axis {axis}")
    return axis - len(shape) if axis >= 0 else axis


def _with_length(shape: Shape, axis: int, n: int) -> Shape:
    return (*shape[:axis], n, *shape[len(shape) + axis + 1:])


def _flops(shape: Shape, *axes: int) -> int:
    """5 N log₂ n, as is usual for transforms of complex arrays."""
    return round(5 * size(shape) * sum(log2(max(shape[axis], 1)) for axis in axes))
