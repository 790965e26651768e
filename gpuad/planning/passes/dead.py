"""Rows whose result nobody reads drop out; rows with effects stay."""
from __future__ import annotations

from gpuad.planning.passes.rewriting import counted
from gpuad.planning.program import Builder, Program, variables


def dead(program: Program) -> Program:
    """The program without rows that no output and no ordered row needs."""
    needed = [False] * program.n_variables
    for v in variables(program.outputs):
        needed[v.index] = True
    for i, row in zip(range(program.n_variables - 1, program.first - 1, -1), reversed(program.rows), strict=True):
        if row.ordered or needed[i]:
            needed[i] = True
            for j in row.parents:
                needed[j] = True
    count = needed[program.first:].count(False)
    return counted(_without(program, needed), {"dead": count}) if count else program


def _without(program: Program, needed: list[bool]) -> Program:
    """The program with the rows of needed variables only."""
    new, dropped = Builder(program), False
    for i, row in program.numbered():
        if needed[i]:
            new.names.append(new.add(row.renamed(new.names) if dropped else row))
        else:
            new.names.append(None)
            dropped = True
    return new.finish()
