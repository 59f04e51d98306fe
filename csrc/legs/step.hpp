// One LegS step of a batch of memories in O(N) by a running sum, and its adjoint (coefficients.hpp has the equations).
//
// Lanes hold memories: tiles of as many rows and columns as there are lanes are transposed in registers.
#pragma once
#include "legs/coefficients.hpp"
#include "legs/interface.hpp"
#include "simd/array.hpp"
#include "simd/functions.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

template <typename T>
class LegsStep {
  static constexpr int lanes = Lanes<T>::count;
  using V = Vector<T>;

 public:
  explicit LegsStep(const LegsStepArguments<T>& args)
      : args_(args),
        tables_(7 * args.order, Fill::nothing),
        index_(tables_.data()),
        root_(index_ + args.order),
        decay_(root_ + args.order),
        sum_to_state_(decay_ + args.order),
        sum_to_sum_(sum_to_state_ + args.order),
        state_to_sum_(sum_to_sum_ + args.order),
        unused_row_(state_to_sum_ + args.order) {
    for (std::int64_t n = 0; n < args.order; ++n) unused_row_[n] = 0;
    for (int n = 0; n < int(args.order); ++n) {
      index_[n] = T(n + 1);
      root_[n] = square_root(2 * index_[n] - 1);
    }
    if (!args.per_memory) set_coefficients(args.step_ratios[0]);
  }

  template <bool Adjoint>
  void run() {
    std::int64_t row = 0;
    // A tile takes as long as about two rows on their own, however few of its lanes are used.
    for (; row + 2 < args_.batch; row += lanes) tile<Adjoint>(row);
    for (; row < args_.batch; ++row) single<Adjoint>(row);
  }

 private:
  void set_coefficients(T step_ratio) {
    const T alpha = args_.alpha;
#pragma GCC ivdep
    for (std::int64_t n = 0; n < args_.order; ++n) {
      const T index = index_[n];
      const auto k = legs_coefficients(scaled_ratio(step_ratio, index, alpha), index, root_[n], alpha);
      decay_[n] = k.decay;
      sum_to_state_[n] = k.sum_to_state;
      sum_to_sum_[n] = k.sum_to_sum;
      state_to_sum_[n] = k.state_to_sum;
    }
  }

  // Coefficients that all memories have in common.
  HIPPO_INLINE LegsCoefficients<T> common(std::int64_t n) const {
    return {decay_[n], sum_to_state_[n], sum_to_sum_[n], state_to_sum_[n]};
  }

  // Coefficients of memories that have a step ratio each.
  HIPPO_INLINE LegsCoefficients<V> per_memory(std::int64_t n, V step_ratio) const {
    return legs_coefficients(scaled_ratios<T>(step_ratio, index_[n], args_.alpha), index_[n], root_[n], args_.alpha);
  }

  template <bool Adjoint>
  void single(std::int64_t row) {
    if (args_.per_memory) set_coefficients(args_.step_ratios[row]);
    T* c = args_.state + row * args_.order;
    T sum = Adjoint ? 0 : -args_.inputs[row];
    for (std::int64_t i = 0; i < args_.order; ++i) {
      const std::int64_t n = Adjoint ? args_.order - 1 - i : i;
      legs_element<Adjoint>(common(n), c[n], sum);
    }
    if (Adjoint) args_.inputs[row] = -sum;
  }

  template <bool Adjoint>
  void tile(std::int64_t row) {
    const int rows = int(smaller(args_.batch - row, lanes));
    T *memory[lanes], inputs[lanes] = {}, ratios[lanes] = {};
    for (int lane = 0; lane < lanes; ++lane) {
      const bool used = lane < rows;
      memory[lane] = used ? args_.state + (row + lane) * args_.order : unused_row_;
      if (used && !Adjoint) inputs[lane] = args_.inputs[row + lane];
      if (used && args_.per_memory) ratios[lane] = args_.step_ratios[row + lane];
    }
    V sum = -load<T>(inputs);
    const V step_ratio = load<T>(ratios);
    const std::int64_t whole = args_.order / lanes * lanes;
    if (!Adjoint) squares<Adjoint>(memory, whole, sum, step_ratio);
    last_columns<Adjoint>(memory, whole, sum, step_ratio);
    if (Adjoint) squares<Adjoint>(memory, whole, sum, step_ratio);
    if (Adjoint)
      for (int lane = 0; lane < rows; ++lane) args_.inputs[row + lane] = -sum[lane];
  }

  // Whole squares of columns [0, end), transposed so that a vector holds one index of all memories.
  template <bool Adjoint>
  HIPPO_INLINE void squares(T* const* memory, std::int64_t end, V& sum, V step_ratio) {
    const bool per_memory_ratios = args_.per_memory;
    for (std::int64_t i = 0; i < end; i += lanes) {
      const std::int64_t column = Adjoint ? end - lanes - i : i;
      V square[lanes];
      unroll<lanes>([&](auto lane) HIPPO_INLINE_LAMBDA { square[lane] = load<T>(memory[lane] + column); });
      transpose<T>(square);
      if (per_memory_ratios)
        unroll<lanes>([&](auto turn) HIPPO_INLINE_LAMBDA {
          constexpr int j = Adjoint ? lanes - 1 - turn : turn;
          legs_element<Adjoint>(per_memory(column + j, step_ratio), square[j], sum);
        });
      else
        unroll<lanes>([&](auto turn) HIPPO_INLINE_LAMBDA {
          constexpr int j = Adjoint ? lanes - 1 - turn : turn;
          legs_element<Adjoint>(common(column + j), square[j], sum);
        });
      transpose<T>(square);
      unroll<lanes>([&](auto lane) HIPPO_INLINE_LAMBDA { store<T>(memory[lane] + column, square[lane]); });
    }
  }

  // The columns from `begin` on, which fill no square, one by one.
  template <bool Adjoint>
  void last_columns(T* const* memory, std::int64_t begin, V& sum, V step_ratio) {
    for (std::int64_t i = begin; i < args_.order; ++i) {
      const std::int64_t n = Adjoint ? begin + args_.order - 1 - i : i;
      V column = {};
      for (int lane = 0; lane < lanes; ++lane) column[lane] = memory[lane][n];
      if (args_.per_memory)
        legs_element<Adjoint>(per_memory(n, step_ratio), column, sum);
      else
        legs_element<Adjoint>(common(n), column, sum);
      for (int lane = 0; lane < lanes; ++lane) memory[lane][n] = column[lane];
    }
  }

  const LegsStepArguments<T>& args_;
  AlignedArray<T> tables_;
  T *const index_, *const root_, *const decay_, *const sum_to_state_, *const sum_to_sum_, *const state_to_sum_;
  T* const unused_row_;  // of lanes without a memory
};

template <typename T>
void legs_step(const LegsStepArguments<T>& args) {
  LegsStep<T>(args).template run<false>();
}

template <typename T>
void legs_step_adjoint(const LegsStepArguments<T>& args) {
  LegsStep<T>(args).template run<true>();
}

}  // namespace
}  // namespace hippo
