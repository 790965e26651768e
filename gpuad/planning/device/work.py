"""What a node has to do: bytes that it reads and writes, each once, and operations; and the time that these allow."""
from __future__ import annotations

from dataclasses import dataclass

from gpuad.planning.costs import flops
from gpuad.planning.device.code import Node
from gpuad.planning.device.source import views_inside
from gpuad.planning.program import Program


@dataclass(frozen=True)
class Work:
    """Bytes from memory and to it, and operations: one for each entry of an elementwise row, or that a reduction adds."""

    read: int
    written: int
    flops: int

    def seconds(self, bandwidth: float, rate: float) -> float:
        """The roofline's prediction for a memory of ``bandwidth`` bytes and arithmetic of ``rate`` operations in a second."""
        return max((self.read + self.written) / bandwidth, self.flops / rate)


def work(program: Program, node: Node) -> Work:
    """The work of a node."""
    inside = {*node.rows, *views_inside(program, node)}
    outside = {j for i in node.rows for j in program.rows[i - program.first].parents if j not in inside}
    return Work(read=sum(program.spec(j).nbytes for j in outside), written=sum(program.spec(i).nbytes for i in node.writes),
                flops=sum(flops(program, program.rows[i - program.first]) or 0 for i in node.rows))
