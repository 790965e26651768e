// __half and __nv_bfloat16 with the conversions and operators of CUDA's headers that kernels use.
#pragma once
#include <string.h>
#include "vectors.hpp"

struct __half {
    unsigned short __x;
    __half() = default;
    __half(float f) { _Float16 h = static_cast<_Float16>(f); memcpy(&__x, &h, 2); }
    __half(double f) { _Float16 h = static_cast<_Float16>(f); memcpy(&__x, &h, 2); }
    __half(int i) : __half(static_cast<float>(i)) {}
    __half(unsigned i) : __half(static_cast<float>(i)) {}
    __half(long long i) : __half(static_cast<float>(i)) {}
    operator float() const { _Float16 h; memcpy(&h, &__x, 2); return static_cast<float>(h); }
};

struct __nv_bfloat16 {
    unsigned short __x;
    __nv_bfloat16() = default;
    __nv_bfloat16(float f) {  // to nearest, ties to even
        unsigned u;
        memcpy(&u, &f, 4);
        __x = f != f ? 0x7fff : (u + 0x7fff + (u >> 16 & 1)) >> 16;
    }
    __nv_bfloat16(double f) {  // rounded once: to odd first
        float g = static_cast<float>(f);
        unsigned u;
        memcpy(&u, &g, 4);
        if (g == g && static_cast<double>(g) != f) {
            if (__builtin_fabs(static_cast<double>(g)) > __builtin_fabs(f)) --u;
            u |= 1;
        }
        memcpy(&g, &u, 4);
        *this = __nv_bfloat16(g);
    }
    __nv_bfloat16(int i) : __nv_bfloat16(static_cast<double>(i)) {}
    __nv_bfloat16(unsigned i) : __nv_bfloat16(static_cast<double>(i)) {}
    __nv_bfloat16(long long i) : __nv_bfloat16(static_cast<double>(i)) {}
    operator float() const { unsigned u = static_cast<unsigned>(__x) << 16; float f; memcpy(&f, &u, 4); return f; }
};

#define NARROW(type, to, back, pair) \
    struct alignas(4) pair { type x, y; }; \
    static inline type __float2##to(float f) { return type(f); } \
    static inline type __float2##to##_rn(float f) { return type(f); } \
    static inline type __double2##to(double f) { return type(f); } \
    static inline float __##back##2float(type h) { return h; } \
    static inline unsigned short __##back##_as_ushort(type h) { return h.__x; } \
    static inline type __ushort_as_##back(unsigned short u) { type h; h.__x = u; return h; } \
    static inline pair __floats2##to##2_rn(float x, float y) { return {type(x), type(y)}; } \
    static inline pair __float22##to##2_rn(float2 v) { return {type(v.x), type(v.y)}; } \
    namespace cuda { template <> struct shuffled<type> : std::true_type {}; }
NARROW(__half, half, half, __half2)
NARROW(__nv_bfloat16, bfloat16, bfloat16, __nv_bfloat162)
#undef NARROW
static inline float2 __half22float2(__half2 h) { return {h.x, h.y}; }
static inline float2 __bfloat1622float2(__nv_bfloat162 h) { return {h.x, h.y}; }
typedef __half half;
typedef __half2 half2;
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
