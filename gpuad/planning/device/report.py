"""What analysis and scheduling made of a planned function on the device, in numbers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gpuad.planning.costs import moved
from gpuad.planning.device.code import Node
from gpuad.planning.device.products import ProductStep
from gpuad.planning.device.schedule import DeviceSchedule
from gpuad.planning.program import Program
from gpuad.planning.report import Summary, by_name, counts, operations, plural, size_in_words


@dataclass(frozen=True, kw_only=True)
class DeviceReport(Summary):
    """A planned function on the device in numbers."""

    launches: dict[str, int]
    """Launches by kind: of kernels, by how their threads are laid out, of products, and calls of CuPy's functions."""
    why_no_graph: str | None
    """Why the steps are given to the stream one by one; None where they are one CUDA graph."""
    donated: int
    """Results that lie in donated arguments."""
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
        single = [program.rows[step - program.first] for step in schedule.steps
                  if isinstance(step, int) and s.kind[step] != "view"]
        return DeviceReport(
            name=name, traced_rows=len(traced.rows), rows=len(schedule.program.rows), passes=dict(schedule.program.notes),
            launches=dict(launches), why_no_graph=schedule.why_no_graph, arena_bytes=s.size,
            unshared_bytes=sum(program.spec(i).nbytes for i in s.offset), results=len(schedule.result_specs),
            result_bytes=sum(spec.nbytes for spec in schedule.result_specs.values()), donated=len(s.donated),
            **operations(program),
            moved_bytes=sum(moved(schedule.placed, step) for step in schedule.steps),
            calls=by_name(single))

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
