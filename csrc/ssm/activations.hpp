// GELU and GLU, forward and backward, in one pass over memory each.
#pragma once
#include "cells/interface.hpp"
#include "simd/functions.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

// 1 - erf(x) for x >= 0, to an absolute error of 1.5e-7 exp(-x^2) (Abramowitz and Stegun 1964, equation 7.1.26).
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

// outputs = values sigmoid(gates), of rows (values, gates) = inputs + bias. Backward: the gradient of the inputs from
// that of the outputs, and its sum over the rows.
inline void glu(const GluArguments& args, const Rows& rows) {
  const std::int64_t features = args.features;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const float* const values = args.inputs + row * 2 * features;
    const float* const gates = values + features;
    for (std::int64_t h = 0; h < features; h += kLanes) {
      const std::int64_t count = smaller(kLanes, features - h), at = row * features + h;
      const auto read = [&](const float* from) HIPPO_INLINE_LAMBDA { return load_lanes<float>(from + h, count); };
      const auto add = [&](float* to, Floats value)
                           HIPPO_INLINE_LAMBDA { store_lanes<float>(to + h, read(to) + value, count); };
      const Floats value = read(values) + read(args.bias);
      const Floats open = sigmoid(read(gates) + read(args.bias + features));
      if (args.outputs) store_lanes<float>(args.outputs + at, value * open, count);
      if (args.grad_inputs) {
        const Floats grad = load_lanes<float>(args.grad_outputs + at, count);
        const Floats grad_value = grad * open, grad_gate = grad_value * value * (1.0f - open);
        float* const to = args.grad_inputs + row * 2 * features;
        store_lanes<float>(to + h, grad_value, count);
        store_lanes<float>(to + features + h, grad_gate, count);
        float* const sums = args.grad_bias + rows.slot * 2 * features;
        add(sums, grad_value);
        add(sums + features, grad_gate);
      }
    }
  }
}

}  // namespace
}  // namespace hippo
