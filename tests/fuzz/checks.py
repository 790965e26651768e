"""What must hold of a random program's derivatives, and what is wrong where it does not: each check gives a text, empty if all is
well.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import gpuad as ad
from tests.fuzz import compare
from tests.fuzz.maker import WIDTH, Drawn, normal
from tests.fuzz.programs import GPUAD, Program
from tests.fuzz.shrink import shrink

Check = Callable[[Drawn], str]


def against_differences(made: Drawn) -> str:
    """Forward mode, reverse mode and two-sided differences agree."""
    program = made.program
    _, system = ad.linearize(lambda *inputs: program.run(GPUAD, inputs), *program.inputs.values())
    forward, gradient = float(system.pushforward(*made.direction)), system.pullback(1.0)
    reverse, size = compare.along(gradient, made.direction)
    if not abs(forward - reverse) <= 1e-12 * size + 1e-14:
        return f"forward {forward!r}, reverse {reverse!r}"
    wrong = not abs(forward - made.slope) <= 1e-8 * size + 1e-10 + 4 * made.slack
    return f"forward and reverse {forward!r}, differences {made.slope!r}, wrong by {made.slack!r} at most" if wrong else ""


def second_derivatives(made: Drawn) -> str:
    """The Hessian is symmetric, and along the direction it is the difference of gradients. For real inputs."""
    program, primals = made.program, tuple(made.program.inputs.values())
    if any(x.dtype.kind == "c" for x in primals):
        return ""
    gradient = ad.grad(lambda *x: program.run(GPUAD, x), argnums=tuple(range(len(primals))))
    rng = np.random.default_rng(0)
    weights = tuple(normal(rng, x.shape, x.dtype) for x in primals)
    forward = _flat(ad.jvp(gradient, primals, tuple(made.direction))[1])
    terms = forward * _flat(weights), _flat(ad.vjp(gradient, *primals)[1](weights)) * _flat(made.direction)
    if not abs(np.sum(terms[0]) - np.sum(terms[1])) <= 1e-10 * np.sum(np.abs(terms)) + 1e-12:
        return f"forward over reverse {np.sum(terms[0])}, reverse over reverse {np.sum(terms[1])}"

    def at(t: float) -> Any:
        return _flat(gradient(*(x + t * v for x, v in zip(primals, made.direction, strict=True))))

    coarse, fine = ((8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h) for h in (WIDTH / 2, WIDTH / 4))
    slack = 4 * _largest(fine - coarse) + 1e-10 * _largest(at(0))
    wrong = not _largest(forward - fine) <= 1e-7 * (_largest(forward) + 1e-2) + slack
    return f"second derivatives {forward}, differences of gradients {fine}" if wrong else ""


def in_a_plan(made: Drawn) -> str:
    """Value and gradient in a plan are the eager ones; what is no fixed program is refused."""
    program, primals = made.program, tuple(made.program.inputs.values())
    eager = ad.value_and_grad(lambda *x: program.run(GPUAD, x), argnums=tuple(range(len(primals))))
    value, gradient = eager(*primals)
    planned = ad.plan(eager)
    try:
        planned(*primals)
        again, other = planned(*primals)
    except ad.PlanError:
        return "" if {"np.piecewise", "np.linalg.lstsq"} & set(program.calls) else "cannot be planned"
    size, difference = _largest(_flat(gradient)), _largest(_flat(gradient) - _flat(other))
    wrong = not (difference <= 1e-10 * size + 1e-13 and abs(value - again) <= 1e-11 * (1 + abs(value)))
    return f"eager {value} {gradient}, in a plan {again} {other}" if wrong else ""


def _flat(parts: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x) for x in parts])


def _largest(x: np.ndarray) -> float:
    return float(np.max(np.abs(x), initial=0))


def explained(check: Check, made: Drawn) -> str:
    """The check's complaint, with the smallest program that gives one; empty where all is well."""
    if not (found := _said(check, made)):
        return ""
    small = shrink(made.program, lambda program: bool(_said(check, _drawn(program))))
    return f"{found}\n\n{small}\n\n{_said(check, _drawn(small))}"


def _said(check: Check, made: Drawn) -> str:
    try:
        return check(made)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _drawn(program: Program) -> Drawn:
    """A program with a direction, and differences along it."""
    rng = np.random.default_rng(0)
    direction = [normal(rng, x.shape, x.dtype) for x in program.inputs.values()]
    return Drawn(program, direction, *compare.differences(program, direction))
