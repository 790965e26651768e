"""Generated kernels of random programs, run on the CPU as CUDA runs them, against NumPy."""
from __future__ import annotations

import numpy as np
import pytest

from gpuad.planning import functions
from gpuad.planning.passes.dead import dead
from gpuad.planning.program import Program, Row, Var, spec_of, substitute
from tests.gpuad.planning.kernels import buffer, check, needs_compiler

DTYPES = [np.dtype(d) for d in ("float32", "float32", "float32", "float64", "float16", "int32", "int64", "uint8", "bool",
                                "complex64")]
UNARY = [np.exp, np.tanh, np.negative, np.square, np.sqrt, np.sign, np.absolute, np.isnan]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, np.minimum, np.divide, np.less, np.logical_and]
ACROSS = [np.add, np.add, np.add, np.maximum, np.minimum, np.logical_and, np.logical_or, np.multiply]


class Maker:
    """Random rows of elementwise functions, reductions and views on random arrays."""

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        self.rows, self.known = [], []
        shape = tuple(int(rng.choice([1, 2, 3, 5, 8, 16, 33, 64, 130])) for _ in range(rng.integers(1, 4)))
        dtypes = [DTYPES[k] for k in rng.integers(len(DTYPES), size=rng.choice([1, 1, 3]))]
        for _ in range(rng.integers(1, 5)):
            own = tuple(1 if rng.random() < 0.15 else n for n in shape[rng.integers(0, 2) if rng.random() < 0.2 else 0:])
            self.known.append(self.array(own, dtypes[rng.integers(len(dtypes))]))
        self.values = list(self.known)
        for _ in range(200):
            if len(self.rows) < 4 + seed % 9:
                self.grow()

    def array(self, shape, dtype):
        rng = self.rng
        whole = tuple(n + int(rng.integers(3)) for n in shape) if rng.random() < 0.3 else shape
        x = rng.normal(size=whole) * 2 + (1j * rng.normal(size=whole) if dtype.kind == "c" else 0)
        a = buffer(whole, dtype)
        a[...] = x > 0 if dtype.kind == "b" else np.abs(x).astype(dtype) if dtype.kind in "iu" else x.astype(dtype)
        a = a[tuple(slice(0, n) for n in shape)]
        return np.asfortranarray(a) if rng.random() < 0.15 else a

    def push(self, f, *args):
        try:
            with np.errstate(all="ignore"):
                value = f(*substitute(args, self.known))
        except (TypeError, ValueError):
            return
        if np.size(value) <= 10000 and np.size(value):
            self.rows.append(Row(f, args, {}, spec_of(value)))
            self.known.append(value)

    def pick(self):
        n = len(self.known)
        return Var(int(self.rng.integers(max(0, n - 5) if self.rng.random() < 0.7 else 0, n)))

    def grow(self):
        rng, v = self.rng, self.pick()
        x, kind = self.known[v.index], rng.integers(10)
        if kind < 2:
            self.push(UNARY[rng.integers(len(UNARY))], v)
        elif kind < 5:
            self.push(BINARY[rng.integers(len(BINARY))], v, self.pick() if rng.random() < 0.8 else float(rng.normal()))
        elif kind == 5 and x.dtype == bool:
            self.push(functions.select, v, self.pick(), self.pick())
        elif kind < 8 and x.ndim:
            axes = tuple(a for a in range(x.ndim) if rng.random() < 0.5) or (x.ndim - 1,)
            self.push(functions.reduce, v, ACROSS[rng.integers(len(ACROSS))], axes, bool(rng.integers(2)))
        elif kind == 8 and x.ndim and rng.random() < 0.5:
            self.move(v, x)
        elif kind == 8 and x.ndim:
            shapes = [(x.size,), (*x.shape, 1), (1, *x.shape), (2, *x.shape)]
            shape = shapes[rng.integers(4)]
            self.push(functions.broadcast if shape[0] == 2 and x.size != 2 else functions.reshape, v, shape)
        elif x.ndim > 1:
            self.push(functions.transpose, v, tuple(map(int, rng.permutation(x.ndim))))
        elif x.dtype.kind in "fc" and x.ndim:
            self.push(np.matmul, v, self.pick())

    def move(self, v, x):
        """Rows that move entries by an index, or join arrays."""
        axis, kind = int(self.rng.integers(x.ndim)), self.rng.integers(3)
        n, before = x.shape[axis], (slice(None),) * int(axis)
        if kind == 0:
            step = int(self.rng.choice([1, 2, 3]))
            shape = (*x.shape[:axis], n * step + 3, *x.shape[axis + 1:])
            self.push(functions.scatter_add, v, (*before, slice(2, 2 + n * step, step)), shape)
        elif kind == 1:
            alike = [Var(k) for k, y in enumerate(self.known) if y.shape == x.shape and y.dtype == x.dtype]
            shape = (*x.shape[:axis], n + len(alike), *x.shape[axis + 1:])
            places = tuple((*before, slice(k, k + n)) for k in range(len(alike)))
            self.push(functions.scatter_sum, None, tuple(alike), places, shape)
        else:
            whole = [Var(k) for k, y in enumerate(self.values) if y.dtype.kind in "iu" and y.size < 300 and y.max() < n]
            self.push(functions.getitem, v, (*before, *(whole[:1] or [0])))

    def program(self):
        first, n = len(self.values), len(self.known)
        outputs = sorted({n - 1, *map(int, self.rng.integers(first, n, 2))})
        return dead(Program(tuple(map(spec_of, self.values)), (), tuple(self.rows), tuple(map(Var, outputs))))


@needs_compiler
@pytest.mark.parametrize("seed", range(40))
def test_random_programs(seed):
    made = Maker(seed)
    check(made.program(), made.values, processors=(132, 2)[seed % 2])
