// Products of packed bfloat16 operands on tile registers: the innermost loops of the policy amx.
//
// C (rows, columns) += A (rows, depth) B (depth, columns), of at most 64 rows. Four tiles hold sums, which is what the
// latency of a product (52 cycles) asks for at 16 cycles each. For 49 rows or more these are four tiles of rows by one
// of columns: each tile of B, a weight that comes from the L2 cache, is loaded once, and A, which the L1 cache holds,
// is loaded for each tile of columns. With fewer rows there are more tiles of columns.
//
// Packed operands lie in the order in which they are read:
//   A  [32 of depth][row][entry]
//   B  [16 columns][32 of depth][pair of depth][column][of the pair], 1 KB a tile
#pragma once
#include <cstdint>

#include "products/tile_unit.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

constexpr std::int64_t kTileDepth = 32;      // entries of depth in a tile
constexpr std::int64_t kTileColumns = 16;    // columns in a tile
constexpr std::int64_t kMostTileRows = 64;   // rows of A at a time
constexpr std::int64_t kDepthInCache = 256;  // of A at a time: with so many rows 32 of the 48 KB of an L1 cache

// How rows are divided into tiles. No tile is filled up to 16 rows: 50 rows are 13 + 13 + 12 + 12.
class TileRows {
 public:
  TileRows() = default;
  explicit TileRows(std::int64_t rows) : tiles(int((rows + kTileRows - 1) / kTileRows)) {
    if (tiles == 4) {
      upper = int((rows + 3) / 4);
      lower = int((rows - 2 * upper + 1) / 2);  // an odd number of rows is made even
    } else {
      upper = int((rows + tiles - 1) / tiles);
      lower = tiles == 1 ? upper : int(rows - (tiles - 1) * upper);
    }
  }

  std::int64_t count() const { return start(tiles); }

  // The first row of a tile.
  std::int64_t start(int tile) const {
    const int uppers = tiles > 2 ? 2 : 1;
    return tile <= uppers ? tile * upper : uppers * upper + (tile - uppers) * lower;
  }

  int tiles = 0;
  int upper = 0, lower = 0;  // rows of the first tiles, two if there are more than two, and of the others
};

// What a thread holds while it uses tiles. Tiles 0 to 3 hold sums and 4 and 5 hold A, one half of them each for the
// upper and for the lower rows; 6 and 7 hold B.
template <typename Tiles>
class TileSession {
 public:
  TileSession() = default;
  TileSession(const TileSession&) = delete;
  TileSession& operator=(const TileSession&) = delete;
  ~TileSession() {
    Tiles::release();
    configured() = {};
  }

  // Gives the tiles their sizes, unless they have these already: LDTILECFG takes as long as a dozen products.
  static void configure(const TileRows& rows) {
    if (rows.upper == configured().upper && rows.lower == configured().lower) return;
    configured() = rows;
    TileConfig config;
    config.rows[0] = config.rows[1] = config.rows[4] = std::uint8_t(rows.upper);
    config.rows[2] = config.rows[3] = config.rows[5] = std::uint8_t(rows.lower);
    Tiles::configure(config);
  }

 private:
  static TileRows& configured() {
    static thread_local TileRows rows;
    return rows;
  }
};

struct TileOperands {
  const bfloat16* a;
  const bfloat16* b;
  std::int64_t b_step;  // entries from a tile of columns to the next
  float* c;
  std::int64_t row_step, column_step;  // entries of c from a row, and from a tile of columns, to the next
  std::int64_t depth;                  // tiles of it
  bool adds;                           // to c, otherwise c is overwritten
};

// The product for `Rows` tiles of rows and `Columns` tiles of columns.
template <typename Tiles, int Rows, int Columns>
class TileKernel {
  static_assert(Rows * Columns == 4 || (Rows == 3 && Columns == 1) || (Rows == 1 && Columns == 2));

 public:
  static void run(const TileRows& rows, const TileOperands& at) {
    // Copies, because the instructions might change what the references refer to, as far as the compiler knows.
    const std::int64_t row_step = at.row_step, column_step = at.column_step, depth = at.depth, b_step = at.b_step;
    const std::int64_t a_step = rows.count() * kTileDepth;
    const bfloat16 *a = at.a, *b = at.b;
    float* const c = at.c;
    std::int64_t starts[Rows];
    for (int row = 0; row < Rows; ++row) starts[row] = rows.start(row);

    each_sum([&](auto row, auto column) HIPPO_INLINE_LAMBDA {
      constexpr int sum = row.value * Columns + column.value;
      if (at.adds)
        Tiles::template load<sum>(c + starts[row] * row_step + column * column_step, 4 * row_step);
      else
        Tiles::template zero<sum>();
    });
    for (std::int64_t k = 0; k < depth; k += 2, a += 2 * a_step, b += 2 * kTileEntries) {
      add<0>(starts, a, b, b_step);
      if (k + 1 < depth) add<1>(starts, a + a_step, b + kTileEntries, b_step);
    }
    each_sum([&](auto row, auto column) HIPPO_INLINE_LAMBDA {
      constexpr int sum = row.value * Columns + column.value;
      Tiles::template store<sum>(c + starts[row] * row_step + column * column_step, 4 * row_step);
    });
  }

 private:
  template <typename Visit>
  static HIPPO_INLINE void each_sum(Visit visit) {
    unroll<Rows>([&](auto row) HIPPO_INLINE_LAMBDA {
      unroll<Columns>([&](auto column) HIPPO_INLINE_LAMBDA { visit(row, column); });
    });
  }

  // The products of 32 entries of depth. Upper and lower rows take turns, and so do even and odd k where one tile of A
  // or B would be enough, so that no load waits for the product that reads the tile's old contents.
  template <int Turn>
  static HIPPO_INLINE void add(const std::int64_t (&starts)[Rows], const bfloat16* a, const bfloat16* b,
                               std::int64_t b_step) {
    unroll<Rows>([&](auto turn) HIPPO_INLINE_LAMBDA {
      constexpr int row = Rows > 2 ? turn.value % 2 * 2 + turn.value / 2 : turn.value;
      constexpr int tile_of_a = 4 + (Rows == 1 ? Turn : row * Columns / 2);
      Tiles::template load<tile_of_a>(a + starts[row] * kTileDepth, kTileBytes);
      unroll<Columns>([&](auto column) HIPPO_INLINE_LAMBDA {
        constexpr int tile_of_b = 6 + (Columns == 1 ? Turn : column.value % 2);
        if constexpr (turn.value == 0) Tiles::template load<tile_of_b>(b + column * b_step, kTileBytes);
        Tiles::template multiply<row * Columns + column.value, tile_of_a, tile_of_b>();
      });
    });
  }
};

// As many tiles of columns as `Columns` divides; returns how many these are.
template <typename Tiles, int Rows, int Columns>
std::int64_t multiply_columns(const TileRows& rows, TileOperands at, std::int64_t from, std::int64_t columns) {
  at.b += from * at.b_step;
  at.c += from * at.column_step;
  for (; from + Columns <= columns; from += Columns) {
    TileKernel<Tiles, Rows, Columns>::run(rows, at);
    at.b += Columns * at.b_step;
    at.c += Columns * at.column_step;
  }
  return from;
}

// An even number of tiles of columns.
template <typename Tiles>
void multiply_tiles(const TileRows& rows, const TileOperands& at, std::int64_t columns) {
  TileSession<Tiles>::configure(rows);
  if (rows.tiles == 4) multiply_columns<Tiles, 4, 1>(rows, at, 0, columns);
  if (rows.tiles == 3) multiply_columns<Tiles, 3, 1>(rows, at, 0, columns);
  if (rows.tiles == 2) multiply_columns<Tiles, 2, 2>(rows, at, 0, columns);
  if (rows.tiles == 1) {
    const std::int64_t done = multiply_columns<Tiles, 1, 4>(rows, at, 0, columns);
    multiply_columns<Tiles, 1, 2>(rows, at, done, columns);
  }
}

}  // namespace
}  // namespace hippo
