"""Assembly into CSR, on the host or on the device that holds the data."""
from __future__ import annotations

from typing import Any

import numpy as np

from linalg.arrays import Array, Shape, broadcast, entry_dtype, namespace, size, sparse_module


def csr(data: Array, rows: Array, columns: Array, shape: tuple[int, int], like: Any = None) -> Any:
    """The CSR matrix with data added up at (rows, columns); the three arrays broadcast to one shape."""
    common = np.broadcast_shapes(data.shape, rows.shape, columns.shape)
    data, rows, columns = (broadcast(x, common).ravel() for x in (data, rows, columns))
    data = data.astype(entry_dtype(data.dtype), copy=False)
    return sparse_module(data if like is None else like).coo_matrix((data, (rows, columns)), shape=shape).tocsr()


def selection(columns: Array, n_columns: int) -> Any:
    """The CSR matrix whose row i is zero but for a one in column ``columns[i]``: y_i = x_{columns[i]}."""
    xp, n = namespace(columns), columns.size
    data = xp.ones(n)
    return sparse_module(columns).csr_matrix((data, columns.ravel(), xp.arange(n + 1)), shape=(n, n_columns))


def positions(shape: Shape, like: Any = None) -> Array:
    """Flat positions of the entries of an array of this shape: what a map that only moves entries is applied to."""
    return namespace(like).arange(size(shape)).reshape(shape)


def numbered(shape: Shape, indices: str, all_indices: str, like: Any = None) -> Array:
    """Flat positions in an array whose axes are called ``indices``, laid out to broadcast over axes ``all_indices``."""
    at = positions(shape, like)
    present = [i for i in all_indices if i in indices]
    at = at.transpose([indices.index(i) for i in present])
    lengths = iter(at.shape)
    return at.reshape(tuple(next(lengths) if i in indices else 1 for i in all_indices))
