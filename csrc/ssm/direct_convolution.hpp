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
      : args_(args), rows_(rows), lags_(2 * args.length - 1), kernels_(kBlocks * lags_, Fill::nothing) {}

  void forward() {
    const std::int64_t length = args_.length;
    AlignedArray<Vector<T>> inputs(kBlocks * length, Fill::nothing);
    std::int64_t line = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      if (sequence.line != line) read_kernels(line = sequence.line);
      sequence.inputs(writer(inputs.data()));
      sequence.put_outputs([&](std::int64_t l, int block) {
        const Vector<T>*const kernel = kernels_.data() + block * lags_, *const input = inputs.data() + block * length;
        Vector<T> sum = {};
        for (std::int64_t j = 0; j < (args_.channels == 2 ? length : l + 1); ++j)
          sum += kernel[length - 1 + l - j] * input[j];
        return sum;
      });
    }
  }

  void backward() {
    const std::int64_t length = args_.length;
    AlignedArray<Vector<T>> inputs(kBlocks * length, Fill::nothing), grads(kBlocks * length, Fill::nothing),
        grad_kernels(kBlocks * lags_);
    std::int64_t line = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      if (sequence.line != line) {
        if (line >= 0) add_grad_kernels(line, grad_kernels.data());
        read_kernels(line = sequence.line);
      }
      sequence.inputs(writer(inputs.data()));
      sequence.grad_outputs(writer(grads.data()));
      sequence.put_grad_inputs([&](std::int64_t j, int block) {
        const Vector<T>*const kernel = kernels_.data() + block * lags_, *const grad = grads.data() + block * length;
        Vector<T>* const grad_kernel = grad_kernels.data() + block * lags_;
        const Vector<T> input = inputs[block * length + j];
        Vector<T> sum = {};
        for (std::int64_t l = args_.channels == 2 ? 0 : j; l < length; ++l) {
          const std::int64_t lag = length - 1 + l - j;
          sum += kernel[lag] * grad[l];
          grad_kernel[lag] += grad[l] * input;
        }
        return sum;
      });
    }
    if (line >= 0) add_grad_kernels(line, grad_kernels.data());
  }

 private:
  auto writer(Vector<T>* values) const {
    return [=, this](std::int64_t step, int block, Vector<T> value) { values[block * args_.length + step] = value; };
  }

  // Lags -(length - 1) to length - 1 of each block.
  void read_kernels(std::int64_t line) {
    for (int block = 0; block < Line<T>(line, args_.features).blocks(); ++block) {
      const KernelOfBlock<T> kernel(args_, line, block);
      Vector<T>* const at_0 = kernels_.data() + block * lags_ + args_.length - 1;
      for (std::int64_t lag = 0; lag < args_.length; ++lag) at_0[lag] = kernel.past(lag);
      for (std::int64_t lag = 1; lag < args_.length; ++lag) at_0[-lag] = kernel.future(lag);
    }
  }

  // Adds the gradients of a line, and sets them to zero.
  void add_grad_kernels(std::int64_t line, Vector<T>* grads) const {
    for (int block = 0; block < Line<T>(line, args_.features).blocks(); ++block) {
      const KernelOfBlock<T> kernel(args_, line, block);
      const Vector<T>* const at_0 = grads + block * lags_ + args_.length - 1;
      for (std::int64_t lag = 0; lag < args_.length; ++lag) kernel.add_past(rows_.slot, lag, at_0[lag]);
      for (std::int64_t lag = 1; lag < args_.length; ++lag) kernel.add_future(rows_.slot, lag, at_0[-lag]);
    }
    for (std::int64_t i = 0; i < kBlocks * lags_; ++i) grads[i] = Vector<T>{};
  }

  const SsmConvolutionArguments<T>& args_;
  const Rows& rows_;
  const std::int64_t lags_;
  AlignedArray<Vector<T>> kernels_;
};

}  // namespace
}  // namespace hippo
