// A time-invariant memory of a cell's rows: one step forward, and its adjoint.
#pragma once
#include <cstdint>

#include "cells/memory_rows.hpp"
#include "products/packed_weight.hpp"

namespace hippo {
namespace {

// m' = m Abar^T + u Bbar, one product for all rows and channels. In float under every policy, because m is a state.
struct DenseMemory {
  template <typename Policy>
  class Of {
   public:
    explicit Of(MemoryRows<Policy>& rows)
        : rows_(rows),
          args_(rows.args),
          size_(round_up(args_.order, 32)),
          count_(rows.count * args_.channels),
          transition_(size_, size_),
          input_(size_),
          u_memory_(args_.u_memory ? args_.channels * args_.channels * size_ : 0),
          m_(padded_rows(count_) * size_),
          product_(padded_rows(count_) * size_) {
      for (std::int64_t n = 0; n < args_.order; ++n)
        for (std::int64_t k = 0; k < args_.order; ++k)
          args_.backward ? transition_.set(k, n, args_.transition[n * args_.order + k])
                         : transition_.set(n, k, args_.transition[n * args_.order + k]);
      copy(args_.input, args_.order, input_.data());
      for (std::int64_t i = 0; args_.u_memory && i < args_.channels * args_.channels; ++i)
        copy(args_.u_memory + i * args_.order, args_.order, &u_memory_[i * size_]);
      each([&](float* own, float* outer) { copy(outer, args_.order, own); });
    }

    void save() {
      each([&](float* own, float* outer) { copy(own, args_.order, outer); });
    }

    // Step t of every channel: the new memory is written as the operand of the product and onto the tape.
    void forward(std::int64_t t) {
      if (args_.u_memory)
        each_pair([&](std::int64_t row, std::int64_t c, const float* state, const float* weight) {
          Floats total = {};
          for (std::int64_t n = 0; n < size_; n += kLanes) total += load(state + n) * load(weight + n);
          rows_.u(t, row, c) += sum(total);
        });
      transition_.multiply(m_.data(), count_, product_.data());
      for (std::int64_t row = 0; row < rows_.count; ++row)
        for (std::int64_t c = 0; c < args_.channels; ++c) {
          const std::int64_t at = (row * args_.channels + c) * size_;
          const float u = rows_.u(t, row, c);
          for (std::int64_t n = 0; n < rows_.order; n += kLanes) {
            const Floats value = load(&product_[at + n]) + u * load(&input_[n]);
            store(&m_[at + n], value);
            rows_.write_memory(t, row, c, n, value);
          }
        }
    }

    // The adjoint of `forward`: adds the product's gradient to the memory's, and writes that of u onto the tape. Values
    // past the order are multiplied by zeros of Abar and Bbar.
    void backward(std::int64_t t) {
      for (std::int64_t row = 0; row < rows_.count; ++row)
        for (std::int64_t c = 0; c < args_.channels; ++c) {
          const std::int64_t at = (row * args_.channels + c) * size_;
          Floats grad_u = {};
          for (std::int64_t n = 0; n < rows_.order; n += kLanes) {
            const Floats grad = load(&product_[at + n]) + rows_.memory_gradient(row, c, n);
            store(&m_[at + n], grad);
            grad_u += grad * load(&input_[n]);
          }
          rows_.u(t, row, c) = sum(grad_u);
        }
      transition_.multiply(m_.data(), count_, product_.data());
      if (args_.u_memory)
        each_pair([&](std::int64_t row, std::int64_t c, float* state, const float* weight) {
          const float grad_u = rows_.u(t, row, c);
          for (std::int64_t n = 0; n < size_; n += kLanes)
            store(state + n, load(state + n) + grad_u * load(weight + n));
        });
    }

   private:
    // The state before the step that comes next, or in the backward pass the gradient of the state after it.
    float* state(std::int64_t row, std::int64_t c) {
      return &(args_.backward ? product_ : m_)[(row * args_.channels + c) * size_];
    }

    template <typename Visit>
    void each(Visit visit) {
      for (std::int64_t row = 0; row < rows_.count; ++row)
        for (std::int64_t c = 0; c < args_.channels; ++c)
          visit(state(row, c), args_.m + ((rows_.begin + row) * args_.channels + c) * args_.order);
    }

    // Every u with every channel that it reads.
    template <typename Visit>
    void each_pair(Visit visit) {
      for (std::int64_t row = 0; row < rows_.count; ++row)
        for (std::int64_t c = 0; c < args_.channels; ++c)
          for (std::int64_t from = 0; from < args_.channels; ++from)
            visit(row, c, state(row, from), &u_memory_[(c * args_.channels + from) * size_]);
    }

    MemoryRows<Policy>& rows_;
    const MemoryCellArguments& args_;
    const std::int64_t size_, count_;  // the order, padded; memories
    PackedWeight<FloatDot> transition_;
    AlignedArray<float> input_, u_memory_, m_, product_;
  };
};

}  // namespace
}  // namespace hippo
