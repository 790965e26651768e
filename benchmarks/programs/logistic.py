"""Logistic regression of 10⁶ × 100 numbers: bound by memory, since the 400 MB of X are read twice for a gradient."""

from functools import cache

import numpy as np

from benchmarks.programs.program import Program, Torch, product_over

SAMPLES, FEATURES = 1_000_000, 100


@cache
def samples():
    """X, and labels y in {0, 1} that a noisy plane separates; read-only, as gpuad's README asks of large data."""
    random = np.random.default_rng(2024)
    X = random.standard_normal((SAMPLES, FEATURES), dtype=np.float32)
    plane = random.standard_normal(FEATURES, dtype=np.float32) / 10
    y = (X @ plane + random.standard_normal(SAMPLES, dtype=np.float32) > 0).astype(np.float32)
    for x in (X, y):
        x.flags.writeable = False
    return X, y


def data(dtype=np.float32):
    X, y = samples()
    w = np.linspace(-0.1, 0.1, FEATURES, dtype=np.float32)
    params = [(w.astype(dtype), np.full(1, 0.05, np.float32).astype(dtype))]
    return params, X.astype(dtype, copy=False), y.astype(dtype, copy=False)


def loss_over(np):
    product = product_over(np)

    def loss(params, X, y):
        [(w, b)] = params
        z = product(X, w) + b
        return np.mean(np.logaddexp(0, z) - y * z)

    return loss


def in_torch(torch):
    def loss(params, X, y):
        [(w, b)] = params
        return torch.nn.functional.binary_cross_entropy_with_logits(torch.addmv(b, X, w), y)

    return loss


class Preallocated:
    """z = X w + b; r = (1 / (1 + exp(−z)) − y) / n; dw = Xᵀ r, db = Σ r; one exponential serves value and gradient."""

    def __init__(self, xp, params, X, y):
        self.xp, [(self.w, self.b)], self.X, self.y = xp, params, X, y
        self.z, self.loss, self.r = (xp.empty(len(X), X.dtype) for _ in range(3))
        self.gradients = [(xp.empty_like(self.w), xp.empty_like(self.b))]

    def __call__(self):
        xp, z, loss, r, [(dw, db)] = self.xp, self.z, self.loss, self.r, self.gradients
        xp.dot(self.X, self.w, out=z)
        z += self.b
        # log(1 + exp z) = max(z, 0) + log(1 + e) with e = exp(−|z|), which cannot overflow.
        xp.exp(xp.negative(xp.abs(z, r), r), r)
        xp.add(xp.log1p(r, loss), xp.maximum(z, 0, out=r), loss)
        value = (xp.sum(loss) - xp.dot(self.y, z)) / len(z)
        xp.exp(xp.subtract(z, loss, r), r)
        r -= self.y
        r /= len(z)
        xp.dot(r, self.X, out=dw)
        xp.sum(r, keepdims=True, out=db)
        return value, self.gradients


LOGISTIC = Program("logistic regression", f"logistic regression: {SAMPLES:,} × {FEATURES}, mean of log(1 + exp z) − y z",
                   data, loss_over, Torch(in_torch), lambda jax: loss_over(jax.numpy),
                   {"by hand, preallocated": Preallocated}, rate=0.01)
