// The coefficients of one LegS step, which every form of it uses: the batched step, the projection, the cells' memory.
//
// A step of ratio s under the rule alpha solves (I - alpha s A) c' = (I + (1 - alpha) s A) c + s B f. A is lower
// triangular plus a diagonal, so both sides are running sums (Gu et al. 2020, section 3.3). With
//   r_n = s / (1 + alpha s (n+1)),   q_n = sqrt(2n+1),   S_n = sum_{k<n} q_k (alpha c'_k + (1 - alpha) c_k) - f
// the step is, for n = 0 ... N-1,
//   c'_n    = c_n - (decay_n c_n + sum_to_state_n S_n)
//   S_{n+1} = sum_to_sum_n S_n + state_to_sum_n c_n.
// The adjoint is the same recurrence from the last index to the first, with sum_to_state and state_to_sum exchanged and
// negated. The projection (projection.hpp) works on c_n / q_n, where r_n alone remains.
#pragma once
#include "simd/functions.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

// Of one index: numbers, or vectors where every memory has its own step ratio.
template <typename N>
struct LegsCoefficients {
  N decay, sum_to_state, sum_to_sum, state_to_sum;
};

// r_n for index = n + 1.
template <typename T>
HIPPO_INLINE T scaled_ratio(T step_ratio, T index, T alpha) {
  return step_ratio / (1 + alpha * step_ratio * index);
}

template <typename T, typename Index>
HIPPO_INLINE Vector<T> scaled_ratios(Vector<T> step_ratio, Index index, T alpha) {
  return step_ratio * reciprocal(1 + alpha * step_ratio * index);
}

// For index = n + 1, root = sqrt(2n + 1), and r = r_n, a number or a vector.
template <typename N, typename T>
HIPPO_INLINE LegsCoefficients<N> legs_coefficients(N r, T index, T root, T alpha) {
  return {
      .decay = index * r,
      .sum_to_state = root * r,
      .sum_to_sum = 1 - alpha * (2 * index - 1) * r,
      .state_to_sum = root * (1 - alpha * index * r),
  };
}

// One index of the step, or of its adjoint: the coefficient c, and the running sum.
template <bool Adjoint, typename N, typename S>
HIPPO_INLINE void legs_element(const LegsCoefficients<N>& k, S& c, S& sum) {
  const S old = c;
  c = old - (k.decay * old + (Adjoint ? -k.state_to_sum : k.sum_to_state) * sum);
  sum = k.sum_to_sum * sum + (Adjoint ? -k.sum_to_state : k.state_to_sum) * old;
}

}  // namespace
}  // namespace hippo
