"""The backward pass of :mod:`network` written by hand, for NumPy and CuPy: what gpuad saves its users from.

The yardstick for both its numbers and its time, so it is written as a careful user would: no array is
computed twice, and cotangents are overwritten in place.
"""
from __future__ import annotations

import numpy as np

from gpuad.compare.network import ACTIVATIONS, Array, Params
from linalg import arrays


def value_and_gradient(params: Params, images: Array, targets: Array,
                       activation: str = "relu") -> tuple[Array, Params]:
    """The loss, and its gradient in the shape of the parameters."""
    inputs, before, logits = _forward(params, images, ACTIVATIONS[activation])
    value, cotangent = _cross_entropy(logits, targets)
    return value, _backward(params, inputs, before, cotangent, PULLBACKS[activation])


def _forward(params, images, apply):
    """Input of every layer, what went into every activation, and the logits."""
    inputs, before = [images], []
    for weights, bias in params[:-1]:
        before.append(inputs[-1] @ weights + bias)
        inputs.append(apply(before[-1]))
    weights, bias = params[-1]
    return inputs, before, inputs[-1] @ weights + bias


def _cross_entropy(logits, targets):
    """The loss, and its cotangent (softmax − targets) / n."""
    logits -= logits.max(axis=1, keepdims=True)
    softmax = arrays.namespace(logits).exp(logits)
    total = softmax.sum(axis=1, keepdims=True)
    value = (np.log(total[:, 0]) - (targets * logits).sum(axis=1)).mean()
    softmax /= total
    softmax -= targets
    softmax /= len(logits)
    return value, softmax


def _backward(params, inputs, before, cotangent, pullback):
    gradient = [(inputs[-1].T @ cotangent, cotangent.sum(axis=0))]
    for k in range(len(params) - 2, -1, -1):
        cotangent = cotangent @ params[k + 1][0].T
        pullback(cotangent, before[k], inputs[k + 1])
        gradient.append((inputs[k].T @ cotangent, cotangent.sum(axis=0)))
    return gradient[::-1]


def _relu(cotangent, z, _y):
    cotangent *= (z > 0).view(np.int8) + (z >= 0).view(np.int8)  # 2, at the kink 1, or 0
    cotangent *= 0.5


def _tanh(cotangent, _z, y):
    cotangent *= 1 - y * y


def _sigmoid(cotangent, _z, y):
    cotangent *= y * (1 - y)


def _silu(cotangent, z, y):
    sigmoid = ACTIVATIONS["sigmoid"](z)
    cotangent *= sigmoid + y * (1 - sigmoid)


PULLBACKS = {"relu": _relu, "tanh": _tanh, "sigmoid": _sigmoid, "silu": _silu}
"""``pullback(cotangent, z, y)`` multiplies the cotangent of y = activation(z), in place, by dy/dz."""
