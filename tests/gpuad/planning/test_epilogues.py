"""Products of device plans: what they take on, that the steps still run in order, and that they give what the program gives."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import gpuad as ad
from gpuad.planning import functions
from gpuad.planning.device.code import Node
from gpuad.planning.device.epilogues import ProductStep, fold
from gpuad.planning.device.nodes import steps
from gpuad.planning.device.parts import parts
from gpuad.planning.program import Program, Row, Spec, Var, substitute
from gpuad.planning.storage import is_view
from linalg.arrays import to_host

F = np.dtype(np.float32)


def normal(*shape: int, dtype: str = "float64", seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def program_of(f: Callable[..., Any], *args: Any) -> Program:
    """The device's part of a plan's program, of which NumPy's arrays are the constants."""
    plan = ad.plan(f)
    plan(*args)
    return parts(plan.program, lambda x: x).device


def run(program: Program, found: list[Any], values: list[Any], product: Callable[..., Any]) -> list[Any]:
    """The outputs, by the steps in order. A step may read only what is there; a kernel's own values stay in it."""
    known: dict[int, Any] = dict(enumerate([*values, *program.captured]))
    for step in found:
        rows = step.rows if isinstance(step, (Node, ProductStep)) else (step,)
        if isinstance(step, ProductStep):
            known |= product(program, step, known)
            continue
        inside = dict(known)
        for i in sorted(rows):
            row = program.rows[i - program.first]
            inside[i] = row.function(*substitute(row.args, inside), **substitute(row.kwargs, inside))
        kept = step.writes if isinstance(step, Node) else rows
        known |= {i: inside[i] for i in rows if i in kept or (is_view(program.rows[i - program.first]) and i not in known)}
    return list(substitute(program.outputs, known))


def by_definition(program: Program, step: ProductStep, known: dict[int, Any]) -> dict[int, Any]:
    """What ProductStep says that it does."""
    x, y = (known[a.index] for a in program.rows[step.row - program.first].args)
    out = (step.alpha * (x @ y)).astype(x.dtype)
    if step.add is not None:
        out = out + (step.beta * known[step.add]).astype(x.dtype)
    if step.bias is not None:
        out = out + known[step.bias].reshape(-1)
    made = {step.out: np.maximum(out, 0) if step.relu else out}
    if step.sums is not None:
        shape = program.spec(step.sums).shape
        made[step.sums] = (x.sum(1) if step.of_rows else y.sum(0)).reshape(shape)
    return made


def products_of(found: list[Any]) -> list[ProductStep]:
    return [s for s in found if isinstance(s, ProductStep)]


def loss(parameters: Any, x: Any, y: Any) -> Any:
    for w, b in parameters[:-1]:
        x = np.tanh(x @ w + b)
    w, b = parameters[-1]
    return np.mean((x @ w + b - y) ** 2)


def training_step(parameters: Any, x: Any, y: Any) -> Any:
    value, slopes = ad.value_and_grad(loss)(parameters, x, y)
    return value, [(w - 0.1 * dw, b - 0.1 * db) for (w, b), (dw, db) in zip(parameters, slopes, strict=True)]


NETWORK = ([(normal(4, 8, seed=1), normal(8, seed=2)), (normal(8, 3, seed=3), normal(3, seed=4))], normal(16, 4, seed=5),
           normal(16, 3, seed=6))

PROGRAMS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "product": (lambda a, b: a @ b, (normal(5, 4), normal(4, 3))),
    "bias": (lambda a, b, c: a @ b + c, (normal(5, 4), normal(4, 3), normal(3))),
    "bias of one row": (lambda a, b, c: c + a @ b, (normal(5, 4), normal(4, 3), normal(1, 3))),
    "scaled": (lambda a, b: -0.5 * (a @ b) / 3.0, (normal(5, 4), normal(4, 3))),
    "sum of products": (lambda a, b, c, d: a @ b + c @ d, (normal(5, 4), normal(4, 3), normal(5, 6), normal(6, 3))),
    "difference": (lambda a, b, c: a @ b - c, (normal(5, 4), normal(4, 3), normal(5, 3))),
    "difference the other way": (lambda a, b, c: c - 0.1 * (a @ b), (normal(5, 4), normal(4, 3), normal(5, 3))),
    "residual with bias": (lambda a, b, c: a + a @ b + c, (normal(5, 4), normal(4, 4), normal(4))),
    "product that is read twice": (lambda a, b, c: (a @ b + c, a @ b), (normal(5, 4), normal(4, 3), normal(3))),
    "its own transpose": (lambda a: a @ a + (a @ a).T, (normal(4, 4),)),
    "vector": (lambda a, v, w: a @ v + w, (normal(5, 4), normal(4), normal(5))),
    "column along rows": (lambda a, b, c: a @ b + c, (normal(5, 4), normal(4, 3), normal(5, 1))),
    "relu": (lambda a, b, c: np.maximum(a @ b + c, 0), (normal(5, 4), normal(4, 3), normal(3))),
    "stacks": (lambda a, b, c: a @ b + c, (normal(2, 5, 4), normal(2, 4, 3), normal(3))),
    "bias gradient": (lambda h, g: (h.T @ g, np.sum(g, axis=0)), (normal(6, 4), normal(6, 3))),
    "bias gradient from the left": (lambda h, g: (g.T @ h, np.sum(g, axis=0)), (normal(6, 4), normal(6, 3))),
    "gradient": (ad.value_and_grad(loss), NETWORK),
    "training step": (training_step, NETWORK),
}


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_steps_give_what_the_program_gives(name: str, relu: bool) -> None:
    f, args = PROGRAMS[name]
    program = program_of(f, *args)
    inputs = [a for a in ad_leaves(args) if isinstance(a, np.ndarray)]
    found = fold(program, steps(program), relu)
    expected = program.run(*inputs)
    for a, b in zip(run(program, found, inputs, by_definition), expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def ad_leaves(tree: Any) -> list[Any]:
    import optree

    return optree.tree_leaves(tree)


def only(name: str, relu: bool = False) -> ProductStep:
    f, args = PROGRAMS[name]
    program = program_of(f, *args)
    (step,) = fold(program, steps(program), relu)
    return step


def test_one_launch_where_one_is_enough() -> None:
    assert only("bias").bias is not None
    assert only("bias of one row").bias == 2
    assert only("difference the other way").alpha == pytest.approx(-0.1) and only("difference the other way").beta == 1
    assert (only("difference").beta, only("scaled").alpha) == (-1, pytest.approx(-1 / 6))
    assert only("relu", relu=True).relu


def test_nan_is_not_lost_unless_allowed() -> None:
    f, args = PROGRAMS["relu"]
    program = program_of(f, *args)
    assert not any(s.relu for s in products_of(fold(program, steps(program))))


def test_the_second_of_two_products_adds_the_first() -> None:
    f, args = PROGRAMS["sum of products"]
    found = products_of(fold(program := program_of(f, *args), steps(program)))
    assert [s.add for s in found] == [None, found[0].out] and len(found) == 2


def test_bias_gradients_beside_the_weights() -> None:
    program = rowwise(lambda h, g: [(functions.transpose, (h, (1, 0)), (4, 6)), (np.matmul, (Var(2), g), (4, 3)),
                                    (functions.reduce, (g, np.add, (0,), False), (3,))], (6, 4), (6, 3), outputs=(3, 4))
    (_, step) = fold(program, [2, 3, Node((4,), "columns", (4,), ((4,),))])
    assert (step.sums, step.of_rows, step.writes) == (4, False, (3, 4))
    fused = Node((4, 5), "columns", (4, 5), ((4, 5),))  # a kernel that makes more is not worth less for one sum
    program = rowwise(lambda h, g: [(functions.transpose, (h, (1, 0)), (4, 6)), (np.matmul, (Var(2), g), (4, 3)),
                                    (functions.reduce, (g, np.add, (0,), False), (3,)), (np.tanh, (g,), (6, 3))],
                      (6, 4), (6, 3), outputs=(3, 4, 5))
    assert fold(program, [2, 3, fused])[-1] is fused


def rowwise(rows: Callable[..., Any], *shapes: tuple[int, ...], outputs: tuple[int, ...]) -> Program:
    """A program of float32, written down row by row."""
    made = rows(*(Var(i) for i in range(len(shapes))))
    return Program(tuple(Spec(s, F) for s in shapes), (), tuple(Row(f, args, {}, Spec(shape, F)) for f, args, shape in made),
                   tuple(map(Var, outputs)))


def test_a_node_keeps_what_it_does_at_no_cost() -> None:
    """tanh(x w + b): the kernel of tanh adds the bias. Where the sum is stored as well, and long, the product stores it."""
    def layer(n: int, kept: bool) -> list[Any]:
        program = rowwise(lambda x, w, b: [(np.matmul, (x, w), (n, n)), (np.add, (Var(3), b), (n, n)),
                                           (np.tanh, (Var(4),), (n, n))],
                          (n, n), (n, n), (n,), outputs=(4, 5) if kept else (5,))
        writes = (4, 5) if kept else (5,)
        return fold(program, [3, Node((4, 5), "entries", writes, ((4, 5),))])

    assert layer(4096, False)[0].bias is None and layer(64, True)[0].bias is None
    product, node = layer(4096, True)
    assert product.bias == 2 and node == Node((5,), "entries", (5,), ((5,),))


def test_a_part_of_a_launch_goes_only_where_its_arrays_are_long() -> None:
    def updates(n: int) -> list[Any]:
        program = rowwise(lambda x, g, w, b: [(np.matmul, (x, g), (n, n)), (np.multiply, (0.1, Var(4)), (n, n)),
                                              (np.subtract, (w, Var(5)), (n, n)), (np.negative, (b,), (n,))],
                          (n, n), (n, n), (n, n), (n,), outputs=(6, 7))
        return fold(program, [4, Node((5, 6, 7), "entries", (6, 7), ((5, 6), (7,)))])

    assert updates(64)[0] == ProductStep(4, (4,), 4)
    product, node = updates(4096)
    assert (product.add, product.alpha, product.beta, product.out) == (2, pytest.approx(-0.1), 1, 6)
    assert node == Node((7,), "entries", (7,), ((7,),))


def test_nothing_is_read_before_it_is_there() -> None:
    """The term that is added is made after the product, and read before the sum: the product waits for it, if it can."""
    rows = lambda x, w: [(np.matmul, (x, w), (4, 4)), (np.matmul, (w, x), (4, 4)), (np.add, (Var(2), Var(3)), (4, 4))]
    program = rowwise(rows, (4, 4), (4, 4), outputs=(4,))
    first, second = fold(program, [2, 3, 4])
    assert (first.row, second.row) in ((2, 3), (3, 2)) and second.add == first.out
    program = rowwise(rows, (4, 4), (4, 4), outputs=(2, 4))
    assert [s.row for s in fold(program, [2, 3, 4])] == [2, 3]


def test_what_is_no_product_of_cublaslt() -> None:
    spec = Spec((2, 2), np.dtype(int))
    integers = Program((spec, spec), (), (Row(np.matmul, (Var(0), Var(1)), {}, spec),), (Var(2),))
    assert fold(integers, [2]) == [2]
    empty = rowwise(lambda x, w: [(np.matmul, (x, w), (4, 4))], (4, 0), (0, 4), outputs=(2,))
    assert fold(empty, [2]) == [2]


# ---- on a device

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_bound_steps(gpu: ModuleType, name: str, dtype: str) -> None:
    f, args = PROGRAMS[name]
    inputs = [a.astype(dtype) for a in ad_leaves(args)]
    program = program_of(f, *cast(args, dtype))
    workspace = gpu.empty(1 << 22, "u1")

    def product(program: Program, step: ProductStep, known: dict[int, Any]) -> dict[int, Any]:
        made = {i: gpu.zeros(program.spec(i).shape, program.spec(i).dtype) for i in step.writes}
        arrays = {i: gpu.asarray(np.asarray(v)) for i, v in known.items() if isinstance(v, np.ndarray)}
        arrays |= {i: v.T for i, v in ((i, gpu.asarray(np.ascontiguousarray(v.T))) for i, v in known.items()
                                       if isinstance(v, np.ndarray) and v.ndim == 2 and not v.flags.c_contiguous)}
        step.bind(program, arrays | made, workspace)()
        return {i: to_host(v) for i, v in made.items()}

    found = run(program, fold(program, steps(program), relu=True), inputs, product)
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    for a, b in zip(found, program.run(*inputs), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def cast(tree: Any, dtype: str) -> Any:
    import optree

    return optree.tree_map(lambda a: a.astype(dtype), tree)


def test_what_cublaslt_refuses_is_done_apart(gpu: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("linalg.kernels.products")
    program = rowwise(lambda x, w, b, c: [(np.matmul, (x, w), (5, 3)), (np.multiply, (2.0, Var(4)), (5, 3)),
                                          (np.add, (Var(5), c), (5, 3)), (np.add, (Var(6), b), (5, 3)),
                                          (functions.reduce, (w, np.add, (0,), False), (3,))],
                      (5, 4), (4, 3), (3,), (5, 3), outputs=(7, 8))
    x, w, b, c = (normal(*s, dtype="float32", seed=k) for k, s in enumerate([(5, 4), (4, 3), (3,), (5, 3)]))
    strided = gpu.zeros((10, 8), F)
    strided[::2, ::2] = gpu.asarray(x)
    made = {i: gpu.zeros(s, F) for i, s in ((7, (5, 3)), (8, (3,)))}
    arrays = dict(enumerate([strided[::2, ::2], *map(gpu.asarray, (w, b, c))])) | made
    real, refused = module.Product, []

    def sometimes(level: int, *operands: Any, **options: Any) -> Any:
        if level > 1 or (level and (options.get("bias") is not None or options.get("column_sums") is not None)):
            refused.append(level)
            raise module.Unsupported("not today")
        return real(*operands, **options)

    for level in range(3):
        monkeypatch.setattr(module, "Product", partial(sometimes, level))
        for step, out in ((ProductStep(4, (4, 5, 6, 7), 7, alpha=2, add=3, bias=2), 2 * x @ w + c + b),
                          (ProductStep(4, (4, 5, 6, 7), 7, alpha=-1, beta=2, add=3, relu=True), np.maximum(2 * c - x @ w, 0)),
                          (ProductStep(4, (4, 8), 7, sums=8), x @ w)):
            made[7].fill(0)
            step.bind(program, arrays, gpu.empty(1 << 22, "u1"))()
            np.testing.assert_allclose(to_host(made[7]), out, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(to_host(made[8]), w.sum(0), rtol=1e-4, atol=1e-5)
    assert set(refused) == {1, 2}
