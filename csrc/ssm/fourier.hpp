// Fourier transforms of as many sequences at once as a vector has lanes: every lane is a sequence of its own.
//
// The transform (decimation in frequency, radix 4, in place) leaves its result in digit-reversed order, and the inverse
// (decimation in time) starts from that order: a product of two transforms needs no reordering. Both recurse depth
// first, so that all but the first passes work on blocks in the caches.
#pragma once
#include "simd/array.hpp"
#include "ssm/complex.hpp"

namespace hippo {
namespace {

// The least power of two, at least 4, that is not below `length`.
inline std::int64_t transform_length(std::int64_t length) {
  std::int64_t size = 4;
  while (size < length) size *= 2;
  return size;
}

// Powers of the roots of unity: for each block size m = size, size / 4, ... the numbers w^j, w^2j, w^3j for j < m / 4
// with w = exp(-2 pi i / m), one after the other.
template <typename T>
class Roots {
 public:
  explicit Roots(std::int64_t size) : size_(size), values_(2 * size + 8, Fill::nothing) {
    T* to = values_.data();
    for (std::int64_t m = size; m >= 4; m /= 4)
      for (std::int64_t j = 0; j < m / 4; ++j)
        for (std::int64_t power = 1; power <= 3; ++power) {
          const double angle = -6.283185307179586 * double(power * j) / double(m);
          *to++ = T(__builtin_cos(angle));
          *to++ = T(__builtin_sin(angle));
        }
  }
  std::int64_t size() const { return size_; }
  const T* first() const { return values_.data(); }
  static const T* next(const T* roots, std::int64_t m) { return roots + 6 * (m / 4); }  // of block size m / 4

 private:
  std::int64_t size_;
  AlignedArray<T> values_;
};

template <typename T>
HIPPO_INLINE Complex<T> root(const T* roots, int power) {
  return {splat(roots[2 * power - 2]), splat(roots[2 * power - 1])};
}

template <typename T>
HIPPO_INLINE void butterfly(Complex<T>& x0, Complex<T>& x1, Complex<T>& x2, Complex<T>& x3) {
  const Complex<T> even = x0 + x2, odd = x0 - x2, sum = x1 + x3, difference = times_i(x1 - x3);
  x0 = even + sum;
  x1 = odd - difference;
  x2 = even - sum;
  x3 = odd + difference;
}

template <typename T>
HIPPO_INLINE void inverse_butterfly(Complex<T>& x0, Complex<T>& x1, Complex<T>& x2, Complex<T>& x3) {
  butterfly(x0, x1, x2, x3);
  const Complex<T> other = x1;
  x1 = x3;
  x3 = other;
}

// One pass of the transform over a block of m numbers.
template <typename T>
inline void pass(Complex<T>* z, std::int64_t m, const T* roots) {
  const std::int64_t q = m / 4;
  for (std::int64_t j = 0; j < q; ++j, roots += 6) {
    Complex<T> x0 = z[j], x1 = z[j + q], x2 = z[j + 2 * q], x3 = z[j + 3 * q];
    butterfly(x0, x1, x2, x3);
    z[j] = x0;
    z[j + q] = times(x1, root(roots, 1));
    z[j + 2 * q] = times(x2, root(roots, 2));
    z[j + 3 * q] = times(x3, root(roots, 3));
  }
}

template <typename T>
inline void inverse_pass(Complex<T>* z, std::int64_t m, const T* roots) {
  const std::int64_t q = m / 4;
  for (std::int64_t j = 0; j < q; ++j, roots += 6) {
    Complex<T> x0 = z[j], x1 = times_conjugate(z[j + q], root(roots, 1)),
               x2 = times_conjugate(z[j + 2 * q], root(roots, 2)), x3 = times_conjugate(z[j + 3 * q], root(roots, 3));
    inverse_butterfly(x0, x1, x2, x3);
    z[j] = x0;
    z[j + q] = x1;
    z[j + 2 * q] = x2;
    z[j + 3 * q] = x3;
  }
}

// The first pass over numbers of which only the first half is not zero: get(k), k < m / 2.
template <typename T, typename Get>
inline void first_pass(Complex<T>* z, std::int64_t m, const T* roots, const Get& get) {
  const std::int64_t q = m / 4;
  for (std::int64_t j = 0; j < q; ++j, roots += 6) {
    const Complex<T> x0 = get(j), x1 = get(j + q), turned = times_i(x1);
    z[j] = x0 + x1;
    z[j + q] = times(x0 - turned, root(roots, 1));
    z[j + 2 * q] = times(x0 - x1, root(roots, 2));
    z[j + 3 * q] = times(x0 + turned, root(roots, 3));
  }
}

// The last pass of the inverse, of whose results only the first half is wanted: put(k, value), k < m / 2.
template <typename T, typename Put>
inline void last_pass(const Complex<T>* z, std::int64_t m, const T* roots, const Put& put) {
  const std::int64_t q = m / 4;
  for (std::int64_t j = 0; j < q; ++j, roots += 6) {
    const Complex<T> x0 = z[j], x1 = times_conjugate(z[j + q], root(roots, 1)),
                     x2 = times_conjugate(z[j + 2 * q], root(roots, 2)),
                     x3 = times_conjugate(z[j + 3 * q], root(roots, 3));
    put(j, (x0 + x2) + (x1 + x3));
    put(j + q, (x0 - x2) + times_i(x1 - x3));
  }
}

template <typename T>
HIPPO_INLINE void transform_pair(Complex<T>* z) {
  const Complex<T> difference = z[0] - z[1];
  z[0] = z[0] + z[1];
  z[1] = difference;
}

// The transform of a block of m numbers, a power of two.
template <typename T>
inline void transform(Complex<T>* z, std::int64_t m, const T* roots) {
  if (m == 1) return;
  if (m == 2) return transform_pair(z);
  if (m == 4) return butterfly(z[0], z[1], z[2], z[3]);
  pass(z, m, roots);
  for (int block = 0; block < 4; ++block) transform(z + block * (m / 4), m / 4, Roots<T>::next(roots, m));
}

// Its inverse, times m.
template <typename T>
inline void inverse_transform(Complex<T>* z, std::int64_t m, const T* roots) {
  if (m == 1) return;
  if (m == 2) return transform_pair(z);
  if (m == 4) return inverse_butterfly(z[0], z[1], z[2], z[3]);
  for (int block = 0; block < 4; ++block) inverse_transform(z + block * (m / 4), m / 4, Roots<T>::next(roots, m));
  inverse_pass(z, m, roots);
}

// Which frequency each place of a transform of `size` numbers holds, and where its negative is.
class Frequencies {
 public:
  explicit Frequencies(std::int64_t size) : size_(size), at_(size, Fill::nothing), place_(size, Fill::nothing) {
    fill(0, size, 0, 1);
    for (std::int64_t place = 0; place < size; ++place) place_[at_[place]] = std::int32_t(place);
  }
  std::int64_t at(std::int64_t place) const { return at_[place]; }
  std::int64_t mirror(std::int64_t place) const { return place_[(size_ - at_[place]) & (size_ - 1)]; }

 private:
  // The block of m places from `begin` on holds the frequencies first, first + step, first + 2 step, ...
  void fill(std::int64_t begin, std::int64_t m, std::int64_t first, std::int64_t step) {
    if (m <= 2) {
      for (std::int64_t i = 0; i < m; ++i) at_[begin + i] = std::int32_t(first + i * step);
      return;
    }
    for (int block = 0; block < 4; ++block) fill(begin + block * (m / 4), m / 4, first + block * step, 4 * step);
  }

  std::int64_t size_;
  AlignedArray<std::int32_t> at_, place_;
};

}  // namespace
}  // namespace hippo
