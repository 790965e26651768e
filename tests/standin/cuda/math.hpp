// CUDA's mathematical functions that C++ lacks, and CUDA's own overloads of max and min (which give the number beside a NaN).
#pragma once
#include <cmath>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#undef INFINITY  // nvrtc has no headers, hence none of these
#undef NAN
#undef HUGE_VAL
#undef HUGE_VALF
#undef M_PI
#undef M_E
#undef M_SQRT2
#undef M_LN2

#define MAXMIN(type, other, result) \
    static inline result max(type a, other b) { return static_cast<result>(a) < static_cast<result>(b) ? b : a; } \
    static inline result min(type a, other b) { return static_cast<result>(b) < static_cast<result>(a) ? b : a; }
MAXMIN(int, int, int)
MAXMIN(unsigned, unsigned, unsigned)
MAXMIN(int, unsigned, unsigned)
MAXMIN(unsigned, int, unsigned)
MAXMIN(long, long, long)
MAXMIN(unsigned long, unsigned long, unsigned long)
MAXMIN(long, unsigned long, unsigned long)
MAXMIN(unsigned long, long, unsigned long)
MAXMIN(long long, long long, long long)
MAXMIN(unsigned long long, unsigned long long, unsigned long long)
MAXMIN(long long, unsigned long long, unsigned long long)
MAXMIN(unsigned long long, long long, unsigned long long)
#undef MAXMIN
#define MAXMIN(type, other, result) \
    static inline result max(type a, other b) { return fmax(static_cast<result>(a), static_cast<result>(b)); } \
    static inline result min(type a, other b) { return fmin(static_cast<result>(a), static_cast<result>(b)); }
MAXMIN(float, float, float)
MAXMIN(double, double, double)
MAXMIN(float, double, double)
MAXMIN(double, float, double)
#undef MAXMIN

// ---- bits

#define BITS(name, from, to) \
    static inline to name(from x) { \
        static_assert(sizeof(from) == sizeof(to)); \
        to y; \
        memcpy(&y, &x, sizeof x); \
        return y; \
    }
BITS(__int_as_float, int, float)
BITS(__float_as_int, float, int)
BITS(__uint_as_float, unsigned, float)
BITS(__float_as_uint, float, unsigned)
BITS(__longlong_as_double, long long, double)
BITS(__double_as_longlong, double, long long)
#undef BITS
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __clz(int x) { return x ? __builtin_clz(x) : 32; }
static inline int __clzll(long long x) { return x ? __builtin_clzll(x) : 64; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return static_cast<unsigned long long>(a) * b >> 32; }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned __int128>(a) * b >> 64;
}

// ---- arithmetic that is rounded to nearest and not joined into a fused multiplication and addition

#define ROUNDED(letter, type) \
    static inline type __##letter##add_rn(type a, type b) { return a + b; } \
    static inline type __##letter##sub_rn(type a, type b) { return a - b; } \
    static inline type __##letter##mul_rn(type a, type b) { return a * b; } \
    static inline type __##letter##div_rn(type a, type b) { return a / b; }
ROUNDED(f, float)
ROUNDED(d, double)
#undef ROUNDED
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
static inline float __fsqrt_rn(float a) { return sqrtf(a); }
static inline double __dsqrt_rn(double a) { return sqrt(a); }
static inline float __frcp_rn(float a) { return 1 / a; }

// ---- functions, in long double and rounded

namespace cuda {
constexpr long double PI = 3.141592653589793238462643383279502884L;

static inline long double sinpi(long double x) {
    long double r = fmodl(x, 2);  // exact; sin and cos are evaluated where they are small
    long double q = rintl(2 * r);
    long double y = (r - q / 2) * PI;
    switch (static_cast<int>(q) & 3) {
        case 0: return sinl(y);
        case 1: return cosl(y);
        case 2: return -sinl(y);
        default: return -cosl(y);
    }
}
static inline long double cospi(long double x) {
    long double r = fabsl(fmodl(x, 2));
    return sinpi(r + 0.5L);
}
static inline long double erfcx(long double x) {
    if (x < 50) return expl(x * x) * erfcl(x);
    long double s = 1 / (2 * x * x);
    return (1 - s * (1 - 3 * s * (1 - 5 * s))) / (x * sqrtl(PI));
}
static inline long double erfcinv(long double q) {  // Halley's iteration on the smaller tail
    if (!(q >= 0 && q <= 2)) return nanl("");
    if (q == 0 || q == 2) return q == 0 ? HUGE_VALL : -HUGE_VALL;
    if (q > 1) return -erfcinv(2 - q);
    long double t = sqrtl(-2 * logl(q / 2));
    long double y = 0.70710678L * (t - (2.30753L + t * 0.27061L) / (1 + t * (0.99229L + t * 0.04481L)));
    for (int i = 0; i < 4; ++i) {
        long double error = (erfcl(y) - q) / (2 / sqrtl(PI) * expl(-y * y));
        y += error / (1 + y * error);
    }
    return y;
}
static inline long double erfinv(long double p) {
    if (fabsl(p) > 0.5L) return p > 0 ? erfcinv(1 - p) : -erfcinv(1 + p);
    long double y = p * sqrtl(PI) / 2;
    for (int i = 0; i < 6; ++i) {
        long double error = (erfl(y) - p) / (2 / sqrtl(PI) * expl(-y * y));
        y -= error / (1 + y * error);
    }
    return y;
}
static inline long double normcdf(long double x) { return erfcl(-x / sqrtl(2)) / 2; }
static inline long double normcdfinv(long double p) { return -sqrtl(2) * erfcinv(2 * p); }
static inline long double rsqrt(long double x) { return 1 / sqrtl(x); }
static inline long double rcbrt(long double x) { return 1 / cbrtl(x); }
static inline long double bessel_i(int n, long double x) {
    return fabsl(x) > 11000 ? (x < 0 && n ? -HUGE_VALL : HUGE_VALL) : (x < 0 && n ? -1 : 1) * std::cyl_bessel_il(n, fabsl(x));
}
}  // namespace cuda

#define FUNCTION(name, expression) \
    static inline double name(double x) { return expression; } \
    static inline float name##f(float x) { return expression; } \
    static inline float name(float x) { return name##f(x); }
FUNCTION(rsqrt, cuda::rsqrt(x))
FUNCTION(rcbrt, cuda::rcbrt(x))
FUNCTION(sinpi, cuda::sinpi(x))
FUNCTION(cospi, cuda::cospi(x))
FUNCTION(erfcx, cuda::erfcx(x))
FUNCTION(erfinv, cuda::erfinv(x))
FUNCTION(erfcinv, cuda::erfcinv(x))
FUNCTION(normcdf, cuda::normcdf(x))
FUNCTION(normcdfinv, cuda::normcdfinv(x))
FUNCTION(cyl_bessel_i0, cuda::bessel_i(0, x))
FUNCTION(cyl_bessel_i1, cuda::bessel_i(1, x))
#undef FUNCTION
static inline void sincospi(double x, double* s, double* c) { *s = sinpi(x), *c = cospi(x); }
static inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
static inline double rhypot(double x, double y) { return 1 / hypot(x, y); }
static inline float rhypotf(float x, float y) { return 1 / hypotf(x, y); }
