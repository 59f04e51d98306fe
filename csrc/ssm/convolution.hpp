// Convolution of sequences with the kernels of their features, in the form that fits their length.
#pragma once
#include "ssm/direct_convolution.hpp"
#include "ssm/transform_convolution.hpp"

namespace hippo {
namespace {

template <typename T>
void ssm_convolution(const SsmConvolutionArguments<T>& args, const Rows& rows) {
  const auto run = [&](auto convolution) { args.grad_outputs ? convolution->backward() : convolution->forward(); };
  if (args.length <= kDirect) {
    DirectConvolution<T> convolution(args, rows);
    run(&convolution);
  } else {
    TransformConvolution<T> convolution(args, rows);
    run(&convolution);
  }
}

}  // namespace
}  // namespace hippo
