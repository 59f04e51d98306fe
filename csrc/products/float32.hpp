// The policy float32: products, operands and tape in float.
#pragma once
#include "products/packed_weight.hpp"
#include "products/tape_gradient.hpp"

namespace hippo {
namespace {

struct Float32 {
  static constexpr const char* name = "float32";
  static constexpr bool stores_bfloat16 = false;
  static bool available() { return true; }

  using Store = float;
  using Operand = float;
  using Weight = PackedWeight<FloatDot>;
  using Gradient = TapeGradient<FloatDot>;
  struct Session {};

  static void put(float* to, Floats value) { store(to, value); }
  static float round(float weight) { return weight; }
};

}  // namespace
}  // namespace hippo
