// The recurrent cells without a memory over a chunk of steps, forward and backward, for some of the batch's rows.
//
// A cell is given by its equations (equations.hpp). Each thread takes its rows through all steps. The input products
// are on the tape before, and the weights' gradients are computed from the tape afterwards.
#pragma once
#include <cstdint>

#include "cells/equations.hpp"
#include "cells/interface.hpp"
#include "products/policy.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

template <typename Equations, typename Policy>
class RecurrentCell {
  using Store = typename Policy::Store;
  using Operand = typename Policy::Operand;
  using Weight = typename Policy::Weight;
  static constexpr RecurrentCellLayout layout = Equations::layout;
  static constexpr int stages = layout.products[1] ? 2 : 1;

 public:
  RecurrentCell(const RecurrentCellArguments& args, const Rows& rows)
      : args_(args),
        begin_(rows.begin),
        rows_(rows.end - rows.begin),
        padded_(round_up(args.hidden_size, 32)),
        h_(rows_ * padded_),
        c_(layout.has_cell ? rows_ * padded_ : 0),
        grad_gate_(stages == 2 ? rows_ * padded_ : 0),
        bias_(layout.has_bias ? padded_ : 0),
        operand_(padded_rows(rows_) * (args.backward ? width(0) : padded_)),
        product_(padded_rows(rows_) * (args.backward ? padded_ : width(0))) {
    for (std::int64_t row = 0; row < rows_; ++row) {
      copy(args.h + (begin_ + row) * args.hidden_size, args.hidden_size, &h_[row * padded_]);
      if (layout.has_cell) copy(args.c + (begin_ + row) * args.hidden_size, args.hidden_size, &c_[row * padded_]);
    }
    if (layout.has_bias) copy(args.extra, args.hidden_size, bias_.data());
  }

  void forward() {
    Weight weights[] = {{width(0), padded_}, {width(1), padded_}};
    pack([&](int stage, std::int64_t to, std::int64_t from, float w) { weights[stage].set(to, from, w); });
    for (std::int64_t i = 0; i < rows_ * padded_; i += kLanes) Policy::put(&operand_[i], load(&h_[i]));
    for (std::int64_t t = 0; t < args_.steps; ++t) {
      if constexpr (layout.has_decay)
        for (std::int64_t row = 0; row < rows_; ++row) decay_forward(t, row);
      unroll<stages>([&](auto stage) {
        weights[stage].multiply(operand_.data(), rows_, product_.data());
        for (std::int64_t row = 0; row < rows_; ++row) activate<stage.value>(t, row);
      });
    }
    save_state();
  }

  void backward() {
    Weight weights[] = {{padded_, width(0)}, {stages == 2 ? padded_ : 0, width(1)}};
    pack([&](int stage, std::int64_t to, std::int64_t from, float w) { weights[stage].set(from, to, w); });
    for (std::int64_t t = args_.steps - 1; t >= 0; --t) {
      unroll<stages>([&](auto done) {
        constexpr int stage = stages - 1 - done.value;
        for (std::int64_t row = 0; row < rows_; ++row) activate_backward<stage>(t, row);
        weights[stage].multiply(operand_.data(), rows_, product_.data());
      });
      if constexpr (layout.has_decay)
        for (std::int64_t row = 0; row < rows_; ++row) decay_backward(t, row);
    }
    if constexpr (!layout.has_decay)
      for (std::int64_t i = 0; i < rows_ * padded_; i += kLanes) store(&h_[i], load(&h_[i]) + load(&product_[i]));
    save_state();
  }

 private:
  // Columns of a stage's product, padded: each block of z starts on a vector of its own. No second stage has more than
  // the first.
  std::int64_t width(int stage) const { return layout.products[stage] * padded_; }

  template <typename Set>
  void pack(Set set) const {
    for (int stage = 0; stage < stages; ++stage) {
      const float* w = stage ? args_.extra : args_.w_rec;
      for (std::int64_t block = 0; block < layout.products[stage]; ++block)
        for (std::int64_t to = 0; to < args_.hidden_size; ++to)
          for (std::int64_t from = 0; from < args_.hidden_size; ++from, ++w)
            set(stage, block * padded_ + to, from, Policy::round(*w));
    }
  }

  void save_state() const {
    for (std::int64_t row = 0; row < rows_; ++row) {
      copy(&h_[row * padded_], args_.hidden_size, args_.h + (begin_ + row) * args_.hidden_size);
      if (layout.has_cell) copy(&c_[row * padded_], args_.hidden_size, args_.c + (begin_ + row) * args_.hidden_size);
    }
  }

  // Entry of an array (steps, batch, blocks * hidden) at step t and this thread's row.
  std::int64_t index(std::int64_t t, std::int64_t row, int blocks = 1) const {
    return (t * args_.batch_size + begin_ + row) * blocks * args_.hidden_size;
  }

  Store* tape(Tape* whole, std::int64_t t, std::int64_t row, int blocks = 1) const {
    return static_cast<Store*>(whole) + index(t, row, blocks);
  }

  void load_z(Units& u, const Store* z, std::int64_t i) const {
    for (int b = 0; b < layout.z_blocks; ++b) u.z[b] = load_part(z + b * args_.hidden_size + i, args_.hidden_size - i);
  }

  void store_z(const Units& u, Store* z, std::int64_t i) const {
    for (int b = 0; b < layout.z_blocks; ++b) store_part(z + b * args_.hidden_size + i, u.z[b], args_.hidden_size - i);
  }

  // The decayed hidden state, which the first product reads.
  void decay_forward(std::int64_t t, std::int64_t row) {
    const Store* z = tape(args_.z, t, row, layout.z_blocks);
    Store* decayed = tape(args_.decayed, t, row);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t at = row * padded_ + i;
      Units u;
      load_z(u, z, i);
      u.h = load(&h_[at]);
      Equations::decay_forward(u);
      store(&h_[at], u.h);
      Policy::put(&operand_[at], u.h);
      store_part(decayed + i, u.h, args_.hidden_size - i);
    }
  }

  void decay_backward(std::int64_t t, std::int64_t row) {
    Store* z = tape(args_.z, t, row, layout.z_blocks);
    const Store* before = tape(args_.decayed, t, row);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t at = row * padded_ + i;
      Units u;
      load_z(u, z, i);
      u.h_before = load_part(before + i, args_.hidden_size - i);
      u.h = load(&h_[at]) + load(&product_[at]);
      Equations::decay_backward(u);
      store_z(u, z, i);
      store(&h_[at], u.h);
      store(&product_[at], Floats{});
    }
  }

  template <int stage>
  void activate(std::int64_t t, std::int64_t row) {
    Store* z = tape(args_.z, t, row, layout.z_blocks);
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t count = args_.hidden_size - i, at = row * padded_ + i;
      Units u;
      load_z(u, z, i);
      for (int b = 0; b < layout.products[stage]; ++b)
        u.z[stage * layout.products[0] + b] += load(&product_[row * width(stage) + b * padded_ + i]);
      u.h = load(&h_[at]);
      if (layout.has_cell) u.c = load(&c_[at]);
      if (layout.has_bias) u.bias = load(&bias_[i]);
      Equations::forward(u, stage);
      store_z(u, z, i);
      if (stage + 1 < stages) {
        Policy::put(&operand_[at], u.passed);
        store_part(tape(args_.passed, t, row) + i, u.passed, count);
        continue;
      }
      Policy::put(&operand_[at], u.h);
      store(&h_[at], u.h);
      store_part(tape(args_.hidden, t + 1, row) + i, u.h, count);
      if (!layout.has_cell) continue;
      store(&c_[at], u.c);
      store_part(tape(args_.cell, t + 1, row) + i, u.c, count);
    }
  }

  Floats zero_if_negligible(Floats x) const { return (x < 0 ? -x : x) <= args_.negligible ? Floats{} : x; }

  template <int stage>
  void activate_backward(std::int64_t t, std::int64_t row) {
    Store* z = tape(args_.z, t, row, layout.z_blocks);
    const Store* before = tape(layout.has_decay ? args_.decayed : args_.hidden, t, row);
    const float* grad_hidden = args_.grad_hidden ? args_.grad_hidden + index(t, row) : nullptr;
    for (std::int64_t i = 0; i < args_.hidden_size; i += kLanes) {
      const std::int64_t count = args_.hidden_size - i, at = row * padded_ + i;
      Units u;
      load_z(u, z, i);
      u.h_before = load_part(before + i, count);
      u.h = load(&h_[at]);
      u.passed = load(&product_[at]);
      if (stage + 1 == stages) {
        u.h += u.passed;
        if (grad_hidden) u.h += load_part(grad_hidden + i, count);
        u.h = zero_if_negligible(u.h);
      } else {
        u.grad_gate = zero_if_negligible(load(&grad_gate_[at]));
      }
      if (layout.has_cell) {
        u.c = zero_if_negligible(load(&c_[at]));
        u.c_before = load_part(tape(args_.cell, t, row) + i, count);
        u.c_after = load_part(tape(args_.cell, t + 1, row) + i, count);
      }
      if (layout.has_bias) u.bias = load(&bias_[i]);
      Equations::backward(u, stage);
      store_z(u, z, i);
      for (int b = 0; b < layout.products[stage]; ++b)
        Policy::put(&operand_[row * width(stage) + b * padded_ + i], u.z[stage * layout.products[0] + b]);
      store(&h_[at], u.h);
      if (layout.has_cell) store(&c_[at], u.c);
      if (stages == 2 && stage == 1) store(&grad_gate_[at], u.grad_gate);
    }
  }

  const RecurrentCellArguments& args_;
  const std::int64_t begin_, rows_, padded_;
  AlignedArray<float> h_, c_;      // states, or in the backward pass their gradients
  AlignedArray<float> grad_gate_;  // of two-stage cells
  AlignedArray<float> bias_;
  AlignedArray<Operand> operand_;
  AlignedArray<float> product_;
};

}  // namespace
}  // namespace hippo
