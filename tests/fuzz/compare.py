"""Holding a program's gradient against JAX's; where they differ, which one is right, and whether the program allows more."""
from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

import gpuad as ad
from tests.fuzz.maker import WIDTH, normal
from tests.fuzz.programs import GPUAD, NUMPY, Program

TOLERANCE = 1e-10
"""Of values and gradients, relative to their largest entry."""

SMALL = 1e-3
"""A gradient whose entries are all smaller is compared as one of this size: values and weights are of order one, and derivatives
that cancel to nothing leave rounding."""

JITTER = 1e-11
"""The relative change of every value on the way that measures a program's condition."""

SHARE = 0.05
"""An error may be this share of what such changes do: as if every value were wrong by 5e-13, some thousand roundings."""

AGREES, ILL, FAILS = "agrees", "ill-conditioned", "fails"
RAISES, PEER = "JAX raises, gpuad agrees with differences", "JAX differs from differences, gpuad agrees"


@dataclass
class Verdict:
    """How a comparison ended, and the largest error relative to the tolerance's scale."""

    kind: str
    error: float = 0.0
    detail: str = ""


def gradient(program: Program, after: Any = None) -> Result:
    """gpuad's value and gradient."""
    f = ad.value_and_grad(lambda *x: program.run(GPUAD, x, after), argnums=tuple(range(len(program.inputs))))
    value, parts = f(*program.inputs.values())
    return np.asarray(value), [np.asarray(g) for g in parts]


Result = tuple[Any, list[np.ndarray]]
"""A value and a gradient."""


def judge(program: Program, peer: Callable[[Program], Iterable[Result]], tolerance: float = TOLERANCE) -> Verdict:
    """Compare value and gradient, each relative to its largest entry, with the answers of ``peer(program)``: one must agree."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            mine = gradient(program)
        except Exception as error:
            return Verdict(FAILS, np.inf, f"gpuad raises {type(error).__name__}: {error}")
        try:
            for theirs in peer(program):
                verdict = _compared(program, mine, theirs, tolerance)
                if verdict.kind in (AGREES, ILL):
                    break
        except Exception as error:
            kind = RAISES if agrees_with_differences(program, mine) else FAILS
            return Verdict(kind, 0.0, f"JAX raises {type(error).__name__}: {str(error).splitlines()[0][:150]}")
        return verdict


def _compared(program: Program, mine: Result, theirs: Result, tolerance: float) -> Verdict:
    errors = [distance(a, b) for a, b in zip(_groups(mine), _groups(theirs), strict=True)]
    worst = float(np.max([e / s for e, s in errors]))  # NaN where one is
    if worst <= tolerance:
        return Verdict(AGREES, worst)
    spread = sensitivity(program)
    if all(e <= tolerance * s + SHARE * d for (e, s), d in zip(errors, spread, strict=True)):
        return Verdict(ILL, worst, f"changes of {JITTER} of every value do {max(spread):.2g}")
    detail = f"gpuad {_text(mine)}\nJAX   {_text(theirs)}"
    if agrees_with_differences(program, mine) and not agrees_with_differences(program, theirs):
        return Verdict(PEER, worst, detail)
    return Verdict(FAILS, worst, detail)


def _groups(result: Result) -> tuple[np.ndarray, np.ndarray]:
    """The value, and all entries of the gradient."""
    return np.ravel(result[0]), np.concatenate([np.ravel(g) for g in result[1]])


def distance(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """The largest difference, and the largest entry or SMALL."""
    return float(np.max(np.abs(a - b), initial=0)), float(np.max(np.abs(a), initial=SMALL))


def sensitivity(program: Program, times: int = 4) -> list[float]:
    """How far the value and the gradient move when every value on the way changes by JITTER, at random (after Vignes, 1978)."""
    rng = np.random.default_rng(0)

    def jitter(x: Any) -> Any:
        return x * (1 + JITTER * rng.choice([-1.0, 1.0], np.shape(x)))

    base = _groups(gradient(program))
    moved = [_groups(gradient(program, jitter)) for _ in range(times)]
    return [max(distance(m[i], b)[0] for m in moved) for i, b in enumerate(base)]


def differences(program: Program, direction: list[np.ndarray]) -> tuple[float, float]:
    """The derivative along a direction by two-sided differences of a small and of twice that width."""
    inputs = list(program.inputs.values())

    def at(t: float) -> float:
        return float(program.run(NUMPY, [x + t * v for x, v in zip(inputs, direction, strict=True)]))

    coarse, fine = ((8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h) for h in (WIDTH, WIDTH / 2))
    return fine, coarse


def along(gradient: Iterable[np.ndarray], direction: list[np.ndarray]) -> tuple[float, float]:
    """The derivative along a direction from the gradient, and the sum of the absolute values of its terms."""
    terms = [np.ravel((np.conj(g) * v).real) for g, v in zip(gradient, direction, strict=True)]
    return float(np.sum(np.concatenate(terms))), float(np.sum(np.abs(np.concatenate(terms))))


def agrees_with_differences(program: Program, result: Result) -> bool:
    """Whether the value is NumPy's, and the gradient that of two-sided differences, along eight directions."""
    rng = np.random.default_rng(1)
    value = program.run(NUMPY, program.inputs.values())
    if not abs(result[0] - value) <= TOLERANCE * (1 + abs(value)):
        return False
    for _ in range(8):
        direction = [normal(rng, x.shape, x.dtype) for x in program.inputs.values()]
        fine, coarse = differences(program, direction)
        got, size = along(result[1], direction)
        if not abs(got - fine) <= 1e-7 * size + 1e-10 + 4 * abs(fine - coarse):
            return False
    return True


def _text(result: Result) -> str:
    with np.printoptions(precision=17, floatmode="unique"):
        return f"{float(result[0])!r} {[g.tolist() for g in result[1]]}"
