// Convolution kernels of state-space systems and their gradients, by the recurrence of the system.
//
// Every lane is a feature. A step costs O(states) whatever the rank is, and the kernel does not depend on the batch.
// The forward pass carries states in float64 for both types of arrays, the backward pass in the type of the arrays.
#pragma once
#include "cells/interface.hpp"
#include "ssm/kernel_backward.hpp"
#include "ssm/kernel_forward.hpp"
#include "ssm/kernel_outputs.hpp"

namespace hippo {
namespace {

// Calls run(Number<rank>, Number<channels>) with both as compile-time numbers.
template <typename Run>
inline void with_sizes(std::int64_t rank, std::int64_t channels, const Run& run) {
  const auto with_channels = [&](auto known_rank) {
    channels == 1 ? run(known_rank, Number<1>{}) : run(known_rank, Number<2>{});
  };
  rank == 0 ? with_channels(Number<0>{}) : rank == 1 ? with_channels(Number<1>{}) : with_channels(Number<2>{});
}

// Of blocks of as many features as a vector has lanes: of double forward, of S backward.
template <typename S>
void ssm_kernel(const SsmKernelArguments<S>& args, const Rows& rows) {
  with_sizes(args.rank, args.channels, [&](auto rank, auto channels) {
    for (std::int64_t block = rows.begin; block < rows.end; ++block) {
      if (!args.grad_kernel)
        KernelForward<S, double, rank, channels>(args, block).run();
      else if (args.outputs_only)
        KernelOutputs<S, rank, channels>(args, block).run();
      else
        KernelBackward<S, rank, channels>(args, block).run();
    }
  });
}

}  // namespace
}  // namespace hippo
