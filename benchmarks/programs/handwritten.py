"""Hand-written value and gradient of tanh networks, for NumPy or CuPy arrays.

z = h W + b, h' = tanh z, and backwards: dW = hᵀ e, db = Σ e, e ← (e Wᵀ) ∘ (1 − h²).
"""

import numpy as np


def value_and_grad(params, X, Y):
    """Mean squared error, allocating and tidy: a new array where one must be kept, in place where it need not be."""
    inputs, error = forward(params, X, Y)
    value = np.vdot(error, error) / error.size
    error *= 2 / error.size
    gradients = []
    for (W, _b), h in zip(reversed(params), reversed(inputs), strict=True):
        gradients.append((h.T @ error, error.sum(0)))
        if h is not X:
            error = error @ W.T
            h *= h
            error *= np.subtract(1, h, out=h)
    return value, gradients[::-1]


def forward(params, X, Y):
    inputs, error = [X], None
    for W, b in params:
        error = inputs[-1] @ W
        error += b
        inputs.append(np.tanh(error, out=error) if len(inputs) < len(params) else error)
    error -= Y
    return inputs[:-1], error


class Preallocated:
    """A pass into buffers that are allocated once, with NumPy's quickest calls: what a plan has to reach."""

    def __init__(self, xp, params, X, Y):
        self.xp, self.params, self.X, self.Y = xp, params, X, Y
        self.outputs = [xp.empty((len(X), len(b)), dtype=X.dtype) for _W, b in params]
        self.errors = [xp.empty_like(h) for h in self.outputs]
        self.ones = xp.ones(len(X), X.dtype)
        self.gradients = [(xp.empty_like(W), xp.empty_like(b)) for W, b in params]

    def __call__(self):
        value = self.loss(self.forward(), self.errors[-1])
        for i in reversed(range(1, len(self.params))):
            self.backward(i)
        self.gradient(0, self.X)
        return value, self.gradients

    def loss(self, outputs, error):
        """The value; fills ``error`` with its derivative by the outputs, which it may overwrite."""
        raise NotImplementedError

    def forward(self):
        h, last = self.X, self.outputs[-1]
        for (W, b), out in zip(self.params, self.outputs, strict=True):
            h = self.xp.dot(h, W, out=out)
            h += b
            if h is not last:
                self.xp.tanh(h, h)
        return last

    def backward(self, i):
        h, xp = self.outputs[i - 1], self.xp
        self.gradient(i, h)
        below = xp.dot(self.errors[i], self.params[i][0].T, out=self.errors[i - 1])
        h *= h
        below *= xp.subtract(1, h, h)

    def gradient(self, i, h):
        W, b = self.gradients[i]
        self.xp.dot(h.T, self.errors[i], out=W)
        self.xp.dot(self.ones, self.errors[i], out=b)


class MeanSquares(Preallocated):
    def loss(self, outputs, error):
        self.xp.subtract(outputs, self.Y, error)
        value = self.xp.vdot(error, error) / error.size
        error *= 2 / error.size
        return value


class CrossEntropy(Preallocated):
    """Of the softmax of the outputs; Y is one-hot."""

    def __init__(self, xp, params, X, Y):
        super().__init__(xp, params, X, Y)
        self.column, self.logarithm = (xp.empty((len(X), 1), X.dtype) for _ in range(2))

    def loss(self, outputs, error):
        xp, column = self.xp, self.column
        outputs -= xp.max(outputs, axis=1, keepdims=True, out=column)
        right = xp.vdot(outputs, self.Y)
        xp.exp(outputs, error)
        xp.sum(error, axis=1, keepdims=True, out=column)
        value = (xp.sum(xp.log(column, self.logarithm)) - right) / len(error)
        error /= column
        error -= self.Y
        error /= len(error)
        return value
