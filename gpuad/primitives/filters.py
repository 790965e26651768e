"""Recursive filters of ``scipy.signal``.

A filter solves a banded lower triangular system, A y = B x + z, where A and B are the Toeplitz matrices of the coefficients and
z is the initial state. Its differential is that of a linear system, A dy = B dx + dB x + dz − dA y: in the coefficients, the
signal and the state. Coefficients are divided by a[0] first. Sections of second order are a chain of such filters.

Like SciPy, ``sosfilt`` wants sos[:, 3] to be one; derivatives along it are those of the quotient by it.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_index

from gpuad.differential import Primitive
from gpuad.dispatch import implements
from gpuad.primitives.convolutions import convolve
from gpuad.primitives.fourier import resized
from gpuad.primitives.shapes import arrays_of
from gpuad.traced import raw
from linalg import Broadcast, Convolution, Gather, LinearOperator, Permute, RecursiveFilter, Scatter
from linalg.arrays import Array, Shape, namespace
from linalg.elements.recursive import filtered

# ---- y = A⁻¹ (B x + z)

def _inverse(a: Array, shape: Shape, axis: int) -> RecursiveFilter:
    """A⁻¹."""
    return RecursiveFilter(namespace(a).ones(1, dtype=a.dtype), a, shape, axis)


def _delays(x: Array, k: int, axis: int) -> LinearOperator:
    """c ↦ Σ_j c_j x[n − j] for k coefficients c, x being zero before its start."""
    lines = np.moveaxis(x, axis, -1)
    *batch, n = lines.shape
    element = Convolution(lines, (*batch, k), (0,), (n,)) @ Broadcast((k,), (*batch, k))
    back = list(range(len(batch)))
    back.insert(axis, len(batch))
    return Permute(lines.shape, tuple(back)) @ element if batch else element


def _by_b(shape: Shape, _y: Any, _b: Any, a: Array, x: Array, *_z: Any, axis: int) -> LinearOperator:
    """A dy = dB x."""
    return _inverse(a, x.shape, axis) @ _delays(x, shape[0], axis)


def _by_a(shape: Shape, y: Array, _b: Any, a: Array, _x: Any, *_z: Any, axis: int) -> LinearOperator:
    """A dy = −dA y."""
    return -_inverse(a, y.shape, axis) @ _delays(y, shape[0], axis)


def _by_x(shape: Shape, _y: Any, b: Array, a: Array, _x: Any, *_z: Any, axis: int) -> LinearOperator:
    """A dy = B dx."""
    return RecursiveFilter(b, a, shape, axis)


def _by_state(shape: Shape, y: Array, _b: Any, a: Array, _x: Any, _z: Any, axis: int) -> LinearOperator:
    """A dy = dz."""
    k, n, lead = shape[axis], y.shape[axis], (slice(None),) * axis
    start = Scatter(y.shape, (*lead, slice(k))) if k <= n else Gather(shape, (*lead, slice(n)))
    return _inverse(a, y.shape, axis) @ start


def _run(b: Array, a: Array, x: Array, start: Array | None = None, *, axis: int) -> Array:
    return filtered(b, a, x, start, axis)


_filter = Primitive("filter", _run, _by_b, _by_a, _by_x, _by_state)


@implements(filtered)
def _filtered(b: Any, a: Any, x: Any, start: Any = None, axis: int = -1) -> Any:
    given = (b, a, x) if start is None else (b, a, x, start)
    return _filter(*given, axis=normalize_axis_index(axis, x.ndim))


def _coefficients(name: str, *arrays: Any) -> list[Any]:
    """Coefficients b and a divided by a[0], and other arrays."""
    b, a, *others = arrays_of(*arrays)
    b, a = np.atleast_1d(b), np.atleast_1d(a)
    if b.ndim != 1 or a.ndim != 1 or not b.size or not a.size:
        raise ValueError(f"{name} expected coefficients b and a of shape (k,), k ≥ 1, got {b.shape} and {a.shape}")
    if isinstance(first := raw(a), np.ndarray) and first[0] == 0:
        raise ValueError(f"{name} expected a coefficient a[0] other than zero, got a = {first}")
    return [b / a[0], a / a[0], *others]


@implements(scipy.signal.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """y with Σ_k a_k y[n − k] = Σ_k b_k x[n − k] along an axis; with an initial state ``zi``, (y, final state)."""
    b, a, x, *start = _coefficients("lfilter", b, a, x, *(() if zi is None else (zi,)))
    if not x.ndim:
        raise ValueError("lfilter expected a signal of at least one axis, got a number")
    axis = normalize_axis_index(axis, x.ndim)
    if zi is None:
        return _filter(b, a, x, axis=axis)
    states = (*x.shape[:axis], max(b.size, a.size) - 1, *x.shape[axis + 1:])
    if start[0].ndim != x.ndim or any(m not in (1, n) for m, n in zip(start[0].shape, states, strict=True)):
        raise ValueError(f"lfilter expected an initial state zi that broadcasts to shape {states}, got shape {start[0].shape}")
    z = np.broadcast_to(start[0], states)
    if not states[axis]:
        y = _filter(b, a, x, axis=axis)
        return y, z.astype(y.dtype)
    y = _filter(b, a, x, z, axis=axis)
    return y, _final_state(b, a, x, y, z, axis)


def _final_state(b: Any, a: Any, x: Any, y: Any, z: Any, axis: int) -> Any:
    """What b ∗ x + z − a ∗ y leaves behind the last entry of y: before that it is zero."""
    k, n = z.shape[axis], y.shape[axis]
    x, y, z = (np.moveaxis(s, axis, -1) for s in (x, y, z))
    rest = _response(b, x[..., ::-1], k) - _response(a, y[..., ::-1], k)
    if n < k:
        rest = rest + resized(z[..., n:], k, z.ndim - 1)
    return np.moveaxis(rest, -1, axis)


def _response(c: Any, past: Any, k: int) -> Any:
    """Σ_j c[i + 1 + j] past[j] for 0 ≤ i < k: what the past, its last value first, adds to the next k values."""
    past, xp = past[..., :k], namespace(raw(c))
    places = np.add.outer(np.arange(k), np.arange(past.shape[-1])) + 1
    inside = places < c.size
    hankel = np.where(xp.asarray(inside), np.take(c, xp.asarray(np.where(inside, places, 0))), 0)
    return past @ hankel.T


@implements(scipy.signal.lfiltic)
def lfiltic(b: Any, a: Any, y: Any, x: Any = None) -> Any:
    """The state of a filter that has put out y, its last value first, for the inputs x (zeros by default)."""
    b, a, y, *past = _coefficients("lfiltic", b, a, y, *(() if x is None else (x,)))
    k = max(b.size, a.size) - 1
    state = -_response(a, y[:a.size - 1], k)
    return state + _response(b, past[0][:b.size - 1], k) if past else state


@implements(scipy.signal.lfilter_zi)
def lfilter_zi(b: Any, a: Any) -> Any:
    """The state in which the filter stays at a constant input of ones: z = s cumsum(a) − cumsum(b), with s = Σ b / Σ a."""
    b, a = _coefficients("lfilter_zi", b, a)
    n, kind = max(b.size, a.size), np.result_type(b.dtype, a.dtype)
    b, a = resized(b.astype(kind), n, 0), resized(a.astype(kind), n, 0)
    c = b - b[0] * a  # whose first entry is zero
    return np.cumsum(a)[:-1] * (c.sum() / a.sum()) - np.cumsum(c)[:-1]


@implements(scipy.signal.deconvolve)
def deconvolve(signal: Any, divisor: Any) -> tuple[Any, Any]:
    """Quotient and remainder of a division of polynomials: signal = divisor ∗ quotient + remainder."""
    num, den = map(np.atleast_1d, arrays_of(signal, divisor))
    if num.ndim != 1 or den.ndim != 1 or not num.size or not den.size:
        raise ValueError(f"deconvolve expected two vectors with at least one entry each, got shapes {num.shape} and {den.shape}")
    if den.size > num.size:
        return [], num
    pulse = namespace(raw(num)).zeros(num.size - den.size + 1)
    pulse[0] = 1
    quotient = lfilter(num, den, pulse)
    return quotient, num - convolve(den, quotient)


# ---- chains of sections of second order

def _sections(name: str, *arrays: Any) -> list[Any]:
    sos, *others = arrays_of(*arrays)
    if sos.ndim != 2 or sos.shape[1] != 6:
        raise ValueError(f"{name} expected sections sos of shape (n, 6), got {sos.shape}")
    if isinstance(plain := raw(sos), np.ndarray) and (plain[:, 3] != 1).any():
        raise ValueError(f"{name} expected sos[:, 3], the leading coefficients a, to be one, got {plain[:, 3]}")
    return [sos, *others]


@implements(scipy.signal.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """One ``lfilter`` for each section, one after the other; with an initial state of shape (n, …, 2, …), (y, final state)."""
    sos, x, *start = _sections("sosfilt", sos, x, *(() if zi is None else (zi,)))
    axis = normalize_axis_index(axis, x.ndim)
    states = (len(sos), *x.shape[:axis], 2, *x.shape[axis + 1:])
    if start and start[0].shape != states:
        raise ValueError(f"sosfilt expected an initial state zi of shape {states}, got {start[0].shape}")
    final = []
    for i in range(len(sos)):
        x = lfilter(sos[i, :3], sos[i, 3:], x, axis, start[0][i] if start else None)
        if start:
            x, state = x
            final.append(state)
    return (x, np.stack(final)) if start else x


@implements(scipy.signal.sosfilt_zi)
def sosfilt_zi(sos: Any) -> Any:
    """The states in which the sections stay at a constant input of ones."""
    sos, = _sections("sosfilt_zi", sos)
    states, gain = [], 1.0
    for i in range(len(sos)):
        b, a = sos[i, :3], sos[i, 3:]
        states.append(gain * lfilter_zi(b, a))
        gain = gain * (b.sum() / a.sum())
    return np.stack(states)


# ---- forwards and backwards

@implements(scipy.signal.filtfilt)
def filtfilt(b: Any, a: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None, method: str = "pad",
             irlen: int | None = None) -> Any:
    """``lfilter`` forwards and backwards over the signal, continued at both ends; method "pad" only."""
    if method != "pad":
        raise TypeError(f"filtfilt: method {method!r} has no differential in gpuad; use method='pad'")
    del irlen
    b, a, x = _coefficients("filtfilt", b, a, x)
    axis = normalize_axis_index(axis, x.ndim)
    zi = lfilter_zi(b, a)
    zi = zi.reshape((-1,) + (1,) * (x.ndim - 1 - axis))
    edge, x = _extended("filtfilt", x, axis, padtype, 3 * max(b.size, a.size) if padlen is None else padlen)
    return _there_and_back(lambda s: lfilter(b, a, s, axis, zi * s[_along(axis, slice(1))])[0], x, axis, edge)


@implements(scipy.signal.sosfiltfilt)
def sosfiltfilt(sos: Any, x: Any, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None) -> Any:
    """``sosfilt`` forwards and backwards over the signal, continued at both ends."""
    sos, x = _sections("sosfiltfilt", sos, x)
    axis = normalize_axis_index(axis, x.ndim)
    if padlen is None and padtype is not None:
        padlen = 3 * (2 * len(sos) + 1 - _zeros_at_the_end(sos))
    zi = sosfilt_zi(sos)
    zi = zi.reshape((len(sos),) + (1,) * axis + (2,) + (1,) * (x.ndim - 1 - axis))
    edge, x = _extended("sosfiltfilt", x, axis, padtype, padlen)
    return _there_and_back(lambda s: sosfilt(sos, s, axis, zi * s[_along(axis, slice(1))])[0], x, axis, edge)


def _zeros_at_the_end(sos: Any) -> int:
    """How many sections are of first order in fact."""
    plain = raw(sos)
    return int(min((plain[:, 2] == 0).sum(), (plain[:, 5] == 0).sum()))


def _along(axis: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, part)


def _there_and_back(run: Any, x: Any, axis: int, edge: int) -> Any:
    turned = _along(axis, slice(None, None, -1))
    y = run(run(x)[turned])[turned]
    return y[_along(axis, slice(edge, -edge))] if edge else y


def _extended(name: str, x: Any, axis: int, kind: str | None, edge: Any) -> tuple[int, Any]:
    """(entries added at each end, the signal with them): mirrored, mirrored at the end point, or the end itself."""
    if kind not in ("even", "odd", "constant", None):
        raise ValueError(f"{name} expected padtype 'even', 'odd', 'constant' or None, got {kind!r}")
    edge = edge if kind is not None else 0
    if x.shape[axis] <= edge:
        raise ValueError(f"{name} expected a signal longer than padlen={edge} along axis {axis}, got shape {x.shape}")
    return edge, extended(x, axis, kind, edge) if edge else x


def extended(x: Any, axis: int, kind: str | None, edge: int) -> Any:
    """A signal with ``edge`` more entries at each end."""
    widths = [(edge, edge) if i == axis else (0, 0) for i in range(x.ndim)]
    if kind == "zeros":
        return np.pad(x, widths)
    ends = np.pad(x, widths, "edge")
    if kind == "constant":
        return ends
    mirrored = np.pad(x, widths, "reflect")
    return mirrored if kind == "even" else 2 * ends - mirrored



__all__ = ["deconvolve", "extended", "filtfilt", "lfilter", "lfilter_zi", "lfiltic", "sosfilt", "sosfilt_zi", "sosfiltfilt"]
