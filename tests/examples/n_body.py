"""N bodies under gravity, by the leapfrog method: the final energy, and the distance travelled, given the start."""
import numpy as np

MASSES = np.array([1.0, 0.5, 0.3, 0.2])
SOFTENING = 0.1


def accelerations(x):
    a = np.zeros_like(x)
    for i in range(len(x)):
        for j in range(i):
            gap = x[j] - x[i]
            pull = gap / (gap @ gap + SOFTENING**2) ** 1.5
            a[i] += MASSES[j] * pull
            a[j] -= MASSES[i] * pull
    return a


def energy(x, v):
    kinetic = 0.5 * np.sum(MASSES[:, None] * v**2)
    gaps = x[:, None, :] - x[None, :, :]
    distances = np.sqrt(np.sum(gaps**2, axis=-1) + SOFTENING**2)
    pairs = np.triu(np.outer(MASSES, MASSES) / distances, k=1)
    return kinetic - np.sum(pairs)


def simulate(x, v, dt=0.02, steps=15):
    x, v = x.copy(), v.copy()
    v += 0.5 * dt * accelerations(x)
    for _ in range(steps):
        x += dt * v
        v += dt * accelerations(x)
    v -= 0.5 * dt * accelerations(x)
    return x, v


def loss(start):
    x, v = simulate(start[0], start[1])
    return energy(x, v) + np.sqrt(np.sum((x - start[0]) ** 2))


START = np.array([[[1.0, 0.2], [-0.8, 0.1], [0.1, 1.1], [-0.2, -0.9]], [[0.1, 0.6], [0.0, -0.7], [-0.6, 0.1], [0.5, -0.1]]])
