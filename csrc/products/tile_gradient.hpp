// The gradient of a weight from the tape of all steps, out (m, n) = left^T right, on tile registers.
//
// Blocks of 256 rows of the tape are packed. Their products are added, 32 rows at a time, to sums that lie in memory in
// the order of the tiles, so each sum has the same order whatever the number of threads. The columns of both operands
// are permuted as packing permutes them, and the sums go to their places in `out` once, at the end.
#pragma once
#include "products/block.hpp"
#include "products/tile_block.hpp"

namespace hippo {
namespace {

// Packs columns of rows of the tape.
class TilePacking {
  using Half = Vector<std::uint16_t>;
  using PairVector = Vector<std::uint32_t>;
  static constexpr int kSquare = 32;  // rows, and columns, that are packed into two tiles

 public:
  static constexpr int columns = kSquare;

  // The position of a column among the packed ones. Pairs of rows come from vectors by interleaving pieces of 16 bytes,
  // eight columns, of which the first tile receives four and the second tile the next four.
  static std::int64_t position(std::int64_t column) {
    return column / kSquare * kSquare + column / 4 % 2 * kTileColumns + column % kSquare / 8 * 4 + column % 4;
  }

  // Packs a square, of which `rows` and `columns` exist and the others are zeros, into two tiles [pair of
  // rows][column].
  static void interleave(const bfloat16* from, std::int64_t step, std::int64_t rows, std::int64_t columns, Pair* first,
                         Pair* second) {
    bfloat16 square[kSquare][kSquare];
    if (rows < kSquare || columns < kSquare) {
      std::memset(square, 0, sizeof square);
      for (std::int64_t row = 0; row < smaller(rows, kSquare); ++row)
        copy(from + row * step, smaller(columns, kSquare), square[row]);
      from = square[0];
      step = kSquare;
    }
    for (int row = 0; row < kSquare; row += 2, from += 2 * step)
      for (int column = 0; column < kSquare; column += 2 * kLanes, first += kLanes, second += kLanes) {
        const Half even = load_halves(from + column), odd = load_halves(from + step + column);
        const Half low = interleaved<0>(even, odd, FirstIndices<2 * kLanes>{});
        const Half high = interleaved<4>(even, odd, FirstIndices<2 * kLanes>{});
        std::memcpy(first, &low, sizeof low);
        std::memcpy(second, &high, sizeof high);
      }
  }

  // Transposes a tile of pairs: to [column][pair of rows].
  static void transpose_pairs(const Pair* from, Pair* to) {
    for (int row = 0; row < kTileRows; row += kLanes)
      for (int column = 0; column < kTileRows; column += kLanes) {
        PairVector square[kLanes];
        unroll<kLanes>([&](auto i) HIPPO_INLINE_LAMBDA {
          std::memcpy(&square[i], from + (row + i) * kTileRows + column, sizeof square[i]);
        });
        transpose<std::uint32_t>(square);
        unroll<kLanes>([&](auto i) HIPPO_INLINE_LAMBDA {
          std::memcpy(to + (column + i) * kTileRows + row, &square[i], sizeof square[i]);
        });
      }
  }

 private:
  static HIPPO_INLINE Half load_halves(const bfloat16* from) {
    Half halves;
    std::memcpy(&halves, from, sizeof halves);
    return halves;
  }

  // Interleaves four entries of each piece of 16 bytes, those from `From` on.
  template <int From, int... Lane>
  static HIPPO_INLINE Half interleaved(Half even, Half odd, Indices<Lane...>) {
    return __builtin_shufflevector(even, odd, (Lane / 8 * 8 + From + Lane % 8 / 2 + Lane % 2 * 2 * kLanes)...);
  }
};

template <typename Tiles>
class TileGradient {
  static constexpr std::int64_t kRows = kDepthInCache;  // of the tape in a block
  static constexpr std::int64_t kMostSums = 1 << 18;    // 1 MB: with a block of `right`, what an L2 cache holds

 public:
  // Rows [begin, end) of `out`, which are columns of left.
  static void run(const WeightGradientArguments& args, std::int64_t begin, std::int64_t end) {
    if (begin >= end || !args.right_columns) return;
    const std::int64_t width = round_up(args.right_columns, TilePacking::columns);
    const std::int64_t most = larger(kMostTileRows, kMostSums / width), parts = (end - begin + most - 1) / most;
    const std::int64_t height = round_up((end - begin + parts - 1) / parts, TilePacking::columns);
    TileGradient gradient(args, width, height);
    for (; begin < end; begin += height) gradient.run_part(begin, smaller(height, end - begin));
  }

 private:
  TileGradient(const WeightGradientArguments& args, std::int64_t width, std::int64_t height)
      : args_(args), width_(width), sums_(height * width), left_(height * kRows), right_(width * kRows) {}

  // Rows of `out` whose sums fit into the cache.
  void run_part(std::int64_t begin, std::int64_t count) {
    const std::int64_t height = round_up(count, TilePacking::columns);
    for (std::int64_t row = 0; row < args_.rows; row += kRows) {
      const std::int64_t rows = smaller(kRows, args_.rows - row), depth = (rows + kTileDepth - 1) / kTileDepth;
      pack_left(row, rows, depth, begin, count);
      pack_right(row, rows, depth);
      for (std::int64_t i = 0; i < height; i += kMostTileRows) {
        const TileRows part(smaller(kMostTileRows, height - i));
        const TileOperands at = {.a = left_.data() + i * depth * kTileDepth,
                                 .b = right_.data(),
                                 .b_step = depth * kTileEntries,
                                 .c = sums_.data() + i * width_,
                                 .row_step = kTileColumns,
                                 .column_step = part.count() * kTileColumns,
                                 .depth = depth,
                                 .adds = row > 0};
        multiply_tiles<Tiles>(part, at, width_ / kTileColumns);
      }
    }
    for (std::int64_t i = 0; i < count; ++i) save(i, height, args_.out + (begin + i) * args_.right_columns);
  }

  // Row i of `out` from its sums, which lie [64 rows][16 columns][row][column].
  void save(std::int64_t i, std::int64_t height, float* out) const {
    const std::int64_t at = TilePacking::position(i), part = at / kMostTileRows * kMostTileRows;
    const std::int64_t rows = smaller(kMostTileRows, height - part);
    const float* const from = sums_.data() + part * width_ + (at - part) * kTileColumns;
    for (std::int64_t column = 0; column < args_.right_columns; column += 4) {
      const std::int64_t place = TilePacking::position(column);
      copy(from + place / kTileColumns * rows * kTileColumns + place % kTileColumns,
           smaller(4, args_.right_columns - column), out + column);
    }
  }

  void pack_left(std::int64_t row, std::int64_t rows, std::int64_t depth, std::int64_t begin, std::int64_t count) {
    const bfloat16* const from = static_cast<const bfloat16*>(args_.left) + row * args_.left_step + begin;
    const std::int64_t height = round_up(count, TilePacking::columns);
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t i = 0; i < height; i += TilePacking::columns) {
        alignas(64) Pair tiles[2][kTileEntries / 2];
        TilePacking::interleave(from + k * kTileDepth * args_.left_step + i, args_.left_step, rows - k * kTileDepth,
                                count - i, tiles[0], tiles[1]);
        const std::int64_t part = i / kMostTileRows * kMostTileRows, width = smaller(kMostTileRows, height - part);
        Pair* const to = pairs(left_) + (part * depth + k * width + i - part) * (kTileDepth / 2);
        TilePacking::transpose_pairs(tiles[0], to);
        TilePacking::transpose_pairs(tiles[1], to + kTileEntries / 2);
      }
  }

  void pack_right(std::int64_t row, std::int64_t rows, std::int64_t depth) {
    const bfloat16* const from = static_cast<const bfloat16*>(args_.right) + row * args_.right_step;
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t column = 0; column < width_; column += TilePacking::columns) {
        Pair* const to = pairs(right_) + (column / kTileColumns * depth + k) * (kTileEntries / 2);
        TilePacking::interleave(from + k * kTileDepth * args_.right_step + column, args_.right_step,
                                rows - k * kTileDepth, args_.right_columns - column, to, to + depth * kTileEntries / 2);
      }
  }

  static Pair* pairs(const AlignedArray<bfloat16>& array) { return reinterpret_cast<Pair*>(array.data()); }

  const WeightGradientArguments& args_;
  const std::int64_t width_;  // columns of right, padded
  AlignedArray<float> sums_;
  AlignedArray<bfloat16> left_, right_;  // packed as in tile_block.hpp, left as A and right as B
};

}  // namespace
}  // namespace hippo
