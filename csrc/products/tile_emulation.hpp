// The tile registers of AMX in C++, with the numbers and the faults of the instructions: for tests on processors
// without AMX. What an instruction would refuse ends the process with a message. An address sanitizer sees each access.
#pragma once
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "products/tile_unit.hpp"

namespace hippo {
namespace {

class EmulatedTiles {
 public:
  // How many instructions a thread has run.
  struct Counts {
    std::int64_t configurations, loads, stores, products;
    std::int64_t rows_multiplied;  // rows of A in all products
  };
  static Counts& counts() {
    static thread_local Counts counts;
    return counts;
  }

  static void configure(const TileConfig& config) {
    State& state = current();
    require(config.palette == 1, "the palette is 1");
    for (std::uint8_t byte : config.reserved) require(byte == 0, "reserved bytes are zero");
    for (int tile = 0; tile < 16; ++tile) {
      const int bytes = config.bytes[tile], rows = config.rows[tile];
      require(tile < kCount || (bytes == 0 && rows == 0), "there are eight tiles");
      require(bytes <= kTileBytes && rows <= kTileRows && (bytes == 0) == (rows == 0), "a tile's size is possible");
    }
    state = {};
    state.config = config;
    ++counts().configurations;
  }

  static void release() {
    current() = {};
    current().config.palette = 0;
  }

  template <int Tile>
  static void zero() {
    std::memset(configured<Tile>().bytes, 0, sizeof(Content));
  }

  template <int Tile>
  static void load(const void* from, std::int64_t step) {
    Content& content = configured<Tile>();
    std::memset(content.bytes, 0, sizeof content);
    for (int row = 0; row < rows(Tile); ++row)
      std::memcpy(content.bytes[row], static_cast<const char*>(from) + row * step, bytes(Tile));
    ++counts().loads;
  }

  template <int Tile>
  static void store(void* to, std::int64_t step) {
    const Content& content = configured<Tile>();
    for (int row = 0; row < rows(Tile); ++row)
      std::memcpy(static_cast<char*>(to) + row * step, content.bytes[row], bytes(Tile));
    ++counts().stores;
  }

  template <int C, int A, int B>
  static void multiply() {
    static_assert(C != A && C != B && A != B, "the tiles differ");
    Content &c = configured<C>(), &a = configured<A>(), &b = configured<B>();
    require(bytes(C) % 4 == 0 && bytes(A) % 4 == 0 && bytes(B) % 4 == 0, "rows are whole numbers of four bytes");
    require(rows(A) == rows(C) && bytes(B) == bytes(C) && bytes(A) == 4 * rows(B), "the sizes of the tiles fit");
    const int columns = bytes(C) / 4, depth = bytes(A) / 4;
    for (int m = 0; m < rows(C); ++m) {
      float even[16] = {}, odd[16] = {};
      for (int k = 0; k < depth; ++k) {
        const float first = entry(a, m, 2 * k), second = entry(a, m, 2 * k + 1);
        for (int n = 0; n < columns; ++n) {  // products are exact, so this is a fused multiply-add
          even[n] = flushed(even[n] + first * entry(b, k, 2 * n));
          odd[n] = flushed(odd[n] + second * entry(b, k, 2 * n + 1));
        }
      }
      float sums[16];
      std::memcpy(sums, c.bytes[m], sizeof sums);
      for (int n = 0; n < columns; ++n) sums[n] = flushed(flushed(sums[n]) + flushed(even[n] + odd[n]));
      std::memcpy(c.bytes[m], sums, sizeof sums);
    }
    for (int m = rows(C); m < kTileRows; ++m) std::memset(c.bytes[m], 0, kTileBytes);
    ++counts().products;
    counts().rows_multiplied += rows(A);
  }

 private:
  static constexpr int kCount = 8;
  struct Content {
    unsigned char bytes[kTileRows][kTileBytes];
  };
  struct State {
    TileConfig config = {.palette = 0};
    Content tiles[kCount] = {};
  };

  static State& current() {
    static thread_local State state;
    return state;
  }

  static void require(bool condition, const char* rule) {
    if (condition) return;
    std::fprintf(stderr, "an instruction of AMX would fault; the rule is: %s\n", rule);
    std::abort();
  }

  static int rows(int tile) { return current().config.rows[tile]; }
  static int bytes(int tile) { return current().config.bytes[tile]; }

  template <int Tile>
  static Content& configured() {
    static_assert(Tile >= 0 && Tile < kCount, "there are eight tiles");
    require(current().config.palette == 1 && rows(Tile) > 0, "the tile has been configured");
    return current().tiles[Tile];
  }

  // Subnormal numbers are zeros, whatever the thread's own mode.
  static float flushed(float value) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (!(bits & 0x7f800000)) bits &= 0x80000000;
    std::memcpy(&value, &bits, sizeof bits);
    return value;
  }

  // A bfloat16 number of a row.
  static float entry(const Content& content, int row, int i) {
    std::uint16_t half;
    std::memcpy(&half, content.bytes[row] + 2 * i, sizeof half);
    const std::uint32_t bits = std::uint32_t(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof bits);
    return flushed(value);
  }
};

}  // namespace
}  // namespace hippo
