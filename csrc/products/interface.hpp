// The gradient of a weight from the tape of all steps, as a kernel of its own.
#pragma once
#include <cstdint>

namespace hippo {

// out (left_columns, right_columns) = left^T right. The arrays (rows, columns) have the type of the policy's tape and
// rows that are `step` entries apart; sums and `out` are float.
struct WeightGradientArguments {
  const void* left;
  const void* right;
  float* out;
  std::int64_t left_step, right_step, rows, left_columns, right_columns;
  int policy;  // position in ProductPolicies
};

// Computes the rows [begin, end) of `out`.
using WeightGradientFunction = void (*)(const WeightGradientArguments&, std::int64_t begin, std::int64_t end);

}  // namespace hippo
