"""The network, as a user of gpuad writes it: plain NumPy, no backward pass, no mention of a device."""
from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

Array = Any
Params = list[tuple[Array, Array]]
"""One (W, b) for each layer; W has shape (inputs, outputs), b has shape (outputs,)."""


def relu(z: Array) -> Array:
    """max(z, 0); its derivative at 0 is 1/2, the mean of the two sides."""
    return np.maximum(z, 0)


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(−z)), in the form that cannot overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


def silu(z: Array) -> Array:
    """z · sigmoid(z)."""
    return z * sigmoid(z)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": relu, "tanh": np.tanh, "sigmoid": sigmoid, "silu": silu}


def initialise(widths: tuple[int, ...], seed: int, dtype: str = "float64") -> Params:
    """Random parameters: W normal with variance 2 / inputs (He et al., 2015), b uniform in ± 1 / √inputs."""
    random = np.random.default_rng(seed)
    params = []
    for inputs, outputs in pairwise(widths):
        weights = random.normal(0, np.sqrt(2 / inputs), (inputs, outputs))
        bias = random.uniform(-1, 1, outputs) / np.sqrt(inputs)
        params.append((weights.astype(dtype), bias.astype(dtype)))
    return params


def leaves(params: Params) -> list[Array]:
    """W₁, b₁, W₂, b₂, …: the leaves of the pytree, in order."""
    return [x for layer in params for x in layer]


def predict(params: Params, images: Array, activation: str) -> Array:
    """Logits (n, 10) of images (n, 64)."""
    apply = ACTIVATIONS[activation]
    for weights, bias in params[:-1]:
        images = apply(images @ weights + bias)
    weights, bias = params[-1]
    return images @ weights + bias


def cross_entropy(logits: Array, targets: Array) -> Array:
    """Mean over images of log Σ exp(logits) − logit of the right class, shifted to keep exp finite."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(targets * shifted, axis=1))


def loss(params: Params, images: Array, targets: Array, activation: str = "relu") -> Array:
    """Cross-entropy of the network's predictions: the function that gpuad differentiates."""
    return cross_entropy(predict(params, images, activation), targets)


def accuracy(params: Params, images: Array, targets: Array, activation: str) -> float:
    """Share of images, 0 to 1, whose largest logit is that of the right class."""
    hits = predict(params, images, activation).argmax(axis=1) == targets.argmax(axis=1)
    return float(hits.mean())


def margins(params: Params, images: Array, activation: str) -> np.ndarray:
    """For each image, the distance of its nearest ReLU input from the kink; infinite without ReLU."""
    nearest = np.full(len(images), np.inf)
    if activation != "relu":
        return nearest
    for weights, bias in params[:-1]:
        z = images @ weights + bias
        nearest = np.minimum(nearest, np.abs(z).min(axis=1))
        images = relu(z)
    return nearest
