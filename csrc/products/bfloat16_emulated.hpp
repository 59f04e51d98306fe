// The policy emulated: operands and weights rounded to bfloat16 and multiplied in float. Its numbers are those of a
// bfloat16 unit up to the order of the sums; it is no faster than float32, and never chosen unless asked for.
#pragma once
#include "products/packed_weight.hpp"
#include "products/tape_gradient.hpp"

namespace hippo {
namespace {

struct EmulatedDot : PairDot {
  static HIPPO_INLINE Floats add(Floats sum, Words a, Words b) {
    sum += (Floats)(a & 0xffff0000) * (Floats)(b & 0xffff0000);
    return sum + (Floats)(a << 16) * (Floats)(b << 16);
  }
};

struct BFloat16Emulated {
  static constexpr const char* name = "emulated";
  static constexpr bool stores_bfloat16 = true;
  static bool available() { return true; }

  using Store = bfloat16;
  using Operand = float;
  using Weight = PackedWeight<FloatDot>;
  using Gradient = TapeGradient<EmulatedDot>;
  struct Session {};

  static Floats rounded(Floats value) {
    bfloat16 halves[kLanes];
    store(halves, value);
    return load(halves);
  }
  static void put(float* to, Floats value) { store(to, rounded(value)); }
  static float round(float weight) { return rounded(splat(weight))[0]; }
};

}  // namespace
}  // namespace hippo
