// CUDA C++ as the generated kernels use it, for g++: everything that needs the machine. nvrtc knows these without a header.
#pragma once
#include <math.h>
#include <string.h>
#include <type_traits>
#include <utility>
#include "machine.hpp"
#include "vectors.hpp"
#include "math.hpp"

#define threadIdx (cuda_machine.thread)
#define blockIdx (cuda_machine.block)
#define blockDim (cuda_machine.block_shape)
#define gridDim (cuda_machine.grid_shape)
#define warpSize 32
#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __shared__ static __attribute__((section("cuda_shared")))
#define __CUDA_ARCH__ 900
#define __CUDACC_RTC__ 1

// Results are right only where all threads of the block, or all lanes of the mask, come to the same line.
#define LINE int line = __builtin_LINE()

static inline void __syncthreads(LINE) { cuda_barrier(line, 0); }
static inline int __syncthreads_count(int p, LINE) { return cuda_barrier(line, p); }
static inline int __syncthreads_or(int p, LINE) { return cuda_barrier(line, p) != 0; }
static inline int __syncthreads_and(int p, LINE) { return cuda_barrier(line, !p) == 0; }
static inline unsigned __ballot_sync(unsigned mask, int p, LINE) { return cuda_ballot(line, mask, p); }
static inline int __any_sync(unsigned mask, int p, LINE) { return cuda_ballot(line, mask, p) != 0; }
static inline int __all_sync(unsigned mask, int p, LINE) { return cuda_ballot(line, mask, p) == mask; }
static inline void __syncwarp(unsigned mask = 0xffffffffu, LINE) { cuda_ballot(line, mask, 0); }
static inline void __threadfence() {}
static inline void __threadfence_block() {}
[[noreturn]] static inline void __trap(LINE) { cuda_fail("__trap", line); }

namespace cuda {
template <class T> struct shuffled : std::is_arithmetic<T> {};

static inline unsigned lane() {
    return (threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) % 32;
}

template <class T> T shuffle(int line, unsigned mask, T value, unsigned source) {
    static_assert(shuffled<T>::value, "CUDA shuffles numbers only");
    uint64_t bits = 0;
    memcpy(&bits, &value, sizeof value);
    bits = cuda_exchange(line, mask, source, bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline char* dynamic_shared() { return cuda_machine.shared; }

// ---- arguments of kernels

template <class... A, size_t... I> void spread(void (*kernel)(A...), void** p, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_cv_t<A>*>(p[I])...);
}
template <class... A> void call(void (*kernel)(A...), void** p) { spread(kernel, p, std::index_sequence_for<A...>()); }

template <class T> constexpr int kind() {
    return std::is_pointer_v<T> ? 'p' : std::is_same_v<T, bool> ? 'b' : std::is_floating_point_v<T> ? 'f'
        : std::is_integral_v<T> ? (std::is_signed_v<T> ? 'i' : 'u') : 's';
}
template <class... A> void describe(void (*)(A...), int* out) {
    *out++ = sizeof...(A);
    ((*out++ = kind<A>(), *out++ = sizeof(A)), ...);
}
}  // namespace cuda

template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32, LINE) {
    unsigned lane = cuda::lane();
    return cuda::shuffle(line, mask, value, (lane & ~(width - 1)) | (source & (width - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32, LINE) {
    unsigned lane = cuda::lane(), source = lane ^ with;
    return cuda::shuffle(line, mask, value, (source & ~(width - 1)) > (lane & ~(width - 1)) ? lane : source);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, LINE) {
    unsigned lane = cuda::lane(), source = lane + by;
    return cuda::shuffle(line, mask, value, source / width != lane / width ? lane : source);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, LINE) {
    unsigned lane = cuda::lane();
    return cuda::shuffle(line, mask, value, lane % width < by ? lane : lane - by);
}

template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> T __ldca(const T* p) { return *p; }
template <class T> void __stcs(T* p, T value) { *p = value; }
template <class T> void __stcg(T* p, T value) { *p = value; }
template <class T> void __stwt(T* p, T value) { *p = value; }

// Atomic operations on integers only: sums of floating-point numbers by atomics differ from run to run.
#define ATOMIC(name, expression) \
    template <class T, class V> T name(T* p, V given) { \
        static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "atomic operations on 4 and 8 byte integers only"); \
        T old = *p, value = given; \
        *p = expression; \
        return old; \
    }
ATOMIC(atomicAdd, old + value)
ATOMIC(atomicSub, old - value)
ATOMIC(atomicExch, value)
ATOMIC(atomicMax, value > old ? value : old)
ATOMIC(atomicMin, value < old ? value : old)
ATOMIC(atomicOr, old | value)
ATOMIC(atomicAnd, old & value)
ATOMIC(atomicInc, old >= value ? 0 : old + 1)
#undef ATOMIC
template <class T> T atomicCAS(T* p, T expected, T value) {
    T old = *p;
    if (old == expected) *p = value;
    return old;
}
#undef LINE

// ---- ways into the kernels of a source

#define HIDDEN __attribute__((visibility("hidden")))
static char nothing_shared __attribute__((section("cuda_shared"), used));
extern "C" HIDDEN char __start_cuda_shared[], __stop_cuda_shared[];  // the linker's
extern "C" const char* cuda_run(void (*)(void**), void**, const unsigned*, const unsigned*, unsigned, char*, char*, int);

#define ENTRY(name) \
    extern "C" void describe_##name(int* out) { cuda::describe(kernel_##name, out); } \
    extern "C" const char* launch_##name(void** p, const unsigned* grid, const unsigned* block, unsigned shared, int reversed) { \
        return cuda_run([](void** p) { cuda::call(kernel_##name, p); }, p, grid, block, shared, __start_cuda_shared, \
                        __stop_cuda_shared, reversed); \
    }

#include "half.hpp"
