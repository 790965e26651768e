"""Making a program that fails smaller, as long as it fails."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tests.fuzz.programs import NUMPY, Program, used_names


def shrink(program: Program, fails: Callable[[Program], bool], tries: int = 400) -> Program:
    """A program that fails too, and of which no single cut does."""
    done = False
    while not done:
        done = True
        for smaller in _smaller(program):
            tries -= 1
            if tries < 0:
                return program
            if _holds(fails, smaller):
                program, done = smaller, False
                break
    return program


def _holds(fails: Callable[[Program], bool], program: Program) -> bool:
    try:
        return fails(program)
    except Exception:  # no program any more
        return False


def _smaller(program: Program) -> Iterator[Program]:
    values = _values(program)
    if len(program.weights) > 1:
        for name in program.weights:
            yield _pruned(Program(program.inputs, program.lines, {name: program.weights[name]}))
    for i in reversed(range(len(program.lines))):  # a line's value becomes an input
        name = program.lines[i][0]
        rest = program.lines[:i] + program.lines[i + 1:]
        if not (name in program.weights and len(program.weights) == 1):
            yield _pruned(Program({**program.inputs, name: np.asarray(values[name])}, rest, program.weights))
    for i, (name, _) in enumerate(program.lines):  # an earlier value stands in for a line's
        for other in (*program.inputs, *(n for n, _ in program.lines[:i])):
            if np.shape(values[other]) == np.shape(values[name]) and other != program.lines[i][1]:
                lines = (*program.lines[:i], (name, other), *program.lines[i + 1:])
                yield _pruned(Program(program.inputs, lines, program.weights))
                break
    for name, x in program.inputs.items():
        if not np.array_equal(np.round(x, 1), x):
            yield Program({**program.inputs, name: np.round(x, 1)}, program.lines, program.weights)
    for name, w in program.weights.items():
        if not np.array_equal(w, np.ones_like(w)):
            yield Program(program.inputs, program.lines, {**program.weights, name: np.ones_like(w)})


def _values(program: Program) -> dict[str, Any]:
    seen: list[Any] = []

    def keep(x: Any) -> Any:
        seen.append(x)
        return x

    with np.errstate(all="ignore"):
        program.run(NUMPY, program.inputs.values(), keep)
    return {**program.inputs, **dict(zip((name for name, _ in program.lines), seen, strict=True))}


def _pruned(program: Program) -> Program:
    """Without lines and inputs that nothing needs."""
    needed, lines = set(program.weights), []
    for name, text in reversed(program.lines):
        if name in needed:
            needed |= used_names(text)
            lines.append((name, text))
    inputs = {name: x for name, x in program.inputs.items() if name in needed}
    return Program(inputs or dict(list(program.inputs.items())[:1]), tuple(reversed(lines)), program.weights)
