"""Block linear algebra over NumPy and CuPy arrays: structured elements, sparse block matrices, and the backslash."""
from linalg import elements
from linalg.association import cheapest_order, multiplication_count, multiply_chain, parenthesize
from linalg.block import BlockMatrix
from linalg.checkpoint import Checkpoint
from linalg.elements import *  # noqa: F403
from linalg.nested import BlockOperator
from linalg.operator import LinearOperator
from linalg.solve import solve
from linalg.triangular import UnitTriangular, back_substitute, forward_substitute

__all__ = [
    "BlockMatrix", "BlockOperator", "Checkpoint", "LinearOperator", "UnitTriangular",
    "back_substitute", "forward_substitute", "solve",
    "cheapest_order", "multiplication_count", "multiply_chain", "parenthesize",
]
__all__ += elements.__all__
