// Products in float, by blocks that fill the vector registers.
#pragma once
#include "products/policy.hpp"

namespace hippo {
namespace {

// W (width, depth), packed.
class FloatPanels {
 public:
  FloatPanels(std::int64_t width, std::int64_t depth) : width_(width), depth_(depth), data_(width * depth) {}

  void set(std::int64_t column, std::int64_t k, float value) {
    data_[(column / kBlockColumns * depth_ + k) * kBlockColumns + column % kBlockColumns] = value;
  }

  void multiply(const float* a, std::int64_t rows, float* c) const {
    for (std::int64_t panel = 0; panel < width_; panel += kBlockColumns)
      for (std::int64_t row = 0; row < rows; row += kBlockRows)
        block(a + row * depth_, data_.data() + panel * depth_, c + row * width_ + panel);
  }

 private:
  void block(const float* a, const float* b, float* c) const {
    Floats sum[kBlockRows][2] = {};
    for (std::int64_t k = 0; k < depth_; ++k, b += kBlockColumns) {
      const Floats left = load(b), right = load(b + kLanes);
#pragma GCC unroll 16
      for (int i = 0; i < kBlockRows; ++i) {
        const Floats value = splat(a[i * depth_ + k]);
        sum[i][0] += value * left;
        sum[i][1] += value * right;
      }
    }
#pragma GCC unroll 16
    for (int i = 0; i < kBlockRows; ++i) {
      store(c + i * width_, sum[i][0]);
      store(c + i * width_ + kLanes, sum[i][1]);
    }
  }

  std::int64_t width_, depth_;
  AlignedArray<float> data_;  // [panel of columns][depth][columns of the panel]
};

}  // namespace
}  // namespace hippo
