"""Gaussian process regression: the marginal likelihood of noisy observations, given the kernel's logarithmic parameters."""
import numpy as np


def make_data(n=25, seed=1):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 6, n))
    return t, np.sin(t) + 0.1 * rng.standard_normal(n)


TIMES, VALUES = make_data()


def kernel(a, b, length, height):
    gap = (a[:, None] - b[None, :]) / length
    return height**2 * np.exp(-0.5 * gap**2)


def loss(theta):
    length, height, noise = np.exp(theta)
    k = kernel(TIMES, TIMES, length, height)
    k[np.diag_indices_from(k)] += noise**2
    factor = np.linalg.cholesky(k)
    whitened = np.linalg.solve(factor, VALUES)
    log_determinant = 2 * np.sum(np.log(np.diag(factor)))
    return 0.5 * (whitened @ whitened + log_determinant + len(VALUES) * np.log(2 * np.pi))


START = np.array([0.0, -0.1, -1.5])
