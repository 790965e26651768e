"""A Kalman filter: the negative log-likelihood of a tracked object's noisy positions, given the noises of model and sensor."""
import numpy as np


def make_data(n=40, seed=2):
    rng = np.random.default_rng(seed)
    speed = 1 + 0.3 * np.cumsum(rng.standard_normal(n))
    return np.cumsum(speed) + 0.5 * rng.standard_normal(n)


OBSERVED = make_data()


def run_filter(log_noise, observed):
    """Filtered states (n, 2) and the sum of log-likelihoods."""
    q, r = np.exp(log_noise)
    step = np.array([[1.0, 1.0], [0.0, 1.0]])
    process = q * np.array([[0.25, 0.5], [0.5, 1.0]])
    look = np.array([1.0, 0.0])

    mean = np.zeros_like(log_noise)
    cov = 10 * np.eye(2)
    states = np.zeros((len(observed), 2))
    total = 0.0
    for i, z in enumerate(observed):
        mean = step @ mean
        cov = step @ cov @ step.T + process
        residual = z - look @ mean
        variance = look @ cov @ look + r
        gain = cov @ look / variance
        mean = mean + gain * residual
        cov -= np.outer(gain, look @ cov)
        states[i] = mean
        total += -0.5 * (residual**2 / variance + np.log(2 * np.pi * variance))
    return states, total


def loss(log_noise):
    states, total = run_filter(log_noise, OBSERVED)
    roughness = np.sum(np.diff(states[:, 1]) ** 2)
    return -total + 0.001 * roughness


START = np.array([-2.0, -1.0])
