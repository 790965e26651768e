"""Rewriting row by row: a rule looks at one row and says what computes the same more cheaply."""
from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from gpuad.planning.program import Builder, Program, Row, Spec, Var

Rule = Callable[[Row, "Rewriter"], Any]
"""From a row, whose variables are the new ones: None keeps it, a Row replaces it, a Var or a constant is its value."""


class Rewriter(Builder):
    """A program under construction that knows how often each of its variables is read, or a bound above that."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.reads = [0] * program.first

    def add(self, row: Row) -> Var:
        """Append a row of a rule's, for its result to read."""
        self.count(row, 1)
        self.reads.append(0)
        return super().add(row)

    def count(self, row: Row, step: int) -> None:
        """Note that a row reads its variables, or no longer does."""
        for j in row.parents:
            self.reads[j] += step

    def keep(self, row: Row, reads: int) -> Var:
        """Append a row that was there before, and is read so often."""
        self.reads.append(reads)
        return super().add(row)

    def call(self, function: Callable[..., Any], *args: Any, out: Spec) -> Var:
        """Append ``function(*args)``."""
        return self.add(Row(function, args, {}, out))

    def read_once(self, x: Any) -> bool:
        """Whether x is a row's variable that nothing else reads."""
        return type(x) is Var and x.index >= self.program.first and self.reads[x.index] == 1


def rewrite(program: Program, name: str, rule: Rule) -> Program:
    """The program with each row replaced by what the rule makes of it. Rows with effects or error states are kept.

    Rows that nothing reads any more stay: they are for ``dead``.
    """
    new, uses = Rewriter(program), program.uses()
    count, moved = 0, False  # moved: some variable has another name than before
    for i, row in program.numbered():
        if moved:
            row = row.renamed(new.names)
        found = rule(row, new) if not row.ordered and row.errors is None else None
        if found is None:
            value = new.keep(row, uses[i])
        else:
            count += 1
            value = new.add(found) if type(found) is Row else found
            new.count(row, -1)
            if type(value) is Var:
                new.reads[value.index] += uses[i]
        moved = moved or type(value) is not Var or value.index != i
        new.names.append(value)
    return counted(new.finish(), name, count) if count else program


def without(program: Program, keep: Callable[[int], bool]) -> Program:
    """The program without the rows of the variables that are not kept, which nothing may read."""
    new = Builder(program)
    moved = False
    for i, row in program.numbered():
        if keep(i):
            new.names.append(new.add(row.renamed(new.names) if moved else row))
        else:
            new.names.append(None)
            moved = True
    return new.finish()


def counted(program: Program, name: str, count: int) -> Program:
    """The program with a pass's count of what it did noted."""
    return replace(program, notes={**program.notes, name: program.notes.get(name, 0) + count})


def first_of(rules: Iterable[Rule]) -> Rule:
    """The rule that asks each of several, in order."""
    several = tuple(rules)

    def rule(row: Row, new: Rewriter) -> Any:
        for one in several:
            found = one(row, new)
            if found is not None:
                return found
        return None

    return rule
