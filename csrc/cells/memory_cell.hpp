// A cell with a memory over a chunk of steps, forward and backward, for some of the batch's rows.
//
// HiPPO paper, section 3: u = U_in x + U_rec h;  m' = memory(m, u);  z = W_in x + W_rec m';
//   h' = h + sigmoid(z_g) (tanh(z_c) - h), or h' = tanh(z) where there is no gate.
// LMU: the same without a gate; u also reads the memory (+ U_mem m), and z the hidden state (W_rec [h, m']).
//
// Samples are independent of each other, so each thread takes its rows through all steps and none waits for another.
#pragma once
#include <cstdint>

#include "cells/dense_memory.hpp"
#include "cells/legs_memory.hpp"
#include "cells/memory_rows.hpp"
#include "simd/functions.hpp"

namespace hippo {
namespace {

template <typename Memory, typename Policy>
class MemoryCell {
  using Store = typename Policy::Store;
  using Weight = typename Policy::Weight;

 public:
  MemoryCell(const MemoryCellArguments& args, const Rows& rows)
      : args_(args),
        slot_(rows.slot),
        padded_(round_up(args.hidden_size, kLanes)),
        width_(round_up(args.gated ? 2 * padded_ : padded_, 32)),
        rows_(args, rows, width_),
        depth_(rows_.depth),
        memory_(rows_),
        h_(rows_.count * padded_),
        z_(padded_rows(rows_.count) * width_),
        w_in_(args.input_size * width_),
        u_rec_(args.channels * padded_),
        grad_w_in_(args.input_size * width_),
        grad_u_in_(args.channels * args.input_size),
        grad_u_rec_(args.channels * padded_) {
    for (std::int64_t row = 0; row < rows_.count; ++row)
      copy(args.h + (rows_.begin + row) * args.hidden_size, args.hidden_size, &h_[row * padded_]);
    for (std::int64_t i = 0; i < args.input_size; ++i)
      for (std::int64_t g = 0; g < args.z_size(); ++g)
        w_in_[i * width_ + z_column(g)] = args.w_in[g * args.input_size + i];
    for (std::int64_t c = 0; c < args.channels; ++c)
      copy(args.u_rec + c * args.hidden_size, args.hidden_size, &u_rec_[c * padded_]);
  }

  void forward() {
    Weight weight(width_, depth_);
    for (std::int64_t g = 0; g < args_.z_size(); ++g)
      for (std::int64_t k = 0; k < args_.operand_size(); ++k)
        weight.set(z_column(g), rows_.operand_column(k), Policy::round(args_.w_rec[g * args_.operand_size() + k]));
    for (std::int64_t t = 0; t < args_.steps; ++t) {
      for (std::int64_t row = 0; row < rows_.count; ++row) read_hidden(t, row);
      memory_.forward(t);
      weight.multiply(rows_.operand.data(), rows_.count, z_.data());
      for (std::int64_t row = 0; row < rows_.count; ++row) activate(t, row);
    }
    save_state();
  }

  // Leaves the small weights' gradients over its rows in this thread's slot of their arrays.
  void backward() {
    Weight weight(depth_, width_);
    for (std::int64_t g = 0; g < args_.z_size(); ++g)
      for (std::int64_t k = 0; k < args_.operand_size(); ++k)
        weight.set(rows_.operand_column(k), z_column(g), Policy::round(args_.w_rec[g * args_.operand_size() + k]));
    const std::int64_t inputs = args_.channels * args_.input_size;
    AlignedArray<float> total_w_in(args_.input_size * width_), total_u_in(inputs),
        total_u_rec(args_.channels * padded_);
    for (std::int64_t t = args_.steps - 1; t >= 0; --t) {
      for (std::int64_t row = 0; row < rows_.count; ++row) activate_backward(t, row);
      weight.multiply(rows_.operand.data(), rows_.count, rows_.grad_operand.data());
      memory_.backward(t);
      for (std::int64_t row = 0; row < rows_.count; ++row) read_hidden_backward(t, row);
      // The sums of one step are added to those of all steps: two short sums round less than a long one.
      add_and_clear(grad_w_in_, total_w_in, args_.input_size * width_);
      add_and_clear(grad_u_in_, total_u_in, inputs);
      add_and_clear(grad_u_rec_, total_u_rec, args_.channels * padded_);
    }
    save_state();
    float* out = args_.grad_w_in + slot_ * args_.z_size() * args_.input_size;
    for (std::int64_t g = 0; g < args_.z_size(); ++g)
      for (std::int64_t i = 0; i < args_.input_size; ++i)
        out[g * args_.input_size + i] = total_w_in[i * width_ + z_column(g)];
    copy(total_u_in.data(), inputs, args_.grad_u_in + slot_ * inputs);
    for (std::int64_t c = 0; c < args_.channels; ++c)
      copy(&total_u_rec[c * padded_], args_.hidden_size,
           args_.grad_u_rec + (slot_ * args_.channels + c) * args_.hidden_size);
  }

 private:
  static void add_and_clear(AlignedArray<float>& step, AlignedArray<float>& total, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) {
      total[i] += step[i];
      step[i] = 0;
    }
  }

  void add(float* sum, Floats value) const { store(sum, load(sum) + value); }

  // The padded column of z's column g: candidate and gate each start on a vector of their own.
  std::int64_t z_column(std::int64_t g) const { return g < args_.hidden_size ? g : padded_ + g - args_.hidden_size; }

  // The hidden state before step t.
  const Store* previous_hidden(std::int64_t t, std::int64_t row) const {
    return args_.reads_hidden ? rows_.tape(args_.operand, t, row, args_.operand_size())
                              : rows_.tape(args_.hidden, t, row, args_.hidden_size);
  }

  void save_state() {
    for (std::int64_t row = 0; row < rows_.count; ++row)
      copy(&h_[row * padded_], args_.hidden_size, args_.h + (rows_.begin + row) * args_.hidden_size);
    memory_.save();
  }

  // Adds U_rec h to u, which holds U_in x; the hidden state becomes part of the operand if the cell reads it.
  void read_hidden(std::int64_t t, std::int64_t row) {
    for (std::int64_t c = 0; c < args_.channels; ++c) {
      Floats total = {};
      for (std::int64_t i = 0; i < padded_; i += kLanes)
        total += load(&h_[row * padded_ + i]) * load(&u_rec_[c * padded_ + i]);
      rows_.u(t, row, c) += sum(total);
    }
    Store* tape = rows_.tape(args_.operand, t, row, args_.operand_size());
    for (std::int64_t i = 0; i < rows_.hidden_columns; i += kLanes) {
      Policy::put(&rows_.operand[row * depth_ + i], load(&h_[row * padded_ + i]));
      store_part(tape + i, load(&h_[row * padded_ + i]), args_.hidden_size - i);
    }
  }

  // The adjoint of `read_hidden`: u depends on x and on h, and so does z if it reads h.
  void read_hidden_backward(std::int64_t t, std::int64_t row) {
    const float* x = args_.x + rows_.index(t, row, args_.input_size);
    const Store* before = previous_hidden(t, row);
    for (std::int64_t i = 0; i < rows_.hidden_columns; i += kLanes)
      add(&h_[row * padded_ + i], load(&rows_.grad_operand[row * depth_ + i]));
    for (std::int64_t c = 0; c < args_.channels; ++c) {
      const float grad = rows_.u(t, row, c);
      for (std::int64_t i = 0; i < args_.input_size; ++i) grad_u_in_[c * args_.input_size + i] += grad * x[i];
      for (std::int64_t i = 0; i < padded_; i += kLanes) {
        add(&h_[row * padded_ + i], grad * load(&u_rec_[c * padded_ + i]));
        add(&grad_u_rec_[c * padded_ + i], grad * load_part(before + i, args_.hidden_size - i));
      }
    }
  }

  // Pre-activations of a vector of columns of z of one row: the product, and the input's part.
  Floats pre_activation(const float* x, std::int64_t row, std::int64_t column) const {
    Floats total = load(&z_[row * width_ + column]);
    for (std::int64_t i = 0; i < args_.input_size; ++i) total += x[i] * load(&w_in_[i * width_ + column]);
    return total;
  }

  // Candidate, gate and the new hidden state.
  void activate(std::int64_t t, std::int64_t row) {
    const float* x = args_.x + rows_.index(t, row, args_.input_size);
    Store* z = rows_.tape(args_.z, t, row, args_.z_size());
    Store* hidden = args_.reads_hidden ? nullptr : rows_.tape(args_.hidden, t + 1, row, args_.hidden_size);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      float* state = &h_[row * padded_ + i];
      const std::int64_t count = args_.hidden_size - i;
      const Floats candidate = tanh(pre_activation(x, row, i));
      Floats next = candidate;
      if (args_.gated) {
        const Floats gate = sigmoid(pre_activation(x, row, padded_ + i)), old = load(state);
        next = old + gate * (candidate - old);
        store_part(z + args_.hidden_size + i, gate, count);
      }
      store_part(z + i, candidate, count);
      if (hidden) store_part(hidden + i, next, count);
      // Lanes beyond the hidden units must stay zero.
      for (int lane = 0; count < kLanes && lane < kLanes; ++lane) next[lane] = lane < count ? next[lane] : 0;
      store(state, next);
    }
  }

  // The adjoint of `activate`: turns the gradient of h into those of the pre-activations, on the tape and as the
  // product's operand, and leaves in h the part of it that skips the activations, a gradient of the previous h.
  void activate_backward(std::int64_t t, std::int64_t row) {
    const float* x = args_.x + rows_.index(t, row, args_.input_size);
    Store* z = rows_.tape(args_.z, t, row, args_.z_size());
    const Store* before = previous_hidden(t, row);
    const float* grad_hidden = args_.grad_hidden ? args_.grad_hidden + rows_.index(t, row, args_.hidden_size) : nullptr;
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t count = args_.hidden_size - i;
      float* grad = &h_[row * padded_ + i];
      Floats g = load(grad);
      if (grad_hidden) g += load_part(grad_hidden + i, count);
      const Floats candidate = load_part(z + i, count);
      Floats grad_through = g;  // of what the gate lets through
      if (args_.gated) {
        const Floats gate = load_part(z + args_.hidden_size + i, count);
        grad_through = g * gate;
        const Floats grad_gate = grad_through * (1.0f - gate) * (candidate - load_part(before + i, count));
        store_part(z + args_.hidden_size + i, grad_gate, count);
        Policy::put(&rows_.operand[row * width_ + padded_ + i], grad_gate);
        for (std::int64_t c = 0; c < args_.input_size; ++c)
          add(&grad_w_in_[c * width_ + padded_ + i], x[c] * grad_gate);
      }
      const Floats grad_candidate = grad_through * (1.0f - candidate * candidate);
      store_part(z + i, grad_candidate, count);
      Policy::put(&rows_.operand[row * width_ + i], grad_candidate);
      for (std::int64_t c = 0; c < args_.input_size; ++c) add(&grad_w_in_[c * width_ + i], x[c] * grad_candidate);
      store(grad, g - grad_through);
    }
  }

  const MemoryCellArguments& args_;
  const std::int64_t slot_, padded_, width_;  // hidden units and columns of z, padded
  MemoryRows<Policy> rows_;
  const std::int64_t depth_;  // columns of the operand, padded
  typename Memory::template Of<Policy> memory_;
  AlignedArray<float> h_, z_;  // h: the state, or in the backward pass its gradient
  AlignedArray<float> w_in_, u_rec_;
  AlignedArray<float> grad_w_in_, grad_u_in_, grad_u_rec_;  // of one step
};

}  // namespace
}  // namespace hippo
