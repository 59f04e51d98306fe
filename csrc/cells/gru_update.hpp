// The change of a hidden state at an input by a GRU, for some rows of the batch.
#pragma once
#include <cstdint>

#include "cells/equations.hpp"
#include "cells/interface.hpp"
#include "products/outer_products.hpp"
#include "products/policy.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

// z = W x + [U h, 0] of the blocks [r, v, U_n h + b', W_n x + b]; see `Gru` in equations.hpp. The last input is 1.
template <typename Policy>
class GruUpdate {
  using Operand = typename Policy::Operand;
  using Weight = typename Policy::Weight;
  static constexpr int blocks = 4, products = 3;

 public:
  GruUpdate(const FlowCellArguments& args, const Rows& rows)
      : args_(args),
        begin_(rows.begin),
        rows_(rows.end - rows.begin),
        hidden_(round_up(args.hidden_size, 32)),
        weight_(args.backward ? hidden_ : products * hidden_, args.backward ? products * hidden_ : hidden_),
        w_in_(args.input_size * blocks * hidden_),
        operand_(padded_rows(rows_) * products * hidden_),
        product_(padded_rows(rows_) * products * hidden_),
        inputs_(round_up(args.input_size, 2 * kLanes), args.backward ? rows_ : 0),
        states_(hidden_, args.backward ? rows_ : 0),
        grad_products_(products * hidden_, args.backward ? rows_ : 0),
        grad_last_(hidden_, args.backward ? rows_ : 0),
        grad_w_rec_(args.backward ? hidden_ * products * hidden_ : 0),
        grad_w_in_(args.backward ? inputs_.width() * products * hidden_ : 0),
        grad_w_in_last_(args.backward ? inputs_.width() * hidden_ : 0) {
    for (std::int64_t block = 0; block < products; ++block)
      for (std::int64_t to = 0; to < args.hidden_size; ++to)
        for (std::int64_t from = 0; from < args.hidden_size; ++from) {
          const float w = Policy::round(args.w_rec[(block * args.hidden_size + to) * args.hidden_size + from]);
          args.backward ? weight_.set(from, block * hidden_ + to, w) : weight_.set(block * hidden_ + to, from, w);
        }
    for (std::int64_t c = 0; c < args.input_size; ++c)
      for (std::int64_t block = 0; block < blocks; ++block)
        for (std::int64_t h = 0; h < args.hidden_size; ++h)
          w_in_[(c * blocks + block) * hidden_ + h] = args.w_in[(block * args.hidden_size + h) * args.input_size + c];
  }

  // Updates the states h (rows, padded hidden) at input t.
  void forward(std::int64_t t, float* h) {
    for (std::int64_t row = 0; row < rows_; ++row)
      for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
        const Floats value = load(h + row * hidden_ + i);
        store_part(args_.flowed + kept(t, row, args_.hidden_size) + i, value, args_.hidden_size - i);
        Policy::put(&operand_[row * hidden_ + i], value);
      }
    weight_.multiply(operand_.data(), rows_, product_.data());
    for (std::int64_t row = 0; row < rows_; ++row) {
      const float* x = args_.x + index(t, row, args_.input_size);
      float* z = args_.z + kept(t, row, blocks * args_.hidden_size);
      for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
        Units u;
        for (int b = 0; b < blocks; ++b)
          u.z[b] = b < products ? load(&product_[(row * products + b) * hidden_ + i]) : Floats{};
        for (std::int64_t c = 0; c < args_.input_size; ++c)
          for (int b = 0; b < blocks; ++b) u.z[b] += x[c] * load(&w_in_[(c * blocks + b) * hidden_ + i]);
        u.h = load(h + row * hidden_ + i);
        Gru::forward(u, 0);
        for (int b = 0; b < blocks; ++b) store_part(z + b * args_.hidden_size + i, u.z[b], args_.hidden_size - i);
        store(h + row * hidden_ + i, u.h);
      }
    }
  }

  // Turns the gradient of the states after input t into that of the states before, and adds those of the weights.
  void backward(std::int64_t t, float* grad_h) {
    for (std::int64_t row = 0; row < rows_; ++row) {
      activate_backward(t, row, grad_h + row * hidden_);
      input_backward(t, row);
    }
    weight_.multiply(operand_.data(), rows_, product_.data());
    for (std::int64_t i = 0; i < rows_ * hidden_; i += kLanes) store(grad_h + i, load(grad_h + i) + load(&product_[i]));
    add_outer_products(states_, grad_products_, rows_, grad_w_rec_.data());
    add_outer_products(inputs_, grad_products_, rows_, grad_w_in_.data());
    add_outer_products(inputs_, grad_last_, rows_, grad_w_in_last_.data());
  }

  void save_gradients(std::int64_t slot) const {
    const std::int64_t size = args_.hidden_size;
    for (std::int64_t b = 0; b < products; ++b) {
      for (std::int64_t h = 0; h < size; ++h)
        copy(&grad_w_rec_[(h * products + b) * hidden_], size,
             args_.grad_w_rec + ((slot * size + h) * products + b) * size);
      for (std::int64_t c = 0; c < args_.input_size; ++c)
        copy(&grad_w_in_[(c * products + b) * hidden_], size, grad_w_in(slot, c, b));
    }
    for (std::int64_t c = 0; c < args_.input_size; ++c)
      copy(&grad_w_in_last_[c * hidden_], size, grad_w_in(slot, c, products));
  }

 private:
  // Entry of an array (steps, batch, size), and of one on the tape, for this thread's row.
  std::int64_t index(std::int64_t t, std::int64_t row, std::int64_t size) const {
    return (t * args_.batch_size + begin_ + row) * size;
  }
  std::int64_t kept(std::int64_t t, std::int64_t row, std::int64_t size) const {
    return index(args_.keep ? t : 0, row, size);
  }

  float* grad_w_in(std::int64_t slot, std::int64_t c, std::int64_t block) const {
    return args_.grad_w_in + ((slot * args_.input_size + c) * blocks + block) * args_.hidden_size;
  }

  // Where the gradient of z is kept for the gradients of the weights.
  float* grad_z(std::int64_t row, int block, std::int64_t i) const {
    return block < products ? grad_products_.at(row, block * hidden_ + i) : grad_last_.at(row, i);
  }

  void activate_backward(std::int64_t t, std::int64_t row, float* grad_h) {
    const float* z = args_.z + kept(t, row, blocks * args_.hidden_size);
    const float* before = args_.flowed + kept(t, row, args_.hidden_size);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t count = args_.hidden_size - i;
      Units u;
      for (int b = 0; b < blocks; ++b) u.z[b] = load_part(z + b * args_.hidden_size + i, count);
      u.h_before = load_part(before + i, count);
      u.h = load(grad_h + i);
      Gru::backward(u, 0);
      store(grad_h + i, u.h);
      store(states_.at(row, i), u.h_before);
      for (int b = 0; b < blocks; ++b) store(grad_z(row, b, i), u.z[b]);
      for (int b = 0; b < products; ++b) Policy::put(&operand_[(row * products + b) * hidden_ + i], u.z[b]);
    }
  }

  void input_backward(std::int64_t t, std::int64_t row) {
    const std::int64_t at = index(t, row, args_.input_size);
    for (std::int64_t c = 0; c < args_.input_size; ++c) {
      inputs_.at(row, c / kLanes * kLanes)[c % kLanes] = args_.x[at + c];
      if (!args_.grad_x) continue;
      Floats total = {};
      for (int b = 0; b < blocks; ++b)
        for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes)
          total += load(grad_z(row, b, i)) * load(&w_in_[(c * blocks + b) * hidden_ + i]);
      args_.grad_x[at + c] = sum(total);
    }
  }

  const FlowCellArguments& args_;
  const std::int64_t begin_, rows_;
  const std::int64_t hidden_;  // padded
  Weight weight_;              // backward: transposed
  AlignedArray<float> w_in_;   // [input][block][hidden]
  AlignedArray<Operand> operand_;
  AlignedArray<float> product_;
  Panels inputs_, states_, grad_products_, grad_last_;  // factors of the weights' gradients at one input
  AlignedArray<float> grad_w_rec_, grad_w_in_, grad_w_in_last_;
};

}  // namespace
}  // namespace hippo
