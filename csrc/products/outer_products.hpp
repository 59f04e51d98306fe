// Sums of outer products of two vectors, packed by the caller: what a cell adds to the gradient of a weight at every
// step.
#pragma once
#include "products/policy.hpp"

namespace hippo {
namespace {

constexpr int kOuterRows = kLanes < 8 ? kLanes : kLanes / 2;  // with two vectors for each, what the registers hold

// Vectors k = 0, 1, ... of one factor, in the order in which the sum reads them: [kLanes entries][k][entry].
class Panels {
 public:
  Panels(std::int64_t width, std::int64_t capacity) : width_(width), capacity_(capacity), data_(width * capacity) {}

  std::int64_t width() const { return width_; }

  // Entries i, i + 1, ... of vector k; i is a multiple of kLanes.
  float* at(std::int64_t k, std::int64_t i) const { return data_.data() + i * capacity_ + k * kLanes; }

 private:
  std::int64_t width_, capacity_;  // the width is a multiple of 2 * kLanes
  AlignedArray<float> data_;
};

// gradient (left width, right width) += left[k] right[k]^T, summed over k < count.
inline void add_outer_products(const Panels& left, const Panels& right, std::int64_t count, float* gradient) {
  for (std::int64_t column = 0; column < right.width(); column += 2 * kLanes)
    for (std::int64_t row = 0; row < left.width(); row += kOuterRows) {
      const float* a = left.at(0, row / kLanes * kLanes) + row % kLanes;
      const float *b0 = right.at(0, column), *b1 = right.at(0, column + kLanes);
      // The sums of these vectors are added to those of all: two short sums round less than a long one.
      Floats sum[kOuterRows][2] = {};
      for (std::int64_t k = 0; k < count; ++k, a += kLanes, b0 += kLanes, b1 += kLanes) {
        const Floats first = load(b0), second = load(b1);
#pragma GCC unroll 8
        for (int i = 0; i < kOuterRows; ++i) {
          const Floats value = splat(a[i]);
          sum[i][0] += value * first;
          sum[i][1] += value * second;
        }
      }
      float* out = gradient + row * right.width() + column;
#pragma GCC unroll 8
      for (int i = 0; i < kOuterRows; ++i, out += right.width()) {
        store(out, load(out) + sum[i][0]);
        store(out + kLanes, load(out + kLanes) + sum[i][1]);
      }
    }
}

}  // namespace
}  // namespace hippo
