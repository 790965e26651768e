"""What analysis and scheduling made of a planned function on the device, in numbers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gpuad.planning.costs import flops, moved
from gpuad.planning.device.code import Node
from gpuad.planning.device.products import ProductStep
from gpuad.planning.device.schedule import DeviceSchedule
from gpuad.planning.program import Program, name_of
from gpuad.planning.report import counts, plural, size_in_words, table


@dataclass(frozen=True)
class DeviceReport:
    """A planned function on the device in numbers; ``str()`` of it is a table, ``to_dict()`` what JSON can hold."""

    name: str
    traced_rows: int
    rows: int
    passes: dict[str, int]
    """What each pass did: how many rows it dropped, merged or rewrote."""
    launches: dict[str, int]
    """Launches by kind: of kernels, by how their threads are laid out, of products, and calls of CuPy's functions."""
    why_no_graph: str | None
    """Why the steps are given to the stream one by one; None where they are one CUDA graph."""
    arena_bytes: int
    unshared_bytes: int
    """Of all intermediate results that are stored, if each had memory of its own."""
    results: int
    result_bytes: int
    donated: int
    """Results that lie in donated arguments."""
    flops: int
    not_counted: dict[str, int]
    """Rows whose operations are not known, by function."""
    moved_bytes: int
    """That steps read and write, each array once for each step."""
    calls: dict[str, int]
    """Rows that no kernel of ours computes, by function."""

    @staticmethod
    def of(name: str, traced: Program, schedule: DeviceSchedule) -> DeviceReport:
        """The report of a schedule that has run, and of the program that it was made of."""
        program, s = schedule.device, schedule.storage
        launches: Counter[str] = Counter()
        for step in schedule.steps:
            if isinstance(step, Node):
                launches[step.kind] += len(schedule.codes[step].launches)
            elif isinstance(step, ProductStep):
                launches["product"] += 1
            elif s.kind[step] != "view":
                launches["call"] += 1
        operations = [(row, flops(program, row)) for row in program.rows]
        single = [program.rows[step - program.first] for step in schedule.steps
                  if isinstance(step, int) and s.kind[step] != "view"]
        return DeviceReport(
            name=name, traced_rows=len(traced.rows), rows=len(schedule.program.rows), passes=dict(schedule.program.notes),
            launches=dict(launches), why_no_graph=schedule.why_no_graph, arena_bytes=s.size,
            unshared_bytes=sum(program.spec(i).nbytes for i in s.offset), results=len(schedule.result_specs),
            result_bytes=sum(spec.nbytes for spec in schedule.result_specs.values()), donated=len(s.donated),
            flops=sum(n for _, n in operations if n is not None),
            not_counted=dict(Counter(name_of(row.function) for row, n in operations if n is None)),
            moved_bytes=sum(moved(schedule.placed, step) for step in schedule.steps),
            calls=dict(Counter(name_of(row.function) for row in single)))

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else 0.0

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name."""
        return {**asdict(self), "intensity": self.intensity}

    def __str__(self) -> str:
        return table(self.name, self._lines())

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "rows", f"{self.traced_rows:,} as traced, {self.rows:,} after analysis"
        yield "passes", counts(self.passes, len(self.passes))
        yield "launches", f"{sum(self.launches.values()):,}: {counts(self.launches, len(self.launches))}"
        yield "runs as", "one CUDA graph" if self.why_no_graph is None else f"steps on the stream: {self.why_no_graph}"
        yield "memory", f"{size_in_words(self.arena_bytes)} of buffers; without reuse {size_in_words(self.unshared_bytes)}"
        yield "results", f"{plural(self.results, 'array')} of {self.result_bytes:,} bytes" if self.results else "none"
        yield "donated", f"{plural(self.donated, 'result')} in the memory of arguments" if self.donated else ""
        yield "operations", f"{self.flops:,}" + (f", not counted: {counts(self.not_counted)}" if self.not_counted else "")
        yield "bytes moved", f"{self.moved_bytes:,}, at least; {self.intensity:,.2f} operations for each"
        yield "calls", f"of CuPy: {counts(self.calls)}" if self.calls else "none: kernels and products only"
