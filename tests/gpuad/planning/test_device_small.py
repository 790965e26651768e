"""One-block programs: blocks on the emulated machine give what NumPy gives, in one launch, with few barriers."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import optree
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gpuad as ad
from benchmarks.programs.networks import NETWORKS
from benchmarks.programs.program import GRADIENT, STEP
from gpuad.planning import functions
from gpuad.planning.device import block, small
from gpuad.planning.device.block import Block
from gpuad.planning.device.code import Node
from gpuad.planning.device.parts import parts
from gpuad.planning.program import Program, Row, Spec, Var, spec_of
from gpuad.planning.storage import is_view
from tests.gpuad.planning import test_random_plans as random_plans
from tests.gpuad.planning.kernels import as_device
from tests.standin import compiling, emulation

pytestmark = pytest.mark.skipif(bool(emulation.missing()), reason=emulation.missing() or "none")


def device_program(f: Any, *args: Any) -> tuple[Program, list[np.ndarray]]:
    """What the device does of a planned function, and its inputs."""
    plan = ad.plan(f)
    plan(*args)
    found = parts(plan.program, np.array)
    leaves = optree.tree_leaves(args)
    numbers = found.host.run(*leaves)[:found.n_numbers]
    return found.device, [np.asarray(x) for x in (*(leaves[i] for i in found.leaves), *numbers)]


def single_steps(program: Program) -> list[Any]:
    return [i for i, _ in program.numbered()]


def run_steps(program: Program, steps: Sequence[Any], inputs: Sequence[np.ndarray]) -> list[Any]:
    """The outputs, by blocks on the emulated machine; other steps by NumPy."""
    values: dict[int, Any] = dict(enumerate([*inputs, *program.captured]))
    for step in steps:
        if isinstance(step, Node):
            run_block(program, step, values)
        else:
            row = program.rows[step - program.first]
            tree = functions_of(row, values)
            with np.errstate(all="ignore"):
                values[step] = row.function(*tree[0], **tree[1])
    return [values[v.index] if type(v) is Var else v for v in program.outputs]


def functions_of(row: Row, values: dict[int, Any]) -> Any:
    from gpuad.planning.program import substitute

    return substitute(row.args, values), substitute(row.kwargs, values)


def run_block(program: Program, node: Node, values: dict[int, Any]) -> Any:
    """Launch a block; what it stores is found in ``values``."""
    for i in node.writes:
        values[i] = np.full(program.spec(i).shape, 77).astype(program.spec(i).dtype)
    arrays = {i: x if isinstance(x, np.ndarray) else np.asarray(x) for i, x in values.items() if not isinstance(x, tuple)}
    made = small.code(program, node, {i: as_device(x) for i, x in arrays.items()})
    scratch = np.zeros(made.scratch + 16, np.uint8)
    (launch,) = made.launches
    pointers = [np.uintp(arrays[a.index].ctypes.data if type(a) is Var else scratch.ctypes.data + a[1]) for a in launch.arguments]
    emulation.run(made.source, launch.name, launch.grid, launch.block, pointers, launch.shared)
    return made


def code_of(program: Program, node: Node, inputs: Sequence[np.ndarray]) -> Any:
    values = dict(enumerate([*inputs, *program.captured]))
    arrays = values | {i: np.empty(program.spec(i).shape, program.spec(i).dtype) for i in node.writes}
    return small.code(program, node, {i: as_device(np.asarray(x)) for i, x in arrays.items()})


def check(program: Program, inputs: Sequence[np.ndarray], whole: bool = True) -> list[Any]:
    """Blocks agree with the program; with ``whole`` it is one block and nothing else but views."""
    steps = small.gather(program, single_steps(program))
    if whole:
        assert sum(isinstance(s, Node) for s in steps) == 1
        assert all(isinstance(s, Node) or is_view(program.rows[s - program.first]) for s in steps)
    with np.errstate(all="ignore"):
        wanted = program.run(*inputs)
    for out, y in zip(run_steps(program, steps, inputs), wanted, strict=True):
        y = np.asarray(y)
        single = y.dtype in (np.float32, np.complex64) or any(s.dtype in (np.float32, np.complex64) for s in program.inputs)
        tolerance = 2e-3 if y.dtype == np.float16 else 2e-5 if single else 1e-11
        scale = np.max(np.abs(y[np.isfinite(y)]), initial=1.0) if y.dtype.kind in "fc" else 1
        np.testing.assert_allclose(out, y, rtol=tolerance, atol=tolerance * scale)
    return steps


def arrays(*shapes: tuple[int, ...], dtype: Any = np.float32) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=s).astype(dtype) for s in shapes]


# ---- whole programs

def logistic(params: Any, x: Any, y: Any) -> Any:
    (w, b), = params
    scores = x @ w + b
    scores = scores - np.max(scores, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(scores), axis=1)) - np.sum(y * scores, axis=1))


def step_of(loss: Any) -> Any:
    def step(params: Any, *data: Any) -> Any:
        value, gradients = ad.value_and_grad(loss)(params, *data)
        return value, [tuple(p - 0.1 * g for p, g in zip(*layer, strict=True)) for layer in zip(params, gradients, strict=True)]
    return step


@pytest.mark.parametrize("task", [GRADIENT, STEP])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_small_network_is_one_launch(task, dtype):
    network = NETWORKS[0]
    function = network.task(ad.value_and_grad, network.loss_over(ad.numpy), task)
    program, inputs = device_program(function, *network.data(dtype))
    assert small.is_small(program)
    check(program, inputs)


def test_a_training_step_of_logistic_regression_is_one_launch():
    x, w, b = arrays((128, 64), (64, 10), (10,))
    y = np.eye(10, dtype=np.float32)[np.arange(128) % 10]
    program, inputs = device_program(step_of(logistic), [(w, b)], x, y)
    assert small.is_small(program)
    check(program, inputs)


def test_the_text_is_the_same_every_time():
    network = NETWORKS[0]
    function = network.task(ad.value_and_grad, network.loss_over(ad.numpy), STEP)
    sources = set()
    for _ in range(2):
        program, inputs = device_program(function, *network.data(np.float32))
        (node,) = [s for s in small.gather(program, single_steps(program)) if isinstance(s, Node)]
        sources.add(code_of(program, node, inputs).source)
    assert len(sources) == 1


def test_results_are_the_same_bit_by_bit_in_any_order_of_threads():
    x, w, b = arrays((128, 64), (64, 10), (10,))
    y = np.eye(10, dtype=np.float32)[np.arange(128) % 10]
    program, inputs = device_program(step_of(logistic), [(w, b)], x, y)
    steps = small.gather(program, single_steps(program))
    first, second = (run_steps(program, steps, inputs) for _ in range(2))  # every second launch is reversed
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))


def test_barriers_follow_the_longest_chain_only():
    network = NETWORKS[0]
    program, _ = device_program(network.task(ad.value_and_grad, network.loss_over(ad.numpy), STEP), *network.data(np.float32))
    (node,) = [s for s in small.gather(program, single_steps(program)) if isinstance(s, Node)]
    found = Block(program, node.rows, node.writes)
    assert found.n_phases <= 9  # three products forward, three back, the inputs' copies, the losses' sum
    assert found.shared_size < 48 << 10 and not found.scratch_size


def test_resources_on_the_device():
    network = NETWORKS[0]
    function = network.task(ad.value_and_grad, network.loss_over(ad.numpy), STEP)
    program, inputs = device_program(function, *network.data(np.float32))
    (node,) = [s for s in small.gather(program, single_steps(program)) if isinstance(s, Node)]
    (kernel,) = compiling.require_compiles(code_of(program, node, inputs).source).values()
    assert kernel.local == 0 and kernel.registers <= 128


# ---- kinds of rows

X = arrays((6, 4))[0]
KINDS = {
    "elementwise, broadcast": (lambda x, y: np.tanh(x) * y + x[:, :1] * 2, [X, X[0]]),
    "sums": (lambda x: (np.sum(x), np.sum(x, axis=0), np.sum(x, axis=1, keepdims=True) * x, np.max(x), np.min(x, axis=1)), [X]),
    "a long sum": (lambda x: np.sum(x * x) + np.mean(x, axis=0) * x[0], arrays((200, 30))),
    "chunks, and rows after them": (lambda x: np.sum(x) * np.sum(np.exp(x / np.max(x)), axis=0), arrays((5000, 2))),
    "products": (lambda x, y: np.tanh(x @ y) @ y.T + x, arrays((9, 7), (7, 7))),
    "stacks of products": (lambda x, y: x @ y + np.sum(x, axis=1)[:, None, :], arrays((3, 4, 5), (5, 5))),
    "broadcast stacks": (lambda x, y: x @ y * 2, arrays((2, 1, 4, 3), (5, 3, 2))),
    "vectors": (lambda x, y: x @ y @ x + np.dot(x, x), arrays((8,), (8, 8))),
    "tiles": (lambda x, y: np.maximum(x @ y, 0) * 2, arrays((64, 48), (48, 64))),
    "views": (lambda x: x.T.reshape(-1)[::-2] * x[:3].reshape(12)[::1] + x[1, 2], [X]),
    "rows chosen by numbers": (lambda x, i: x[i] * x[i[::-1], 1][:, None], [X, np.array([0, -1, 2, 2])]),
    "numbers in the middle": (lambda x, i: x[:, i] + x[1:3, :, i].sum(), [arrays((5, 4, 3))[0], np.array([[0, 2], [1, 1]])]),
    "numbers beside steps back": (lambda x, i: x[::-1][:, i] + x[:3, ::-1].T[::-1].T[[0, 1, 2, 0, 1, 2]][:, i],
                                  [X, np.array([3, 0, 1])]),
    "running back": (lambda x: np.cumsum(x[::-1], axis=0)[:, ::-1] * np.sum(x[::-1, ::-2], axis=1)[:, None], [X]),
    "gradient of steps back": (ad.grad(lambda x: np.sum(x[::-2, ::-1][1:, np.array([0, 0, 3])] ** 3)), [X]),
    "gradient of a choice": (ad.grad(lambda x: np.sum(x[np.array([0, 2, 2, 5])] ** 3)), [X]),
    "gradient of a choice of columns": (ad.grad(lambda x: np.sum(np.sin(x[1:4, np.array([0, 2, 2])]))), [X]),
    "gradients of slices": (ad.grad(lambda x: np.sum(x[1:4] ** 3) + np.sum(x[::2, 1] * x[0, 0]) + x[::-2].sum()), [X]),
    "joined": (lambda x: np.concatenate([x, x * 2, x[:, 1:2]], axis=1) ** 2, [X]),
    "gradient of joined": (ad.grad(lambda x: np.sum(np.concatenate([x, x * 2], axis=0) ** 3)), [X]),
    "along axes": (lambda x: (np.cumsum(x, axis=0) * np.cumprod(x, axis=-1), np.argmax(x, axis=1), np.argmin(x.T, axis=-1)), [X]),
    "the first NaN": (lambda x: (np.argmax(x, axis=0), np.cumsum(x > 0, axis=1) * 2), [np.where(X > 1, np.nan, X)]),
    "integers": (lambda i: (i // 3, i % 3, np.sum(i), np.max(i, axis=0), i @ i.T, i > 2), [np.arange(-6, 6).reshape(3, 4)]),
    "booleans": (lambda x: (np.any(x > 1), np.all(x > -9, axis=0), np.sum(x > 0)), [X]),
    "complex": (lambda z: (np.sum(z * z.conj()), np.exp(z) @ z.T, z.real + z.imag, abs(z)), [X + 1j * X[::-1]]),
    "float16": (lambda x: (np.tanh(x) + x * 3, np.sum(x, axis=0)), [X.astype(np.float16)]),
    "numbers of Python's": (lambda x, s: x * s + s**2, [X, 0.3]),
    "a view that needs a copy": (lambda x: (np.exp(x).T.reshape(3, 8) * 2, np.exp(x).T.reshape(24).sum()), [X]),
    "results that are views": (lambda x: (np.tanh(np.exp(x)).T, np.exp(x)[1:]), [X]),
    "one entry": (lambda x: np.sum(x[:1, :1]) * x[0, 0] + np.sum(x, axis=(0, 1)), [X]),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_rows(name, monkeypatch):
    monkeypatch.setattr(small, "LAUNCH", 1e9)
    function, given_arrays = KINDS[name]
    check(*device_program(function, *given_arrays))


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_rows_compile_for_the_device(name, monkeypatch):
    monkeypatch.setattr(small, "LAUNCH", 1e9)
    function, given_arrays = KINDS[name]
    program, inputs = device_program(function, *given_arrays)
    (node,) = [s for s in small.gather(program, single_steps(program)) if isinstance(s, Node)]
    (kernel,) = compiling.require_compiles(code_of(program, node, inputs).source).values()
    assert kernel.registers <= 128


def rows_program(*rows: Row, inputs: Sequence[np.ndarray], outputs: Sequence[int]) -> Program:
    return Program(tuple(map(spec_of, inputs)), (), rows, tuple(map(Var, outputs)))


def test_assignments_keep_the_last_of_several_values():
    x, i = np.zeros((4, 3), np.float32), np.array([1, 3, 1])
    v = np.arange(9, dtype=np.float32).reshape(3, 3)
    out = spec_of(x)
    program = rows_program(Row(functions.assigned, (Var(0), Var(1), (Var(2),)), {}, out),
                           Row(functions.assigned, (Var(3), 7.5, (slice(0, 4, 2), 1)), {}, out),
                           Row(np.exp, (Var(4),), {}, out), inputs=[x, v, i], outputs=[3, 4, 5])
    check(program, [x, v, i])


def test_strided_inputs_are_read_where_they_lie():
    base = arrays((12, 20))[0]
    x, y = base[::2, 1:9:2], base.T[3:7:1, ::-2]
    program = rows_program(Row(np.add, (Var(0), Var(1)), {}, Spec((4, 6), np.dtype(np.float32))), inputs=[y, y], outputs=[2])
    rows = [Row(np.matmul, (Var(0), Var(1)), {}, Spec((6, 6), np.dtype(np.float32))),
            Row(np.multiply, (Var(2), 2.0), {}, Spec((6, 6), np.dtype(np.float32)))]
    program = rows_program(*rows, inputs=[x, y], outputs=[3])
    check(program, [x, y])


def test_parts_of_complex_numbers_are_views():
    z = (X + 1j * X[::-1]).astype(np.complex64)
    out = Spec((6, 4), np.dtype(np.float32))
    program = rows_program(Row(np.square, (Var(0),), {}, spec_of(z)), Row(functions.imaginary, (Var(1),), {}, out),
                           Row(functions.reduce, (Var(2), np.add, (0,), False), {}, Spec((4,), np.dtype(np.float32))),
                           Row(functions.real, (Var(0),), {}, out), Row(np.add, (Var(4), Var(3)), {}, out),
                           inputs=[z], outputs=[5])
    check(program, [z])


# ---- mixed programs

def test_what_no_block_computes_stays_as_it_is():
    def mixed(x):
        y = np.tanh(x) * 2 + 1
        return np.sort(y @ x.T, axis=1) * 3 + np.sum(y)
    program, inputs = device_program(mixed, X)
    steps = check(program, inputs, whole=False)
    called = [program.rows[s - program.first].function for s in steps if isinstance(s, int)]
    assert np.sort in called and sum(isinstance(s, Node) for s in steps) == 2


def test_large_work_is_not_gathered():
    x = np.ones((600, 600), np.float32)
    program, _ = device_program(lambda x: np.tanh(x @ x) + 1, x)
    assert not small.is_small(program)
    assert small.gather(program, single_steps(program)) == single_steps(program)


def test_arrays_beyond_shared_memory_go_through_scratch(monkeypatch):
    monkeypatch.setattr(block, "SHARED", 4 << 10)
    x = arrays((900,), dtype=np.float64)[0]
    program, inputs = device_program(lambda x: np.sum(np.exp(x[::-1])[::-1] * np.sin(x)[::-1] * np.cos(x)[::-1]), x)
    (node,) = [s for s in small.gather(program, single_steps(program)) if isinstance(s, Node)]
    assert Block(program, node.rows, node.writes).scratch_size
    check(program, inputs)


@settings(max_examples=15)
@given(random_plans.codes, random_plans.shapes, random_plans.dtypes, st.integers(0, 99), st.booleans())
def test_random_programs(code, shapes, dtype, seed, differentiated):
    f = random_plans.program(code)
    inputs = random_plans.arguments(shapes, dtype, seed)
    if differentiated:
        f = ad.value_and_grad(random_plans.scalar(f), argnums=tuple(range(len(inputs))))
    with np.errstate(all="ignore"):
        program, given_arrays = device_program(f, *inputs)
        check(program, given_arrays, whole=False)
