// Complex numbers in lanes.
#pragma once
#include "simd/vector.hpp"

namespace hippo {
namespace {

template <typename T>
struct Complex {
  Vector<T> re, im;
};

template <typename T>
HIPPO_INLINE Complex<T> operator+(Complex<T> x, Complex<T> y) {
  return {x.re + y.re, x.im + y.im};
}
template <typename T>
HIPPO_INLINE Complex<T> operator-(Complex<T> x, Complex<T> y) {
  return {x.re - y.re, x.im - y.im};
}
template <typename T>
HIPPO_INLINE Complex<T> operator*(Complex<T> x, Vector<T> factor) {
  return {x.re * factor, x.im * factor};
}
template <typename T>
HIPPO_INLINE Complex<T> times(Complex<T> x, Complex<T> y) {
  return {x.re * y.re - x.im * y.im, x.re * y.im + x.im * y.re};
}
template <typename T>
HIPPO_INLINE Complex<T> times_conjugate(Complex<T> x, Complex<T> y) {  // x conj(y)
  return {x.re * y.re + x.im * y.im, x.im * y.re - x.re * y.im};
}
// x y + z and x conj(y) + z, where x is two multiply-adds from the result: for recurrences, whose x is the last to
// arrive.
template <typename T>
HIPPO_INLINE Complex<T> times_plus(Complex<T> x, Complex<T> y, Complex<T> z) {
  return {x.re * y.re + (z.re - x.im * y.im), x.re * y.im + (z.im + x.im * y.re)};
}
template <typename T>
HIPPO_INLINE Complex<T> times_conjugate_plus(Complex<T> x, Complex<T> y, Complex<T> z) {
  return {x.re * y.re + (z.re + x.im * y.im), x.im * y.re + (z.im - x.re * y.im)};
}
template <typename T>
HIPPO_INLINE Complex<T> conjugate(Complex<T> x) {
  return {x.re, -x.im};
}
template <typename T>
HIPPO_INLINE Complex<T> times_i(Complex<T> x) {
  return {-x.im, x.re};
}

// Adds Re(x y), or Re(conj(x) y), to a sum.
template <typename V, typename T>
HIPPO_INLINE void add_real(V& sum, Complex<T> x, Complex<T> y) {
  sum += x.re * y.re;
  sum -= x.im * y.im;
}
template <typename V, typename T>
HIPPO_INLINE void add_real_conjugate(V& sum, Complex<T> x, Complex<T> y) {
  sum += x.re * y.re;
  sum += x.im * y.im;
}

}  // namespace
}  // namespace hippo
