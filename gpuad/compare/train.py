"""Training: mini-batches, Adam with a learning rate that fades along half a cosine, and a record of it."""
from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

import gpuad as ad
from gpuad.compare import network
from gpuad.compare.device import Device
from gpuad.compare.digits import Digits
from gpuad.compare.network import Array, Params
from gpuad.compare.options import Options
from linalg import arrays


class Adam:
    """Adam (Kingma & Ba, 2015, algorithm 1), on parameters that it changes in place."""

    def __init__(self, params: Params, decay: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8):
        self.leaves = network.leaves(params)
        self.mean = [0 * x for x in self.leaves]
        self.square = [0 * x for x in self.leaves]
        self.decay, self.epsilon, self.steps = decay, epsilon, 0

    def step(self, gradient: Params, rate: float) -> None:
        """Move every parameter against its gradient by about ``rate``."""
        self.steps += 1
        first, second = (1 - decay**self.steps for decay in self.decay)
        slopes = network.leaves(gradient)
        for x, g, mean, square in zip(self.leaves, slopes, self.mean, self.square, strict=True):
            mean += (1 - self.decay[0]) * (g - mean)
            square += (1 - self.decay[1]) * (g * g - square)
            x -= rate / first * mean / (np.sqrt(square / second) + self.epsilon)


@dataclass
class Training:
    """What a training run leaves: parameters on the host, losses by batch and by epoch, time in seconds."""

    device: str
    params: Params = field(repr=False)
    batch_loss: list[float] = field(default_factory=list)
    test_loss: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    seconds: float = 0.0


def train(options: Options, device: Device, digits: tuple[Digits, Digits],
          report: Callable[[Training], None] = lambda _: None) -> Training:
    """Train on one device; every device sees the same initial parameters and the same batches."""
    training_set, test_set = (part.astype(options.dtype).map(device.put) for part in digits)
    params = device.place(network.initialise(options.widths, options.seed, options.dtype))
    result, adam = Training(device.name, params), Adam(params)
    random = np.random.default_rng(options.seed)
    start = time.perf_counter()
    for _ in range(options.epochs):
        _epoch(options, result, adam, training_set, device.put(random.permutation(len(training_set))))
        _test(options, result, test_set)
        report(result)
    result.seconds = time.perf_counter() - start
    result.params = [tuple(arrays.to_host(x) for x in layer) for layer in params]
    return result


def _epoch(options: Options, result: Training, adam: Adam, digits: Digits, order: Array) -> None:
    gradient = ad.value_and_grad(network.loss)
    losses: list[Array] = []
    for start in range(0, len(order), options.batch):
        part = digits[order[start:start + options.batch]]
        value, slope = gradient(result.params, part.images, part.targets, options.activation)
        adam.step(slope, _rate(options, adam.steps, len(order)))
        losses.append(value)
    # Once an epoch, since each transfer waits for the device.
    result.batch_loss += [float(arrays.to_host(value)) for value in losses]


def _rate(options: Options, step: int, images: int) -> float:
    steps = options.epochs * -(-images // options.batch)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def _test(options: Options, result: Training, digits: Digits) -> None:
    arguments = result.params, digits.images, digits.targets, options.activation
    result.test_loss.append(float(arrays.to_host(network.loss(*arguments))))
    result.test_accuracy.append(network.accuracy(*arguments))
