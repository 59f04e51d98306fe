// Products of bfloat16 operands whose entries are summed in pairs: two neighbors of the summed index side by side in
// the 32 bits of a lane. `Dot::add(sum, a, b)` adds a[0] b[0] + a[1] b[1] to every lane of `sum`, which is float.
#pragma once
#include "products/policy.hpp"

namespace hippo {
namespace {

// A pair as one number, whatever the type of the array that holds it.
typedef std::uint32_t Pair __attribute__((may_alias));

// sum[Rows][2] += a (Rows, pairs) b (pairs, 2 vectors): pair p of row i is a[i * step_row + p * step_pair], the pairs of
// the columns start at b[p * kBlockColumns].
template <typename Dot, int Rows>
HIPPO_INLINE void add_pairs(Floats (&sum)[Rows][2], const Pair* a, std::int64_t step_row, std::int64_t step_pair,
                            const Pair* b, std::int64_t pairs) {
  for (std::int64_t p = 0; p < pairs; ++p, a += step_pair, b += kBlockColumns) {
    Words left, right;
    std::memcpy(&left, b, sizeof left);
    std::memcpy(&right, b + kLanes, sizeof right);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const Words value = Words{} + a[i * step_row];
      sum[i][0] = Dot::add(sum[i][0], value, left);
      sum[i][1] = Dot::add(sum[i][1], value, right);
    }
  }
}

// W (width, depth), packed: the Weight of a policy.
template <typename Dot>
class PairPanels {
 public:
  PairPanels(std::int64_t width, std::int64_t depth) : width_(width), depth_(depth), data_(width * depth) {}

  void set(std::int64_t column, std::int64_t k, float value) {
    const std::int64_t pair = (column / kBlockColumns * (depth_ / 2) + k / 2) * kBlockColumns + column % kBlockColumns;
    data_[2 * pair + k % 2] = round_to_bfloat16(splat(value))[0];
  }

  void multiply(const bfloat16* a, std::int64_t rows, float* c) const {
    for (std::int64_t panel = 0; panel < width_; panel += kBlockColumns)
      for (std::int64_t row = 0; row < rows; row += kBlockRows) {
        Floats sum[kBlockRows][2] = {};
        add_pairs<Dot>(sum, reinterpret_cast<const Pair*>(a + row * depth_), depth_ / 2, 1,
                       reinterpret_cast<const Pair*>(data_.data() + panel * depth_), depth_ / 2);
        for (int i = 0; i < kBlockRows; ++i) {
          store(c + (row + i) * width_ + panel, sum[i][0]);
          store(c + (row + i) * width_ + panel + kLanes, sum[i][1]);
        }
      }
  }

 private:
  std::int64_t width_, depth_;
  AlignedArray<bfloat16> data_;  // [panel of columns][pair of depth][column of the panel][2]
};

// The gradient of a weight, out (m, n) = left^T right, over all rows of a tape. Blocks of rows are packed by pairs of
// rows, and their products added to `out` in float. So the result does not depend on the number of threads.
template <typename Dot>
class PairGradient {
  static constexpr int kGradientRows = kLanes == 16 ? 12 : 6;  // with two vectors for each, what the registers hold
  static constexpr std::int64_t kRows = 256;                   // of the tape in a block: what the L2 cache holds

 public:
  // Columns [begin, end) of left.
  static void run(const WeightGradientArguments& args, std::int64_t begin, std::int64_t end) {
    const std::int64_t width = round_up(args.right_columns, kBlockColumns);
    const std::int64_t height = round_up(end - begin, kGradientRows);
    AlignedArray<Pair> left(height * kRows / 2), right(width * kRows / 2);
    for (std::int64_t column = begin; column < end; ++column)
      for (std::int64_t k = 0; k < args.right_columns; ++k) args.out[column * args.right_columns + k] = 0;
    for (std::int64_t row = 0; row < args.rows; row += kRows) {
      const std::int64_t rows = smaller(kRows, args.rows - row), pairs = (rows + 1) / 2;
      pack<kGradientRows>(args.left + row * args.left_step + begin, args.left_step, rows, end - begin, left.data());
      pack<kBlockColumns>(args.right + row * args.right_step, args.right_step, rows, args.right_columns, right.data());
      for (std::int64_t panel = 0; panel < width; panel += kBlockColumns)
        for (std::int64_t column = 0; column < height; column += kGradientRows) {
          Floats sum[kGradientRows][2] = {};
          add_pairs<Dot>(sum, &left[column * pairs], 1, kGradientRows, &right[panel * pairs], pairs);
          const std::int64_t count = args.right_columns - panel;
          for (std::int64_t i = 0; i < kGradientRows && begin + column + i < end; ++i) {
            float* out = args.out + (begin + column + i) * args.right_columns + panel;
            store_part(out, load_part(out, count) + sum[i][0], count);
            if (count > kLanes)
              store_part(out + kLanes, load_part(out + kLanes, count - kLanes) + sum[i][1], count - kLanes);
          }
        }
    }
  }

 private:
  // Packs (rows, columns) into blocks of `Block` columns: [block][pair of rows][column]. An odd last row is paired with
  // zeros.
  template <int Block>
  static void pack(const bfloat16* from, std::int64_t step, std::int64_t rows, std::int64_t columns,
                   Pair* to) {
    const std::int64_t pairs = (rows + 1) / 2;
    for (std::int64_t p = 0; p < pairs; ++p, from += 2 * step)
      for (std::int64_t block = 0; block < columns; block += Block) {
        Pair* out = to + block * pairs + p * Block;
        const bfloat16 *even = from + block, *odd = even + step;
        const std::int64_t count = columns - block;
        if (count >= Block && 2 * p + 1 < rows)
          for (int i = 0; i < Block; ++i) out[i] = even[i] | std::uint32_t(odd[i]) << 16;
        else
          for (std::int64_t i = 0; i < smaller(Block, count); ++i)
            out[i] = even[i] | (2 * p + 1 < rows ? std::uint32_t(odd[i]) << 16 : 0);
      }
  }
};

}  // namespace
}  // namespace hippo
