"""Modules, graphs and memory of the device: on a GPU, or on CuPy's stand-in, whose kernels g++ compiles."""
from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from linalg.arrays import to_host
from tests.standin import emulation
from tests.standin.compiling import require_compiles

FILL = r"""
extern "C" __global__ void fill(float* x, const float value, const int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) x[i] = value;
}
extern "C" __global__ void turn(const float* x, float* y) {  // x reversed, through shared memory
    extern __shared__ float s[];
    for (int i = threadIdx.x; i < 16384; i += blockDim.x) s[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < 16384; i += blockDim.x) y[i] = s[16383 - i];
}
"""


@pytest.fixture
def kernels(gpu: ModuleType) -> Any:
    """The package's kernel files, which import CuPy."""
    if is_standin(gpu) and emulation.missing():
        pytest.skip(emulation.missing())
    from linalg.kernels import graphs, memory, modules

    return type("kernels", (), {"graphs": graphs, "memory": memory, "modules": modules})


def is_standin(gpu: ModuleType) -> bool:
    return hasattr(gpu, "launches")


@contextmanager
def little_memory(gpu: ModuleType, nbytes: int) -> Iterator[None]:
    """Within, CuPy's pool can grow by nbytes only."""
    pool = gpu.get_default_memory_pool()
    pool.free_all_blocks()
    pool.set_limit(size=pool.total_bytes() + nbytes)
    try:
        yield
    finally:
        pool.set_limit(size=0)


# ---- modules

def test_a_kernel(gpu: ModuleType, kernels: Any) -> None:
    x = gpu.zeros(1000, "f")
    fill = kernels.modules.load(FILL, "fill")
    fill((4,), (256,), (x.data.ptr, np.float32(2.5), np.int32(999)))
    np.testing.assert_array_equal(to_host(x), [2.5] * 999 + [0])
    assert kernels.modules.load(FILL, "fill") is fill
    assert fill.name == "fill" and fill.attributes["num_regs"] > 0 and fill.attributes["local_size_bytes"] == 0


def test_the_sources_are_cuda(kernels: Any) -> None:
    for source in (FILL, kernels.memory._WRITE):
        assert all(not taken.local for taken in require_compiles(source).values())


def test_more_than_48_kibibytes_of_shared_memory(gpu: ModuleType, kernels: Any) -> None:
    x, y = gpu.arange(16384, dtype="f"), gpu.zeros(16384, "f")
    kernels.modules.load(FILL, "turn")((1,), (1024,), (x.data.ptr, y.data.ptr), 65536)
    np.testing.assert_array_equal(to_host(y), np.arange(16384)[::-1])


def test_a_kernel_that_does_not_compile(gpu: ModuleType, kernels: Any) -> None:
    source = 'extern "C" __global__ void wrong(float* x) { *x = undeclared; }'
    for _ in range(2):
        with pytest.raises(kernels.modules.KernelError, match=r"kernel wrong does not compile.*undeclared") as caught:
            kernels.modules.load(source, "wrong")
        kept = re.search(r"kept in (\S+)\. ", str(caught.value))
        assert kept and Path(kept[1]).read_text(encoding="utf-8") == source
    assert gpu.ones(3).sum().get() == 3


# ---- memory

def test_arrays_in_a_block(gpu: ModuleType, kernels: Any) -> None:
    block = kernels.memory.allocate(1000, "a test")
    assert block.ptr % 256 == 0
    a, b = kernels.memory.array_at(block, 0, (2, 3), "f8"), kernels.memory.array_at(block, 512, (4,), np.int32)
    a[...] = gpu.arange(6.0).reshape(2, 3)
    b.fill(7)
    del block
    np.testing.assert_array_equal(to_host(a), np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(to_host(b), [7] * 4)
    assert a.data.ptr % 256 == 0 and b.data.ptr - a.data.ptr == 512
    empty = kernels.memory.array_at(kernels.memory.allocate(0, "nothing"), 0, (0, 3), "f")
    assert empty.shape == (0, 3)


def test_copies(gpu: ModuleType, kernels: Any) -> None:
    src, dst = gpu.arange(12.0).reshape(3, 4), gpu.zeros((3, 4))
    kernels.memory.copy_into(dst, src)
    np.testing.assert_array_equal(to_host(dst), to_host(src))
    kernels.memory.copy_into(dst[:, ::2], src[:, 1::2])
    np.testing.assert_array_equal(to_host(dst)[:, ::2], to_host(src)[:, 1::2])
    kernels.memory.copy_into(gpu.zeros((0, 4)), src[:0])
    with pytest.raises(TypeError):
        kernels.memory.copy_into(dst, src.astype("f"))


@pytest.mark.parametrize("n", [1, 5, 70])
def test_numbers(gpu: ModuleType, kernels: Any, n: int) -> None:
    dtypes, numbers = ["f8", "i8", "?", "c16", "f4"], [-1.5, -(2**62) - 1, True, 1e300 - 2j, np.float32(0.1)]
    arrays = [gpu.zeros((), dtypes[k % 5]) for k in range(n)]
    waits = list(getattr(gpu, "synchronisations", ()))
    sent = list(getattr(gpu, "transfers", ()))
    kernels.memory.set_numbers(arrays, [numbers[k % 5] for k in range(n)])
    assert list(getattr(gpu, "synchronisations", ())) == waits and list(getattr(gpu, "transfers", ())) == sent
    for k, array in enumerate(arrays):
        assert array.get() == np.asarray(numbers[k % 5], dtypes[k % 5])


def test_no_memory(gpu: ModuleType, kernels: Any) -> None:
    kept = gpu.ones(1000)
    with little_memory(gpu, 1 << 20):
        freed = gpu.zeros(1 << 19, np.uint8)
        del freed  # its block stays with CuPy's pool, and is freed for what does not fit beside it
        assert kernels.memory.allocate(1 << 20, "what fits").ptr
        before = gpu.get_default_memory_pool().used_bytes()
        with pytest.raises(kernels.memory.OutOfDeviceMemory, match=r"for the plan's arena: 2,097,152 bytes needed, [0-9,]+ free"):
            kernels.memory.allocate(1 << 21, "the plan's arena")
        assert gpu.get_default_memory_pool().used_bytes() == before
        assert isinstance(kernels.memory.OutOfDeviceMemory(), MemoryError)
        assert kept.sum().get() == 1000
    assert kernels.memory.allocate(1 << 21, "the plan's arena").ptr


# ---- graphs

def test_a_graph(gpu: ModuleType, kernels: Any) -> None:
    x, y = gpu.arange(6.0), gpu.zeros(6)
    fill, z = kernels.modules.load(FILL, "fill"), gpu.zeros(6, "f")

    def body() -> Any:
        t = gpu.sin(x) * 2
        gpu.add(t, x, y)
        fill((1,), (32,), (z.data.ptr, np.float32(3), np.int32(6)))
        kernels.memory.copy_into(x[:3], x[3:])
        return (t**2).sum(axis=0)

    graph = kernels.graphs.capture(body, (x, y, z))
    for k in range(3):
        given = np.linspace(k, k + 1, 6)
        x.set(given)
        y.fill(0)
        z.fill(0)
        noise = [gpu.full(6, np.nan) for _ in range(5)]  # where temporaries of the graph lay, if CuPy's pool had them back
        graph.launch()
        np.testing.assert_allclose(to_host(graph.result), np.sum((2 * np.sin(given))**2), rtol=1e-14)
        np.testing.assert_allclose(to_host(y), 2 * np.sin(given) + given, rtol=1e-14)
        np.testing.assert_array_equal(to_host(z), [3] * 6)
        np.testing.assert_array_equal(to_host(x), np.tile(given[3:], 2))
        assert np.isnan(to_host(noise[-1])).all()


def test_a_graph_on_other_streams(gpu: ModuleType, kernels: Any) -> None:
    x, out = gpu.arange(4.0), gpu.zeros(4)
    graph = kernels.graphs.capture(lambda: gpu.add(out, x, out), (x, out))
    out.fill(0)
    graph.launch()
    other = gpu.cuda.Stream(non_blocking=True)
    with other:
        graph.launch()
        doubled = out * 2
    other.synchronize()
    graph.launch()
    np.testing.assert_array_equal(to_host(doubled), 4 * np.arange(4.0))
    np.testing.assert_array_equal(to_host(out), 3 * np.arange(4.0))
    del graph


def test_branches_on_two_streams(gpu: ModuleType, kernels: Any) -> None:
    x, side = gpu.arange(4.0), gpu.cuda.Stream(non_blocking=True)

    def body() -> Any:
        main = gpu.cuda.get_current_stream()
        side.wait_event(main.record())
        with side:
            a = gpu.sin(x)
        b = gpu.cos(x)
        main.wait_event(side.record())
        return a + b

    graph = kernels.graphs.capture(body, (x, side))
    x.set(np.array([4.0, 3, 2, 1]))
    graph.launch()
    np.testing.assert_allclose(to_host(graph.result), np.sin([4.0, 3, 2, 1]) + np.cos([4.0, 3, 2, 1]))


UNCAPTURABLE = {
    "a product": (lambda _, x: x @ x, "cuBLAS"),
    "a decomposition": (lambda gpu, x: gpu.linalg.cholesky(x + 9 * gpu.eye(3)), "cuSOLVER|cuBLAS"),
    "a copy to the host": (lambda _, x: x.sum().get(), "captur"),
    "a copy from the host": (lambda gpu, x: x + gpu.asarray(np.ones((3, 3))), "captur"),
    "a branch": (lambda _, x: 1 if x.sum() > 0 else 2, "captur"),
    "a mask": (lambda _, x: x[x > 0], "captur"),
    "waiting": (lambda gpu, _: gpu.cuda.get_current_stream().synchronize(), "captur"),
}


@pytest.mark.parametrize("name", UNCAPTURABLE)
def test_what_cannot_be_captured(gpu: ModuleType, kernels: Any, name: str) -> None:
    body, message = UNCAPTURABLE[name]
    x, before = gpu.ones((3, 3)), gpu.cuda.get_current_stream()
    with pytest.raises(kernels.graphs.CaptureError, match=message):
        kernels.graphs.capture(lambda: body(gpu, x * 2), (x,))
    assert gpu.cuda.get_current_stream() == before and not before.is_capturing()
    np.testing.assert_array_equal(to_host((x * 2) @ x), np.full((3, 3), 6.0))
    graph = kernels.graphs.capture(lambda: x * 3, (x,))  # the next capture is a good one
    graph.launch()
    np.testing.assert_array_equal(to_host(graph.result), np.full((3, 3), 3.0))


def test_errors_of_the_body_are_its_own(gpu: ModuleType, kernels: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        kernels.graphs.capture(lambda: 1 / 0)
    assert not gpu.cuda.get_current_stream().is_capturing()


def test_no_memory_for_a_graph(gpu: ModuleType, kernels: Any) -> None:
    if not is_standin(gpu):
        pytest.skip("a limit of CuPy's pool does not bind a graph's own; the stand-in's device is as small as one likes")
    from tests.standin.memory import limited

    x = gpu.ones(1 << 16)
    gpu.get_default_memory_pool().free_all_blocks()
    with limited(1 << 19), pytest.raises(kernels.memory.OutOfDeviceMemory, match="a graph's own arrays"):
        kernels.graphs.capture(lambda: (x + 1) * gpu.concatenate([x, x])[:1 << 16], (x,))
    graph = kernels.graphs.capture(lambda: x + 1, (x,))
    graph.launch()
    assert graph.result.sum().get() == 2 << 16


def test_a_capture_within_a_capture(gpu: ModuleType, kernels: Any) -> None:
    x = gpu.ones(3)
    inner = kernels.graphs.capture(lambda: x + 1, (x,))
    stream, capture = gpu.cuda.get_current_stream, kernels.graphs.capture
    with pytest.raises(kernels.graphs.CaptureError, match="captured already"):
        capture(lambda: capture(lambda: x * 2) if stream().is_capturing() else 0)
    inner.launch()
    np.testing.assert_array_equal(to_host(inner.result), [2, 2, 2])

    def body() -> Any:
        inner.launch()
        return inner.result * 2

    outer = kernels.graphs.capture(body, (inner,))
    x.fill(4)
    outer.launch()
    np.testing.assert_array_equal(to_host(outer.result), [10, 10, 10])


def test_a_capture_that_is_interrupted(gpu: ModuleType, kernels: Any) -> None:
    def body() -> None:
        if gpu.cuda.get_current_stream().is_capturing():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kernels.graphs.capture(body)
    assert not gpu.cuda.get_current_stream().is_capturing() and gpu.ones(3).sum().get() == 3


def test_other_threads_work_while_one_captures(gpu: ModuleType, kernels: Any) -> None:
    x, sums = gpu.ones(100), []

    def elsewhere() -> None:
        for k in range(20):
            sums.append(float((x * k).sum().get()))

    def body() -> Any:
        if gpu.cuda.get_current_stream().is_capturing():
            thread = threading.Thread(target=elsewhere)
            thread.start()
            thread.join()
        return x + 1

    graph = kernels.graphs.capture(body, (x,))
    graph.launch()
    np.testing.assert_array_equal(to_host(graph.result), [2] * 100)
    assert sums == [100.0 * k for k in range(20)]


# ---- the stand-in's own order of work

def test_work_that_nothing_orders_comes_late(gpu: ModuleType) -> None:
    if not is_standin(gpu):
        pytest.skip("a device may happen to work in the right order")
    from tests.standin.streams import late

    x, side = gpu.zeros(3), gpu.cuda.Stream(non_blocking=True)
    with late():
        with side:
            x.fill(1)
        wrong = x + 1  # waits for nothing
        gpu.cuda.get_current_stream().wait_event(side.record())
        right = x + 1
        with side:
            x.fill(5)
    np.testing.assert_array_equal(to_host(wrong), [1] * 3)
    np.testing.assert_array_equal(to_host(right), [2] * 3)
    np.testing.assert_array_equal(to_host(x), [5] * 3)


@pytest.mark.parametrize("joined", [True, False])
def test_what_is_independent_in_a_graph_runs_in_any_order(gpu: ModuleType, kernels: Any, joined: bool) -> None:
    if not is_standin(gpu):
        pytest.skip("a device may happen to work in the right order")
    x, side = gpu.arange(4.0), gpu.cuda.Stream(non_blocking=True)

    def body() -> Any:
        main = gpu.cuda.get_current_stream()
        side.wait_event(main.record())
        with side:
            a = x + 1
        if joined:
            main.wait_event(side.record())
        b = a * 2
        main.wait_event(side.record())
        return b

    graph, found = kernels.graphs.capture(body, (x,)), []
    for k in range(3):
        x.fill(k)
        graph.launch()
        found.append(to_host(graph.result).tolist())
    assert (found == [[2] * 4, [4] * 4, [6] * 4]) == joined


def test_a_graph_follows_its_last_launch(gpu: ModuleType, kernels: Any) -> None:
    if not is_standin(gpu):
        pytest.skip("a device may happen to work in the right order")
    from tests.standin.streams import late

    x, out = gpu.ones(4), gpu.zeros(4)
    graph = kernels.graphs.capture(lambda: gpu.add(out, x, out), (x, out))
    streams = [gpu.cuda.Stream(non_blocking=True) for _ in range(3)]
    out.fill(0)
    with late():
        for stream in streams:
            with stream:
                graph.launch()
        graph.follow()
        sum_ = out * 1
    np.testing.assert_array_equal(to_host(sum_), [3] * 4)
