"""A 64-64-32-10 tanh network with softmax and cross entropy on scikit-learn's handwritten digits."""

from functools import cache

import numpy as np

from benchmarks.programs import handwritten
from benchmarks.programs.networks import initial, outputs_over, torch_outputs
from benchmarks.programs.program import Program, Torch
from benchmarks.requirements import installed

WIDTHS, BATCH = (64, 64, 32, 10), 128


@cache
def images():
    """1,797 images (n, 64) with ink from 0 to 1, and their labels."""
    X, labels = installed("sklearn.datasets").load_digits(return_X_y=True)
    return X / 16, labels


def batch(size, dtype):
    """The first images and their targets, one-hot: the same batch at every step."""
    X, labels = images()
    return X[:size].astype(dtype), np.eye(10, dtype=dtype)[labels[:size]]


def data(dtype=np.float32):
    return initial(np.random.default_rng(2024), WIDTHS, dtype), *batch(BATCH, dtype)


def cross_entropy(np, logits, Y):
    """Mean of log Σ exp(logits) − the right one, shifted to keep exp finite."""
    shifted = logits - np.max(logits, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(shifted), axis=1)) - np.sum(Y * shifted, axis=1))


def loss_over(np):
    outputs = outputs_over(np)
    return lambda params, X, Y: cross_entropy(np, outputs(params, X), Y)


def in_torch(torch):
    return lambda params, X, labels: torch.nn.functional.cross_entropy(torch_outputs(torch, params, X), labels)


def with_labels(data):
    """PyTorch's cross entropy takes labels, not targets."""
    params, X, Y = data
    return params, X, Y.argmax(1)


def jax_cross_entropy(jax, logits, Y):
    return -(Y * jax.nn.log_softmax(logits)).sum(1).mean()


def in_jax(jax):
    outputs = outputs_over(jax.numpy)
    return lambda params, X, Y: jax_cross_entropy(jax, outputs(params, X), Y)


DIGITS = Program("digits 64-64-32-10", f"digits 64-64-32-10: tanh network, softmax and cross entropy, batch {BATCH}",
                 data, loss_over, Torch(in_torch, with_labels), in_jax,
                 {"by hand, preallocated": handwritten.CrossEntropy}, rate=0.01)
