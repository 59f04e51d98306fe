// The policy amx: bfloat16 products on the tile registers of Intel's AMX, where compiler, processor and system have
// them.
#pragma once
#include <cstdint>

#include "products/bfloat16_emulated.hpp"
#include "products/policy.hpp"
#include "products/tile_gradient.hpp"
#include "products/tile_weight.hpp"

#if defined(HIPPO_EMULATE_AMX)
#include "products/tile_emulation.hpp"
#elif defined(HIPPO_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hippo {
namespace {

#if defined(HIPPO_EMULATE_AMX) || defined(HIPPO_AMX)

struct BFloat16Amx {
  static constexpr const char* name = "amx";
  static constexpr bool stores_bfloat16 = true;

#ifdef HIPPO_EMULATE_AMX
  using Tiles = EmulatedTiles;
  static bool available() { return true; }
#else
  using Tiles = AmxTiles;

  // The system saves tile registers only for a process that has asked for them.
  static bool available() {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (!(d >> 22 & 1) || !(d >> 24 & 1)) return false;  // AMX-BF16, AMX-TILE
    constexpr int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }
#endif

  using Store = bfloat16;
  using Operand = bfloat16;
  using Weight = TileWeight<Tiles>;
  using Gradient = TileGradient<Tiles>;
  using Session = TileSession<Tiles>;

  static void put(bfloat16* to, Floats value) { store(to, value); }
  static float round(float weight) { return BFloat16Emulated::round(weight); }
};

#else

using BFloat16Amx = NotCompiled;

#endif

}  // namespace
}  // namespace hippo
