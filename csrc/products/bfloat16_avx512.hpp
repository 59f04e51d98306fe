// The policy bf16: bfloat16 products by the instruction vdpbf16ps of AVX512-BF16, which multiplies pairs and adds them
// to float: twice the multiply-adds of float32.
#pragma once
#include "products/bfloat16_emulated.hpp"
#include "products/packed_weight.hpp"
#include "products/tape_gradient.hpp"

namespace hippo {
namespace {

#if defined(__AVX512F__) && defined(HIPPO_AVX512_BF16)  // which CMakeLists.txt defines if the assembler knows it

struct BFloat16Dot : PairDot {
  // In assembly, because compilers offer the intrinsic only in functions that are compiled for the instruction.
  static HIPPO_INLINE Floats add(Floats sum, Words a, Words b) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
  }
};

struct BFloat16Avx512 {
  static constexpr const char* name = "bf16";
  static constexpr bool stores_bfloat16 = true;
  static bool available() {
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512bf16");
  }

  using Store = bfloat16;
  using Operand = bfloat16;
  using Weight = PackedWeight<BFloat16Dot>;
  using Gradient = TapeGradient<BFloat16Dot>;
  struct Session {};

  static void put(bfloat16* to, Floats value) { store(to, value); }
  static float round(float weight) { return BFloat16Emulated::round(weight); }
};

#else

using BFloat16Avx512 = NotCompiled;

#endif

}  // namespace
}  // namespace hippo
