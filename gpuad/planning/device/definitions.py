"""Functions and types of CUDA C++ that generated kernels call, beside those of <math.h>. Each starts with its name and a colon.

No function takes a second rounding for speed; where NumPy and C differ (signs of remainders, NaN in maxima, shifts by more
than all bits, division by the integer zero) they do what NumPy does.
"""
from __future__ import annotations

import re

from gpuad.planning.device.complex_definitions import COMPLEX
from gpuad.planning.device.special_definitions import SPECIAL

REAL = r"""
// from_bits: a number by its bits
template <class T, class B> __device__ inline T from_bits(B bits) {
  union { B from; T to; } both;
  both.from = bits;
  return both.to;
}

// infinity: the infinite number of a type
template <class T> __device__ inline T infinity() { return from_bits<T>(0x7ff0000000000000ull); }
template <> __device__ inline float infinity<float>() { return from_bits<float>(0x7f800000u); }

// not_a_number: the quiet NaN of a type
template <class T> __device__ inline T not_a_number() { return from_bits<T>(0x7ff8000000000000ull); }
template <> __device__ inline float not_a_number<float>() { return from_bits<float>(0x7fc00000u); }

// half_bits: a number rounded to float16
#ifdef __CUDACC__
__device__ inline unsigned short half_bits(float x) {
  unsigned short b;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(b) : "f"(x));
  return b;
}
__device__ inline unsigned short half_bits(double x) {
  unsigned short b;
  asm("cvt.rn.f16.f64 %0, %1;" : "=h"(b) : "d"(x));
  return b;
}
#else
template <class T> inline unsigned short half_bits(T x) { return from_bits<unsigned short>((_Float16)x); }
#endif

// Half: an entry of dtype float16 in memory
struct Half {
  unsigned short bits;
  Half() = default;
  __device__ explicit Half(float x) : bits(half_bits(x)) {}
};

// BFloat16: an entry of dtype bfloat16 in memory
struct BFloat16 {
  unsigned short bits;
  BFloat16() = default;
  __device__ explicit BFloat16(float x) {
    unsigned int b = from_bits<unsigned int>(x);
    bits = x != x ? 0x7fc0 : (unsigned short)((b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
  }
};

// widened: a 16-bit entry as a float
#ifdef __CUDACC__
__device__ inline float widened(Half x) { float y; asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits)); return y; }
#else
inline float widened(Half x) { return (float)from_bits<_Float16>(x.bits); }
#endif
__device__ inline float widened(BFloat16 x) { return from_bits<float>((unsigned int)x.bits << 16); }

// round_half: a number rounded to float16
template <class T> __device__ inline float round_half(T x) { Half y; y.bits = half_bits(x); return widened(y); }

// round_bfloat16: a number rounded to bfloat16
template <class T> __device__ inline float round_bfloat16(T x) { return widened(BFloat16((float)x)); }

// truth: whether a number is not zero
template <class T> __device__ inline bool truth(T x) { return x != T(0); }

// largest: the larger of two numbers, NaN where one is
template <class T> __device__ inline T largest(T a, T b) { return a >= b || a != a ? a : b; }

// smallest: the smaller of two numbers, NaN where one is
template <class T> __device__ inline T smallest(T a, T b) { return a <= b || a != a ? a : b; }

// compare: -1, 0 or 1, for integers of which one is signed
__device__ inline int compare(long long a, unsigned long long b) {
  return a < 0 || (unsigned long long)a < b ? -1 : (unsigned long long)a > b;
}
__device__ inline int compare(unsigned long long a, long long b) { return -compare(b, a); }

// is_finite: neither infinite nor NaN
template <class T> __device__ inline bool is_finite(T x) { return x - x == T(0); }

// sign_of: -1, 0 or 1, or NaN
template <class T> __device__ inline T sign_of(T x) { return x > T(0) ? T(1) : x < T(0) ? T(-1) : x == T(0) ? T(0) : x; }

// squared: x times x
template <class T> __device__ inline T squared(T x) { return x * x; }

// step: heaviside's function
template <class T> __device__ inline T step(T x, T at_zero) { return x != x ? x : x == T(0) ? at_zero : T(x > T(0)); }

// floor_quotient: rounded down; of integers by zero it is zero, of the least by -1 itself
template <class T> __device__ inline T floor_quotient(T a, T b) {
  if (b == T(0)) return T(0);
  if (T(-1) < T(0) && b == T(-1)) return T(0ull - (unsigned long long)a);
  T q = a / b;
  return q * b != a && (a < T(0)) != (b < T(0)) ? T(q - 1) : q;
}
template <class T> __device__ inline T real_floor_quotient(T a, T b) {
  if (b == T(0)) return a / b;
  T m = fmod(a, b), q = (a - m) / b;
  if (m != T(0) && (b < T(0)) != (m < T(0))) q -= T(1);
  if (q == T(0)) return copysign(T(0), a / b);
  T f = floor(q);
  return q - f > T(0.5) ? f + T(1) : f;
}
template <> __device__ inline float floor_quotient(float a, float b) { return real_floor_quotient(a, b); }
template <> __device__ inline double floor_quotient(double a, double b) { return real_floor_quotient(a, b); }

// floor_remainder: with the sign of the divisor; of integers by zero it is zero
template <class T> __device__ inline T floor_remainder(T a, T b) {
  if (b == T(0) || (T(-1) < T(0) && b == T(-1))) return T(0);
  T m = a % b;
  return m != T(0) && (m < T(0)) != (b < T(0)) ? T(m + b) : m;
}
template <class T> __device__ inline T real_floor_remainder(T a, T b) {
  T m = fmod(a, b);
  if (b == T(0)) return m;
  if (m == T(0)) return copysign(T(0), b);
  return (b < T(0)) != (m < T(0)) ? m + b : m;
}
template <> __device__ inline float floor_remainder(float a, float b) { return real_floor_remainder(a, b); }
template <> __device__ inline double floor_remainder(double a, double b) { return real_floor_remainder(a, b); }

// remainder_of: of integers, with the sign of the dividend; by zero it is zero
template <class T> __device__ inline T remainder_of(T a, T b) {
  return b == T(0) || (T(-1) < T(0) && b == T(-1)) ? T(0) : T(a % b);
}

// whole_power: of integers, wrapping; negative powers are those of CuPy, where NumPy raises
template <class T> __device__ inline T whole_power(T a, T n) {
  if (n < T(0)) return a == T(-1) ? ((unsigned long long)n & 1 ? a : T(1)) : T(a == T(1));
  unsigned long long power = 1, factor = (unsigned long long)a;
  for (unsigned long long k = (unsigned long long)n; k; k >>= 1, factor *= factor)
    if (k & 1) power *= factor;
  return T(power);
}

// shifted_left: zero where all bits are shifted out
template <class T> __device__ inline T shifted_left(T a, T n) {
  return (unsigned long long)n < 8 * sizeof(T) ? T((unsigned long long)a << n) : T(0);
}

// shifted_right: the sign where all bits are shifted out
template <class T> __device__ inline T shifted_right(T a, T n) {
  return (unsigned long long)n < 8 * sizeof(T) ? T(a >> n) : a < T(0) ? T(-1) : T(0);
}

// magnitude: of integers, wrapping
template <class T> __device__ inline T magnitude(T a) { return a < T(0) ? T(0ull - (unsigned long long)a) : a; }

// magnitude_bits: of integers, as the largest unsigned type
template <class T> __device__ inline unsigned long long magnitude_bits(T a) {
  return a < T(0) ? 0ull - (unsigned long long)a : (unsigned long long)a;
}

// bit_count: ones in the binary magnitude
template <class T> __device__ inline unsigned char bit_count(T a) {
  unsigned char n = 0;
  for (unsigned long long bits = magnitude_bits(a); bits; bits &= bits - 1) ++n;
  return n;
}

// common_divisor: the greatest one, by Euclid
template <class T> __device__ inline unsigned long long common_divisor(T first, T second) {
  unsigned long long a = magnitude_bits(first), b = magnitude_bits(second);
  while (b) { unsigned long long r = a % b; a = b, b = r; }
  return a;
}

// common_multiple: the least one
template <class T> __device__ inline T common_multiple(T a, T b) {
  unsigned long long d = common_divisor(a, b);
  return d ? T(magnitude_bits(a) / d * magnitude_bits(b)) : T(0);
}

// log_of_sum: log(exp(a) + exp(b))
template <class T> __device__ inline T log_of_sum(T a, T b) {
  if (a == b) return a + T(0.693147180559945309417232121458176568);
  T d = a - b;
  return d != d ? d : d > T(0) ? a + log1p(exp(-d)) : b + log1p(exp(d));
}

// log2_of_sum: log2(exp2(a) + exp2(b))
template <class T> __device__ inline T log2_of_sum(T a, T b) {
  if (a == b) return a + T(1);
  T d = a - b, per_log = T(1.442695040888963407359924681001892137);
  return d != d ? d : d > T(0) ? a + per_log * log1p(exp2(-d)) : b + per_log * log1p(exp2(d));
}

// bounded: an exponent as an int that gives the same
template <class T> __device__ inline int bounded(T n) {
  return n > T(1 << 14) ? 1 << 14 : n < T(-(1 << 14)) ? -(1 << 14) : (int)n;
}

// spacing_of: to the next number away from zero
template <class T> __device__ inline T spacing_of(T x) { return nextafter(x, copysign(infinity<T>(), x)) - x; }
"""


def _parsed(text: str) -> dict[str, str]:
    """Name -> definition, in order."""
    return {re.match(r"// (\w+):", part)[1]: part.strip() + "\n"  # type: ignore[index]
            for part in re.split(r"\n(?=// \w+: )", "\n" + text.strip() + "\n") if part.strip()}


DEFINITIONS = _parsed(REAL) | _parsed(COMPLEX) | _parsed(SPECIAL)


def prelude(*texts: str) -> str:
    """The definitions that the texts of kernels call, and those that these call, in a fixed order."""
    needed: set[str] = set()
    waiting = list(texts)
    while waiting:
        words = set(re.findall(r"\w+", waiting.pop()))
        found = [name for name in DEFINITIONS if name in words and name not in needed]
        needed.update(found)
        waiting += [DEFINITIONS[name] for name in found]
    return "\n".join(text for name, text in DEFINITIONS.items() if name in needed)
