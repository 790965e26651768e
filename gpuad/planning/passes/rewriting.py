"""Rewriting row by row: a rule looks at one row and says what computes the same more cheaply."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gpuad.planning.program import Builder, Program, Row, Spec, Var

Rule = Callable[[Row, "Rewriter"], Any]
"""From a row, whose variables are the new ones: None keeps it, a Row replaces it, a Var or a constant is its value."""

MOST = 16
"""Times that one row is rewritten in a sweep: no row is known to need so many."""


class Rewriter(Builder):
    """A program under construction that knows how often each of its variables is read, or a bound above that."""

    def __init__(self, program: Program):
        super().__init__(program)
        self.first = program.first
        self.specs = [program.spec(i) for i in range(self.first)]
        self.reads = [0] * self.first

    def spec(self, index: int) -> Spec:
        """What is known of a new variable."""
        return self.specs[index]

    def row(self, x: Any) -> Row | None:
        """The row of a new variable; None for inputs and constants."""
        return self.rows[x[0] - self.first] if type(x) is Var and x[0] >= self.first else None

    def add(self, row: Row) -> Var:
        """Append a row of a rule's, for its result to read."""
        self.count(row, 1)
        return self.keep(row, 0)

    def count(self, row: Row, step: int) -> None:
        """Note that a row reads its variables, or no longer does."""
        for j in row.parents:
            self.reads[j] += step

    def keep(self, row: Row, reads: int) -> Var:
        """Append a row that was there before, and is read so often."""
        self.reads.append(reads)
        self.specs.append(row.out)
        self.rows.append(row)
        return Var(len(self.reads) - 1)

    def call(self, function: Callable[..., Any], *args: Any, out: Spec) -> Var:
        """Append ``function(*args)``."""
        return self.add(Row(function, args, {}, out))

    def read_once(self, x: Any) -> bool:
        """Whether x is a row's variable that nothing else reads."""
        return type(x) is Var and x.index >= self.first and self.reads[x.index] == 1


def rewrite(program: Program, rules: Mapping[str, Rule]) -> Program:
    """The program with each row replaced by what the rules make of it, by one after the other until none finds more.

    Rows with effects or error states are kept. Rows that nothing reads any more stay: they are for ``dead``. What each rule
    did is counted under its name.
    """
    new, reads, counts = Rewriter(program), program.uses(), Counter[str]()
    asked = list(rules.items())
    moved = False  # whether some variable has another name than before
    for i, row in program.numbered():
        if moved:
            row = row.renamed(new.names)
        value = _rewritten(row, new, asked, counts) if not row.ordered and row.errors is None else row
        if value is row:
            value = new.keep(row, reads[i])
        else:
            if type(value) is Row:
                value = new.add(value)
            new.count(row, -1)
            if type(value) is Var:
                new.reads[value.index] += reads[i]
        moved = moved or type(value) is not Var or value.index != i
        new.names.append(value)
    return counted(new.finish(), counts) if counts else program


def _rewritten(row: Row, new: Rewriter, rules: list[tuple[str, Rule]], counts: Counter[str]) -> Any:
    """What the rules make of a row: a row, a variable or a constant."""
    for _ in range(MOST):
        for name, rule in rules:
            found = rule(row, new)
            if found is not None:
                counts[name] += 1
                break
        else:
            return row
        if type(found) is not Row:
            return found
        row = found
    return row


def counted(program: Program, counts: Mapping[str, int]) -> Program:
    """The program with the counts of what passes did noted."""
    total = {name: program.notes.get(name, 0) + n for name, n in counts.items()}
    return replace(program, notes={**program.notes, **total})
