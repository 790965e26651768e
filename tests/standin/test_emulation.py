"""The emulation of CUDA itself: what kernels compute there, and what it refuses."""
from __future__ import annotations

import shutil
from typing import Any

import numpy as np
import pytest
import scipy.special

from tests.standin import emulation
from tests.standin.compiling import CompileError, require_compiles
from tests.standin.emulation import EmulatedCompileError, EmulationError, run

pytestmark = pytest.mark.skipif(bool(emulation.missing()), reason=emulation.missing())

SUM = r"""
extern "C" __global__ void __launch_bounds__(256)
sum(const float* __restrict__ x, float* partial, unsigned* ticket, float* out, int n) {
    extern __shared__ __align__(16) float warps[];
    __shared__ bool last;
    float s = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) s += __ldg(x + i);
    for (int d = 16; d; d >>= 1) s += __shfl_down_sync(0xffffffffu, s, d);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = s;
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int w = 1; w < blockDim.x / 32; ++w) s += warps[w];
        partial[blockIdx.x] = s;
        __threadfence();
        last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float total = 0;
        for (int b = 0; b < gridDim.x; ++b) total += partial[b];
        *out = total;
        *ticket = 0;
    }
}
"""
TRANSPOSE = r"""
extern "C" __global__ void transpose(const float* x, float* y, int rows, int columns) {
    __shared__ float tile[32][33];
    const int c = blockIdx.x * 32 + threadIdx.x, r = blockIdx.y * 32;
    for (int k = threadIdx.y; k < 32; k += blockDim.y)
        if (r + k < rows && c < columns) tile[k][threadIdx.x] = x[(r + k) * columns + c];
    __syncthreads();
    const int to = blockIdx.y * 32 + threadIdx.x;
    for (int k = threadIdx.y; k < 32; k += blockDim.y)
        if (to < rows && blockIdx.x * 32 + k < columns) y[(blockIdx.x * 32 + k) * rows + to] = tile[threadIdx.x][k];
}
"""
VECTORS = r"""
extern "C" __global__ void scale(const float4* x, float4* y, float by, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    const float4 v = __ldg(x + i);
    y[i] = make_float4(by * v.x, by * v.y, by * v.z, by * v.w);
}
"""
LANES = r"""
extern "C" __global__ void lanes(double* x, unsigned* vote) {
    double v = threadIdx.x;
    x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, v, 1);
    x[64 + threadIdx.x] = __shfl_up_sync(0xffffffffu, v, 3, 8);
    x[128 + threadIdx.x] = __shfl_sync(0xffffffffu, v, 5, 16);
    x[192 + threadIdx.x] = __shfl_down_sync(0xffffffffu, v, 31);
    vote[threadIdx.x] = __ballot_sync(0xffffffffu, threadIdx.x % 3 == 0);
    vote[64 + threadIdx.x] = __syncthreads_count(threadIdx.x % 5 == 0);
}
"""
NARROW = r"""
#include <cuda_fp16.h>
#include <cuda_bf16.h>
extern "C" __global__ void narrow(const float* x, __half* h, __nv_bfloat16* b, float* back, int n) {
    const int i = threadIdx.x;
    if (i >= n) return;
    h[i] = __float2half_rn(x[i]);
    b[i] = __float2bfloat16_rn(x[i]);
    back[i] = __half2float(h[i]);
    back[n + i] = __bfloat162float(b[i]);
}
"""


def both_orders(source: str, *arguments: Any, **options: Any) -> None:
    for reverse in (False, True):
        run(source, *arguments, reverse=reverse, **options)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("n", "blocks"), [(1, 1), (5000, 7), (100_003, 40)])
def test_a_sum_of_two_stages(n: int, blocks: int, reverse: bool) -> None:
    x, out = np.random.default_rng(n).random(n, np.float32), np.zeros(1, np.float32)
    partial, ticket = np.full(blocks, np.nan, np.float32), np.zeros(1, np.uint32)
    run(SUM, "sum", (blocks,), (256,), (x, partial, ticket, out, np.int32(n)), shared=32, reverse=reverse)
    np.testing.assert_allclose(out[0], x.sum(dtype=float), rtol=1e-6)
    assert ticket[0] == 0


def test_a_transpose_through_shared_memory() -> None:
    x = np.random.default_rng(0).random((45, 70), np.float32)
    y = np.zeros((70, 45), np.float32)
    run(TRANSPOSE, "transpose", (3, 2), (32, 8), (x, y, np.int32(45), np.int32(70)))
    np.testing.assert_array_equal(y, x.T)


def test_shuffles_and_votes() -> None:
    x, votes, lane = np.zeros(256), np.zeros(128, np.uint32), np.arange(64)
    run(LANES, "lanes", (1,), (64,), (x, votes))
    np.testing.assert_array_equal(x[:64], lane ^ 1)
    np.testing.assert_array_equal(x[64:128], np.where(lane % 8 < 3, lane, lane - 3))
    np.testing.assert_array_equal(x[128:192], lane // 16 * 16 + 5)
    np.testing.assert_array_equal(x[192:], np.where(lane % 32 == 0, lane + 31, lane))
    expected = [sum(1 << (k % 32) for k in range(w, w + 32) if k % 3 == 0) for w in (0, 32)]
    np.testing.assert_array_equal(votes[:64], np.repeat(expected, 32))
    assert set(votes[64:]) == {13}


def test_vectors_of_16_bytes() -> None:
    aligned = [np.zeros(404, np.float32) for _ in range(2)]
    x, y = (a[(-a.ctypes.data // 4) % 4:][:400] for a in aligned)
    x[:] = np.arange(400)
    both_orders(VECTORS, "scale", (1,), (128,), (x, y, np.float32(2), np.int32(100)))
    np.testing.assert_array_equal(y, 2 * np.arange(400))
    with pytest.raises(EmulationError, match=r"misaligned access to 'const struct float4'.*thread"):
        run(VECTORS, "scale", (1,), (32,), (x[1:-3], y, np.float32(2), np.int32(1)))


def test_half_and_bfloat16() -> None:
    x = np.array([0, 1, 1 / 3, -2.5e-8, 65519, 65520, 1e30, np.inf, -np.inf, np.nan, 1.00390625], np.float32)
    h, b, back = np.zeros(x.size, np.float16), np.zeros(x.size, np.uint16), np.zeros(2 * x.size, np.float32)
    run(NARROW, "narrow", (1,), (32,), (x, h, b, back, np.int32(x.size)))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(h, x.astype(np.float16))
    np.testing.assert_array_equal(back[:x.size], h.astype(np.float32))
    np.testing.assert_array_equal(back[x.size:], (b.astype(np.uint32) << 16).view(np.float32))
    np.testing.assert_allclose(back[x.size:], x, rtol=2**-8)
    assert back[-1] == 1  # a tie goes to the even


MATHEMATICS = {"normcdf": scipy.special.ndtr, "erfcx": scipy.special.erfcx, "erfinv": scipy.special.erfinv,
               "erfcinv": scipy.special.erfcinv, "normcdfinv": scipy.special.ndtri, "rsqrt": lambda x: x**-0.5,
               "rcbrt": lambda x: 1 / np.cbrt(x), "cyl_bessel_i0": scipy.special.i0, "cyl_bessel_i1": scipy.special.i1,
               "sinpi": lambda x: np.sin(np.pi * x), "cospi": lambda x: np.cos(np.pi * x), "lgamma": scipy.special.gammaln,
               "j0": scipy.special.j0, "exp10": lambda x: 10**x}


@pytest.mark.parametrize("name", MATHEMATICS)
def test_functions_that_c_lacks(name: str) -> None:
    source = f'extern "C" __global__ void f(const double* x, double* y) {{ y[threadIdx.x] = {name}(x[threadIdx.x]); }}'
    x = np.array([1e-8, 0.001, 0.2, 0.5, 0.75, 0.999])
    y = np.zeros_like(x)
    run(source, "f", (1,), (x.size,), (x, y))
    np.testing.assert_allclose(y, MATHEMATICS[name](x), rtol=1e-13, atol=1e-14)


WRONG = {
    "some threads come to the barrier": ("if (threadIdx.x < 7) __syncthreads();", "part: 7 wait at __syncthreads"),
    "threads return before the barrier": ("if (threadIdx.x > 7) return; __syncthreads();", "24 have returned"),
    "two barriers": ("if (threadIdx.x < 7) __syncthreads();\nelse __syncthreads();", "lines 1 to 2"),
    "a shuffle that a lane misses": ("if (threadIdx.x) x[0] = __shfl_down_sync(0xffffffffu, 1.f, 1);", "at a warp's shuffle"),
    "a lane outside its mask": ("x[0] = __shfl_sync(1u, 1.f, 0);", "mask leaves out"),
    "dynamic shared memory": ("extern __shared__ float s[]; s[threadIdx.x + 1] = 1;", "past the end of the dynamic shared"),
    "an index of an array": ("float a[4]; for (int i = 0; i < 4; ++i) a[i] = x[i]; x[0] = a[threadIdx.x];", "outside"),
    "an integer division by zero": ("x[0] = 1 / int(threadIdx.x);", "division by zero"),
    "a null pointer": ("*reinterpret_cast<float*>(threadIdx.x - threadIdx.x) = 1;", "null pointer"),
    "an address of nobody's": ("\nx[threadIdx.x + (1ll << 40)] = 1;", "access to 0x.*, where there is no memory"),
    "too much local memory": ("volatile float a[1 << 20]; a[0] = 1; x[0] = a[0];", "more local memory"),
    "a trap": ("if (threadIdx.x == 3) __trap();", "__trap"),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(name: str) -> None:
    body, message = WRONG[name]
    x = np.zeros(64, np.float32)
    with pytest.raises(EmulationError, match=f"^k: .*{message}"):
        run(f'extern "C" __global__ void k(float* x) {{ {body} }}', "k", (1,), (32,), (x,), shared=128)
    run('extern "C" __global__ void next(float* x) { __syncthreads(); x[threadIdx.x] = 1; }', "next", (1,), (64,), (x,))
    assert x.all()  # the machine goes on


def test_a_fault_is_found_in_the_source() -> None:
    if not shutil.which("addr2line"):
        pytest.skip("addr2line is not installed")
    with pytest.raises(EmulationError, match=r"^k: line 3: access to 0x"):
        run('extern "C" __global__ void k(float* x) {\n  x[0] = 1;\n  x[1ll << 40] = 2;\n}', "k", (1,), (1,), (np.zeros(3),))


def test_shared_memory_holds_nothing_at_first() -> None:
    x = np.zeros(32, np.float32)
    source = 'extern "C" __global__ void k(float* x) { __shared__ float s[32]; x[threadIdx.x] = s[threadIdx.x]; }'
    run(source, "k", (1,), (32,), (x,))
    assert np.isnan(x).all()


def test_a_missing_barrier_shows_in_one_of_the_two_orders() -> None:
    source = """extern "C" __global__ void k(float* x) {
        __shared__ float s[64];
        s[threadIdx.x] = x[threadIdx.x];
        x[threadIdx.x] = s[63 - threadIdx.x];
    }"""
    found = []
    for reverse in (False, True):
        x = np.arange(64, dtype=np.float32)
        run(source, "k", (1,), (64,), (x,), reverse=reverse)
        found.append(np.array_equal(x, np.arange(64)[::-1]))
    assert not all(found)


def test_arguments_are_checked() -> None:
    x = np.zeros(4, np.float32)
    for arguments in ((x, x), (x, x, np.float64(1), np.int32(1)), (x, x, np.float32(1), np.int64(1)), (x, 1.0, np.float32(1), 1)):
        with pytest.raises(TypeError, match="scale"):
            run(VECTORS, "scale", (1,), (1,), arguments)
    with pytest.raises(KeyError, match="no kernel missing"):
        run(VECTORS, "missing", (1,), (1,), ())


@pytest.mark.parametrize("name", ["block", "grid", "p", "index", "write", "sum", "exp", "kernel", "shared"])
def test_kernels_may_have_any_name(name: str) -> None:
    x = np.zeros(3)
    run(f'extern "C" __global__ void {name}(double* x) {{ x[threadIdx.x] = 2; }}', name, (1,), (3,), (x,))
    np.testing.assert_array_equal(x, [2, 2, 2])


def test_a_source_that_does_not_compile() -> None:
    with pytest.raises(EmulatedCompileError, match=r"source.cu:2.*not declared"):
        run('extern "C" __global__ void k(float* x) {\n  *x = undeclared;\n}', "k", (1,), (1,), (np.zeros(1),))
    with pytest.raises(EmulatedCompileError, match="atomic operations on 4 and 8 byte integers only"):
        run('extern "C" __global__ void k(float* x) { atomicAdd(x, 1.f); }', "k", (1,), (1,), (np.zeros(1),))


@pytest.mark.parametrize("source", [SUM, TRANSPOSE, VECTORS, LANES, NARROW])
def test_the_kernels_of_these_tests_are_cuda(source: str) -> None:
    for taken in require_compiles(source).values():
        assert taken.registers and not taken.local


def test_the_compiler_says_why() -> None:
    with pytest.raises(CompileError, match=r"source.cu\(1\): error: identifier \"undeclared\" is undefined"):
        require_compiles('extern "C" __global__ void k(float* x) { *x = undeclared; }')
