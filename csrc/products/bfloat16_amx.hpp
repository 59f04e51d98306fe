// The policy amx: bfloat16 products on the tile registers of Intel's AMX, where compiler, processor and system have
// them.
#pragma once
#include <cstdint>

#include "products/bfloat16_emulated.hpp"
#include "products/policy.hpp"

#if defined(__AVX512F__) && defined(__linux__) && defined(__x86_64__) && (__GNUC__ >= 11 || defined(__clang__))
#define HIPPO_AMX
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hippo {
namespace {

#ifdef HIPPO_AMX

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start = 0, reserved[14] = {};
  std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// a (rows, depth), b packed tiles, c (rows, width); rows a multiple of 16, width and depth of 32.
__attribute__((target("amx-tile,amx-bf16"), noinline)) void amx_multiply(const bfloat16* a, const bfloat16* b, float* c,
                                                                         std::int64_t rows, std::int64_t width,
                                                                         std::int64_t depth) {
  const std::int64_t step_a = depth * 2, step_c = width * 4;
  asm volatile("" ::: "memory");  // tile loads do not tell the compiler that they read memory
  for (std::int64_t column = 0; column < width; column += 32, b += 32 * depth) {
    std::int64_t row = 0;
    for (; row + 32 <= rows; row += 32) {
      _tile_zero(0);
      _tile_zero(1);
      _tile_zero(2);
      _tile_zero(3);
      for (std::int64_t k = 0; k < depth; k += 32) {
        _tile_loadd(4, a + row * depth + k, step_a);
        _tile_loadd(6, b + k * 32, 64);
        _tile_loadd(7, b + k * 32 + 512, 64);
        _tile_loadd(5, a + (row + 16) * depth + k, step_a);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
      float* to = c + row * width + column;
      _tile_stored(0, to, step_c);
      _tile_stored(1, to + 16, step_c);
      _tile_stored(2, to + 16 * width, step_c);
      _tile_stored(3, to + 16 * width + 16, step_c);
    }
    if (row == rows) continue;
    _tile_zero(0);
    _tile_zero(1);
    for (std::int64_t k = 0; k < depth; k += 32) {
      _tile_loadd(4, a + row * depth + k, step_a);
      _tile_loadd(6, b + k * 32, 64);
      _tile_loadd(7, b + k * 32 + 512, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
    }
    _tile_stored(0, c + row * width + column, step_c);
    _tile_stored(1, c + row * width + column + 16, step_c);
  }
}

// W (width, depth), packed as tiles.
class AmxTiles {
 public:
  AmxTiles(std::int64_t width, std::int64_t depth) : width_(width), depth_(depth), data_(width * depth) {}

  void set(std::int64_t column, std::int64_t k, float value) {
    const std::int64_t tile = (column / 32 * (depth_ / 32) + k / 32) * 2 + column % 32 / 16;
    data_[tile * 512 + k % 32 / 2 * 32 + column % 16 * 2 + k % 2] = round_to_bfloat16(splat(value))[0];
  }

  void multiply(const bfloat16* a, std::int64_t rows, float* c) const {
    amx_multiply(a, data_.data(), c, round_up(rows, 16), width_, depth_);
  }

 private:
  std::int64_t width_, depth_;
  AlignedArray<bfloat16> data_;  // [16 columns][32 of depth] tiles, pairs of depth together, 32 columns a panel
};

struct BFloat16Amx {
  static constexpr const char* name = "amx";
  static constexpr bool stores_bfloat16 = true;

  // The system saves tile registers only for a process that has asked for them.
  static bool available() {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (!(d >> 22 & 1) || !(d >> 24 & 1)) return false;  // AMX-BF16, AMX-TILE
    constexpr int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }

  using Store = bfloat16;
  using Operand = bfloat16;
  using Weight = AmxTiles;
  using Gradient = LibraryGradient;

  // Loads the shape of the tiles into the thread, and releases them.
  struct Session {
    __attribute__((target("amx-tile"))) Session() {
      static const TileConfig config;  // not on the stack: GCC takes the instruction to read 8 bytes only
      _tile_loadconfig(&config);
    }
    __attribute__((target("amx-tile"))) ~Session() { _tile_release(); }
  };

  static void put(bfloat16* to, Floats value) { store(to, value); }
  static float round(float weight) { return BFloat16Emulated::round(weight); }
};

#else

using BFloat16Amx = NotCompiled;

#endif

}  // namespace
}  // namespace hippo
