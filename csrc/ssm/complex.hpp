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
template <typename T>
HIPPO_INLINE Complex<T> conjugate(Complex<T> x) {
  return {x.re, -x.im};
}
template <typename T>
HIPPO_INLINE Complex<T> times_i(Complex<T> x) {
  return {-x.im, x.re};
}

// Sums of real parts of products. Real and imaginary parts are two chains of additions, which overlap.
template <typename T>
struct RealSum {
  Vector<T> first = {}, second = {};

  HIPPO_INLINE void add_product(Complex<T> x, Complex<T> y) {  // Re(x y)
    first += x.re * y.re;
    second -= x.im * y.im;
  }
  HIPPO_INLINE void add_conjugate_product(Complex<T> x, Complex<T> y) {  // Re(conj(x) y)
    first += x.re * y.re;
    second += x.im * y.im;
  }
  HIPPO_INLINE Vector<T> total() const { return first + second; }
};

}  // namespace
}  // namespace hippo
