"""Fitting an ordinary differential equation: Lotka and Volterra's rabbits and foxes, by the classical Runge-Kutta method."""
import numpy as np


def slope(state, p):
    rabbits, foxes = state
    return np.array([p[0] * rabbits - p[1] * rabbits * foxes, -p[2] * foxes + p[3] * rabbits * foxes])


def solve(p, start, times):
    path = np.empty((len(times), len(start)))
    path[0] = start
    for i in range(len(times) - 1):
        h, y = times[i + 1] - times[i], path[i]
        k1 = slope(y, p)
        k2 = slope(y + h / 2 * k1, p)
        k3 = slope(y + h / 2 * k2, p)
        k4 = slope(y + h * k3, p)
        path[i + 1] = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return path


TIMES = np.linspace(0.0, 5.0, 41)
FIRST = np.array([2.0, 1.0])


def make_data(seed=3):
    rng = np.random.default_rng(seed)
    clean = solve(np.array([1.1, 0.4, 0.4, 0.1]), FIRST, TIMES)
    return clean * np.exp(0.05 * rng.standard_normal(clean.shape))


COUNTS = make_data()


def loss(log_p):
    path = solve(np.exp(log_p), FIRST, TIMES)
    return np.mean((np.log(path) - np.log(COUNTS)) ** 2)


START = np.log(np.array([1.0, 0.5, 0.5, 0.12]))
