"""Passes over a planned function's rows: each is a function from a Program to a Program that computes the same.

A pass is a file: ``dead.dead``, ``equal.equal`` and so on. Those that look at one row at a time also have their ``rule``.
"""
from __future__ import annotations

from collections.abc import Callable

from gpuad.planning.passes import (
    chains,
    columns,
    constants,
    dead,
    equal,
    expansions,
    factors,
    outer,
    reductions,
    scalars,
    scatters,
    slices,
    views,
)
from gpuad.planning.passes.rewriting import rewrite
from gpuad.planning.program import Program

Pass = Callable[[Program], Program]

RULES = {"constants": constants.rule, "scalars": scalars.rule, "factors": factors.rule, "views": views.rule,
         "slices": slices.rule, "expansions": expansions.rule, "columns": columns.rule}

ROUNDS = 12
"""A bound that no program is known to reach."""


def simpler(program: Program) -> Program:
    """All that looks at one row at a time, in one sweep."""
    return rewrite(program, RULES)


SIMPLER: tuple[Pass, ...] = (equal.equal, simpler, dead.dead)
"""Passes that leave every entry of the results to the same operations, to rounding, and only drop rows."""

CHEAPER: tuple[Pass, ...] = (slices.products, outer.outer, scatters.scatters, reductions.reductions, chains.chains)
"""Passes that sum and multiply in another order."""


ON_DEVICE: tuple[Pass, ...] = (slices.products, outer.outer, scatters.scatters, chains.chains)
"""The same on the device, where kernels take sums with the rows around them."""


def analyse(program: Program) -> Program:
    """The program with fewer and cheaper rows; ``notes`` counts what each pass did."""
    done: dict[Pass, Program] = {}  # the program in which a pass found nothing more
    for _ in range(ROUNDS):
        program = _settled(program, done)
        before = program
        for apply in ON_DEVICE if program.on_device else CHEAPER:
            program = _applied(apply, program, done)
        if program is before:
            break
    return _settled(program, done)


def _settled(program: Program, done: dict[Pass, Program]) -> Program:
    """The program after passes that make it simpler, until none finds more."""
    for _ in range(ROUNDS):
        before = program
        for apply in SIMPLER:
            program = _applied(apply, program, done)
        if program is before:
            break
    return program


def _applied(apply: Pass, program: Program, done: dict[Pass, Program]) -> Program:
    if done.get(apply) is program:
        return program
    result = apply(program)
    if result is program:
        done[apply] = program
    return result


__all__ = ["analyse"]
