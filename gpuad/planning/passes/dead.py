"""Rows whose result nobody reads drop out; rows with effects stay."""
from __future__ import annotations

from gpuad.planning.passes.rewriting import counted, without
from gpuad.planning.program import Program, variables


def dead(program: Program) -> Program:
    """The program without rows that no output and no ordered row needs."""
    needed = [False] * program.n_variables
    for v in variables(program.outputs):
        needed[v.index] = True
    for i in range(program.n_variables - 1, program.first - 1, -1):
        row = program.rows[i - program.first]
        if row.ordered or needed[i]:
            needed[i] = True
            for j in row.parents:
                needed[j] = True
    count = needed[program.first:].count(False)
    return counted(without(program, needed.__getitem__), "dead", count) if count else program
