// A weight that is multiplied at every step of a sequence, packed in the order in which tile registers read it.
#pragma once
#include "products/policy.hpp"
#include "products/tile_block.hpp"

namespace hippo {
namespace {

// W (width, depth), multiples of 32.
template <typename Tiles>
class TileWeight {
 public:
  TileWeight(std::int64_t width, std::int64_t depth)
      : width_(width), depth_(depth), data_(width * depth), panel_(kMostTileRows * kDepthInCache, Fill::nothing) {}

  void set(std::int64_t column, std::int64_t k, float value) {
    const std::int64_t start = k / kDepthInCache * kDepthInCache, within = k - start;
    const std::int64_t tile = column / kTileColumns * (block_depth(start) / kTileDepth) + within / kTileDepth;
    data_[start * width_ + tile * kTileEntries + within % kTileDepth / 2 * 2 * kTileColumns +
          column % kTileColumns * 2 + within % 2] = round_to_bfloat16(splat(value))[0];
  }

  // c (rows, width) = a (rows, depth) W^T. At most one row after the last is read and written, to an even number.
  void multiply(const bfloat16* a, std::int64_t rows, float* c) const {
    if (!rows) return;
    const std::int64_t parts = (rows + kMostTileRows - 1) / kMostTileRows;
    const std::int64_t part = round_up((rows + parts - 1) / parts, 2);
    for (std::int64_t row = 0; row < rows; row += part)
      multiply_part(a + row * depth_, TileRows(smaller(part, rows - row)), c + row * width_);
  }

 private:
  // Blocks of depth: the sums of the first overwrite c, those of the others are added to it.
  void multiply_part(const bfloat16* a, const TileRows& rows, float* c) const {
    for (std::int64_t start = 0; start < depth_; start += kDepthInCache) {
      const std::int64_t depth = block_depth(start);
      pack(a + start, rows.count(), depth);
      const TileOperands at = {.a = panel_.data(),
                               .b = data_.data() + start * width_,
                               .b_step = depth * kTileColumns,
                               .c = c,
                               .row_step = width_,
                               .column_step = kTileColumns,
                               .depth = depth / kTileDepth,
                               .adds = start > 0};
      multiply_tiles<Tiles>(rows, at, width_ / kTileColumns);
    }
  }

  std::int64_t block_depth(std::int64_t start) const { return smaller(kDepthInCache, depth_ - start); }

  // Rows of a that are a power of two apart would displace each other from the L1 cache.
  void pack(const bfloat16* a, std::int64_t rows, std::int64_t depth) const {
    bfloat16* to = panel_.data();
    for (std::int64_t k = 0; k < depth; k += kTileDepth)
      for (std::int64_t row = 0; row < rows; ++row, to += kTileDepth) std::memcpy(to, a + row * depth_ + k, kTileBytes);
  }

  std::int64_t width_, depth_;
  AlignedArray<bfloat16> data_;   // [block of depth], each packed as in tile_block.hpp
  AlignedArray<bfloat16> panel_;  // a block of depth of the operand
};

}  // namespace
}  // namespace hippo
