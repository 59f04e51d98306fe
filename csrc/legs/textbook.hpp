// The LegS recurrence as it is published (Gu et al. 2020, section 3.3): the reference that the kernels are timed
// against. One input after the other, a multiplication by I + A / 2k and a triangular solve with I - A / 2k by running
// sums, both in one loop. It shares no code with the kernels, and is compiled for the same instruction set. Its square
// roots come from a table here, which only makes it faster.
#pragma once
#include "simd/array.hpp"
#include "simd/functions.hpp"

namespace hippo {
namespace {

template <typename T>
void textbook_legs_project(T* c, const T* inputs, double first, std::int64_t length, std::int64_t order) {
  AlignedArray<T> root(order);
  for (std::int64_t n = 0; n < order; ++n) root[n] = square_root(T(2 * n + 1));
  for (std::int64_t i = 0; i < length; ++i) {
    const T step_ratio = T(1 / (first + double(i))), input = inputs[i] * step_ratio;
    T multiplied = 0, solved = 0;  // the running sums of the product and of the solution
    for (std::int64_t n = 0; n < order; ++n) {
      const T old = c[n];
      const T right = old - step_ratio / 2 * (multiplied * root[n] + old * (n + 1)) + input * root[n];
      multiplied += old * root[n];
      c[n] = (right - step_ratio / 2 * solved * root[n]) / (1 + (n + 1) * step_ratio / 2);
      solved += c[n] * root[n];
    }
  }
}

}  // namespace
}  // namespace hippo
