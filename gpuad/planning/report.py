"""What analysis and scheduling made of a planned function, in numbers."""
from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from gpuad.planning import functions
from gpuad.planning.costs import KINDS, copies, flops, in_use, kind_of, moved, spans
from gpuad.planning.host import Schedule
from gpuad.planning.program import Program, Row, name_of
from gpuad.planning.storage import is_view
from gpuad.planning.tiles import Tiles

LISTED = 6
"""Supernodes, donations and function names that are written out."""


@dataclass(frozen=True)
class NodeReport:
    """A supernode: its rows, how many of their results exist as tiles only, its tiles and the threads that share them."""

    rows: int
    inside: int
    tiles: int
    threads: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A planned function in numbers; ``str()`` of it is a table, ``to_dict()`` what JSON can hold. Memory is that of one runner:
    threads that run a plan at the same time have one each."""

    name: str
    traced_rows: int
    rows: int
    passes: dict[str, int]
    """What each pass did: how many rows it dropped, merged or rewrote."""
    arena_bytes: int
    unshared_bytes: int
    """Of all intermediate results that are stored, if each had memory of its own."""
    results: int
    result_bytes: int
    flops: int
    not_counted: dict[str, int]
    """Rows whose operations are not known, by function."""
    moved_bytes: int
    """That steps read and write, each array once for each step."""

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved."""
        return self.flops / self.moved_bytes if self.moved_bytes else 0.0

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name."""
        return {**asdict(self), "intensity": self.intensity}

    def __str__(self) -> str:
        known = [(a, b) for a, b in self._lines() if b]
        width = max(len(a) for a, _ in known) + 2
        return "\n".join([f"plan({self.name})", *(f"  {a:<{width}}{b}" for a, b in known)])

    def _lines(self) -> Iterator[tuple[str, str]]:
        """What is said of each thing; nothing, where there is nothing to say."""
        raise NotImplementedError


def operations(program: Program) -> dict[str, Any]:
    """A program's operations, and the rows whose operations are not known, as a Summary has them."""
    found = [(row, flops(program, row)) for row in program.rows]
    return {"flops": sum(n for _, n in found if n is not None), "not_counted": by_name(row for row, n in found if n is None)}


@dataclass(frozen=True, kw_only=True)
class Report(Summary):
    """A planned function on the host in numbers."""

    steps: dict[str, int]
    """Steps by kind, views left out."""
    supernodes: tuple[NodeReport, ...]
    threads: int
    buffers: int
    scratch_bytes: int
    """Tiles of the values that stay in supernodes, for all threads, and partial results."""
    live_bytes: int
    """Of the buffers that hold values at once, at most: no arena can be smaller without other steps."""
    copied: tuple[int, ...]
    """Outputs that are copied into their arrays at the end; the others are computed there."""
    scalars: int
    """Outputs that are no arrays."""
    donated: dict[str, str]
    """Donated arguments and the results that lie in their memory, by their names in the source."""
    not_donated: tuple[str, ...]
    """Donated arguments that no result can use."""
    opaque: dict[str, int]
    """Rows that make new arrays at each run, by function."""

    @staticmethod
    def of(name: str, traced: Program, schedule: Schedule) -> Report:
        """The report of a schedule, and of the program that it was made of."""
        program, s = schedule.program, schedule.storage
        found, copied = spans(schedule), copies(schedule)
        steps = Counter(kind_of(schedule, step) for step in schedule.steps)
        return Report(
            name=name, traced_rows=len(traced.rows), rows=len(program.rows), passes=dict(program.notes),
            steps={kind: steps[kind] for kind in KINDS if steps[kind]},
            supernodes=tuple(_node(schedule, tiles) for tiles in schedule.tiles), threads=schedule.threads,
            buffers=len(found), arena_bytes=s.size, scratch_bytes=sum(tiles.scratch_bytes for tiles in schedule.tiles),
            live_bytes=max(in_use(found, len(schedule.steps)), default=0),
            unshared_bytes=sum(row.out.nbytes for i, row in program.numbered() if s.kind[i] == "buffer"),
            results=len(schedule.result_specs), result_bytes=sum(spec.nbytes for spec in schedule.result_specs.values()),
            copied=tuple(copied), scalars=len(program.outputs) - len(schedule.result_specs),
            donated={f"x{d}": f"r{k}" for k, d in sorted(s.donated.items(), key=lambda pair: pair[1])},
            not_donated=tuple(f"x{d}" for d in schedule.donated if d not in s.donated.values()),
            **operations(program),
            moved_bytes=sum(moved(schedule, step) for step in schedule.steps) + 2 * sum(copied.values()),
            opaque=by_name(row for i, row in program.numbered() if _is_opaque(row, s.kind[i])))

    @property
    def peak_bytes(self) -> int:
        """Memory that a runner keeps: the arena and the tiles. Results, and arrays of opaque rows, are beside it."""
        return self.arena_bytes + self.scratch_bytes

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name."""
        return {**super().to_dict(), "peak_bytes": self.peak_bytes}

    def _lines(self) -> Iterator[tuple[str, str]]:
        yield "rows", f"{self.traced_rows:,} as traced, {self.rows:,} after analysis"
        yield "passes", counts(self.passes, len(self.passes))
        yield "steps", f"{sum(self.steps.values()):,}: {counts(self.steps, len(self.steps))}" if self.steps else "none"
        for k, node in enumerate(self.supernodes[:LISTED]):
            yield "supernodes" if k == 0 else "", (f"{plural(node.rows, 'row')}, {node.inside} inside tiles only, "
                                                   f"{plural(node.tiles, 'tile')} on {plural(node.threads, 'thread')}")
        yield "", f"and {len(self.supernodes) - LISTED} more" if len(self.supernodes) > LISTED else ""
        tiles = f", tiles of {self.scratch_bytes:,}" if self.scratch_bytes else ""
        yield "memory", (f"{size_in_words(self.peak_bytes)} kept: {plural(self.buffers, 'buffer')} in an arena of "
                         f"{self.arena_bytes:,} bytes{tiles}")
        yield "", f"largest live set {self.live_bytes:,} bytes; without reuse {self.unshared_bytes:,}" if self.buffers else ""
        yield "results", self._results()
        yield "donated", self._donations()
        yield "operations", f"{self.flops:,}" + (f", not counted: {counts(self.not_counted)}" if self.not_counted else "")
        yield "bytes moved", f"{self.moved_bytes:,}, at least; {self.intensity:,.2f} operations for each"
        yield "opaque", f"{counts(self.opaque)}: new arrays at each run" if self.opaque else "none"

    def _results(self) -> str:
        words = [f"{plural(self.results, 'array')} of {self.result_bytes:,} bytes" if self.results else ""]
        words += [f"{len(self.copied)} of them copied at the end" if self.copied else "",
                  plural(self.scalars, "number") if self.scalars else ""]
        return ", ".join(filter(None, words)) or "none"

    def _donations(self) -> str:
        words = _some([f"{r} lies in {x}" for x, r in self.donated.items()])
        unused = f"no result lies in {_some(list(self.not_donated))}" if self.not_donated else ""
        return "; ".join(filter(None, (words, unused)))


def _node(schedule: Schedule, tiles: Tiles) -> NodeReport:
    return NodeReport(len(tiles.rows), sum(i in schedule.hidden for i, _ in tiles.rows), tiles.n, tiles.threads)


def _is_opaque(row: Row, kind: str) -> bool:
    """Whether a row makes arrays of its own."""
    makes = row.out.kind in ("array", "tuple") and row.function is not functions.component
    return makes and kind == "object" and not is_view(row)


def by_name(rows: Iterable[Row]) -> dict[str, int]:
    return dict(Counter(name_of(row.function) for row in rows).most_common())


def counts(found: dict[str, int], most: int = LISTED) -> str:
    return _some([f"{name} {n:,}" for name, n in found.items()], most)


def _some(words: list[str], most: int = LISTED) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def size_in_words(n: int) -> str:
    """Bytes in a fitting unit: 6.6 KiB."""
    power = min(max(n.bit_length() - 1, 0) // 10, 4)
    return f"{n / 1024**power:.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB')[power]}" if power else plural(n, "byte")
