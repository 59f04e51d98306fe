// A linear map to twice the features, then GLU: the output map of a layer, forward and backward.
//
// Rows are processed in chunks whose intermediate numbers stay in the L2 cache. The backward pass computes the map
// again instead of reading it from memory, which would be four times the size of the inputs.
#pragma once
#include "cells/interface.hpp"
#include "products/packed_weight.hpp"
#include "products/tape_gradient.hpp"
#include "simd/functions.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

class GatedLinear {
 public:
  explicit GatedLinear(const GatedLinearArguments& args)
      : args_(args),
        depth_(round_up(args.features, 32)),
        width_(round_up(2 * args.features, 32)),
        weight_(width_, depth_),
        inputs_(kRows * depth_),
        mapped_(kRows * width_, Fill::nothing) {
    for (std::int64_t j = 0; j < 2 * args.features; ++j)
      for (std::int64_t h = 0; h < args.features; ++h) weight_.set(j, h, args.weight[j * args.features + h]);
  }

  void forward(const Rows& rows) {
    for (std::int64_t row = rows.begin; row < rows.end; row += kRows) {
      const std::int64_t count = smaller(kRows, rows.end - row);
      map(row, count);
      for (std::int64_t i = 0; i < count; ++i)
        gate(mapped_.data() + i * width_, args_.outputs + (row + i) * features());
    }
  }

  void backward(const Rows& rows) {
    PackedWeight<FloatDot> transposed(depth_, width_);
    for (std::int64_t j = 0; j < 2 * features(); ++j)
      for (std::int64_t h = 0; h < features(); ++h) transposed.set(h, j, args_.weight[j * features() + h]);
    AlignedArray<float> grad_inputs(kRows * depth_, Fill::nothing);
    float* const grad_bias = args_.grad_bias + rows.slot * 2 * features();
    for (std::int64_t row = rows.begin; row < rows.end; row += kRows) {
      const std::int64_t count = smaller(kRows, rows.end - row);
      map(row, count);
      for (std::int64_t i = 0; i < count; ++i)
        gate_backward(mapped_.data() + i * width_, args_.grad_outputs + (row + i) * features(), grad_bias);
      multiply(transposed, mapped_.data(), width_, count, grad_inputs.data(), depth_);
      for (std::int64_t i = 0; i < count; ++i)
        copy(grad_inputs.data() + i * depth_, features(), args_.grad_inputs + (row + i) * features());
      const WeightGradientArguments product = {.left = mapped_.data(),
                                               .right = args_.inputs + row * features(),
                                               .out = args_.grad_weight + rows.slot * 2 * features() * features(),
                                               .left_step = width_,
                                               .right_step = features(),
                                               .rows = count,
                                               .left_columns = 2 * features(),
                                               .right_columns = features(),
                                               .policy = 0};
      TapeGradient<FloatDot>::add(product, 0, 2 * features());
    }
  }

 private:
  static constexpr std::int64_t kRows = 24 * kBlockRows;  // of a chunk
  static constexpr std::int64_t kGroupNumbers = 6144;     // 24 KB

  std::int64_t features() const { return args_.features; }

  // Writes the linear map of `count` rows, without the bias, to `mapped_`.
  void map(std::int64_t row, std::int64_t count) {
    const float* inputs = args_.inputs + row * features();
    if (count < kRows || depth_ != features()) {
      for (std::int64_t i = 0; i < count; ++i) copy(inputs + i * features(), features(), inputs_.data() + i * depth_);
      inputs = inputs_.data();
    }
    multiply(weight_, inputs, depth_, count, mapped_.data(), width_);
  }

  // out (rows, width) = from (rows, depth) W^T, in groups of rows that stay in the L1 cache for all columns of W.
  static void multiply(const PackedWeight<FloatDot>& weight, const float* from, std::int64_t depth, std::int64_t rows,
                       float* out, std::int64_t width) {
    const std::int64_t group = larger(kGroupNumbers / larger(depth, 1) / kBlockRows, 1) * kBlockRows;
    for (std::int64_t row = 0; row < rows; row += group)
      weight.multiply(from + row * depth, round_up(smaller(group, rows - row), kBlockRows), out + row * width);
  }

  // The values and the logistic function of the gates of a row.
  template <typename Use>
  HIPPO_INLINE void with_gates(const float* mapped, const Use& use) const {
    for (std::int64_t h = 0; h < features(); h += kLanes) {
      const std::int64_t count = smaller(kLanes, features() - h);
      const auto read = [&](const float* from) HIPPO_INLINE_LAMBDA { return load_lanes<float>(from + h, count); };
      const Floats value = read(mapped) + read(args_.bias);
      use(h, count, value, sigmoid(read(mapped + features()) + read(args_.bias + features())));
    }
  }

  void gate(const float* mapped, float* outputs) const {
    with_gates(mapped, [&](std::int64_t h, std::int64_t count, Floats value, Floats open)
                           HIPPO_INLINE_LAMBDA { store_lanes<float>(outputs + h, value * open, count); });
  }

  // Puts the gradients of the linear map in the place of its values.
  void gate_backward(float* mapped, const float* grad_outputs, float* grad_bias) const {
    with_gates(mapped, [&](std::int64_t h, std::int64_t count, Floats value, Floats open) HIPPO_INLINE_LAMBDA {
      const auto put = [&](float* sums, float* to, Floats grad) HIPPO_INLINE_LAMBDA {
        store_lanes<float>(to + h, grad, count);
        store_lanes<float>(sums + h, load_lanes<float>(sums + h, count) + grad, count);
      };
      const Floats grad = load_lanes<float>(grad_outputs + h, count) * open;
      put(grad_bias, mapped, grad);
      put(grad_bias + features(), mapped + features(), grad * value * (1.0f - open));
    });
  }

  const GatedLinearArguments& args_;
  const std::int64_t depth_, width_;  // padded
  PackedWeight<FloatDot> weight_;
  AlignedArray<float> inputs_, mapped_;  // of a chunk
};

inline void gated_linear(const GatedLinearArguments& args, const Rows& rows) {
  GatedLinear map(args);
  args.grad_outputs ? map.backward(rows) : map.forward(rows);
}

}  // namespace
}  // namespace hippo
