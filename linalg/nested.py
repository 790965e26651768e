"""Nesting: a block system as one element."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, namespace
from linalg.block import BlockMatrix, join, split
from linalg.operator import LinearOperator
from linalg.triangular import UnitTriangular, UnitTriangularTranspose

BlockSystem = BlockMatrix | UnitTriangular | UnitTriangularTranspose


class BlockOperator(LinearOperator):
    """A block matrix as an operator on concatenations: x of shape (*rhs, n), the raveled parts one behind the other.

    So a block matrix may be a block itself, and ``Inverse(BlockOperator(A))`` is a system that is solved inside another one:
    it solves as A does, by substitution where A is block triangular.
    """

    __slots__ = ("blocks",)

    def __init__(self, blocks: BlockSystem):
        if not isinstance(blocks, BlockSystem):
            raise TypeError(f"BlockOperator expected a BlockMatrix or a UnitTriangular, got {type(blocks).__name__}")
        self.blocks = blocks

    def _validate(self) -> None:
        """Nothing is left to check: block matrices do."""

    @property
    def in_shape(self) -> Shape:  # type: ignore[override]
        return (self.blocks.shape[1],)

    @property
    def out_shape(self) -> Shape:  # type: ignore[override]
        return (self.blocks.shape[0],)

    @property
    def dtype(self) -> np.dtype:  # type: ignore[override]
        return self.blocks.dtype

    @property
    def flops(self) -> int:
        return self.blocks.flops

    def _apply(self, x: Array) -> Array:
        parts = self.blocks @ split(x, self.blocks.column_shapes)
        return self._joined(parts, self.blocks.row_shapes, x)

    def _apply_transpose(self, x: Array) -> Array:
        return self.T._apply(x)

    def _solve(self, b: Array) -> Array:
        parts = self.blocks.solve(split(b, self.blocks.row_shapes))
        return self._joined(parts, self.blocks.column_shapes, b)

    @staticmethod
    def _joined(parts: Any, shapes: Any, like: Array) -> Array:
        if any(part is not None for part in parts):
            return join(parts, shapes)
        n = sum(int(np.prod(shape)) for shape in shapes)
        return namespace(like).zeros((*like.shape[:-1], n), dtype=like.dtype)

    @property
    def T(self) -> BlockOperator:
        return BlockOperator(self.blocks.T)

    def conj(self) -> BlockOperator:
        return BlockOperator(self.blocks.conj())

    def _data(self) -> Array | None:
        return self.blocks._data()

    def _dense(self, like: Array | None, dtype: np.dtype) -> Array:
        return self.blocks.to_dense(like, dtype)

    def _sparse(self, like: Array | None, dtype: np.dtype) -> Any:
        return self.blocks.to_sparse(like, dtype)

    def __repr__(self) -> str:
        return f"BlockOperator({self.blocks!r})"
