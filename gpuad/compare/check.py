"""Other ways to the same gradient, and how far gpuad's is from each.

Everything is compared at the seed's initial parameters, where the gradient is of order one, and on the
images whose ReLU inputs keep furthest from the kink at 0: a central difference, whose step is far smaller
than that distance, measures a derivative there. (At the kink itself there is none to measure; gpuad's choice,
1/2, is held in the tests.)
"""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse.linalg import spsolve_triangular

import gpuad as ad
from gpuad.compare import handwritten, network
from gpuad.compare.device import CPU, Device, host
from gpuad.compare.digits import Digits
from gpuad.compare.network import Array, Params
from gpuad.compare.options import Options

STEP = 1e-5
IMAGES, NONZEROS = 16, 4_000_000
WORK = 4e10
CENTRAL_BOUND, DOUBLE_BOUND, SINGLE_BOUND = 1e-6, 1e-12, 1e-5
CENTRAL, ASSEMBLED = "central differences", "the assembled sparse system (SciPy)"
BY_HAND, BY_HAND_IN_DOUBLE = "the hand-written pass", "the hand-written pass in float64"
ON_CPU = "gpuad on the CPU, eager"


@dataclass(frozen=True)
class Check:
    """The largest relative difference of gpuad's gradient, on ``device`` in ``dtype``, to a reference."""

    reference: str
    device: str
    dtype: str
    difference: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether the difference keeps its bound; NaN does not."""
        return self.difference <= self.bound


@dataclass(frozen=True)
class Point:
    """Where gradients are compared: parameters and digits, on the host.

    ``margin`` is the distance of the nearest ReLU input from the kink, infinite for a smooth activation.
    """

    params: Params
    digits: Digits
    activation: str
    margin: float

    def astype(self, dtype: str) -> Point:
        """The same point, rounded to ``dtype``."""
        return replace(self, params=host(self.params, dtype), digits=self.digits.astype(dtype))

    def on(self, device: Device) -> tuple[Any, ...]:
        """Arguments of :func:`network.loss`, placed on a device."""
        digits = self.digits.map(device.put)
        return device.place(self.params), digits.images, digits.targets, self.activation

    def loss(self, params: Params) -> Array:
        """The loss as a function of the parameters alone."""
        return network.loss(params, self.digits.images, self.digits.targets, self.activation)


def point(options: Options, digits: Digits) -> Point:
    """The seed's initial parameters, and the images that keep furthest from a kink there; float64.

    They are ``IMAGES``, or fewer where the assembled system would have more than some ``NONZEROS`` entries.
    """
    params = network.initialise(options.widths, options.seed)
    images = np.clip(NONZEROS // count(params), 1, IMAGES)
    margin = network.margins(params, digits.images, options.activation)
    best = np.argsort(-margin, kind="stable")[:images]
    return Point(params, digits[best], options.activation, float(margin[best].min()))


def count(params: Params) -> int:
    """How many parameters there are."""
    return sum(x.size for x in network.leaves(params))


def flatten(params: Params) -> np.ndarray:
    """All parameters on the host in float64, raveled in C order, in the order of the pytree's leaves."""
    return np.concatenate([x.reshape(-1) for x in network.leaves(host(params, "float64"))])


def largest_relative_difference(a: np.ndarray, b: np.ndarray) -> float:
    """max |a − b| / max |b|."""
    return float(np.max(np.abs(a - b)) / np.max(np.abs(b)))


def gradient(at: Point, device: Device, function: Callable[..., Any] | None = None) -> np.ndarray:
    """The flat gradient at a point, computed on a device: gpuad's, or that of another function."""
    function = function or device.function(ad.value_and_grad(network.loss), static_argnums=3)
    return flatten(function(*at.on(device))[1])


# ---- references

def sample(at: Point, work: float = WORK) -> np.ndarray:
    """Indices of the flat parameters whose central difference is taken.

    All, or as many at random as take about ``work`` operations: four for each parameter and image.
    """
    total = count(at.params)
    most = int(work / (4 * total * len(at.digits)))
    if total <= most:
        return np.arange(total)
    return np.sort(np.random.default_rng(0).choice(total, max(most, 1), replace=False))


def central_differences(at: Point, entries: np.ndarray, step: float = STEP) -> np.ndarray:
    """(loss(p + h e) − loss(p − h e)) / 2h for each of these entries of the flat parameters."""
    params = [(weights.copy(), bias.copy()) for weights, bias in at.params]
    leaves = [x.reshape(-1) for x in network.leaves(params)]
    starts = np.cumsum([0] + [x.size for x in leaves])
    owners = np.searchsorted(starts, entries, side="right") - 1
    return np.array([_central_difference(lambda: at.loss(params), leaves[k], entry - starts[k], step)
                     for k, entry in zip(owners, entries, strict=True)])


def _central_difference(loss: Callable[[], Array], x: np.ndarray, i: int, step: float) -> float:
    kept = x[i]
    x[i] = kept + step
    above = loss()
    x[i] = kept - step
    below = loss()
    x[i] = kept
    return (above - below) / (2 * step)


def assembled_gradient(at: Point) -> np.ndarray:
    """Dᵀ ((I − L)ᵀ \\ e) from the assembled sparse pair: SciPy's solve, with no code of gpuad's."""
    _, system = ad.linearize(at.loss, at.params)
    matrix, right_hand_side = system.to_sparse()
    seed = np.zeros(matrix.shape[0])
    seed[-1] = 1
    return right_hand_side.T @ spsolve_triangular(matrix.T.tocsr(), seed, lower=False, unit_diagonal=True)


# ---- the differences

def checks(options: Options, at: Point, devices: list[Device]) -> Iterator[Check]:
    """Every difference of the table: in float64 always, in float32 too where that is what is trained in."""
    entries = sample(at)
    central, assembled = central_differences(at, entries), assembled_gradient(at)
    for device, here, *found in _common(at, devices, "float64", DOUBLE_BOUND):
        yield _check(CENTRAL, device, "float64", CENTRAL_BOUND, here[entries], central)
        yield _check(ASSEMBLED, device, "float64", DOUBLE_BOUND, here, assembled)
        yield from found
    if options.dtype == "float32":
        rounded = at.astype("float32")
        in_double = gradient(rounded.astype("float64"), CPU, handwritten.value_and_gradient)
        for device, here, *found in _common(rounded, devices, "float32", SINGLE_BOUND):
            yield from found
            yield _check(BY_HAND_IN_DOUBLE, device, "float32", SINGLE_BOUND, here, in_double)


def _common(at: Point, devices: list[Device], dtype: str, bound: float) -> Iterator[list[Any]]:
    """For each device: the device, gpuad's gradient there, and the checks that every dtype has."""
    on_cpu = gradient(at, CPU)
    for device in devices:
        here = gradient(at, device)
        by_hand = gradient(at, device, handwritten.value_and_gradient)
        found = [_check(BY_HAND, device, dtype, bound, here, by_hand)]
        if device is not CPU:
            found.append(_check(ON_CPU, device, dtype, bound, here, on_cpu))
        yield [device, here, *found]


def _check(reference: str, device: Device, dtype: str, bound: float, a: np.ndarray, b: np.ndarray) -> Check:
    return Check(reference, device.name, dtype, largest_relative_difference(a, b), bound)
