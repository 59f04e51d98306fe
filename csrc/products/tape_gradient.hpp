// The gradient of a weight from the tape of all steps, out (m, n) = left^T right.
//
// Blocks of rows of the tape are packed, and their products added to `out`. So each sum is one of short sums, which
// rounds less than a long one, and does not depend on the number of threads.
#pragma once
#include "products/block.hpp"

namespace hippo {
namespace {

template <typename Dot>
class TapeGradient {
  using Element = typename Dot::Element;
  using Packed = typename Dot::Packed;
  static constexpr int kHeight = kLanes == 16 ? 12 : 6;   // with two vectors for each, what the registers hold
  static constexpr std::int64_t kRows = 128 * Dot::rows;  // of the tape in a block: what the L2 cache holds

 public:
  // Rows [begin, end) of `out`, which are columns of left.
  static void run(const WeightGradientArguments& args, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * args.right_columns; i < end * args.right_columns; ++i) args.out[i] = 0;
    add(args, begin, end);
  }

  // Adds the products to what `out` holds.
  static void add(const WeightGradientArguments& args, std::int64_t begin, std::int64_t end) {
    const std::int64_t columns = args.right_columns;
    const std::int64_t width = round_up(columns, kBlockColumns), height = round_up(end - begin, kHeight);
    AlignedArray<Packed> left(height * (kRows / Dot::rows)), right(width * (kRows / Dot::rows));
    for (std::int64_t row = 0; row < args.rows; row += kRows) {
      const std::int64_t rows = smaller(kRows, args.rows - row), count = (rows + Dot::rows - 1) / Dot::rows;
      pack<kHeight>(static_cast<const Element*>(args.left) + row * args.left_step + begin, args.left_step, rows,
                    end - begin, left.data());
      pack<kBlockColumns>(static_cast<const Element*>(args.right) + row * args.right_step, args.right_step, rows,
                          columns, right.data());
      for (std::int64_t column = 0; column < width; column += kBlockColumns)
        for (std::int64_t i = 0; i < height; i += kHeight) {
          float* const out = args.out + (begin + i) * columns + column;
          const std::int64_t rows_of_out = smaller(kHeight, end - begin - i);
          for (std::int64_t j = 0; j < rows_of_out; ++j)  // which arrive while the products are computed
            for (int line = 0; line < kBlockColumns; line += 16) __builtin_prefetch(out + j * columns + line, 1);
          Floats sum[kHeight][2] = {};
          add_products<Dot>(sum, &left[i * count], 1, kHeight, &right[column * count], count);
          for (std::int64_t j = 0; j < rows_of_out; ++j) add(sum[j], out + j * columns, columns - column);
        }
    }
  }

 private:
  // Adds the first `count` of two vectors.
  static void add(const Floats (&sum)[2], float* out, std::int64_t count) {
    store_part(out, load_part(out, count) + sum[0], count);
    if (count > kLanes) store_part(out + kLanes, load_part(out + kLanes, count - kLanes) + sum[1], count - kLanes);
  }

  // Packs (rows, columns) into blocks of `Block` columns: [block][packed rows][column]. Missing rows are zeros; what
  // fills the last block is not read.
  template <int Block>
  static void pack(const Element* from, std::int64_t step, std::int64_t rows, std::int64_t columns, Packed* to) {
    const AlignedArray<Element> zeros(Block);
    const std::int64_t count = (rows + Dot::rows - 1) / Dot::rows;
    for (std::int64_t k = 0; k < count; ++k)
      for (std::int64_t column = 0; column < columns; column += Block) {
        Packed* const out = to + column * count + k * Block;
        const std::int64_t width = smaller(Block, columns - column);
        const Element* together[Dot::rows];
        for (int r = 0; r < Dot::rows; ++r) {
          const std::int64_t row = k * Dot::rows + r;
          together[r] = row < rows ? from + row * step + column : zeros.data();
        }
        if (width == Block) {
          Dot::template pack<Block>(together, out);
          continue;
        }
        for (std::int64_t i = 0; i < width; ++i) {
          Dot::template pack<1>(together, out + i);
          for (const Element*& entry : together) ++entry;
        }
      }
  }
};

}  // namespace
}  // namespace hippo
