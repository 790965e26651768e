"""How the lines of ``tests.fuzz.lines`` become steps: conditions on their operands, and what is written at their places."""
from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np


class Unfit(Exception):
    """The line has no setting that fits its operands."""


# ---- conditions on x

def _off_zero(x: np.ndarray) -> bool:
    return x.size > 0 and float(np.min(np.abs(x))) > 0.05


def _spread(x: np.ndarray) -> bool:
    """Whether the entries differ along every axis that has several."""
    return x.size > 1 and all(np.min(np.std(x, axis=i)) > 0.1 for i, n in enumerate(x.shape) if n > 1)


CONDITIONS: dict[str, Callable[[np.ndarray], bool]] = {
    "any": lambda _x: True,
    "numpy": lambda _x: True,
    "axes": lambda x: x.ndim > 0,
    "wide": lambda x: x.ndim > 1,
    "complex": lambda x: x.dtype.kind == "c",
    "full": lambda x: x.size > 0,
    "off0": _off_zero,
    "slit": lambda x: _off_zero(x) and not np.any((x.real < 0) & (np.abs(x.imag) < 0.05)),
    "matrix": lambda x: x.ndim == 2 and x.shape[0] > 0,
    "square": lambda x: x.ndim == 2 and x.shape[0] == x.shape[1] > 0,
    "samples": lambda x: x.ndim == 2 and min(x.shape) > 1,
    "spread": _spread,
    "regular": lambda x: x.ndim == 2 and x.shape[1] > 2 and _spread(x),
}


def condition(line: str) -> tuple[tuple[str, ...], str]:
    """The conditions of a line, and the line without them."""
    if not line.startswith("["):
        return (), line
    words, _, rest = line[1:].partition("] ")
    return tuple(words.split()), rest


def fits(words: tuple[str, ...], x: np.ndarray) -> bool:
    """Whether x is what the line's conditions say; a plain line takes real values."""
    real = x.dtype.kind == "f"
    return (real or "complex" in words or "any" in words) and all(CONDITIONS[word](x) for word in words)


# ---- places

def _axis(random: Random, x: np.ndarray) -> str:
    if not x.ndim:
        raise Unfit
    return str(random.randrange(-x.ndim, x.ndim))


def _axes(random: Random, x: np.ndarray) -> str:
    kind = random.randrange(3)
    if kind == 0 or not x.ndim:
        return "None"
    return _axis(random, x) if kind == 1 or x.ndim < 2 else str(tuple(random.sample(range(x.ndim), 2)))


def _shape(random: Random, x: np.ndarray) -> str:
    n = x.size
    choices = [(-1,), (n,), (1, n), *[(d, n // d) for d in (2, 3) if n % d == 0], *([(n // 4, 2, 2)] if n % 4 == 0 and n else [])]
    return str(random.choice(choices if n else [x.shape[::-1]]))


def _permutation(random: Random, x: np.ndarray) -> str:
    return str(tuple(random.sample(range(x.ndim), x.ndim)))


def _basic(random: Random, x: np.ndarray) -> str:
    """An index of slices and integers; it leaves an empty array now and then."""
    if not x.ndim:
        return "..."
    parts = []
    for n in x.shape[: random.randrange(1, x.ndim + 1)]:
        choices = ["slice(None)", "slice(1, None)", "slice(None, None, -1)", "slice(None, 2)", "slice(None, None, 2)"]
        choices += ["0", "-1"] if n else []
        parts.append("slice(0, 0)" if random.randrange(60) == 0 else random.choice(choices))
    return ", ".join(parts)


def _integers(random: Random, x: np.ndarray) -> str:
    n = min(x.shape, default=0)
    if not n:
        raise Unfit
    return f"np.array({[random.randrange(-n, n) for _ in range(random.choice((1, 2, 3)))]})"


def _pairs(random: Random, x: np.ndarray) -> str:
    if x.ndim < 2 or not x.size:
        raise Unfit
    rows, columns = ([random.randrange(n) for _ in range(3)] for n in x.shape[:2])
    return f"np.array({rows}), np.array({columns})"


def _mask(random: Random, x: np.ndarray) -> str:
    if not x.ndim:
        raise Unfit
    pattern = random.getrandbits(max(x.size, 1))
    bits = np.array([bool(pattern >> i & 1) for i in range(x.size)], bool).reshape(x.shape)
    if not bits.size or not bits.any():
        raise Unfit
    return f"np.array({bits.tolist()})"


def _first_mask(random: Random, x: np.ndarray) -> str:
    if not x.ndim or not x.shape[0]:
        raise Unfit
    return f"np.array({[random.random() < 0.6 for _ in range(x.shape[0])]})"


def _choice(random: Random, x: np.ndarray) -> str:
    if not x.size:
        raise Unfit
    return f"np.array({np.array([random.randrange(2) for _ in range(x.size)]).reshape(x.shape).tolist()})"


def _weights(random: Random, x: np.ndarray) -> str:
    if not x.ndim or len(set(x.shape)) > 1:
        raise Unfit
    return f"np.array({[random.randrange(1, 9) / 4 for _ in range(x.shape[0])]})"


def _counts(random: Random, x: np.ndarray) -> str:
    if not x.ndim:
        raise Unfit
    return f"np.array({[random.randrange(3) for _ in range(x.shape[0])]})"


def _within(random: Random, x: np.ndarray) -> str:
    if not min(x.shape, default=0):
        raise Unfit
    return str(random.randrange(min(x.shape)))


def _last_entry(_random: Random, x: np.ndarray) -> str:
    if not x.ndim:
        raise Unfit
    return "..., -1"


def _square_matrix(extra: str) -> Callable[[Random, np.ndarray], str]:
    return lambda _random, x: "({x} @ {x}.T + " + extra.format(n=x.shape[0]) + ")"


PLACES: dict[str, Callable[[Random, np.ndarray], str]] = {
    "axis": _axis, "other": _axis, "axes": _axes, "shape": _shape, "permutation": _permutation,
    "basic": _basic, "integers": _integers, "pairs": _pairs, "mask": _mask, "first_mask": _first_mask,
    "choice": _choice, "weights": _weights, "counts": _counts,
    "position": _within, "middle": _within, "last": _within, "last_entry": _last_entry,
    "bool": lambda random, _x: str(random.random() < 0.5),
    "small": lambda random, _x: str(random.randrange(-1, 3)),
    "convolution": lambda random, _x: random.choice(["'full'", "'same'", "'valid'"]),
    "rows": lambda _random, x: str(x.shape[0]),
    "spd": _square_matrix("np.diag(np.arange(1.0, {n} + 1))"),
    "regular": _square_matrix("np.triu(np.ones(({n}, {n}))) + np.diag(np.arange(1.0, {n} + 1))"),
}

_PLACE = re.compile(r"\{(\w+)\}")


def fill(line: str, random: Random, operands: dict[str, str], x: Any) -> str:
    """The line with every place filled, those of one name alike."""
    filled = dict(operands)

    def text(match: re.Match[str]) -> str:
        word = match.group(1)
        if word not in filled:
            filled[word] = _PLACE.sub(text, PLACES[word](random, x))
        return filled[word]

    return _PLACE.sub(text, line)


_NAME = re.compile(r"\b(np|special|sp)\.([a-z_][\w.]*)\(|\b(put)\(|(?<=[\w)])\.([a-z_]+)\(")


def names(text: str) -> list[str]:
    """The functions that an expression calls: "np.sum", "special.erf", "put", ".reshape"."""
    return [f"{m[0]}.{m[1]}" if m[0] else m[2] or f".{m[3]}" for m in _NAME.findall(text)]
