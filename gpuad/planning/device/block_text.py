"""The CUDA C++ of a block: one kernel, one block of threads, a barrier between phases.

Entry e of a task is computed by one thread, or by neighbouring lanes, which add up what each has by shuffles. Tasks of a phase
start at threads of different warps, so that short loops run side by side.
"""
from __future__ import annotations

from gpuad.planning.device.block import WARP, Block, Task, moves
from gpuad.planning.device.block_heads import reducing
from gpuad.planning.device.block_memory import Lines, Memory
from gpuad.planning.device.block_moves import entry
from gpuad.planning.device.code import Code, Launch
from gpuad.planning.device.dtypes import compute_type, load
from gpuad.planning.device.places import sources
from gpuad.planning.device.text import Reduction, indented, source, statement
from gpuad.planning.storage import is_view

NAME = "one_block"


def written(block: Block) -> Code:
    """The source and the launch of a block."""
    memory = Memory(block)
    lines = _phases(memory)
    shared = ["extern __shared__ __align__(16) unsigned char shared[];"] if block.shared_size else []
    parameters = ",\n    ".join(declared for declared, _ in memory.parameters.values())
    kernel = [f'extern "C" __global__ void __launch_bounds__({block.threads}) {NAME}(', f"    {parameters}) {{",
              *indented([*shared, *memory.declared(), *lines]), "}", ""]
    arguments = tuple(argument for _, argument in memory.parameters.values())
    launch = Launch(NAME, (1, 1, 1), (block.threads, 1, 1), block.shared_size, arguments)
    return Code(source("\n".join(kernel)), (launch,), block.scratch_size)


def _phases(memory: Memory) -> Lines:
    block = memory.block
    found: Lines = []
    for phase in range(block.n_phases):
        found += ["__syncthreads();"] if phase else []
        start = 0
        for task in block.tasks:
            if task.phase == phase:
                found += _task(memory, task, start)
                start = (start + -(-task.threads // WARP) * WARP) % block.threads
    return found


def _task(memory: Memory, task: Task, start: int) -> Lines:
    if task.head is None:
        body = [line for i in task.rows for line in _entry(memory, i, task)]
        return _loop(memory.block, task.n, body, start=start, name="e")
    head = task.head
    reduction = Reduction(memory.program, head)
    after = [f"const {compute_type(reduction.row.out.dtype)} x{head} = {reduction.result('t')};", *memory.kept(head)]
    for i in task.rows:
        after += _entry(memory, i, task) if i != head else []
    return _loop(memory.block, *reducing(memory, task, after), start=start)


def _loop(block: Block, limit: int, body: Lines, *, start: int, name: str = "i") -> Lines:
    """A loop of the block's threads, of which the one numbered ``start`` is the first."""
    first = "threadIdx.x" if not start else f"(threadIdx.x + {block.threads - start}u) % {block.threads}u"
    return [f"for (unsigned int {name} = {first}; {name} < {limit}u; {name} += {block.threads}u) {{", *indented(body), "}"]


def _entry(memory: Memory, i: int, task: Task) -> Lines:
    """The statements that compute entry e of a row without a head, and keep it."""
    block = memory.block
    if i not in block.inside:  # an array from outside
        place = block.outside.place(i)
        value = load(place.dtype, f"{memory.outside(i)} + {place.at()}")
        return [f"const {compute_type(place.dtype)} x{i} = {value};", *memory.kept(i)]
    row = memory.row(i)
    if is_view(row) or moves(row):
        return entry(memory, i, task) + memory.kept(i)
    return [statement(memory.program, i, [memory.operand(x, i, task) for x in sources(row)]), *memory.kept(i)]
