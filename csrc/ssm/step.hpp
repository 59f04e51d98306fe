// One step of a whole layer for a few samples: recurrence, GELU, linear map, GLU. It reads every weight once.
#pragma once
#include "finite.hpp"
#include "ssm/activations.hpp"
#include "ssm/scan.hpp"

namespace hippo {
namespace {

// to (outputs) = weight (outputs, inputs) from (inputs), four rows of the weight at once.
inline void multiply_vector(const float* weight, const float* from, float* to, std::int64_t outputs,
                            std::int64_t inputs) {
  constexpr int rows = 4;
  for (std::int64_t row = 0; row < outputs; row += rows) {
    const std::int64_t last = outputs - 1 - row;
    const float* begin[rows];
    for (int i = 0; i < rows; ++i) begin[i] = weight + (row + smaller(i, last)) * inputs;
    Floats sums[rows] = {};
    for_each_vector<float>(inputs, [&](std::int64_t k, std::int64_t count) HIPPO_INLINE_LAMBDA {
      const Floats values = load_lanes<float>(from + k, count);
      unroll<rows>([&](auto i) HIPPO_INLINE_LAMBDA { sums[i] += values * load_lanes<float>(begin[i] + k, count); });
    });
    for (std::int64_t i = 0; i <= smaller(rows - 1, last); ++i) to[row + i] = sum_of_lanes<float>(sums[i]);
  }
}

// Returns false, and writes nothing, if an input is NaN or infinite.
inline bool ssm_step(const SsmScanArguments<float>& args, const SsmOutputArguments& output) {
  const std::int64_t features = args.features;
  if (first_nonfinite(args.inputs, args.batch * features) >= 0) return false;
  ssm_scan(args, Rows{.begin = 0, .end = args.batch * features, .slot = 0});
  for (std::int64_t i = 0; output.has_activation && i < args.batch * features; i += kLanes) {
    const std::int64_t count = smaller(kLanes, args.batch * features - i);
    store_lanes<float>(args.outputs + i, gelu(load_lanes<float>(args.outputs + i, count)), count);
  }
  if (!output.weight) return true;
  AlignedArray<float> mapped(2 * features, Fill::nothing);
  for (std::int64_t sample = 0; sample < args.batch; ++sample) {
    float* const outputs = args.outputs + sample * features;
    multiply_vector(output.weight, outputs, mapped.data(), 2 * features, features);
    for (std::int64_t h = 0; h < features; h += kLanes) {
      const std::int64_t count = smaller(kLanes, features - h);
      const auto biased = [&](std::int64_t at) HIPPO_INLINE_LAMBDA {
        return load_lanes<float>(mapped.data() + at, count) + load_lanes<float>(output.bias + at, count);
      };
      store_lanes<float>(outputs + h, biased(h) * sigmoid(biased(features + h)), count);
    }
  }
  return true;
}

}  // namespace
}  // namespace hippo
