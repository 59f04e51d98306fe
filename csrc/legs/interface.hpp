// Arguments of the LegS kernels.
#pragma once
#include <cstdint>

namespace hippo {

// A step of a batch of memories, or its adjoint. Rows are contiguous.
template <typename T>
struct LegsStepArguments {
  T* state;              // (batch, order): the memories; for the adjoint, the gradient. Updated in place.
  T* inputs;             // (batch,): read by the step, written by the adjoint
  const T* step_ratios;  // (batch,) if `per_memory`, otherwise (1,)
  bool per_memory;
  std::int64_t batch, order;
  T alpha;
};

// A long signal through one memory, with the coefficients copied out after every `stride` inputs (0: never).
template <typename T>
struct LegsProjectArguments {
  T* state;              // (order,): the memory, updated in place
  const T* inputs;       // (length,)
  const T* step_ratios;  // (length,), or null for the uniform signal, whose input k >= 1 has step ratio 1/k
  double first;          // number k of the first input; input 0 fills the memory with its value
  std::int64_t length, order;
  T alpha;
  std::int64_t stride;
  T* snapshots;       // ((seen % stride + length) / stride, order)
  std::int64_t seen;  // inputs before these that count for the stride
};

}  // namespace hippo
