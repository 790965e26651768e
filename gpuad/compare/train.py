"""Training: mini-batches, Adam with a learning rate that fades along half a cosine, and a record of it."""
from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import optree

import gpuad as ad
from gpuad.compare import network
from gpuad.compare.device import Device
from gpuad.compare.digits import Digits
from gpuad.compare.network import Array, Params
from gpuad.compare.options import Options
from linalg import arrays

DECAY, EPSILON = (0.9, 0.999), 1e-8
State = tuple[Params, Params, Params]
"""Parameters, and running means of their gradient and of its square."""


def step(state: State, images: Array, targets: Array, rate: float, bias: tuple[float, float],
         activation: str) -> tuple[State, Array]:
    """One step of Adam (Kingma & Ba, 2015, algorithm 1): the new state, and the loss before.

    ``bias`` is the weight that the running means have gathered so far, 1 − decay^t.
    """
    params, mean, square = state
    value, gradient = ad.value_and_grad(network.loss)(params, images, targets, activation)
    mean = _each(lambda m, g: m + (1 - DECAY[0]) * (g - m), mean, gradient)
    square = _each(lambda s, g: s + (1 - DECAY[1]) * (g * g - s), square, gradient)
    params = _each(lambda x, m, s: x - rate / bias[0] * m / (np.sqrt(s / bias[1]) + EPSILON), params, mean, square)
    return (params, mean, square), value


def _each(f: Callable[..., Array], *trees: Any) -> Any:
    return optree.tree_map(f, *trees)


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
    state = (params, _each(lambda x: 0 * x, params), _each(lambda x: 0 * x, params))
    result = Training(device.name, params)
    advance = device.function(step, static_argnums=5, donate=0)
    random = np.random.default_rng(options.seed)
    start = time.perf_counter()
    for _ in range(options.epochs):
        order = device.put(random.permutation(len(training_set)))
        state = _epoch(options, result, advance, state, training_set, order)
        result.params = state[0]
        _test(options, result, test_set)
        report(result)
    result.seconds = time.perf_counter() - start
    result.params = [tuple(arrays.to_host(x) for x in layer) for layer in result.params]
    return result


def _epoch(options: Options, result: Training, advance: Callable[..., Any], state: State, digits: Digits, order: Array) -> State:
    losses: list[Array] = []
    for start in range(0, len(order), options.batch):
        part = digits[order[start:start + options.batch]]
        count = len(result.batch_loss) + len(losses) + 1
        bias = (1 - DECAY[0]**count, 1 - DECAY[1]**count)
        state, value = advance(state, part.images, part.targets, _rate(options, count, len(order)), bias, options.activation)
        losses.append(value)
    # Once an epoch, since each transfer waits for the device.
    result.batch_loss += [float(arrays.to_host(value)) for value in losses]
    return state


def _rate(options: Options, step: int, images: int) -> float:
    steps = options.epochs * -(-images // options.batch)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * step / steps))


def _test(options: Options, result: Training, digits: Digits) -> None:
    arguments = result.params, digits.images, digits.targets, options.activation
    result.test_loss.append(float(arrays.to_host(network.loss(*arguments))))
    result.test_accuracy.append(network.accuracy(*arguments))
