"""The way from an analysed program to the steps of the device: nodes, small ones gathered into blocks, epilogues of products."""
from __future__ import annotations

from typing import Any

from gpuad.planning.device import small
from gpuad.planning.device.epilogues import fold
from gpuad.planning.device.nodes import steps
from gpuad.planning.program import Program


def arranged(program: Program) -> list[Any]:
    """The steps, in order: single rows, nodes and products."""
    return fold(program, small.gather(program, steps(program)))
