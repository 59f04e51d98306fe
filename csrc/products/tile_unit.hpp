// The tile registers of Intel's AMX: eight, of at most 16 rows of 64 bytes.
//
// The kernels of tile_block.hpp reach them through a struct `Tiles` with
//   configure(config)      LDTILECFG: loads the sizes of all tiles, whose contents become zero
//   release()              TILERELEASE
//   zero<Tile>()           TILEZERO
//   load<Tile>(from, step) TILELOADD: rows that are `step` bytes apart
//   store<Tile>(to, step)  TILESTORED
//   multiply<C, A, B>()    TDPBF16PS: C[m][n] += A[m][2k] B[k][2n] + A[m][2k + 1] B[k][2n + 1], summed over k
// AmxTiles is the unit itself. EmulatedTiles (tile_emulation.hpp) computes the same in C++, for tests.
#pragma once
#include <cstdint>

#include "inline.hpp"

namespace hippo {
namespace {

constexpr int kTileRows = 16, kTileBytes = 64;
constexpr std::int64_t kTileEntries = 512;  // bfloat16 numbers in a tile

// The operand of LDTILECFG.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};  // of a row of each tile
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

#if defined(HIPPO_ASSEMBLES_AMX) && defined(__AVX512F__) && defined(__linux__) && defined(__x86_64__)
#define HIPPO_AMX

// In assembly, because the intrinsics take the number of a tile as text only, and compilers offer them only in
// functions that are compiled for the instructions.
struct AmxTiles {
  static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config)); }
  static void release() { asm volatile("tilerelease" : : : "memory"); }

  template <int Tile>
  static HIPPO_INLINE void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(Tile));
  }
  template <int Tile>
  static HIPPO_INLINE void load(const void* from, std::int64_t step) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(step), "i"(Tile) : "memory");
  }
  template <int Tile>
  static HIPPO_INLINE void store(void* to, std::int64_t step) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(step), "i"(Tile) : "memory");
  }
  template <int C, int A, int B>
  static HIPPO_INLINE void multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
};

#endif

}  // namespace
}  // namespace hippo
