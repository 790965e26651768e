"""Complex numbers of generated kernels, without CUDA's headers. Special values follow annex G of C99 where it costs nothing."""

COMPLEX = r"""
// Complex: a complex number, in memory as NumPy's
template <class T> struct Complex {
  T re, im;
  Complex() = default;
  __device__ Complex(T re) : re(re), im(0) {}
  __device__ Complex(T re, T im) : re(re), im(im) {}
  template <class U> __device__ explicit Complex(Complex<U> z) : re((T)z.re), im((T)z.im) {}
};
template <class T> __device__ inline Complex<T> operator+(Complex<T> a, Complex<T> b) { return {a.re + b.re, a.im + b.im}; }
template <class T> __device__ inline Complex<T> operator-(Complex<T> a, Complex<T> b) { return {a.re - b.re, a.im - b.im}; }
template <class T> __device__ inline Complex<T> operator-(Complex<T> a) { return {-a.re, -a.im}; }
template <class T> __device__ inline Complex<T>& operator+=(Complex<T>& a, Complex<T> b) { return a = a + b; }
template <class T> __device__ inline Complex<T> operator*(Complex<T> a, Complex<T> b) {
  return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}
template <class T> __device__ inline Complex<T> operator/(Complex<T> a, Complex<T> b) {  // Smith (1962), as NumPy
  T r = fabs(b.re), i = fabs(b.im);
  if (r >= i) {
    if (r == T(0) && i == T(0)) return {a.re / r, a.im / r};
    T q = b.im / b.re, s = T(1) / (b.re + b.im * q);
    return {(a.re + a.im * q) * s, (a.im - a.re * q) * s};
  }
  T q = b.re / b.im, s = T(1) / (b.im + b.re * q);
  return {(a.re * q + a.im) * s, (a.im * q - a.re) * s};
}
template <class T> __device__ inline bool operator==(Complex<T> a, Complex<T> b) { return a.re == b.re && a.im == b.im; }
template <class T> __device__ inline bool operator!=(Complex<T> a, Complex<T> b) { return !(a == b); }
template <class T> __device__ inline bool operator<(Complex<T> a, Complex<T> b) {
  return a.re == b.re ? a.im < b.im : a.re < b.re && a.im == a.im && b.im == b.im;
}
template <class T> __device__ inline bool operator<=(Complex<T> a, Complex<T> b) {
  return a.re == b.re ? a.im <= b.im : a.re < b.re && a.im == a.im && b.im == b.im;
}
template <class T> __device__ inline bool operator>(Complex<T> a, Complex<T> b) { return b < a; }
template <class T> __device__ inline bool operator>=(Complex<T> a, Complex<T> b) { return b <= a; }

// conjugated: a number with the other imaginary part
template <class T> __device__ inline Complex<T> conjugated(Complex<T> z) { return {z.re, -z.im}; }

// turned: i z
template <class T> __device__ inline Complex<T> turned(Complex<T> z) { return {-z.im, z.re}; }

// modulus: |z|
template <class T> __device__ inline T modulus(Complex<T> z) { return hypot(z.re, z.im); }

// is_finite_complex: neither part infinite or NaN
template <class T> __device__ inline bool is_finite_complex(Complex<T> z) { return is_finite(z.re) && is_finite(z.im); }

// is_infinite_complex: a part infinite
template <class T> __device__ inline bool is_infinite_complex(Complex<T> z) {
  return fabs(z.re) == infinity<T>() || fabs(z.im) == infinity<T>();
}

// direction: z / |z|
template <class T> __device__ inline Complex<T> direction(Complex<T> z) {
  T r = modulus(z);
  if (r == T(0)) return {T(0), T(0)};
  if (r == infinity<T>()) {
    bool re = fabs(z.re) == r, im = fabs(z.im) == r;
    return re && im ? Complex<T>(not_a_number<T>(), not_a_number<T>()) : re ? Complex<T>(copysign(T(1), z.re), T(0))
                                                                              : Complex<T>(T(0), copysign(T(1), z.im));
  }
  return {z.re / r, z.im / r};
}

// complex_exp: exp z
template <class T> __device__ inline Complex<T> complex_exp(Complex<T> z) {
  if (z.im == T(0)) return {exp(z.re), z.im};
  if (!is_finite(z.im) && fabs(z.re) == infinity<T>())
    return z.re < T(0) ? Complex<T>(T(0), T(0)) : Complex<T>(z.re, z.im - z.im);
  if (z.re > T(sizeof(T) == 4 ? 88 : 709)) {
    T half = exp(z.re / T(2));
    return {half * cos(z.im) * half, half * sin(z.im) * half};
  }
  T r = exp(z.re);
  return {r * cos(z.im), r * sin(z.im)};
}

// complex_log: log z, whose real part is accurate for |z| near 1
template <class T> __device__ inline Complex<T> complex_log(Complex<T> z) {
  T a = fmax(fabs(z.re), fabs(z.im)), b = fmin(fabs(z.re), fabs(z.im)), angle = atan2(z.im, z.re);
  if (!(a > T(0.5) && a < T(2))) return {log(modulus(z)), angle};
  return {T(0.5) * log1p((a - T(1)) * (a + T(1)) + b * b), angle};
}

// complex_log1p: log(1 + z)
template <class T> __device__ inline Complex<T> complex_log1p(Complex<T> z) {
  if (!(fabs(z.re) < T(0.5) && fabs(z.im) < T(0.5))) return complex_log(Complex<T>(z.re + T(1), z.im));
  return {T(0.5) * log1p(z.re * (z.re + T(2)) + z.im * z.im), atan2(z.im, z.re + T(1))};
}

// complex_expm1: exp(z) - 1
template <class T> __device__ inline Complex<T> complex_expm1(Complex<T> z) {
  T s = sin(z.im / T(2));
  return {expm1(z.re) * cos(z.im) - T(2) * s * s, exp(z.re) * sin(z.im)};
}

// complex_sqrt: the root with real part >= 0
template <class T> __device__ inline Complex<T> complex_sqrt(Complex<T> z) {
  T a = fabs(z.re), b = fabs(z.im), scale = T(1);
  if (a == T(0) && b == T(0)) return {T(0), z.im};
  if (b == infinity<T>()) return {b, z.im};
  if (z.re == infinity<T>()) return {z.re, z.im == z.im ? copysign(T(0), z.im) : z.im};
  if (z.re == -infinity<T>()) return {z.im == z.im ? T(0) : z.im, copysign(a, z.im)};
  T huge = sizeof(T) == 4 ? T(1e38) : T(1e307), tiny = sizeof(T) == 4 ? T(1e-30) : T(1e-290);
  if (a > huge || b > huge) a /= T(16), b /= T(16), scale = T(4);
  else if (a < tiny && b < tiny) a *= T(1152921504606846976.0), b *= T(1152921504606846976.0), scale = T(1) / T(1073741824.0);
  T t = sqrt((a + hypot(a, b)) / T(2)), u = b / (T(2) * t);
  t *= scale, u *= scale;
  return z.re >= T(0) ? Complex<T>(t, copysign(u, z.im)) : Complex<T>(u, copysign(t, z.im));
}

// complex_sinh: sinh z
template <class T> __device__ inline Complex<T> complex_sinh(Complex<T> z) {
  if (z.im == T(0)) return {sinh(z.re), z.im};
  if (z.re == T(0)) return {z.re, sin(z.im)};
  return {sinh(z.re) * cos(z.im), cosh(z.re) * sin(z.im)};
}

// complex_cosh: cosh z
template <class T> __device__ inline Complex<T> complex_cosh(Complex<T> z) {
  if (z.im == T(0)) return {cosh(z.re), copysign(T(0), z.re) * z.im};
  if (z.re == T(0)) return {cos(z.im), z.re * copysign(T(1), sin(z.im))};
  return {cosh(z.re) * cos(z.im), sinh(z.re) * sin(z.im)};
}

// complex_tanh: tanh z (Kahan 1987)
template <class T> __device__ inline Complex<T> complex_tanh(Complex<T> z) {
  if (fabs(z.re) > T(sizeof(T) == 4 ? 11 : 22)) {
    T small = fabs(z.re) == infinity<T>() ? copysign(T(0), z.im) : T(4) * sin(z.im) * cos(z.im) * exp(T(-2) * fabs(z.re));
    return {copysign(T(1), z.re), small};
  }
  T t = tan(z.im), beta = T(1) + t * t, s = sinh(z.re), rho = sqrt(T(1) + s * s), below = T(1) + beta * s * s;
  return fabs(t) == infinity<T>() ? Complex<T>(rho / s, T(1) / t) : Complex<T>(beta * rho * s / below, t / below);
}

// complex_power: a^b, small whole powers by multiplication, as NumPy
template <class T> __device__ inline Complex<T> complex_power(Complex<T> a, Complex<T> b) {
  if (b == Complex<T>(T(0))) return {T(1), T(0)};
  if (a == Complex<T>(T(0)))
    return b.re > T(0) ? Complex<T>(T(0)) : Complex<T>(not_a_number<T>(), not_a_number<T>());
  if (b.im == T(0) && fabs(b.re) < T(100) && floor(b.re) == b.re) {
    Complex<T> power(T(1));
    for (int n = (int)fabs(b.re); n; n >>= 1, a = a * a)
      if (n & 1) power = power * a;
    return b.re < T(0) ? Complex<T>(T(1)) / power : power;
  }
  return complex_exp(b * complex_log(a));
}
__device__ inline Complex<float> complex_power(Complex<float> a, Complex<float> b) {  // exp(b log a) magnifies rounding
  return Complex<float>(complex_power(Complex<double>(a), Complex<double>(b)));
}
"""
