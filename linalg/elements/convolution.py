"""Convolution with a fixed kernel over any number of axes. Its transpose, the correlation, is such a convolution again."""
from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, broadcast, is_traced, namespace, records, size
from linalg.checks import broadcasts, require_array
from linalg.operator import LinearOperator
from linalg.sparse import csr, positions


def window(mode: str, m: Shape, n: Shape) -> tuple[Shape, Shape]:
    """(start, length) of the part of a full convolution of lengths m and n that a mode names.

    ``full`` is all of it, ``same`` the middle, of lengths m, ``valid`` where one covers the other whole.
    """
    pairs = list(zip(m, n, strict=True))
    if mode == "full":
        return (0,) * len(m), tuple(p + q - 1 for p, q in pairs)
    if mode == "same":
        return tuple((q - 1) // 2 for q in n), m
    if mode == "valid":
        return tuple(min(pair) - 1 for pair in pairs), tuple(abs(p - q) + 1 for p, q in pairs)
    raise ValueError(f"window expected mode 'full', 'same' or 'valid', got {mode!r}")


class Convolution(LinearOperator):
    """x ↦ y with y[i] = Σ_j k[j] x[i + start − j] and zeros outside of the kernel k and of x, for 0 ≤ i < length.

    The sum goes over the last axes, as many as ``start`` and ``length`` have; see :func:`window`. Axes before those are a batch:
    those of k broadcast to those of x. Long sums are computed through the FFT, whose rounding errors are relative to the
    largest entries, and which spreads infinities and NaN over all results.
    """

    __slots__ = ("in_shape", "kernel", "length", "start")

    def __init__(self, kernel: Array, in_shape: Shape, start: Shape, length: Shape):
        self.kernel, self.in_shape, self.start, self.length = kernel, in_shape, start, length

    def _validate(self) -> None:
        super()._validate()
        require_array(self.kernel, "Convolution", "its kernel")
        n, k, x = len(self.start), self.kernel.shape, self.in_shape
        if n != len(self.length) or len(k) < n or len(x) < n or not broadcasts(k[:len(k) - n], x[:len(x) - n]):
            raise ValueError("Convolution expected a kernel of shape (*batch, *k), arguments of shape (*batch, *x), and a start "
                             f"and a length for each axis of x, got {k}, {x}, {self.start} and {self.length}")

    @property
    def _batch(self) -> Shape:
        return self.in_shape[: len(self.in_shape) - len(self.start)]

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return self._batch + self.length

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.kernel.dtype

    @property
    def flops(self) -> int:
        return 2 * size(self._batch) * size(tuple(len(taps) for taps, _, _ in self._terms()))

    def _apply(self, x: Array) -> Array:
        return convolve(self.kernel, x, self.start, self.length)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    @property
    def T(self) -> Convolution:
        self._validate()
        n = len(self.start)
        lengths = self.kernel.shape[self.kernel.ndim - n:]
        turned = self.kernel[(Ellipsis, *[slice(None, None, -1)] * n)]
        start = tuple(k - 1 - s for k, s in zip(lengths, self.start, strict=True))
        return Convolution(turned, self.out_shape, start, self.in_shape[len(self.in_shape) - n:])

    def conj(self) -> Convolution:
        return Convolution(self.kernel.conj(), self.in_shape, self.start, self.length) if self.dtype.kind == "c" else self

    def _data(self) -> Array:
        return self.kernel

    def _terms(self) -> list[tuple[Any, Any, Any]]:
        """For each axis the terms of the sum: (position in k, in y, in x)."""
        n, terms = len(self.start), []
        for k, m, s, y in zip(self.kernel.shape[self.kernel.ndim - n:], self.in_shape[len(self.in_shape) - n:], self.start,
                              self.length, strict=True):
            tap, row = np.divmod(np.arange(k * y), max(y, 1))
            column = row + s - tap
            inside = (column >= 0) & (column < m)
            terms.append((tap[inside], row[inside], column[inside]))
        return terms

    def _sparse(self, _like: Array | None, _dtype: np.dtype) -> Any:
        n, xp = len(self.start), namespace(self.kernel)
        taps = rows = columns = np.zeros(1, int)
        lengths = (self.kernel.shape[self.kernel.ndim - n:], self.length, self.in_shape[len(self.in_shape) - n:])
        for axis, terms in enumerate(self._terms()):
            taps, rows, columns = (np.add.outer(flat * shape[axis], term).ravel()
                                   for flat, shape, term in zip((taps, rows, columns), lengths, terms, strict=True))
        kernel = broadcast(self.kernel, self._batch + lengths[0]).reshape(size(self._batch), size(lengths[0]))
        batch = positions((size(self._batch), 1), self.kernel)
        return csr(kernel[:, xp.asarray(taps)], batch * size(self.length) + xp.asarray(rows),
                   batch * size(lengths[2]) + xp.asarray(columns), self.shape)


def convolve(a: Array, b: Array, start: Shape, length: Shape) -> Array:
    """y[…, i] = Σ_j a[…, j] b[…, i + start − j] for 0 ≤ i < length, over the last axes; those before broadcast."""
    if traced := sorted(filter(is_traced, (a, b)), key=records):
        return traced[0].__array_function__(convolve, (), (a, b, start, length), {})
    if not start:
        return a * b
    n, dtype = len(start), np.result_type(a.dtype, b.dtype)
    batch = np.broadcast_shapes(a.shape[: a.ndim - n], b.shape[: b.ndim - n])
    lengths = [a.shape[a.ndim - n:], b.shape[b.ndim - n:], length]
    full = tuple(p + q - 1 for p, q in zip(*lengths[:2], strict=True))
    first = tuple(min(max(s, 0), m) for s, m in zip(start, full, strict=True))
    last = tuple(max(min(s + y, m), f) for s, y, m, f in zip(start, length, full, first, strict=True))
    inner = tuple(q - p for p, q in zip(first, last, strict=True))
    if inner != length or not min(map(size, lengths)) or not size(batch):
        y = namespace(a, b).zeros(batch + length, dtype=dtype)
        if min(map(size, lengths)) and size(batch) and size(inner):
            y[(Ellipsis, *[slice(f - s, f - s + m) for f, s, m in zip(first, start, inner, strict=True)])] = convolve(
                a, b, first, inner)
        return y
    products = math.prod(sorted(map(size, lengths))[:2])  # at most so many
    lines = n == 1 and type(a) is type(b) is np.ndarray
    if dtype.char in "fdFD" and products > (20 if lines else 4) * size(full) * size(full).bit_length():
        return _by_fft(a, b, start, length, full).astype(dtype, copy=False)
    if lines:
        return _by_lines(*((a, b) if lengths[0] <= lengths[1] else (b, a)), start[0], length[0], batch)
    if size(length) < min(map(size, lengths[:2])):
        return _by_results(a, b, start, length, batch)
    return _by_taps(*((a, b) if size(lengths[0]) <= size(lengths[1]) else (b, a)), start, length, batch)


def _by_fft(a: Array, b: Array, start: Shape, length: Shape, full: Shape) -> Array:
    """The product of the Fourier transforms, transformed back."""
    from scipy.fft import next_fast_len

    n, xp = len(start), namespace(a, b)
    axes, lengths = tuple(range(-n, 0)), [next_fast_len(m, real=True) for m in full]
    kind = "" if "c" in a.dtype.kind + b.dtype.kind else "r"
    there, back = getattr(xp.fft, f"{kind}fftn"), getattr(xp.fft, f"i{kind}fftn")
    y = back(there(a, lengths, axes) * there(b, lengths, axes), lengths, axes)
    return y[(Ellipsis, *[slice(s, s + m) for s, m in zip(start, length, strict=True)])]


def _by_lines(a: np.ndarray, b: np.ndarray, start: int, length: int, batch: Shape) -> np.ndarray:
    """NumPy's convolution, line by line, of the shorter a and the entries of b that have an effect, zeros beside them."""
    k, m = a.shape[-1], b.shape[-1]
    first, last = start - k + 1, start + length
    reach = b[..., max(first, 0): min(last, m)]
    if first < 0 or last > m:
        reach, middle = np.zeros((*b.shape[:-1], last - first), b.dtype), reach
        reach[..., max(-first, 0): max(-first, 0) + middle.shape[-1]] = middle
    if not batch:
        return np.convolve(reach, a, "valid")
    lines = [np.convolve(p, q, "valid") for p, q in zip(_lines(reach, batch), _lines(a, batch), strict=True)]
    return np.stack(lines).reshape(*batch, length)


def _lines(x: np.ndarray, batch: Shape) -> np.ndarray:
    """The vectors along the last axis, broadcast to a batch."""
    return broadcast(x, (*batch, x.shape[-1])).reshape(-1, x.shape[-1])


def _by_taps(a: Array, b: Array, start: Shape, length: Shape, batch: Shape) -> Array:
    """A sum of copies of b, each moved and multiplied by an entry of a."""
    n = len(start)
    y = namespace(a, b).zeros(batch + length, dtype=np.result_type(a.dtype, b.dtype))
    for j in product(*map(range, a.shape[a.ndim - n:])):
        target, source = zip(*map(_overlap, j, start, length, b.shape[b.ndim - n:]), strict=True)
        y[(Ellipsis, *target)] += a[(Ellipsis, *j)][(Ellipsis, *[None] * n)] * b[(Ellipsis, *source)]
    return y


def _overlap(j: int, start: int, length: int, m: int) -> tuple[slice, slice]:
    """Where on an axis of y, and from where on one of b, the entry j of a has an effect."""
    first, last = max(j - start, 0), min(length, m + j - start)
    last = max(first, last)
    return slice(first, last), slice(first + start - j, last + start - j)


def _by_results(a: Array, b: Array, start: Shape, length: Shape, batch: Shape) -> Array:
    """Each result as an inner product."""
    n = len(start)
    y = namespace(a, b).zeros(batch + length, dtype=np.result_type(a.dtype, b.dtype))
    turned = b[(Ellipsis, *[slice(None, None, -1)] * n)]
    for i in product(*map(range, length)):
        taps, source = zip(*map(_meeting, i, start, a.shape[a.ndim - n:], b.shape[b.ndim - n:]), strict=True)
        y[(Ellipsis, *i)] = (a[(Ellipsis, *taps)] * turned[(Ellipsis, *source)]).sum(axis=tuple(range(-n, 0)))
    return y


def _meeting(i: int, start: int, k: int, m: int) -> tuple[slice, slice]:
    """The entries of a, and of b turned round, that meet on an axis in the result i."""
    first, last = max(0, i + start - m + 1), min(k, i + start + 1)
    last = max(first, last)
    return slice(first, last), slice(m - 1 - i - start + first, m - 1 - i - start + last)
