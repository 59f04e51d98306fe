// The vector field of a controlled equation, dy = f(y) dX, for some rows of the batch.
//
//   a = inner(V y + b);  P_c = outer(W_c a + b_c);  increment = sum over c of P_c u_c
// where u (channels) is the increment of the path X over a step of the solver. Every evaluation leaves y, a and P on
// the tape. An ordinary equation is one with a single channel, whose path is the time.
#pragma once
#include <cstdint>

#include "cells/interface.hpp"
#include "products/outer_products.hpp"
#include "products/policy.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"
#include "simd/functions.hpp"

namespace hippo {
namespace {

// The activations of a vector field, and their derivatives as functions of the activation.
struct Ncde {
  static constexpr FlowCellLayout layout = layouts::Ncde;

  static Floats inner(Floats x) { return x < 0 ? Floats{} : x; }  // a NaN stays
  static Floats inner_derivative(Floats a) { return a > 0 ? splat(1.0f) : Floats{}; }
  static Floats outer(Floats x) { return tanh(x); }
  static Floats outer_derivative(Floats p) { return 1.0f - p * p; }
};

struct OdeRnn {
  static constexpr FlowCellLayout layout = layouts::OdeRnn;

  static Floats inner(Floats x) { return tanh(x); }
  static Floats inner_derivative(Floats a) { return 1.0f - a * a; }
  static Floats outer(Floats x) { return x; }
  static Floats outer_derivative(Floats) { return splat(1.0f); }
};

// The tape comes from main memory in the backward pass: floats between what is read and what is requested ahead.
constexpr std::int64_t kPrefetched = 1024;

// Operands of all products share one buffer, so each is written with its padding: a NaN that another one has left there
// would reach other samples.
template <typename Equations, typename Policy>
class VectorField {
  using Operand = typename Policy::Operand;
  using Weight = typename Policy::Weight;

 public:
  // The gradients of the weights are summed over the stages of a step of the solver at once.
  VectorField(const FlowCellArguments& args, const Rows& rows)
      : args_(args),
        begin_(rows.begin),
        rows_(rows.end - rows.begin),
        hidden_(round_up(args.hidden_size, 32)),
        field_(round_up(args.field_size, 32)),
        outputs_(args.channels * hidden_),
        inner_(args.backward ? hidden_ : field_, args.backward ? field_ : hidden_),
        outer_(args.backward ? field_ : outputs_, args.backward ? outputs_ : field_),
        inner_bias_(field_),
        outer_bias_(outputs_),
        operand_(padded_rows(rows_) * larger(hidden_, larger(field_, outputs_))),
        product_(padded_rows(rows_) * larger(field_, outputs_)),
        states_(hidden_, kept_vectors()),
        grad_inner_(field_, kept_vectors()),
        activations_(field_, kept_vectors()),
        grad_outer_(outputs_, kept_vectors()),
        grad_inner_weight_(args.backward ? hidden_ * field_ : 0),
        grad_outer_weight_(args.backward ? field_ * outputs_ : 0) {
    for (std::int64_t f = 0; f < args.field_size; ++f)
      for (std::int64_t h = 0; h < args.hidden_size; ++h)
        set(inner_, f, h, args.inner_weight[f * args.hidden_size + h]);
    for (std::int64_t c = 0; c < args.channels; ++c)
      for (std::int64_t h = 0; h < args.hidden_size; ++h)
        for (std::int64_t f = 0; f < args.field_size; ++f)
          set(outer_, c * hidden_ + h, f, args.outer_weight[(c * args.hidden_size + h) * args.field_size + f]);
    if (args.backward) return;  // the biases then hold their gradients
    copy(args.inner_bias, args.field_size, inner_bias_.data());
    for (std::int64_t c = 0; c < args.channels; ++c)
      copy(args.outer_bias + c * args.hidden_size, args.hidden_size, &outer_bias_[c * hidden_]);
  }

  // The increment (rows, padded hidden) at the states y (rows, padded hidden).
  void forward(std::int64_t evaluation, const float* y, float* increment) {
    for (std::int64_t row = 0; row < rows_; ++row) {
      float* tape = args_.states + index(evaluation, row, args_.hidden_size);
      for (std::int64_t i = 0; i < hidden_; i += kLanes) {
        const Floats value = load(y + row * hidden_ + i);
        store_part(tape + i, value, args_.hidden_size - i);
        Policy::put(&operand_[row * hidden_ + i], value);
      }
    }
    inner_.multiply(operand_.data(), rows_, product_.data());
    for (std::int64_t row = 0; row < rows_; ++row) {
      float* tape = args_.inner + index(evaluation, row, args_.field_size);
      for (std::int64_t i = 0; i < field_; i += kLanes) {
        const Floats value = Equations::inner(load(&product_[row * field_ + i]) + load(&inner_bias_[i]));
        store_part(tape + i, value, args_.field_size - i);
        Policy::put(&operand_[row * field_ + i], value);
      }
    }
    outer_.multiply(operand_.data(), rows_, product_.data());
    for (std::int64_t row = 0; row < rows_; ++row) {
      float* tape = args_.outer + index(evaluation, row, args_.channels * args_.hidden_size);
      const float* u = control(evaluation, row);
      for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
        Floats total = {};
        for (std::int64_t c = 0; c < args_.channels; ++c) {
          const std::int64_t at = c * hidden_ + i;
          const Floats value = Equations::outer(load(&product_[row * outputs_ + at]) + load(&outer_bias_[at]));
          store_part(tape + c * args_.hidden_size + i, value, args_.hidden_size - i);
          total += value * u[c];
        }
        store(increment + row * hidden_ + i, total);
      }
    }
  }

  // The gradient of y from that of the increment; both (rows, padded hidden), of which the first has padded rows.
  void backward(std::int64_t evaluation, std::int64_t stage, const float* grad_increment, float* grad_y) {
    for (std::int64_t row = 0; row < rows_; ++row)
      outer_backward(evaluation, stage * rows_ + row, row, grad_increment + row * hidden_);
    outer_.multiply(operand_.data(), rows_, product_.data());
    for (std::int64_t row = 0; row < rows_; ++row) inner_backward(evaluation, stage * rows_ + row, row);
    inner_.multiply(operand_.data(), rows_, grad_y);
  }

  // Adds the gradients of the weights over all stages of a step.
  void add_weight_gradients() {
    add_outer_products(activations_, grad_outer_, args_.stages * rows_, grad_outer_weight_.data());
    add_outer_products(states_, grad_inner_, args_.stages * rows_, grad_inner_weight_.data());
  }

  void save_gradients(std::int64_t slot) const {
    float* inner_weight = args_.grad_inner_weight + slot * args_.hidden_size * args_.field_size;
    for (std::int64_t h = 0; h < args_.hidden_size; ++h)
      copy(&grad_inner_weight_[h * field_], args_.field_size, inner_weight + h * args_.field_size);
    copy(inner_bias_.data(), args_.field_size, args_.grad_inner_bias + slot * args_.field_size);
    for (std::int64_t c = 0; c < args_.channels; ++c) {
      float* outer_bias = args_.grad_outer_bias + (slot * args_.channels + c) * args_.hidden_size;
      copy(&outer_bias_[c * hidden_], args_.hidden_size, outer_bias);
      for (std::int64_t f = 0; f < args_.field_size; ++f)
        copy(&grad_outer_weight_[f * outputs_ + c * hidden_], args_.hidden_size,
             args_.grad_outer_weight + ((slot * args_.field_size + f) * args_.channels + c) * args_.hidden_size);
    }
  }

 private:
  void set(Weight& weight, std::int64_t output, std::int64_t input, float value) const {
    if (args_.backward)
      weight.set(input, output, Policy::round(value));
    else
      weight.set(output, input, Policy::round(value));
  }

  // Vectors of which the gradients of weights are summed at once.
  std::int64_t kept_vectors() const { return args_.backward ? args_.stages * rows_ : 0; }

  // Entry of an array (evaluations, batch, size) for this thread's row.
  std::int64_t index(std::int64_t evaluation, std::int64_t row, std::int64_t size) const {
    return ((args_.keep ? evaluation : 0) * args_.batch_size + begin_ + row) * size;
  }

  const float* control(std::int64_t evaluation, std::int64_t row) const {
    return args_.controls + (evaluation * args_.batch_size + begin_ + row) * args_.channels;
  }

  static void add(float* sum, Floats value) { store(sum, load(sum) + value); }

  void outer_backward(std::int64_t evaluation, std::int64_t k, std::int64_t row, const float* grad_increment) {
    const float* tape = args_.outer + index(evaluation, row, args_.channels * args_.hidden_size);
    const float* u = control(evaluation, row);
    float* grad_u = args_.grad_controls + (u - args_.controls);
    for (std::int64_t c = 0; c < args_.channels; ++c) {
      Floats total = {};
      for (std::int64_t i = 0; i < hidden_; i += kLanes) {
        const std::int64_t at = c * hidden_ + i;
        const float* from = tape + c * args_.hidden_size + i;
        __builtin_prefetch(from + kPrefetched);
        const Floats value = load_part(from, args_.hidden_size - i);
        const Floats grad = load(grad_increment + i);
        total += grad * value;
        const Floats grad_pre = grad * u[c] * Equations::outer_derivative(value);
        Policy::put(&operand_[row * outputs_ + at], grad_pre);
        store(grad_outer_.at(k, at), grad_pre);
        add(&outer_bias_[at], grad_pre);
      }
      grad_u[c] = sum(total);
    }
  }

  void inner_backward(std::int64_t evaluation, std::int64_t k, std::int64_t row) {
    const float* tape = args_.inner + index(evaluation, row, args_.field_size);
    for (std::int64_t i = 0; i < field_; i += kLanes) {
      __builtin_prefetch(tape + i + kPrefetched);
      const Floats value = load_part(tape + i, args_.field_size - i);
      const Floats grad_pre = load(&product_[row * field_ + i]) * Equations::inner_derivative(value);
      Policy::put(&operand_[row * field_ + i], grad_pre);
      store(grad_inner_.at(k, i), grad_pre);
      store(activations_.at(k, i), value);
      add(&inner_bias_[i], grad_pre);
    }
    const float* y = args_.states + index(evaluation, row, args_.hidden_size);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      __builtin_prefetch(y + i + kPrefetched);
      store(states_.at(k, i), load_part(y + i, args_.hidden_size - i));
    }
  }

  const FlowCellArguments& args_;
  const std::int64_t begin_, rows_;
  const std::int64_t hidden_, field_, outputs_;  // padded
  Weight inner_, outer_;                         // backward: transposed
  AlignedArray<float> inner_bias_, outer_bias_;  // backward: their gradients
  AlignedArray<Operand> operand_;
  AlignedArray<float> product_;
  Panels states_, grad_inner_, activations_, grad_outer_;  // factors of the weights' gradients over one step
  AlignedArray<float> grad_inner_weight_, grad_outer_weight_;
};

}  // namespace
}  // namespace hippo
