// A weight that is multiplied at every step of a sequence, packed in the order in which vector units read it.
#pragma once
#include "products/block.hpp"

namespace hippo {
namespace {

// W (width, depth).
template <typename Dot>
class PackedWeight {
  using Element = typename Dot::Element;
  using Packed = typename Dot::Packed;

 public:
  PackedWeight(std::int64_t width, std::int64_t depth) : width_(width), depth_(depth), data_(width * depth) {}

  void set(std::int64_t column, std::int64_t k, float value) {
    const std::int64_t at =
        (column / kBlockColumns * packed() + k / Dot::rows) * kBlockColumns + column % kBlockColumns;
    data_[at * Dot::rows + k % Dot::rows] = Dot::element(value);
  }

  // c (rows, width) = a (rows, depth) W^T
  void multiply(const Element* a, std::int64_t rows, float* c) const {
    for (std::int64_t column = 0; column < width_; column += kBlockColumns)
      for (std::int64_t row = 0; row < rows; row += kBlockRows) {
        Floats sum[kBlockRows][2] = {};
        add_products<Dot>(sum, reinterpret_cast<const Packed*>(a + row * depth_), packed(), 1,
                          reinterpret_cast<const Packed*>(data_.data() + column * depth_), packed());
#pragma GCC unroll 16
        for (int i = 0; i < kBlockRows; ++i) {
          store(c + (row + i) * width_ + column, sum[i][0]);
          store(c + (row + i) * width_ + column + kLanes, sum[i][1]);
        }
      }
  }

 private:
  std::int64_t packed() const { return depth_ / Dot::rows; }

  std::int64_t width_, depth_;
  AlignedArray<Element> data_;  // [block of columns][packed depth][column]
};

}  // namespace
}  // namespace hippo
