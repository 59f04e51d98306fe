// Convolution of short sequences as sums over all lags, forward and backward: as fast as transforms up to kDirect
// steps, and exactly causal, since no rounding carries later inputs into earlier outputs.
#pragma once
#include "cells/interface.hpp"
#include "ssm/features.hpp"
#include "ssm/interface.hpp"

namespace hippo {
namespace {

constexpr std::int64_t kDirect = 64;

template <typename T>
class DirectConvolution {
 public:
  DirectConvolution(const SsmConvolutionArguments<T>& args, const Rows& rows)
      : args_(args), rows_(rows), lags_(2 * args.length - 1), kernel_(lags_, Fill::nothing) {}

  void forward() {
    const std::int64_t length = args_.length;
    AlignedArray<Vector<T>> inputs(length, Fill::nothing);
    std::int64_t block = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      if (sequence.block != block) read_kernel(block = sequence.block);
      for (std::int64_t l = 0; l < length; ++l) inputs[l] = sequence.input(l);
      for (std::int64_t l = 0; l < length; ++l) {
        Vector<T> sum = {};
        for (std::int64_t j = 0; j < last_input(l); ++j) sum += kernel_[length - 1 + l - j] * inputs[j];
        sequence.put_output(l, sum);
      }
    }
  }

  void backward() {
    const std::int64_t length = args_.length;
    AlignedArray<Vector<T>> inputs(length, Fill::nothing), grads(length, Fill::nothing), grad_kernel(lags_);
    std::int64_t block = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      if (sequence.block != block) {
        if (block >= 0) add_grad_kernel(block, grad_kernel.data());
        read_kernel(block = sequence.block);
      }
      for (std::int64_t l = 0; l < length; ++l) {
        inputs[l] = sequence.input(l);
        grads[l] = sequence.grad_output(l);
      }
      for (std::int64_t j = 0; j < length; ++j) {
        Vector<T> sum = {};
        for (std::int64_t l = args_.channels == 2 ? 0 : j; l < length; ++l) {
          const std::int64_t lag = length - 1 + l - j;
          sum += kernel_[lag] * grads[l];
          grad_kernel[lag] += grads[l] * inputs[j];
        }
        sequence.put_grad_input(j, sum);
      }
    }
    if (block >= 0) add_grad_kernel(block, grad_kernel.data());
  }

 private:
  // Inputs before this one contribute to output l.
  std::int64_t last_input(std::int64_t l) const { return args_.channels == 2 ? args_.length : l + 1; }

  // Lags -(length - 1) to length - 1.
  void read_kernel(std::int64_t block) {
    const KernelOfFeatures<T> kernel(args_, block);
    for (std::int64_t lag = 0; lag < args_.length; ++lag) kernel_[args_.length - 1 + lag] = kernel.past(lag);
    for (std::int64_t lag = 1; lag < args_.length; ++lag) kernel_[args_.length - 1 - lag] = kernel.future(lag);
  }

  // Adds the gradients of a block, and sets them to zero.
  void add_grad_kernel(std::int64_t block, Vector<T>* grad) const {
    const KernelOfFeatures<T> kernel(args_, block);
    for (std::int64_t lag = 0; lag < args_.length; ++lag)
      kernel.add_past(rows_.slot, lag, grad[args_.length - 1 + lag]);
    for (std::int64_t lag = 1; lag < args_.length; ++lag)
      kernel.add_future(rows_.slot, lag, grad[args_.length - 1 - lag]);
    for (std::int64_t lag = 0; lag < lags_; ++lag) grad[lag] = Vector<T>{};
  }

  const SsmConvolutionArguments<T>& args_;
  const Rows& rows_;
  const std::int64_t lags_;
  AlignedArray<Vector<T>> kernel_;
};

}  // namespace
}  // namespace hippo
