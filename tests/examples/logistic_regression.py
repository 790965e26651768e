"""Logistic regression: the regularised negative log-likelihood of labelled points."""
import numpy as np


def make_data(n=80, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, 3))
    labels = x @ np.array([1.5, -2.0, 0.5]) + 0.3 * rng.standard_normal(n) > 0
    return x, labels


POINTS, LABELS = make_data()


def probabilities(w, points):
    scores = points @ w[:-1] + w[-1]
    return 1.0 / (1.0 + np.exp(-scores))


def loss(w):
    p = probabilities(w, POINTS)
    p = np.clip(p, 1e-12, 1 - 1e-12)
    likelihood = np.where(LABELS, np.log(p), np.log(1 - p))
    return -likelihood.mean() + 0.01 * np.dot(w[:-1], w[:-1])


START = np.array([0.1, -0.2, 0.3, 0.0])
