"""Time of one loss and gradient, gpuad's and by hand, taken in turns so that all meet the same machine."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import gpuad as ad
from gpuad.compare import handwritten, network
from gpuad.compare.device import Device
from gpuad.compare.digits import Digits
from gpuad.compare.options import Options
from linalg import arrays

WARM_UP, ROUNDS, BUDGET = 5, 500, 3.0


@dataclass(frozen=True)
class Timing:
    """Median seconds of one loss and gradient on one batch."""

    device: str
    gpuad: float
    handwritten: float
    rounds: int

    @property
    def ratio(self) -> float:
        """gpuad's time over that of the hand-written pass."""
        return self.gpuad / self.handwritten


def measure(options: Options, devices: list[Device], digits: Digits,
            rounds: int = ROUNDS, budget: float = BUDGET) -> list[Timing]:
    """Alternate all of them on one batch, for ``rounds`` rounds or ``budget`` seconds, whichever ends first."""
    rivals = [rival for device in devices for rival in _rivals(options, device, digits)]
    for _ in range(WARM_UP):
        [seconds(*rival) for rival in rivals]
    end = time.perf_counter() + budget
    times = [[seconds(*rival) for rival in rivals]]
    while len(times) < rounds and time.perf_counter() < end:
        times.append([seconds(*rival) for rival in rivals])
    medians = np.median(times, axis=0).reshape(-1, 2).tolist()
    return [Timing(device.name, ours, by_hand, len(times)) for device, (ours, by_hand) in zip(devices, medians, strict=True)]


def _rivals(options: Options, device: Device, digits: Digits) -> list[tuple[Callable, tuple]]:
    """gpuad's function and the hand-written one, with their arguments."""
    part = digits[:options.batch].astype(options.dtype).map(device.put)
    params = device.place(network.initialise(options.widths, options.seed, options.dtype))
    arguments = params, part.images, part.targets, options.activation
    ours = device.function(ad.value_and_grad(network.loss), static_argnums=3)
    return [(ours, arguments), (handwritten.value_and_gradient, arguments)]


def seconds(function: Callable, arguments: tuple) -> float:
    """Wall-clock seconds of one call, until the device has finished it."""
    start = time.perf_counter()
    value, _ = function(*arguments)
    arrays.synchronize(value)
    return time.perf_counter() - start
