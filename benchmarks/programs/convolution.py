"""A small convolution network on digits: 3 × 3 × 16, tanh, 3 × 3 × 32, tanh, dense; softmax and cross entropy.

In NumPy a convolution is its patches, nine shifted slices side by side, and one matrix product; channels come last.
"""

from functools import partial

import numpy as np

from benchmarks.programs.digits import batch, cross_entropy, jax_cross_entropy
from benchmarks.programs.networks import initial
from benchmarks.programs.program import Program, Torch, product_over

BATCH, SIDE, FIRST, SECOND = 64, 8, 16, 32
LEFT = SIDE - 4  # side of the image after two convolutions without padding
SHIFTS = [(i, j) for i in range(3) for j in range(3)]


def data(dtype=np.float32):
    """Kernels are (9 · channels, filters): row, column and channel in one axis, as the patches have them."""
    random = np.random.default_rng(2024)
    params = [initial(random, widths, dtype)[0]
              for widths in ((9, FIRST), (9 * FIRST, SECOND), (LEFT * LEFT * SECOND, 10))]
    X, Y = batch(BATCH, dtype)
    return params, X.reshape(-1, SIDE, SIDE, 1), Y


# ---- NumPy

def windows(x):
    """The nine shifted slices of images (n, h, w, channels)."""
    h, w = x.shape[1] - 2, x.shape[2] - 2
    return [x[:, i:i + h, j:j + w] for i, j in SHIFTS]


def patches(np, x):
    """One row of 9 · channels numbers for every pixel that is left."""
    n, h, w, channels = x.shape
    return np.reshape(np.concatenate(windows(x), axis=3), (n * (h - 2) * (w - 2), 9 * channels))


def loss_over(np):
    product = product_over(np)

    def convolved(x, K, b):
        n, h, w, _channels = x.shape
        return np.reshape(np.tanh(product(patches(np, x), K) + b), (n, h - 2, w - 2, b.shape[0]))

    def loss(params, X, Y):
        *convolutions, (W, b) = params
        for K, c in convolutions:
            X = convolved(X, K, c)
        return cross_entropy(np, product(np.reshape(X, (X.shape[0], -1)), W) + b, Y)

    return loss


def value_and_grad(xp, params, X, Y):
    """By hand: the adjoint of taking patches adds the nine slices back to where they came from."""
    (K1, b1), (K2, b2), (W, b) = params
    rows1 = patches(np, X)
    h1 = np.tanh(rows1 @ K1 + b1)
    rows2 = patches(np, h1.reshape(len(X), SIDE - 2, SIDE - 2, FIRST))
    h2 = np.tanh(rows2 @ K2 + b2)
    features = h2.reshape(len(X), -1)
    z = features @ W + b
    z -= z.max(axis=1, keepdims=True)
    e = np.exp(z)
    total = e.sum(axis=1, keepdims=True)
    value = (np.log(total).sum() - np.vdot(z, Y)) / len(X)
    e = (e / total - Y) / len(X)
    e2 = (e @ W.T).reshape(h2.shape) * (1 - h2 * h2)
    below = added(xp, e2 @ K2.T, (len(X), SIDE - 2, SIDE - 2, FIRST))
    e1 = below.reshape(h1.shape) * (1 - h1 * h1)
    return value, [(rows1.T @ e1, e1.sum(0)), (rows2.T @ e2, e2.sum(0)), (features.T @ e, e.sum(0))]


def added(xp, rows, shape):
    n, h, w, channels = shape
    rows, total = rows.reshape(n, h - 2, w - 2, 9, channels), xp.zeros(shape, rows.dtype)
    for k, (i, j) in enumerate(SHIFTS):
        total[:, i:i + h - 2, j:j + w - 2] += rows[..., k, :]
    return total


# ---- PyTorch: channels first, and labels

def in_torch(torch):
    def loss(params, X, labels):
        *convolutions, (W, b) = params
        for K, c in convolutions:
            X = torch.tanh(torch.nn.functional.conv2d(X, K, c))
        return torch.nn.functional.cross_entropy(torch.addmm(b, X.flatten(1), W), labels)

    return loss


def there(data):
    params, X, Y = data
    *convolutions, (W, b) = params
    kernels = [(K.reshape(3, 3, -1, len(c)).transpose(3, 2, 0, 1), c) for K, c in convolutions]
    dense = W.reshape(LEFT, LEFT, SECOND, 10).transpose(2, 0, 1, 3).reshape(-1, 10)
    return [*kernels, (dense, b)], X.transpose(0, 3, 1, 2), Y.argmax(1)


def back(flat):
    """K₁, b₁, K₂, b₂, W, b."""
    kernel = lambda K: K.transpose(2, 3, 1, 0).reshape(-1, len(K))
    K1, b1, K2, b2, W, b = flat
    dense = W.reshape(SECOND, LEFT, LEFT, 10).transpose(1, 2, 0, 3).reshape(-1, 10)
    return [kernel(K1), b1, kernel(K2), b2, dense, b]


# ---- JAX

def in_jax(jax):
    """XLA's convolution, channels last, as JAX's users have them."""

    def loss(params, X, Y):
        *convolutions, (W, b) = params
        for K, c in convolutions:
            K = K.reshape(3, 3, -1, c.shape[0])
            layout = ("NHWC", "HWIO", "NHWC")
            X = jax.numpy.tanh(jax.lax.conv_general_dilated(X, K, (1, 1), "VALID", dimension_numbers=layout) + c)
        return jax_cross_entropy(jax, X.reshape(len(X), -1) @ W + b, Y)

    return loss


CONVOLUTION = Program(
    "digits convolution",
    f"digits convolution: 3 × 3 × {FIRST}, tanh, 3 × 3 × {SECOND}, tanh, dense, softmax and cross entropy, batch {BATCH}",
    data, loss_over, Torch(in_torch, there, back), in_jax,
    {"by hand": lambda xp, *data: partial(value_and_grad, xp, *data)}, rate=0.01)
