"""One catalogue of operators, each with the matrix that it should be, built by other means than its own code."""
from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import scipy.sparse

import linalg
from linalg.checkpoint import Parts
from linalg.pattern import SparsePattern
from tests.linalg import matrix_catalogue as _matrix_catalogue  # noqa: F401  (enters its own cases)
from tests.linalg import spectral_catalogue as _spectral_catalogue  # noqa: F401
from tests.linalg.making import CASES, Case, Maker, block_diagonal, case, moving

__all__ = ["CASES", "Case", "Maker"]

# ---- identity, zero, scaling, diagonal

moving("identity", lambda _: linalg.Identity((2, 3)), lambda x: x)
moving("identity_scalar", lambda _: linalg.Identity(()), lambda x: x)
moving("zero", lambda _: linalg.Zero((2, 3), (4,)), lambda _x: np.zeros(4))
moving("scaling_number", lambda _: linalg.Scaling(300, (2, 3)), lambda x: 300 * x)
moving("scaling_float", lambda _: linalg.Scaling(0.1, (2, 3)), lambda x: 0.1 * x)


@case
def scaling_array(a: Maker) -> Case:
    c = a.host()
    return Case(linalg.Scaling(a.put(c), (4,)), c * np.eye(4))


@case
def scaling_scalar(a: Maker) -> Case:
    c = a.host()[()]
    return Case(linalg.Scaling(c, (2, 2)), c * np.eye(4))


@case
def diagonal(a: Maker) -> Case:
    d = a.host(2, 3) + 3
    return Case(linalg.Diagonal(a.put(d)), np.diag(d.ravel()))


@case
def diagonal_repeated(a: Maker) -> Case:
    d = a.host(2, 1) + 3
    return Case(linalg.Diagonal(a.put(d), (4, 2, 3)), np.diag(np.tile(np.repeat(d.ravel(), 3), 4)))


@case
def mask(a: Maker) -> Case:
    lower = np.tril(np.ones((3, 3), bool))
    return Case(linalg.Diagonal(a.put(lower)), np.diag(lower.ravel().astype(float)))


# ---- products with matrices

@case
def left_product(a: Maker) -> Case:
    m = a.host(4, 3)
    return Case(linalg.LeftProduct(a.put(m), (3, 2)), np.kron(m, np.eye(2)))


@case
def left_product_square(a: Maker) -> Case:
    m = a.well_conditioned(3, 3)
    return Case(linalg.LeftProduct(a.put(m), (2, 3, 2)), np.kron(np.eye(2), np.kron(m, np.eye(2))))


@case
def left_product_batch(a: Maker) -> Case:
    m = a.host(2, 4, 3)
    return Case(linalg.LeftProduct(a.put(m), (2, 3, 2)), block_diagonal([np.kron(one, np.eye(2)) for one in m]))


@case
def left_product_batch_repeated(a: Maker) -> Case:
    m = a.well_conditioned(2, 1, 2, 2)
    blocks = [np.kron(m[i, 0], np.eye(2)) for i in range(2) for _ in range(3)]
    return Case(linalg.LeftProduct(a.put(m), (2, 3, 2, 2)), block_diagonal(blocks))


@case
def right_product(a: Maker) -> Case:
    m = a.host(3, 4)
    return Case(linalg.RightProduct(a.put(m), (2, 3)), np.kron(np.eye(2), m.T))


@case
def right_product_square(a: Maker) -> Case:
    m = a.well_conditioned(3, 3)
    return Case(linalg.RightProduct(a.put(m), (2, 2, 3)), np.kron(np.eye(4), m.T))


@case
def right_product_batch(a: Maker) -> Case:
    m = a.well_conditioned(2, 3, 3)
    return Case(linalg.RightProduct(a.put(m), (2, 2, 3)), block_diagonal([np.kron(np.eye(2), one.T) for one in m]))


@case
def dense(a: Maker) -> Case:
    m = a.host(4, 3)
    return Case(linalg.Dense(a.put(m)), m)


@case
def dense_shaped(a: Maker) -> Case:
    m = a.well_conditioned(6, 6)
    return Case(linalg.Dense(a.put(m), (2, 3), (3, 1, 2)), m)


@case
def kronecker(a: Maker) -> Case:
    p, q = a.host(2, 3), a.host(4, 2)
    return Case(linalg.Kronecker(a.put(p), a.put(q)), np.kron(p, q))


@case
def kronecker_square(a: Maker) -> Case:
    p, q = a.well_conditioned(3, 3), a.well_conditioned(2, 2)
    return Case(linalg.Kronecker(a.put(p), a.put(q)), np.kron(p, q))


@case
def sparse(a: Maker) -> Case:
    m = a.host(4, 5) * (a.rng.random((4, 5)) < 0.5)
    return Case(linalg.Sparse(a.put_sparse(m)), m)


@case
def sparse_shaped(a: Maker) -> Case:
    m = a.well_conditioned(6, 6) * (a.rng.random((6, 6)) < 0.5) + 5 * np.eye(6, dtype=a.dtype)
    return Case(linalg.Sparse(a.put_sparse(m, "csc_matrix"), (2, 3), (6,)), m)


def pattern(form: str, m: int, n: int) -> tuple[SparsePattern, np.ndarray]:
    """A pattern with the diagonal in it, and the matrix whose entries are the numbers of its entries, from one on."""
    rng = np.random.default_rng(m + n)
    places = np.argwhere((rng.random((m, n)) < 0.3) | np.eye(m, n, dtype=bool))
    if form == "coo":
        places = rng.permutation(places)
    ones = scipy.sparse.coo_array((np.arange(1.0, len(places) + 1), tuple(places.T)), (m, n)).asformat(form)
    made = SparsePattern(form, ones.coords if form == "coo" else (ones.indices, ones.indptr), (m, n))
    return made, made.matrix(np.arange(1.0, made.nnz + 1)).toarray()


def with_entries(numbers: np.ndarray, d: np.ndarray) -> np.ndarray:
    """The full matrix with these entries."""
    return np.concatenate([np.zeros(1, d.dtype), d])[numbers.astype(int)]


def pattern_cases(form: str) -> None:
    def product(a: Maker) -> Case:
        made, numbers = pattern(form, 3, 4)
        d = a.host(made.nnz)
        return Case(linalg.SparseProduct(made, a.put(d), (2, 4)), np.kron(np.eye(2), with_entries(numbers, d)))

    def solvable(a: Maker) -> Case:
        made, numbers = pattern(form, 4, 4)
        d = a.host(made.nnz)
        d[made.rows == made.columns] += 6
        return Case(linalg.Inverse(linalg.SparseProduct(made, a.put(d), (4,))), np.linalg.inv(with_entries(numbers, d)))

    def sampled(a: Maker) -> Case:
        made, numbers = pattern(form, 3, 4)
        x = a.host(2, 1, 4)
        units = [with_entries(numbers, unit) for unit in np.eye(made.nnz, dtype=a.dtype)]
        return Case(linalg.SampledProduct(made, a.put(x)), np.stack([(x @ u.T).ravel() for u in units], axis=1))

    CASES.update({f"sparse_product_{form}": product, f"sparse_product_inverse_{form}": solvable})
    CASES[f"sampled_product_{form}"] = sampled


for _form in ("csr", "csc", "coo"):
    pattern_cases(_form)


@case
def sym_tridiagonal(a: Maker) -> Case:
    d, e = a.host(6) + 4, a.host(5)
    return Case(linalg.SymTridiagonal(a.put(d), a.put(e)), np.diag(d) + np.diag(e, 1) + np.diag(e, -1))


@case
def sym_tridiagonal_indefinite(a: Maker) -> Case:
    d, e = np.zeros(6, a.dtype), a.host(5) + 3
    return Case(linalg.SymTridiagonal(a.put(d), a.put(e)), np.diag(e, 1) + np.diag(e, -1))


@case
def sym_tridiagonal_one(a: Maker) -> Case:
    d = a.host(1) + 3
    return Case(linalg.SymTridiagonal(a.put(d), a.put(np.zeros(0, a.dtype))), d[:, None])


@case
def sym_tridiagonal_two(a: Maker) -> Case:
    d, e = a.host(2) + 4, a.host(1)
    return Case(linalg.SymTridiagonal(a.put(d), a.put(e)), np.diag(d) + np.diag(e, 1) + np.diag(e, -1))


# ---- einsum: the oracle sums over the values of all indices

def einsum_case(name: str, subscripts: str, position: int, **lengths: int) -> None:
    def build(a: Maker) -> Case:
        left, target = subscripts.split("->")
        terms = left.split(",")
        shapes = [tuple(lengths[i] for i in term) for term in terms]
        operands = [a.host(*shape) for shape in shapes]
        others = [o for k, o in enumerate(operands) if k != position]
        matrix = einsum_matrix(terms, target, operands, position, lengths)
        return Case(linalg.Einsum(subscripts, [a.put(o) for o in others], shapes[position], position), matrix)

    CASES[f"einsum_{name}"] = build


def einsum_matrix(terms: list[str], target: str, operands: list[np.ndarray], position: int,
                  lengths: dict[str, int]) -> np.ndarray:
    x_shape, y_shape = ([lengths[i] for i in s] for s in (terms[position], target))
    matrix = np.zeros((int(np.prod(y_shape)), int(np.prod(x_shape))), operands[0].dtype)
    for values in product(*map(range, lengths.values())):
        at = dict(zip(lengths, values, strict=True))
        entry = 1
        for k, (term, operand) in enumerate(zip(terms, operands, strict=True)):
            entry = entry if k == position else entry * operand[tuple(at[i] for i in term)]
        row = np.ravel_multi_index([at[i] for i in target], y_shape) if target else 0
        matrix[row, np.ravel_multi_index([at[i] for i in terms[position]], x_shape)] += entry
    return matrix


einsum_case("left", "ij,jk->ik", 1, i=2, j=3, k=2)
einsum_case("square", "bij,jk->bik", 1, b=1, i=3, j=3, k=2)
einsum_case("right", "ij,jk->ik", 0, i=2, j=3, k=2)
einsum_case("batch", "bij,bj->bi", 1, b=2, i=3, j=2)
einsum_case("outer", "i,j->ij", 0, i=2, j=3)
einsum_case("dot", "i,i->", 0, i=4)
einsum_case("three", "ij,jk,kl->il", 1, i=2, j=3, k=2, l=2)
einsum_case("summed_elsewhere", "ij,jk,kl->ij", 0, i=2, j=3, k=2, l=2)
einsum_case("permuted", "ji,kj->ik", 0, i=2, j=3, k=2)


# ---- shapes

moving("reshape", lambda _: linalg.Reshape((2, 3), (3, 1, 2)), lambda x: x)
moving("reshape_scalar", lambda _: linalg.Reshape((), (1, 1)), lambda x: x)
moving("permute", lambda _: linalg.Permute((2, 3, 4), (2, 0, 1)), lambda x: x.transpose(2, 0, 1))
moving("permute_negative", lambda _: linalg.Permute((2, 3), (-1, 0)), lambda x: x.T)
moving("permute_scalar", lambda _: linalg.Permute((), ()), lambda x: x)
moving("cast", lambda a: linalg.Cast((2, 2), a.dtype, a.dtype), lambda x: x)
for _i, _o in [((3,), (2, 3)), ((2, 1), (2, 3)), ((), (2, 2)), ((1, 3, 1), (4, 2, 3, 2)), ((3,), (0, 3)), ((1, 3), (0, 3)),
               ((), ())]:
    moving(f"broadcast_{_i}_{_o}", lambda _, i=_i, o=_o: linalg.Broadcast(i, o), lambda x, o=_o: np.broadcast_to(x, o))
for _i, _axes, _keep in [((2, 3), (0,), False), ((2, 3, 4), (0, -1), False), ((2, 3, 4), (1,), True), ((2, 3), (0, 1), False),
                         ((0, 3), (0,), False), ((2, 0, 3), (1,), True), ((2, 3), (), False), ((), (), False)]:
    moving(f"axis_sum_{_i}_{_axes}_{_keep}", lambda _, i=_i, a=_axes, k=_keep: linalg.AxisSum(i, a, k),
           lambda x, a=_axes, k=_keep: x.sum(a, keepdims=k))
for _i, _axis in [((4,), 0), ((2, 3), 0), ((2, 3), -1), ((2, 3, 2), 1), ((0, 2), 0)]:
    moving(f"cumulative_sum_{_i}_{_axis}", lambda _, i=_i, a=_axis: linalg.CumulativeSum(i, a),
           lambda x, a=_axis: x.cumsum(a))


def recurrence_case(shape: tuple[int, ...], axis: int, lengths: tuple[int, ...]) -> None:
    def build(a: Maker) -> Case:
        coefficients = a.host(*lengths)
        coefficients.ravel()[::3] = 0
        at = np.arange(int(np.prod(shape))).reshape(shape)
        before, after = np.split(at, [-1], axis)[0].ravel(), np.split(at, [1], axis)[1].ravel()
        system = np.eye(at.size, dtype=a.dtype)
        system[after, before] = -np.broadcast_to(coefficients, np.split(at, [1], axis)[1].shape).ravel()
        return Case(linalg.Recurrence(a.put(coefficients), shape, axis), np.linalg.inv(system))

    CASES[f"recurrence_{shape}_{axis}"] = build


for _i, _axis, _a in [((6,), 0, (5,)), ((2, 7), -1, (6,)), ((5, 2), 0, (4, 1)), ((2, 3, 2), 1, (2, 2, 2)), ((1,), 0, (0,)),
                      ((2, 2), 1, (2, 1))]:
    recurrence_case(_i, _axis, _a)

INDICES: dict[str, tuple[tuple[int, ...], Any]] = {
    "integer": ((4, 3), 1),
    "negative": ((4, 3), (-1, -2)),
    "numpy_integer": ((4, 3), np.int64(2)),
    "slice": ((5, 3), slice(1, 4)),
    "reversed": ((5, 3), (slice(None, None, -2), slice(None, None, -1))),
    "ellipsis": ((2, 3, 4), (Ellipsis, 1)),
    "only_ellipsis": ((2, 3), Ellipsis),
    "new_axes": ((2, 3), (None, slice(None), None, 1)),
    "empty_tuple": ((), ()),
    "nothing": ((4, 3), slice(2, 2)),
    "array": ((4, 3), np.array([0, 2, 2, -1])),
    "array_2d": ((4, 3), np.array([[0, 2], [3, 0]])),
    "array_0d": ((4, 3), np.array(2)),
    "list": ((4, 3), [3, 0]),
    "no_array": ((4, 3), np.array([], int)),
    "second_axis": ((4, 3), (slice(None), np.array([2, 0, 2]))),
    "pairs": ((4, 3), (np.array([0, 1, 1]), np.array([2, 0, 0]))),
    "crossed": ((4, 3), (np.array([[0], [3]]), np.array([2, 0]))),
    "separated": ((2, 3, 4), (np.array([0, 1]), slice(None), np.array([3, 1]))),
    "integer_and_array": ((2, 3, 4), (1, slice(None), np.array([3, 1]))),
    "array_then_ellipsis": ((2, 3, 4), (np.array([1, 0]), Ellipsis, slice(1, 3))),
    "new_axis_and_array": ((2, 3), (None, np.array([1, 0]), None)),
    "mask": ((2, 3), np.array([[True, False, True], [False, False, True]])),
    "mask_rows": ((3, 2), np.array([True, False, True])),
    "mask_columns": ((3, 2), (slice(None), np.array([True, False]))),
    "mask_and_integer": ((3, 2), (np.array([True, False, True]), 1)),
    "mask_and_array": ((3, 2), (np.array([True, False, True]), np.array([1, 0]))),
    "mask_list": ((3, 2), [True, False, True]),
    "mask_none": ((2, 3), np.zeros((2, 3), bool)),
    "true": ((2, 3), True),
    "false": ((2, 3), False),
    "permutation": ((5,), np.array([3, 1, 4, 0, 2])),
}


def on_device(a: Maker, index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(on_device(a, p) for p in index)
    return a.put(index) if isinstance(index, np.ndarray) else index


for _name, (_shape, _index) in INDICES.items():
    moving(f"gather_{_name}", lambda a, s=_shape, i=_index: linalg.Gather(s, on_device(a, i)), lambda x, i=_index: x[i])


def scattered(x: np.ndarray, shape: tuple[int, ...], index: Any) -> np.ndarray:
    out = np.zeros(shape)
    np.add.at(out, index, x)
    return out


moving("scatter", lambda a: linalg.Scatter((4, 2), a.put(np.array([1, 1, 3]))), lambda x: scattered(x, (4, 2), [1, 1, 3]))
moving("concatenation_piece", lambda _: linalg.Scatter((7, 2), slice(2, 5)), lambda x: np.pad(x, ((2, 2), (0, 0))))


# ---- convolutions: the oracle is the sum over all pairs of entries

def convolution_case(name: str, kernel: tuple[int, ...], in_shape: tuple[int, ...], start: tuple[int, ...],
                     length: tuple[int, ...]) -> None:
    def build(a: Maker) -> Case:
        k = a.host(*kernel)
        matrix = convolution_matrix(k, in_shape, start, length)
        return Case(linalg.Convolution(a.put(k), in_shape, start, length), matrix)

    CASES[f"convolution_{name}"] = build


def convolution_matrix(k: np.ndarray, in_shape: tuple[int, ...], start: tuple[int, ...], length: tuple[int, ...]) -> np.ndarray:
    n, batch = len(start), in_shape[: len(in_shape) - len(start)]
    k = np.broadcast_to(k, batch + k.shape[k.ndim - n:])
    matrix = np.zeros((*batch, *length, *in_shape), k.dtype)
    for *b, i, j in product(*map(np.ndindex, [(m,) for m in batch]), np.ndindex(length), np.ndindex(k.shape[len(batch):])):
        at = [p + s - q for p, s, q in zip(i, start, j, strict=True)]
        if all(0 <= p < m for p, m in zip(at, in_shape[len(batch):], strict=True)):
            lead = tuple(p for (p,) in b)
            matrix[(*lead, *i, *lead, *at)] += k[lead + j]
    return matrix.reshape(int(np.prod(batch + length)), int(np.prod(in_shape)))


convolution_case("full", (3,), (5,), (0,), (7,))
convolution_case("same", (4,), (5,), (1,), (5,))
convolution_case("valid", (3,), (5,), (2,), (3,))
convolution_case("valid_long", (7,), (4,), (3,), (4,))
convolution_case("one_result", (5,), (5,), (4,), (1,))
convolution_case("square", (2,), (4,), (0,), (4,))
convolution_case("beyond", (2,), (4,), (-2,), (9,))
convolution_case("batch", (2, 1, 3), (2, 2, 4), (1,), (4,))
convolution_case("planes", (2, 3), (4, 3), (0, 1), (5, 3))
convolution_case("planes_valid", (3, 2), (3, 4), (2, 1), (1, 3))
convolution_case("planes_batch", (2, 2, 2), (2, 3, 3), (0, 1), (4, 2))
convolution_case("nothing", (3,), (0,), (0,), (2,))
convolution_case("no_axes", (2,), (3, 2), (), ())

# ---- operators of operators

@case
def sum_of_three(a: Maker) -> Case:
    m, d = a.host(4, 4), a.host(4)
    operator = linalg.Dense(a.put(m)) + linalg.Diagonal(a.put(d)) - linalg.CumulativeSum((4,))
    return Case(operator, m + np.diag(d) - np.tril(np.ones((4, 4))))


@case
def product_of_products(a: Maker) -> Case:
    p, q, d = a.host(3, 4), a.host(4, 2), a.host(4) + 2
    operator = linalg.Product(linalg.Dense(a.put(p)), linalg.Diagonal(a.put(d)), linalg.Dense(a.put(q)))
    return Case(operator, p @ np.diag(d) @ q)


@case
def product_through_a_wider_space(a: Maker) -> Case:
    p, q = a.host(3, 8), a.host(8, 3)
    return Case(linalg.Product(linalg.Dense(a.put(p)), linalg.Dense(a.put(q))), p @ q)


@case
def product_square(a: Maker) -> Case:
    m, d = a.well_conditioned(4, 4), a.host(4) + 3
    operator = linalg.Product(linalg.Reshape((4,), (2, 2)), linalg.Dense(a.put(m)), linalg.Diagonal(a.put(d)))
    return Case(operator, m @ np.diag(d))


@case
def product_of_moves(a: Maker) -> Case:
    operator = linalg.AxisSum((3, 4), (0,)) @ linalg.Broadcast((4,), (3, 4)) @ linalg.Gather((6,), a.put(np.array([1, 1, 5, 0])))
    return Case(operator, 3 * np.eye(6)[[1, 1, 5, 0]])


@case
def outer_product(a: Maker) -> Case:
    u, v = a.host(5, 1), a.host(1, 5)
    return Case(linalg.Dense(a.put(u)) @ linalg.Dense(a.put(v)), u @ v)


@case
def inverse_of_dense(a: Maker) -> Case:
    m = a.well_conditioned(4, 4)
    return Case(linalg.Inverse(linalg.Dense(a.put(m))), np.linalg.inv(m))


@case
def inverse_of_sparse(a: Maker) -> Case:
    m = a.well_conditioned(5, 5) * np.tri(5, dtype=a.dtype)
    return Case(linalg.Inverse(linalg.Sparse(a.put_sparse(m)).T), np.linalg.inv(m.T))


@case
def inverse_of_tridiagonal(a: Maker) -> Case:
    made = sym_tridiagonal(a)
    return Case(linalg.Inverse(made.operator), np.linalg.inv(made.matrix))


@case
def inverse_of_sum(a: Maker) -> Case:
    m = a.well_conditioned(4, 4)
    return Case(linalg.Inverse(linalg.Identity((4,)) + linalg.Dense(a.put(m))), np.linalg.inv(m + np.eye(4, dtype=a.dtype)))


@case
def conjugated_einsum(a: Maker) -> Case:
    made = CASES["einsum_batch"](a)
    return Case(made.operator.conj(), made.matrix.conj())


@case
def conjugated_sum(a: Maker) -> Case:
    m, d = a.host(3, 3), a.host(3)
    return Case((linalg.Dense(a.put(m)) + linalg.Diagonal(a.put(d))).conj(), (m + np.diag(d)).conj())


@case
def conjugated_by_wrapping(a: Maker) -> Case:
    m = a.well_conditioned(3, 3)
    return Case(linalg.elements.algebra.ConjugateOf(linalg.Dense(a.put(m))), m.conj())


# ---- block systems as operators

def blocks(a: Maker, pattern: str) -> tuple[linalg.BlockMatrix, np.ndarray]:
    """Block rows and columns of sizes 2, 3 and 1; ``pattern`` marks the blocks with x, row by row."""
    sizes, shapes = [2, 3, 1], [(2,), (3, 1), ()]
    rows, matrices = [], []
    for i, marks in enumerate(pattern.split()):
        present = [j for j, mark in enumerate(marks) if mark == "x"]
        found = {j: a.well_conditioned(sizes[i], sizes[i]) if i == j else a.host(sizes[i], sizes[j]) for j in present}
        rows.append([(j, linalg.Dense(a.put(m), shapes[j], shapes[i])) for j, m in found.items()])
        matrices.append([found.get(j, np.zeros((sizes[i], sizes[j]), a.dtype)) for j in range(3)])
    return linalg.BlockMatrix(rows, shapes, shapes), np.block(matrices)


def block_case(name: str, pattern: str) -> None:
    def build(a: Maker) -> Case:
        matrix, dense_matrix = blocks(a, pattern)
        return Case(linalg.BlockOperator(matrix), dense_matrix)

    CASES[f"block_{name}"] = build


block_case("lower", "x.. xx. x.x")
block_case("upper", "xxx .x. ..x")
block_case("full", "xx. xxx .xx")
block_case("row_of_zeros", "... xxx .xx")


@case
def unit_triangular(a: Maker) -> Case:
    strict, matrix = blocks(a, "... x.. xx.")
    return Case(linalg.BlockOperator(linalg.UnitTriangular(strict)), np.eye(6, dtype=a.dtype) - matrix)


@case
def unit_triangular_transpose(a: Maker) -> Case:
    strict, matrix = blocks(a, "... x.. xx.")
    return Case(linalg.BlockOperator(linalg.UnitTriangular(strict).T), (np.eye(6, dtype=a.dtype) - matrix).T)


@case
def checkpoint(a: Maker) -> Case:
    """z = A x₀ + B x₁, and the results (C z, z)."""
    first, second, third = a.host(4, 2), a.host(4, 3), a.host(2, 4)
    rows = [[], [], [(0, linalg.Dense(a.put(first), (2,), (2, 2))), (1, linalg.Dense(a.put(second), (3, 1), (2, 2)))],
            [(2, linalg.Dense(a.put(third), (2, 2), (2,)))], [(2, linalg.Identity((2, 2)))]]
    inputs, outputs = Parts([((2,), a.dtype), ((3, 1), a.dtype)]), Parts([((2,), a.dtype), ((2, 2), a.dtype)])
    z = np.hstack([first, second])
    return Case(linalg.Checkpoint(lambda _again: rows, inputs, outputs, like=a.put(first)), np.vstack([third @ z, z]))


@case
def inverse_of_blocks(a: Maker) -> Case:
    matrix, dense_matrix = blocks(a, "x.. xx. xxx")
    return Case(linalg.Inverse(linalg.BlockOperator(matrix)), np.linalg.inv(dense_matrix))
