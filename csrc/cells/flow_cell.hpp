// A hidden state that follows a differential equation between inputs, over a whole sequence, forward and backward, for
// some of the batch's rows. An explicit Runge-Kutta rule with fixed steps solves the equation. At an input, a GRU may
// change the state.
#pragma once
#include <cstdint>

#include "cells/gru_update.hpp"
#include "cells/interface.hpp"
#include "cells/vector_field.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

// In the place of an update that a cell does not have.
struct NoUpdate {
  NoUpdate(const FlowCellArguments&, const Rows&) {}
  void forward(std::int64_t, float*) {}
  void backward(std::int64_t, float*) {}
  void save_gradients(std::int64_t) const {}
};

template <bool condition, typename A, typename B>
struct Select {
  using type = A;
};
template <typename A, typename B>
struct Select<false, A, B> {
  using type = B;
};

template <typename Equations, typename Policy>
class FlowCell {
  using Update = typename Select<Equations::layout.has_update, GruUpdate<Policy>, NoUpdate>::type;

 public:
  FlowCell(const FlowCellArguments& args, const Rows& rows)
      : args_(args),
        begin_(rows.begin),
        slot_(rows.slot),
        rows_(rows.end - rows.begin),
        padded_(round_up(args.hidden_size, 32)),
        size_(padded_rows(rows_) * padded_),
        field_(args, rows),
        update_(args, rows),
        h_(size_),
        stage_(size_),
        increments_(args.stages * size_) {
    for (std::int64_t row = 0; row < rows_; ++row)
      copy(args.h + (begin_ + row) * args.hidden_size, args.hidden_size, &h_[row * padded_]);
  }

  void forward() {
    for (std::int64_t t = 0; t < args_.steps; ++t) {
      for (std::int64_t substep = 0; t && substep < args_.substeps; ++substep) solve(solver_step(t, substep));
      update_.forward(t, h_.data());
      for (std::int64_t row = 0; args_.hidden && row < rows_; ++row)
        copy(&h_[row * padded_], args_.hidden_size, args_.hidden + index(t, row));
    }
    save_state();
  }

  // Leaves the weights' gradients over its rows in this thread's slot of their arrays.
  void backward() {
    for (std::int64_t t = args_.steps - 1; t >= 0; --t) {
      for (std::int64_t row = 0; args_.grad_hidden && row < rows_; ++row) add_hidden_gradient(t, row);
      update_.backward(t, h_.data());
      for (std::int64_t substep = args_.substeps - 1; t && substep >= 0; --substep)
        solve_backward(solver_step(t, substep));
    }
    save_state();
    field_.save_gradients(slot_);
    update_.save_gradients(slot_);
  }

 private:
  // Number of a step of the solver in the sequence; the first lies before input 1.
  std::int64_t solver_step(std::int64_t t, std::int64_t substep) const { return (t - 1) * args_.substeps + substep; }

  std::int64_t index(std::int64_t t, std::int64_t row) const {
    return (t * args_.batch_size + begin_ + row) * args_.hidden_size;
  }

  float* increment(std::int64_t stage) const { return increments_.data() + stage * size_; }
  float coefficient(std::int64_t row, std::int64_t stage) const { return args_.tableau[row * args_.stages + stage]; }

  // out = scale * h + sum of coefficient(j) * increment(j) over stages from <= j < to.
  template <typename Coefficient>
  void combine(float scale, std::int64_t from, std::int64_t to, Coefficient coefficient, float* out) const {
    for (std::int64_t i = 0; i < rows_ * padded_; i += kLanes) store(out + i, scale * load(&h_[i]));
    for (std::int64_t j = from; j < to; ++j) {
      const float factor = coefficient(j);
      if (factor == 0) continue;
      for (std::int64_t i = 0; i < rows_ * padded_; i += kLanes)
        store(out + i, load(out + i) + factor * load(increment(j) + i));
    }
  }

  void solve(std::int64_t step) {
    for (std::int64_t stage = 0; stage < args_.stages; ++stage) {
      combine(1, 0, stage, [&](std::int64_t j) { return coefficient(stage, j); }, stage_.data());
      field_.forward(step * args_.stages + stage, stage_.data(), increment(stage));
    }
    combine(1, 0, args_.stages, [&](std::int64_t j) { return coefficient(args_.stages, j); }, h_.data());
  }

  // The array of increments holds the gradients of the stages' states.
  void solve_backward(std::int64_t step) {
    for (std::int64_t stage = args_.stages - 1; stage >= 0; --stage) {
      const auto column = [&](std::int64_t j) { return coefficient(j, stage); };
      combine(coefficient(args_.stages, stage), stage + 1, args_.stages, column, stage_.data());
      field_.backward(step * args_.stages + stage, stage, stage_.data(), increment(stage));
    }
    combine(1, 0, args_.stages, [](std::int64_t) { return 1.0f; }, h_.data());
    field_.add_weight_gradients();
  }

  void add_hidden_gradient(std::int64_t t, std::int64_t row) {
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const Floats grad = load_part(args_.grad_hidden + index(t, row) + i, args_.hidden_size - i);
      store(&h_[row * padded_ + i], load(&h_[row * padded_ + i]) + grad);
    }
  }

  void save_state() const {
    for (std::int64_t row = 0; row < rows_; ++row)
      copy(&h_[row * padded_], args_.hidden_size, args_.h + (begin_ + row) * args_.hidden_size);
  }

  const FlowCellArguments& args_;
  const std::int64_t begin_, slot_, rows_, padded_, size_;
  VectorField<Equations, Policy> field_;
  Update update_;
  AlignedArray<float> h_;      // states, or in the backward pass their gradients
  AlignedArray<float> stage_;  // the state of a stage, or the gradient of its increment
  AlignedArray<float> increments_;
};

}  // namespace
}  // namespace hippo
