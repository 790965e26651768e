"""Black-Scholes prices of n call options, as in PARSEC's blackscholes: elementwise; the gradient is delta and vega.

The normal distribution function is Abramowitz & Stegun's 26.2.17: N(x) = 1 − φ(|x|) p(k) with k = 1 / (1 + γ |x|), for
x ≥ 0, and φ(|x|) p(k) below.
"""

import math
from functools import partial

import numpy as np

from benchmarks.programs.networks import rounded
from benchmarks.programs.program import GRADIENT, VALUE, Program, Torch

GAMMA = 0.2316419
POLYNOMIAL = (0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429)  # of k, k², …, k⁵
SLOPES = tuple(i * c for i, c in enumerate(POLYNOMIAL, 1))  # p′, of 1, k, …, k⁴
ROOT = 1 / math.sqrt(2 * math.pi)
MANY = 10_000_000


def data(n, dtype=np.float32):
    """[(spot, volatility)], strike, rate, time to expiry in years."""
    random = np.random.default_rng(2024)
    ranges = ((80, 120), (0.1, 0.5), (80, 120), (0.01, 0.05), (0.25, 2))
    drawn = (rounded(random.uniform(low, high, min(n, MANY)), dtype) for low, high in ranges)
    spot, volatility, *constants = (np.resize(x, n) for x in drawn)  # the same options again where there are more than many
    return [(spot, volatility)], *constants


def loss_over(np):
    def normal(x):
        a = np.abs(x)
        k = 1 / (1 + GAMMA * a)
        c1, c2, c3, c4, c5 = POLYNOMIAL
        tail = ROOT * np.exp(-0.5 * a * a) * (k * (c1 + k * (c2 + k * (c3 + k * (c4 + k * c5)))))
        return np.where(x < 0, tail, 1 - tail)

    def loss(params, strike, rate, time):
        [(spot, volatility)] = params
        deviation = volatility * np.sqrt(time)
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / deviation
        return np.sum(spot * normal(d1) - strike * np.exp(-rate * time) * normal(d1 - deviation))

    return loss


class Preallocated:
    """The chain rule for the program as it stands: N′(x) = φ(a) (a p(k) + γ k² p′(k)) with a = |x|, on both sides of 0.

    With s = σ √T and B = K exp(−r T): dC/dd₁ = S N′(d₁) − B N′(d₂), and d₂ = d₁ − s. (Who knows the model needs neither:
    delta is N(d₁) and vega S φ(d₁) √T; that is another program.)
    """

    def __init__(self, xp, params, strike, rate, time):
        self.xp, [(self.spot, self.volatility)] = xp, params
        self.strike, self.rate, self.time = strike, rate, time
        new = lambda: xp.empty_like(self.spot)
        self.buffers = [new() for _ in range(9)]
        self.upper, self.scratch = xp.empty(self.spot.shape, bool), [new() for _ in range(3)]
        self.gradients = [(new(), new())]

    def __call__(self):
        xp, S, v, [(delta, vega)] = self.xp, self.spot, self.volatility, self.gradients
        root, deviation, d1, d2, bond, n1, n2, slope1, slope2 = self.buffers
        xp.sqrt(self.time, root)
        xp.multiply(v, root, deviation)
        self.first(d1, deviation)
        xp.subtract(d1, deviation, d2)
        xp.exp(xp.negative(xp.multiply(self.rate, self.time, bond), bond), bond)
        bond *= self.strike
        self.normal(d1, n1, slope1)
        self.normal(d2, n2, slope2)
        value = xp.vdot(S, n1) - xp.vdot(bond, n2)
        # By d₁ through both; by s through d₂ alone, and through d₁ as (T σ − d₁ √T) / s.
        slope1 *= S
        slope2 *= bond
        both = xp.subtract(slope1, slope2, slope1)
        both /= deviation
        xp.add(xp.divide(both, S, delta), n1, delta)
        xp.subtract(xp.multiply(v, self.time, vega), xp.multiply(d1, root, d1), vega)
        vega *= both
        vega += xp.multiply(slope2, root, slope2)
        return value, self.gradients

    def first(self, d1, deviation):
        """d₁ = (log(S / K) + (r + σ² / 2) T) / s."""
        xp, scratch = self.xp, self.scratch[0]
        xp.log(xp.divide(self.spot, self.strike, d1), d1)
        xp.multiply(self.volatility, self.volatility, scratch)
        scratch *= 0.5
        scratch += self.rate
        scratch *= self.time
        d1 += scratch
        d1 /= deviation

    def normal(self, x, out, slope):
        """Fills N(x) and N′(x)."""
        xp, upper, (a, k, density) = self.xp, self.upper, self.scratch
        xp.abs(x, a)
        xp.multiply(a, GAMMA, k)
        k += 1
        xp.divide(1, k, k)
        xp.multiply(a, a, density)
        density *= -0.5
        xp.exp(density, density)
        density *= ROOT
        horner(xp, POLYNOMIAL, k, out)
        horner(xp, SLOPES, k, slope)
        out *= k
        slope *= k
        slope *= xp.multiply(k, GAMMA, k)
        slope += xp.multiply(a, out, a)
        slope *= density
        out *= density
        xp.greater_equal(x, 0, upper)
        xp.abs(xp.subtract(upper, out, out), out)  # 1 − φ p above, |0 − φ p| below


def horner(xp, coefficients, k, out):
    """Fills c₁ + c₂ k + c₃ k² + …"""
    *rest, last = coefficients
    xp.multiply(k, last, out)
    for c in reversed(rest[1:]):
        out += c
        out *= k
    out += rest[0]


def black_scholes(n):
    return Program(f"Black-Scholes {n}", f"Black-Scholes {n}: prices of {n:,} calls, by spot and volatility",
                   partial(data, n), loss_over, Torch(loss_over),
                   lambda jax: loss_over(jax.numpy), {"by hand, preallocated": Preallocated}, tasks=(VALUE, GRADIENT),
                   moves=n >= MANY)


SIZES = (1, 100, 10_000, 1_000_000)
BLACK_SCHOLES = black_scholes(SIZES[-1])
