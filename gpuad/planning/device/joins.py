"""The end of reductions over all blocks: each block's partial results, which the block that ends last joins in a fixed order.

That block also runs the rows that are computed of the joined results entry by entry. It knows that it is the last by a ticket,
which it sets back to zero for the next launch.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gpuad.planning.device.code import Launch
from gpuad.planning.device.layout import LAST, Layout
from gpuad.planning.device.spaces import Space
from gpuad.planning.device.text import Body, Reduction, coordinates, indented, kernel, offset, statement
from gpuad.planning.program import Program

ALIGNMENT = 256
WARP = 32
APART = 256
"""Threads of a block that only joins."""
PARTIALS = 1 << 14
"""Partial results that one block joins."""

DEFINITIONS = """\
template <class Join, int LANES, class T> __device__ inline T over_lanes(T x) {
#pragma unroll
  for (int by = LANES / 2; by; by /= 2) x = Join::of(x, from_lane(x, by));
  return x;
}
template <class Join, int THREADS, class T> __device__ inline T over_block(T x, T identity, double* shared) {
  x = over_lanes<Join, 32>(x);
  if (THREADS > 32) {
    T* of_warp = reinterpret_cast<T*>(shared);
    __syncthreads();
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = x;
    __syncthreads();
    x = over_lanes<Join, 32>(threadIdx.x % 32 < THREADS / 32 ? of_warp[threadIdx.x % 32] : identity);
  }
  return x;
}
template <class Join, int LANES, int ROWS, class T> __device__ inline T over_column(T x, T* shared) {
  __syncthreads();
  shared[threadIdx.x] = x;
  __syncthreads();
  x = shared[threadIdx.x % ROWS];
#pragma unroll
  for (int k = 1; k < LANES; ++k) x = Join::of(x, shared[k * ROWS + threadIdx.x % ROWS]);
  return x;
}
__device__ inline bool is_last_block(unsigned int* ticket, unsigned int blocks, bool* shared) {
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) *shared = atomicAdd(ticket, 1u) == blocks - 1;
  __syncthreads();
  __threadfence();
  return *shared;
}
"""


class Joins:
    """The reductions of a layout that end with the last block: ``totals``, and sums over the outer axes, ``columns``.

    ``blocks`` is the number of partial results; ``tiles`` blocks side by side each have ``tile`` of the ``length`` columns. Where
    one block would be slow to join them, a second launch does (``is_apart``). Where several layouts share a launch, this one's
    partial results begin at byte ``start`` of the scratch, and its blocks at ``first``.
    """

    def __init__(self, program: Program, space: Space, layout: Layout, blocks: int, threads: int, tile: int = 1, tiles: int = 1,
                 start: int = 0, first: int = 0):
        self.program, self.space, self.layout = program, space, layout
        self.blocks, self.threads, self.tile, self.tiles = blocks, threads, tile, tiles
        last = [i for i in layout.rows if layout.reduced.get(i) and layout.phase[i] == LAST]
        self.totals = [i for i in last if not layout.axes[i]]
        self.columns = [i for i in last if layout.axes[i]]
        self.length = layout.size(layout.inner)
        self.together = tiles == 1 or bool(self.totals)  # whether one block joins everything
        self.is_apart = bool(self.columns) and self.together and blocks * self.length > PARTIALS
        self.reductions = {i: Reduction(program, i) for i in layout.reduced if layout.reduced[i]}
        self.ticket, self._first, self._start = f"ticket{first}", first, start
        self.has_partials = bool(last) and (bool(self.columns) or blocks * tiles > 1)
        self.scratch, self._places = start, {}
        if self.has_partials:
            self.scratch += _up(4 * (1 if self.together else tiles))
            for i in last:
                self._places[i] = self.scratch
                n = blocks * (self.length if i in self.columns else tiles)
                self.scratch = _up(self.scratch + n * self.reductions[i].dtype.itemsize)

    def parameters(self) -> tuple[list[str], list[Any]]:
        """(declarations, arguments) of the partial results and the ticket."""
        if not self.has_partials:
            return [], []
        declared = [f"unsigned int* {self.ticket}", *(f"{self.reductions[i].type}* p{i}" for i in self._places)]
        return declared, [("scratch", self._start), *(("scratch", at) for at in self._places.values())]

    def definitions(self) -> list[str]:
        """How partial results are joined, for the functions that do."""
        found = []
        for i, r in self.reductions.items():
            of = f"of({r.type} a, {r.type} b) {{ return {r.joined('a', 'b')}; }}"
            found += [f"struct Join{i} {{", f"  __device__ static {r.type} {of}", "};"]
        return found

    def accumulators(self) -> list[str]:
        """Declarations of each thread's totals."""
        return [f"{self.reductions[i].type} t{i} = {self.reductions[i].identity};" for i in self.totals]

    def accumulate(self, i: int, operands: Sequence[str], to: str | None = None) -> str:
        """The statement that adds one entry to a reduction."""
        to = to or f"t{i}"
        return f"{to} = Join{i}::of({to}, {self.reductions[i].term(operands)});"

    def lines(self) -> list[str]:
        """What a block does after its last row: the columns' sums of the block are in p already."""
        found = []
        block = f"(blockIdx.x - {self._first})" if self._first else "blockIdx.x"
        if self.layout.kind == "columns":
            block = "(blockIdx.y * gridDim.x + blockIdx.x)"
        for i in self.totals:
            r = self.reductions[i]
            found.append(f"t{i} = over_block<Join{i}, {self.threads}>(t{i}, {r.identity}, shared);")
            if self.has_partials:
                found.append(f"if (threadIdx.x == 0) p{i}[{block}] = t{i};")
        if self.is_apart:
            return found
        if self.has_partials:
            ticket = self.ticket if self.together else f"{self.ticket} + blockIdx.x"
            n = self.blocks * self.tiles if self.together else self.blocks
            found.append(f"if (!is_last_block({ticket}, {n}, is_last)) return;")
            found.append(f"if (threadIdx.x == 0) *({ticket}) = 0;")
            found += self._joined_totals(self.threads)
        if self.together:
            return found + self._last_rows(self.threads, "0", str(self.length))
        return found + self._last_rows(self.threads, f"blockIdx.x * {self.tile}",
                                       f"min({self.length}, (int)(blockIdx.x + 1) * {self.tile})")

    def kernel(self, name: str, declared: Sequence[str]) -> list[str]:
        """The second launch's kernel."""
        lines = ["extern __shared__ double area[];", *self.accumulators(), *self._joined_totals(APART),
                 *self._last_rows(APART, f"blockIdx.x * {WARP}", f"min({self.length}, (int)(blockIdx.x + 1) * {WARP})")]
        return kernel(name, APART, declared, [*shared(lines), *lines])

    def launch(self, name: str, arguments: tuple[Any, ...]) -> Launch:
        """The second launch."""
        return Launch(name, (-(-self.length // WARP), 1, 1), (APART, 1, 1), self.shared_bytes(APART), arguments)

    def shared_bytes(self, threads: int) -> int:
        """Dynamic shared memory that joining columns takes."""
        return sum(threads * max(8, self.reductions[i].dtype.itemsize) for i in self.columns)

    def _joined_totals(self, threads: int) -> list[str]:
        found = []
        for i in self.totals:
            r = self.reductions[i]
            found += [f"t{i} = {r.identity};", f"for (int b = threadIdx.x; b < {self.blocks * self.tiles}; b += {threads})",
                      f"  t{i} = Join{i}::of(t{i}, p{i}[b]);",
                      f"t{i} = over_block<Join{i}, {threads}>(t{i}, {r.identity}, shared);"]
        return found

    def _last_rows(self, threads: int, start: str, end: str) -> list[str]:
        """The rows that are last: single values, and columns from ``start`` to ``end``, each by several threads at first."""
        space, layout = self.space, self.layout
        found: list[str] = []
        known: set[int] = set()
        body = Body(space, None, 1)
        once = "threadIdx.x == 0" if not self.is_apart else "blockIdx.x + threadIdx.x == 0"
        for i in layout.rows:
            if layout.phase[i] == LAST and not layout.axes[i]:
                found += self._row(body, i, ["0"] * len(space.accesses), known, once, threads)
        across = [i for i in layout.rows if layout.phase[i] == LAST and layout.axes[i]]
        if not across:
            return found
        axes = space.collapsed(layout.inner)
        lines, names = coordinates(space.index, "c", axes, "j")
        at = [offset([axis.strides[n] for axis in axes], names) for n in range(len(space.accesses))]
        for i in across:
            missing = [f"{name} == 0" for name, axis in zip(names, axes, strict=True)
                       if i in space.stores and not axis.strides[space.stores[i]] and axis.length > 1]
            lines += self._row(body, i, at, known, " && ".join(missing), threads)
        wide = self._wide(threads)
        fold: list[str] = []
        for k, i in enumerate(self.columns):
            r = self.reductions[i]
            fold += [f"{r.type}* f{i} = reinterpret_cast<{r.type}*>(area + {k * threads * max(1, r.dtype.itemsize // 8)});",
                     "{", f"  {r.type} f = {r.identity};", "#pragma unroll 8",
                     f"  for (int b = slice; b < {self.blocks} && c < end; b += {threads // wide})",
                     f"    f = Join{i}::of(f, p{i}[b * {self.length} + c]);", f"  f{i}[threadIdx.x] = f;", "}"]
        loop = [f"const int c = c0 + threadIdx.x % {wide}, slice = threadIdx.x / {wide};", *fold, "__syncthreads();",
                "if (slice == 0 && c < end) {", *indented(lines), "}", "__syncthreads();"]
        return [*found, f"const int end = {end};", f"for (int c0 = {start}; c0 < end; c0 += {wide}) {{", *indented(loop), "}"]

    def _wide(self, threads: int) -> int:
        """Columns that threads side by side join at a time; the others share their partial results."""
        return min(WARP if self.is_apart else threads, power(self.length if self.together else self.tile))

    def _row(self, body: Body, i: int, at: Sequence[str], known: set[int], condition: str,
             threads: int) -> list[str]:
        """The statements of a row that is last, with what it reads from outside, and its store."""
        found = []
        wide = self._wide(threads)
        slices = min(threads // wide, self.blocks)
        if i in self.totals:
            r = self.reductions[i]
            found.append(f"const auto x{i} = {r.result(f't{i}')};")
        elif i in self.columns:
            r = self.reductions[i]
            found += [f"{r.type} c{i} = f{i}[c - c0];",
                      f"for (int k = 1; k < {slices}; ++k) c{i} = Join{i}::of(c{i}, f{i}[k * {wide} + c - c0]);",
                      f"const auto x{i} = {r.result(f'c{i}')};"]
        else:
            for n in sorted({n for (j, _), n in self.space.reads.items() if j == i} - known):
                known.add(n)
                one, two = body.loads(n, at[n])
                found += one + two
            found.append(statement(self.program, i, body.operands(i)))
        if i in self.space.stores:
            [line] = [line for lines in body.store(i, at[self.space.stores[i]]) for line in lines]
            found.append(f"if ({condition}) {line}" if condition else line)
        return found


def shared(lines: Sequence[str]) -> list[str]:
    """Declarations of the static shared memory that statements name."""
    text = "\n".join(lines)
    return ["__shared__ double shared[64];"] * (", shared)" in text) + ["__shared__ bool is_last[1];"] * (", is_last)" in text)


def power(n: int) -> int:
    """The least power of two that is not less."""
    return 1 << max(0, n - 1).bit_length()


def _up(n: int) -> int:
    return -(-n // ALIGNMENT) * ALIGNMENT


__all__ = ["DEFINITIONS", "Joins", "power", "shared"]

