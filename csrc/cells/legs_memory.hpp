// The LegS memory of a cell's rows: one step forward, and its adjoint.
#pragma once
#include <cstdint>

#include "cells/memory_rows.hpp"
#include "legs/coefficients.hpp"
#include "simd/functions.hpp"

namespace hippo {
namespace {

// The memory is stored transposed, [order][row]: a LegS step is a running sum over the order, for all rows at once.
struct LegsMemory {
  template <typename Policy>
  class Of {
    using Coefficients = LegsCoefficients<Floats>;

   public:
    explicit Of(MemoryRows<Policy>& rows)
        : rows_(rows),
          args_(rows.args),
          count_(rows.count),
          order_(rows.order),
          stride_(round_up(count_, kLanes)),
          m_(args_.channels * order_ * stride_),
          coefficients_(4 * order_),
          roots_(order_) {
      for (std::int64_t n = 0; n < order_; ++n) roots_[n] = square_root(float(2 * n + 1));
      each([&](float& own, float& outer) { own = outer; });
    }

    void save() {
      each([&](float& own, float& outer) { outer = own; });
    }

    // Step t of every channel: the new memory is written as the operand of the product and onto the tape.
    void forward(std::int64_t t) {
      for (std::int64_t c = 0; c < args_.channels; ++c) forward(t, c);
    }

    // The adjoint of `forward`: adds the product's gradient to the memory's, and writes that of u onto the tape.
    void backward(std::int64_t t) {
      for (std::int64_t c = 0; c < args_.channels; ++c) backward(t, c);
    }

   private:
    template <typename Visit>
    void each(Visit visit) {
      for (std::int64_t row = 0; row < count_; ++row)
        for (std::int64_t c = 0; c < args_.channels; ++c)
          for (std::int64_t n = 0; n < args_.order; ++n)
            visit(m_[(c * order_ + n) * stride_ + row],
                  args_.m[((rows_.begin + row) * args_.channels + c) * args_.order + n]);
    }

    // Step ratios of a vector of rows; the same for all rows unless there are timestamps.
    Floats step_ratio(std::int64_t t, std::int64_t row) const {
      if (!args_.step_ratios) return splat(1.0f / float(larger(1, args_.first_step + t)));
      Floats values = {};
      for (std::int64_t i = 0; i < smaller(kLanes, count_ - row); ++i)
        values[i] = args_.step_ratios[(rows_.begin + row + i) * args_.step_ratio_stride + args_.first_step + t];
      return values;
    }

    // Past the order, a step that changes nothing.
    Coefficients compute_coefficients(std::int64_t n, Floats step_ratio) const {
      if (n >= args_.order)
        return {.decay = Floats{}, .sum_to_state = Floats{}, .sum_to_sum = splat(1.0f), .state_to_sum = Floats{}};
      const float index = float(n + 1);
      return legs_coefficients(scaled_ratios<float>(step_ratio, index, args_.alpha), index, roots_[n], args_.alpha);
    }

    // Without timestamps the coefficients are the same for all rows, and computed once per step.
    void set_coefficients(std::int64_t t) {
      if (args_.step_ratios) return;
      const Floats common = step_ratio(t, 0);
      for (std::int64_t n = 0; n < order_; ++n) {
        const Coefficients k = compute_coefficients(n, common);
        float* to = &coefficients_[4 * n];
        to[0] = k.decay[0], to[1] = k.sum_to_state[0], to[2] = k.sum_to_sum[0], to[3] = k.state_to_sum[0];
      }
    }

    Coefficients coefficients(std::int64_t n, Floats step_ratio) const {
      if (args_.step_ratios) return compute_coefficients(n, step_ratio);
      const float* from = &coefficients_[4 * n];
      return {splat(from[0]), splat(from[1]), splat(from[2]), splat(from[3])};
    }

    void forward(std::int64_t t, std::int64_t c) {
      const bool first = args_.first_step + t == 0;  // the first input fills the memory: [u, 0, ..., 0]
      set_coefficients(t);
      for (std::int64_t row = 0; row < count_; row += kLanes) {
        Floats u = {};
        for (std::int64_t i = 0; i < smaller(kLanes, count_ - row); ++i) u[i] = rows_.u(t, row + i, c);
        const Floats ratio = step_ratio(t, row);
        Floats sum = -u;
        for (std::int64_t n = 0; n < order_; n += kLanes) {
          Floats square[kLanes];
          for (int i = 0; i < kLanes; ++i) {
            float* memory = &m_[(c * order_ + n + i) * stride_ + row];
            if (first) {
              square[i] = n + i == 0 ? u : Floats{};
            } else {
              square[i] = load(memory);
              legs_element<false>(coefficients(n + i, ratio), square[i], sum);
            }
            store(memory, square[i]);
          }
          transpose<float>(square);
          for (std::int64_t i = 0; i < smaller(kLanes, count_ - row); ++i)
            rows_.write_memory(t, row + i, c, n, square[i]);
        }
      }
    }

    void backward(std::int64_t t, std::int64_t c) {
      const bool first = args_.first_step + t == 0;
      set_coefficients(t);
      for (std::int64_t row = 0; row < count_; row += kLanes) {
        const Floats ratio = step_ratio(t, row);
        Floats sum = {}, grad_u = {};
        for (std::int64_t n = order_ - kLanes; n >= 0; n -= kLanes) {
          Floats square[kLanes];
          for (int i = 0; i < kLanes; ++i)
            square[i] = row + i < count_ ? rows_.memory_gradient(row + i, c, n) : Floats{};
          transpose<float>(square);
          for (int i = kLanes - 1; i >= 0; --i) {
            float* memory = &m_[(c * order_ + n + i) * stride_ + row];
            Floats grad = n + i < args_.order ? load(memory) + square[i] : Floats{};
            if (first) {
              grad_u = grad;  // the last one assigned is that of coefficient 0
              store(memory, Floats{});
              continue;
            }
            legs_element<true>(coefficients(n + i, ratio), grad, sum);
            store(memory, grad);
          }
        }
        if (!first) grad_u = -sum;
        for (std::int64_t i = 0; i < smaller(kLanes, count_ - row); ++i) rows_.u(t, row + i, c) = grad_u[i];
      }
    }

    MemoryRows<Policy>& rows_;
    const MemoryCellArguments& args_;
    const std::int64_t count_, order_, stride_;     // stride: rows, padded to whole vectors
    AlignedArray<float> m_, coefficients_, roots_;  // m: the memory, or in the backward pass its gradient
  };
};

}  // namespace
}  // namespace hippo
