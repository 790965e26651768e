"""Making random programs.

A program is made while it runs, at seven points of a line through its inputs: a step stays when it can be evaluated there, has a
moderate size, and is smooth along the line. The seven results give the derivative along the line by differences, for nothing.
"""
from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.lines import FAMILIES
from tests.fuzz.operations import Unfit, condition, fill, fits, names
from tests.fuzz.programs import NUMPY, Program, compiled, known, total, used_names

WIDTH = 2.0**-10
POINTS = (0, 1, -1, 2, -2, 4, -4)
"""The points of the line, in steps of WIDTH."""

SHAPES = ((2, 3), (3,), (3, 3), (2,), (1, 3), (3, 1), (2, 1, 3), (), (4,), (2, 2, 3))
LARGEST, LENGTH, AXES = 24, 6, 3
"""Size, length and number of axes of a value at most."""

NOISE = 1e-9
"""Where so small a change of a step's operands, up and down, changes the step's value much, the step is not taken: it jumps
between values that rounding cannot tell apart, as x % 1 does at x = y − y."""


@dataclass
class Tally:
    """What was drawn while programs were made."""

    steps: int = 0
    short: int = 0
    """programs that ended early, since no step was found in ATTEMPTS"""
    refused: Counter[str] = field(default_factory=Counter)
    """steps that were drawn in vain, by reason"""

    def add(self, other: Tally) -> None:
        """Count what another one has counted."""
        self.steps += other.steps
        self.short += other.short
        self.refused += other.refused


ATTEMPTS = 60


@dataclass
class Drawn:
    """A program, a direction for its inputs, and its derivative along it by differences at two widths."""

    program: Program
    direction: list[np.ndarray]
    fine: float
    coarse: float

    @property
    def slope(self) -> float:
        """Richardson's extrapolation of both."""
        return (16 * self.fine - self.coarse) / 15

    @property
    def slack(self) -> float:
        """A bound on its error."""
        return abs(self.fine - self.coarse)


class Maker:
    """Draws programs from a generator of random numbers.

    ``allowed`` says which functions may occur, by name; with ``portable`` no line that is for NumPy only.
    """

    def __init__(self, random: Random, allowed: Callable[[str], bool] = known, tally: Tally | None = None,
                 portable: bool = False):
        self.random, self.allowed, self.tally, self.portable = random, allowed, tally or Tally(), portable

    def program(self, longest: int = 30) -> Drawn:
        """A program of up to ``longest`` steps."""
        random = self.random
        rng = np.random.default_rng(random.getrandbits(32))
        inputs = {f"x{i}": self._input(rng) for i in range(random.choice((1, 2, 2, 3)))}
        direction = {name: normal(rng, x.shape, x.dtype) for name, x in inputs.items()}
        self.pools: list[dict[str, Any]] = [
            {name: x + t * WIDTH * direction[name] for name, x in inputs.items()} for t in POINTS]
        self.chain = random.choice((0.3, 0.8, 0.98))
        self.rng = rng
        lines: list[tuple[str, str]] = []
        used: set[str] = set()
        for _ in range(1 + random.randrange(random.choice((4, 7, 12, longest)))):
            text = self._step(f"v{len(lines)}")
            if text is None:
                self.tally.short += 1
                break
            used |= used_names(text)
            lines.append((f"v{len(lines)}", text))
        self.tally.steps += len(lines)
        last = [name for name, _ in lines if name not in used] or list(inputs)
        values = self.pools[0]
        weights = {name: normal(rng, np.shape(values[name]), np.asarray(values[name]).dtype) for name in last}
        at = [total(np, [(w, pool[name]) for name, w in weights.items()]) for pool in self.pools]
        fine = (8 * (at[1] - at[2]) - (at[3] - at[4])) / (12 * WIDTH)
        coarse = (8 * (at[3] - at[4]) - (at[5] - at[6])) / (24 * WIDTH)
        return Drawn(Program(inputs, tuple(lines), weights), list(direction.values()), float(fine), float(coarse))

    def _input(self, rng: np.random.Generator) -> np.ndarray:
        kind = np.dtype(complex if self.random.random() < 0.06 else float)
        return normal(rng, self.random.choice(SHAPES), kind)

    def _step(self, name: str) -> str | None:
        for _ in range(ATTEMPTS):
            try:
                text = self._text()
            except Unfit:
                continue
            with np.errstate(all="raise", under="ignore"), warnings.catch_warnings():
                warnings.simplefilter("error")
                text, why = self._admit(name, text)
            if not why:
                return text
            self.tally.refused[why] += 1
        return None

    def _operand(self, pool: list[str]) -> str:
        """A value of the program, most often a late one."""
        if self.random.random() < self.chain:
            return pool[-1]
        return self.random.choice(pool[-8:] if self.random.random() < 0.6 else pool)

    def _text(self) -> str:
        random, pool = self.random, list(self.pools[0])
        x, y, z = (self._operand(pool) for _ in "xyz")
        value = np.asarray(self.pools[0][x])
        words, line = condition(random.choice(_family(random)))
        if not fits(words, value) or not all(map(self.allowed, names(line))) or (self.portable and "numpy" in words):
            raise Unfit
        operands = {"x": x, "y": y, "z": z}
        if "complex" not in words and any(np.iscomplexobj(self.pools[0][operands[k]]) for k in "yz" if f"{{{k}}}" in line):
            raise Unfit
        return fill(line, random, operands, value)

    def _admit(self, name: str, text: str) -> tuple[str, str]:
        """The step's text, perhaps scaled, where it may stay, with its values in the pools; or why not."""
        code, pool = compiled(text), self.pools[0]
        try:
            values = [eval(code, NUMPY, pool) for pool in self.pools]
            noise = {other: self._noise(pool[other]) for other in code.co_names if other in pool}
            noisy = [eval(code, NUMPY, {k: pool[k] + sign * v for k, v in noise.items()}) for sign in (1, -1)]
        except (ValueError, IndexError, TypeError, AttributeError, ArithmeticError, np.linalg.LinAlgError, Warning) as error:
            return text, f"NumPy raises {type(error).__name__}"
        if why := objection(values, noisy):
            return text, why
        size = max(magnitudes(values))
        if size > 4:
            factor = float(f"{2 / size:.1g}")
            text, values = f"{factor} * ({text})", [factor * v for v in values]
        for pool, value in zip(self.pools, values, strict=True):
            pool[name] = value
        return text, ""

    def _noise(self, x: Any) -> Any:
        return NOISE * normal(self.rng, np.shape(x), np.result_type(x))


def _family(random: Random) -> list[str]:
    place = random.randrange(sum(weight for weight, _ in FAMILIES.values()))
    for weight, lines in FAMILIES.values():
        place -= weight
        if place < 0:
            return lines
    raise AssertionError


def normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Normal numbers, real or complex."""
    x = rng.standard_normal(shape)
    return np.asarray(x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x)


def magnitudes(values: list[Any]) -> tuple[float, float]:
    """The largest entry, and a tenth of the largest derivative along the line."""
    return float(np.max(np.abs(values[0]), initial=0)), float(np.max(np.abs(values[1] - values[2]), initial=0)) / (20 * WIDTH)


def objection(values: list[Any], noisy: list[Any]) -> str:
    """Why a step with these values, at POINTS and at the first of them with noise, cannot stay; empty where it can."""
    first = values[0]
    if not isinstance(first, (np.ndarray, np.generic)) or first.dtype.kind not in "fc":
        return "not floating"
    if first.size > LARGEST or first.ndim > AXES or max(first.shape, default=0) > LENGTH:
        return "large"
    if len({v.shape for v in (*values, *noisy)}) > 1:
        return "shapes vary"
    if not all(np.all(np.isfinite(v)) for v in (*values, *noisy)):
        return "not finite"
    scale = sum(magnitudes(values))
    if not smooth(values, scale):
        return "not smooth"
    return "jumps" if any(np.max(np.abs(v - first), initial=0) > 1e-5 * (1 + scale) for v in noisy) else ""


def smooth(values: list[Any], scale: float) -> bool:
    """Whether third and fourth differences are small: at a kink, at the point itself or beside it, one of them is not."""
    at, up, down, far_up, far_down = values[:5]
    odd = (far_up - far_down) - 2 * (up - down)
    even = (far_up + far_down - 2 * at) - 4 * (up + down - 2 * at)
    return max(np.max(np.abs(odd), initial=0), np.max(np.abs(even), initial=0)) <= 1e-4 * WIDTH * scale + 1e-13
