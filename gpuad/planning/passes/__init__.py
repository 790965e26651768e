"""Passes over a planned function's rows: each is a function from a Program to a Program that computes the same."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from gpuad.planning.passes.chains import chains
from gpuad.planning.passes.constants import constants
from gpuad.planning.passes.dead import dead
from gpuad.planning.passes.equal import equal
from gpuad.planning.passes.outer import outer
from gpuad.planning.passes.reductions import reductions
from gpuad.planning.passes.scalars import scalars
from gpuad.planning.passes.slices import slices
from gpuad.planning.passes.views import views
from gpuad.planning.program import Program

Pass = Callable[[Program], Program]

SIMPLER: tuple[Pass, ...] = (dead, equal, constants, scalars, views, slices)
"""Passes that leave every entry of the results to the same operations, and only drop rows."""

CHEAPER: tuple[Pass, ...] = (outer, reductions, chains)
"""Passes that sum and multiply in another order."""

ROUNDS = 12
"""A bound that no program is known to reach."""


def analyse(program: Program) -> Program:
    """The program with fewer and cheaper rows; ``notes`` counts what each pass did."""
    for _ in range(ROUNDS):
        before, program = program, _settled(_settled(program, SIMPLER, ROUNDS), CHEAPER, 1)
        if program is before:
            return program
    return _settled(program, SIMPLER, 1)


def _settled(program: Program, passes: Sequence[Pass], rounds: int) -> Program:
    """The program after rounds of passes, until one changes nothing."""
    for _ in range(rounds):
        before = program
        for apply in passes:
            program = apply(program)
        if program is before:
            break
    return program


__all__ = ["analyse", "chains", "constants", "dead", "equal", "outer", "reductions", "scalars", "slices", "views"]
