"""Functions of scipy.special in CUDA C++, beside those that CUDA has: without cancellation where SciPy has none."""

SPECIAL = r"""
// logistic: 1 / (1 + exp(-x))
template <class T> __device__ inline T logistic(T x) { return T(1) / (T(1) + exp(-x)); }

// log_logistic: log(1 / (1 + exp(-x)))
template <class T> __device__ inline T log_logistic(T x) { return x < T(0) ? x - log1p(exp(x)) : -log1p(exp(-x)); }

// log_odds: log(p / (1 - p))
template <class T> __device__ inline T log_odds(T p) {
  if (p < T(0.3) || p > T(0.65)) return log(p / (T(1) - p));
  T s = T(2) * (p - T(0.5));
  return log1p(s) - log1p(-s);
}

// x_log: x log y, zero at x = 0
template <class T> __device__ inline T x_log(T x, T y) { return x == T(0) && y == y ? T(0) : x * log(y); }

// x_log1p: x log(1 + y), zero at x = 0
template <class T> __device__ inline T x_log1p(T x, T y) { return x == T(0) && y == y ? T(0) : x * log1p(y); }

// entropy: -x log x
template <class T> __device__ inline T entropy(T x) {
  return x > T(0) ? -x * log(x) : x == T(0) ? T(0) : x < T(0) ? -infinity<T>() : x;
}

// relative_entropy: x log(x / y)
template <class T> __device__ inline T relative_entropy(T x, T y) {
  if (x != x || y != y) return x + y;
  if (!(x > T(0) && y > T(0))) return x == T(0) && y >= T(0) ? T(0) : infinity<T>();
  T q = x / y;
  if (q > T(0.5) && q < T(2)) return x * log1p((x - y) / y);
  return q > T(sizeof(T) == 4 ? 1.2e-38 : 2.3e-308) && q < infinity<T>() ? x * log(q) : x * (log(x) - log(y));
}

// box_cox: (y^p - 1) / p by m = log y
template <class T> __device__ inline T box_cox(T m, T p) {
  return fabs(p) < T(1e-19) ? m : m == T(0) && p == p ? T(0) : expm1(p * m) / p;
}

// relative_expm1: (exp(x) - 1) / x
template <class T> __device__ inline T relative_expm1(T x) { return x == T(0) ? T(1) : x == infinity<T>() ? x : expm1(x) / x; }

// normal_below: the standard normal distribution's mass below x
template <class T> __device__ inline T normal_below(T x) {
  T t = x * T(0.707106781186547524400844362104849039);
  return t < T(-1) ? T(0.5) * erfc(-t) : t < T(1) ? T(0.5) + T(0.5) * erf(t) : T(1) - T(0.5) * erfc(t);
}

// log_normal_below: the logarithm of the standard normal distribution's mass below x
template <class T> __device__ inline T log_normal_below(T x) {
  T t = x * T(0.707106781186547524400844362104849039);
  return x < T(-1) ? log(T(0.5) * erfcx(-t)) - t * t : log1p(T(-0.5) * erfc(t));
}

// gamma_of: the gamma function, NaN at negative integers
template <class T> __device__ inline T gamma_of(T x) { return x < T(0) && floor(x) == x ? not_a_number<T>() : tgamma(x); }

// log_gamma: log |gamma(x)|
template <class T> __device__ inline T log_gamma(T x) { return x == -infinity<T>() ? infinity<T>() : lgamma(x); }

// digamma: derivative of log gamma. On [1, 2] around its root the rational function of Boost's digamma_imp_1_2, elsewhere
// the recurrence, the reflection, or from 10 the asymptotic series (DLMF 5.11.2)
__device__ inline double digamma(double x) {
  if (x == 0) return copysign(infinity<double>(), -x);
  double y = 0;
  if (x < 0) {
    double r = x - rint(x);
    if (r == 0 || r != r) return not_a_number<double>();
    y = r == 0.5 || r == -0.5 ? 0 : -3.14159265358979323846 / tan(3.14159265358979323846 * r);
    x = 1 - x;
  }
  if (x < 10) {
    for (; x > 2; y += 1 / x) x -= 1;
    for (; x < 1; x += 1) y -= 1 / x;
    double g = x - 1569415565.0 / 1073741824.0 - 381566830.0 / 1073741824.0 / 1073741824.0
               - 0.9016312093258695918615325266959189453125e-19;
    double t = x - 1;
    double p = ((((-0.0020713321167745952 * t - 0.045251321448739056) * t - 0.28919126444774784) * t - 0.65031853770896507) * t
                - 0.32555031186804491) * t + 0.25479851061131551;
    double q = (((((-0.55789841321675513e-6 * t + 0.0021284987017821144) * t + 0.054151797245674225) * t + 0.43593529692665969)
                 * t + 1.4606242909763515) * t + 2.0767117023730469) * t + 1;
    return y + g * 0.99558162689208984 + g * (p / q);
  }
  double s = 1 / (x * x);
  if (x > 1e17) return y + log(x);
  double series = 1. / 240 - s * (1. / 132 - s * (691. / 32760 - s / 12));
  return y + log(x) - 0.5 / x - s * (1. / 12 - s * (1. / 120 - s * (1. / 252 - s * series)));
}
__device__ inline float digamma(float x) { return (float)digamma((double)x); }
"""
