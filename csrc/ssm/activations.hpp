// GELU and its derivative.
#pragma once
#include "simd/functions.hpp"

namespace hippo {
namespace {

// 1 - erf(x) for x >= 0, to an absolute error of 1.5e-7 (Abramowitz and Stegun 1964, equation 7.1.26).
inline Floats complementary_error(Floats x) {
  const Floats t = reciprocal(1.0f + 0.3275911f * x);
  Floats p = splat(1.061405429f);
  const float terms[] = {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f};
  for (const float term : terms) p = p * t + term;
  return p * t * exp(-x * x);
}

// The standard normal distribution function.
inline Floats normal_distribution(Floats x) {
  const float root_half = 0.70710678f;
  const Floats tail = 0.5f * complementary_error(root_half * (x < 0 ? -x : x));
  return x < 0 ? tail : 1.0f - tail;
}

inline Vector<float> gelu(Floats x) { return x * normal_distribution(x); }

inline Vector<float> gelu_derivative(Floats x) {
  const float scale = 0.39894228f;  // 1 / sqrt(2 pi)
  return normal_distribution(x) + x * (scale * exp(-0.5f * x * x));
}

// Only float32 has a vectorized form; the other type is computed by PyTorch.
inline Vector<double> gelu(Vector<double> x) { return x; }
inline Vector<double> gelu_derivative(Vector<double>) { return splat(1.0); }

}  // namespace
}  // namespace hippo
