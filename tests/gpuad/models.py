"""Models with losses for each example of a batch: functions (parameters, *data) to an array (B,)."""
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import gpuad

B, N, H, C, T, V = 5, 4, 6, 3, 7, 9
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape) * 0.5


X, S = normal(B, N), normal(B, T, N)
LABELS, TOKENS = RNG.integers(0, C, B), RNG.integers(0, V, (B, T))


def softmax(a: Any) -> Any:
    e = np.exp(a - np.max(a, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy(logits: Any, labels: Any) -> Any:
    top = np.max(logits, axis=-1, keepdims=True)
    return np.log(np.sum(np.exp(logits - top), axis=-1)) + top[..., 0] - logits[np.arange(logits.shape[0]), labels]


def logistic(p: Any, x: Any, y: Any) -> Any:
    return np.logaddexp(0, -(2.0 * (y > 0) - 1) * (x @ p["w"] + p["b"]))


def network(p: Any, x: Any, y: Any) -> Any:
    return cross_entropy(np.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"], y)


def columns(p: Any, x: Any, y: Any) -> Any:
    """The same with examples as columns: parameters multiply from the left."""
    return cross_entropy((p["w2"] @ np.tanh(p["w1"] @ x.T + p["b1"][:, None])).T, y)


def recurrent(p: Any, x: Any, y: Any) -> Any:
    state = p["start"]
    for t in range(x.shape[1]):
        state = np.tanh(x[:, t] @ p["u"] + state @ p["w"] + p["b"])
    return cross_entropy(state @ p["v"], y)


def convolutional(p: Any, x: Any, y: Any) -> Any:
    views = np.stack([np.stack([x[:, :, i: i + 4, j: j + 3] for j in range(3)], -1) for i in range(3)], -2)
    z = np.einsum("bchwij,ocij->bohw", views, p["k"]) + p["b"][:, None, None]
    return cross_entropy(np.mean(np.maximum(z, 0.1 * z), axis=(2, 3)) @ p["v"], y)


def embedding(p: Any, tokens: Any, y: Any) -> Any:
    return cross_entropy(np.tanh(np.sum(p["table"][tokens], axis=1)) @ p["v"], y)


def tied(p: Any, tokens: Any, y: Any) -> Any:
    """A table that is read by number and as a matrix."""
    return cross_entropy(np.mean(np.take(p["table"], tokens, axis=0), axis=1) @ p["w"] @ p["table"].T, y)


def attention(p: Any, x: Any, y: Any) -> Any:
    q, k, v = x @ p["q"], x @ p["k"], x @ p["v"]
    return cross_entropy(np.mean(softmax(q @ np.swapaxes(k, -1, -2)) @ v, axis=1) @ p["o"], y)


def heads(p: Any, x: Any, y: Any) -> Any:
    def split(w: Any) -> Any:
        return np.transpose(np.reshape(x @ w, (x.shape[0], T, 2, H // 2)), (0, 2, 1, 3))

    weights = softmax(np.einsum("bhtd,bhsd->bhts", split(p["q"]), split(p["k"])))
    z = np.reshape(np.transpose(weights @ split(p["v"]), (0, 2, 1, 3)), (x.shape[0], T, H))
    return cross_entropy(np.mean(z, axis=1) @ p["o"], y)


def layer_norm(p: Any, x: Any, y: Any) -> Any:
    z = x @ p["w"]
    z = (z - np.mean(z, axis=-1, keepdims=True)) / np.sqrt(np.var(z, axis=-1, keepdims=True) + 1e-3) * p["gain"] + p["bias"]
    return cross_entropy(z @ p["v"], y)


def tensors(p: Any, x: Any, y: Any) -> Any:
    return cross_entropy(np.tensordot(np.tanh(np.tensordot(x, p["w"], ((1, 2), (1, 0)))), p["v"], 1), y)


def weight_norm(p: Any, x: Any, y: Any) -> Any:
    """A function of the parameters before any example."""
    return cross_entropy(x @ (p["w"] / np.sqrt(np.sum(p["w"] ** 2, axis=0)) * p["gain"]), y)


def by_time(p: Any, x: Any, y: Any) -> Any:
    """Examples and times in one axis, times first."""
    rows = np.reshape(np.swapaxes(x, 0, 1), (T * x.shape[0], N)) @ p["w"]
    return cross_entropy(np.mean(np.tanh(np.reshape(rows, (T, x.shape[0], H))), axis=0) @ p["v"], y)


def spectrum(p: Any, x: Any, y: Any) -> Any:
    return cross_entropy(np.abs(np.fft.fft(x * p["w"], axis=1)) @ p["v"], y)


def solved(p: Any, x: Any, y: Any) -> Any:
    matrices = p["w"] + x[:, :, None] * x[:, None, :]
    return cross_entropy(np.linalg.solve(matrices, x[..., None])[..., 0] @ p["v"], y)


class Model(NamedTuple):
    f: Callable[..., Any]
    params: Any
    data: tuple[Any, ...]
    formed: int  # gradients that are formed for their norms

    @property
    def grads(self) -> Any:
        """A loop over the examples."""
        def one(i: int) -> Any:
            return gpuad.grad(lambda p: self.f(p, *[x[i: i + 1] for x in self.data])[0])(self.params)

        each = [one(i) for i in range(B)]
        return {k: np.stack([np.asarray(g[k]) for g in each]) for k in self.params}


MODELS: dict[str, Model] = {
    "logistic": Model(logistic, {"w": normal(N), "b": 0.3}, (X, LABELS), 1),
    "network": Model(network, {"w1": normal(N, H), "b1": normal(H), "w2": normal(H, C), "b2": normal(C)}, (X, LABELS), 0),
    "columns": Model(columns, {"w1": normal(H, N), "b1": normal(H), "w2": normal(C, H)}, (X, LABELS), 0),
    "recurrent": Model(recurrent, {"start": normal(H), "u": normal(N, H), "w": normal(H, H), "b": normal(H), "v": normal(H, C)},
                       (S, LABELS), 2),
    "convolutional": Model(convolutional, {"k": normal(4, 2, 3, 3), "b": normal(4), "v": normal(4, C)},
                           (normal(B, 2, 6, 5), LABELS), 1),
    "embedding": Model(embedding, {"table": normal(V, H), "v": normal(H, C)}, (TOKENS, LABELS), 1),
    "tied": Model(tied, {"table": normal(V, H), "w": normal(H, H)}, (TOKENS, LABELS), 2),
    "attention": Model(attention, {"q": normal(N, H), "k": normal(N, H), "v": normal(N, H), "o": normal(H, C)}, (S, LABELS),
                       3),
    "heads": Model(heads, {"q": normal(N, H), "k": normal(N, H), "v": normal(N, H), "o": normal(H, C)}, (S, LABELS),
                   3),
    "layer norm": Model(layer_norm, {"w": normal(N, H), "gain": normal(H), "bias": normal(H), "v": normal(H, C)}, (X, LABELS),
                        0),
    "tensors": Model(tensors, {"w": normal(3, 2, H), "v": normal(H, C)}, (normal(B, 2, 3), LABELS), 0),
    "weight norm": Model(weight_norm, {"w": normal(N, C), "gain": normal(C)}, (X, LABELS), 2),
    "by time": Model(by_time, {"w": normal(N, H), "v": normal(H, C)}, (S, LABELS), 1),
    "spectrum": Model(spectrum, {"w": normal(N), "v": normal(N, C)}, (X, LABELS), 0),
    "solved": Model(solved, {"w": normal(N, N) + 3 * np.eye(N), "v": normal(N, C)}, (X, LABELS), 0),
    "bilinear": Model(lambda p, x: np.einsum("bi,ij,bj->b", x, p["w"], np.tanh(x)), {"w": normal(N, N)}, (X,), 0),
    "scalar": Model(lambda p, x: np.sum(np.sin(x * p["s"]) * p["t"], axis=1), {"s": 1.5, "t": np.float32([2.0])}, (X,), 0),
    "cumulative": Model(lambda p, x: np.sum(np.sort(np.cumsum(x * p["w"], axis=1)) ** 2, axis=1), {"w": normal(N)}, (X,), 0),
    "unused": Model(lambda p, x: np.sum(x**2, axis=1) * p["s"], {"s": 1.5, "w": normal(3)}, (X,), 0),
}
