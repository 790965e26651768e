"""The cost of one row of a plan: long chains on small arrays, beside the same NumPy calls written by hand with ``out=``.

Elementwise: x ← tanh x, x ← sin x, x ← x ∘ w, in turn.  Matrix product: x ← x w with an orthogonal w.  No row can be
left out or merged with its neighbour.
"""

from itertools import cycle, islice

import numpy as np

from benchmarks import peers, requirements
from benchmarks.harness import Contestant, expected

LENGTH, SIZE = 201, 8
HAND = "NumPy with out="


def elementwise(x, w):
    for _ in range(LENGTH // 3):
        x = np.sin(np.tanh(x)) * w
    return x


def elementwise_data(dtype=np.float32):
    return np.linspace(0.5, 1.0, SIZE, dtype=dtype), np.linspace(1.1, 1.2, SIZE, dtype=dtype)


def elementwise_by_hand(x, w):
    out = np.empty_like(x)
    tanh, sin, multiply = np.tanh, np.sin, np.multiply

    def call():
        tanh(x, out)
        for _ in range(LENGTH // 3 - 1):
            sin(out, out)
            multiply(out, w, out)
            tanh(out, out)
        sin(out, out)
        return multiply(out, w, out)

    return call


def product(x, w):
    for _ in range(LENGTH):
        x = x @ w
    return x


def product_data(dtype=np.float32):
    x, w = np.random.default_rng(0).normal(size=(2, SIZE, SIZE))
    return x.astype(dtype), np.linalg.qr(w)[0].astype(dtype)


def product_by_hand(x, w):
    dot, buffers = np.dot, (np.empty_like(x), np.empty_like(x))

    def call():
        h = x
        for out in islice(cycle(buffers), LENGTH):
            h = dot(h, w, out)
        return h

    return call


CHAINS = {"elementwise": (elementwise, elementwise_data, elementwise_by_hand),
          "matrix product": (product, product_data, product_by_hand)}


def planned(function, data, _by_hand):
    return contestant(peers.PLAN, requirements.plan()(function), data())


def numpy_itself(function, data, _by_hand):
    return contestant("NumPy", function, data())


def handwritten(_function, data, by_hand):
    return contestant(HAND, by_hand(*data()))


def contestant(name, function, arguments=()):
    return Contestant(name, lambda: function(*arguments), lambda x: [x], operations=LENGTH)


def everyone(name):
    return peers.contestants({HAND: handwritten, peers.PLAN: planned, "NumPy": numpy_itself}, *CHAINS[name])


def reference(name):
    function, data, _by_hand = CHAINS[name]
    return expected([function(*data(np.float64))])
