// The arrays of a convolution, as the lanes see them: a block of features of one sequence, and of the kernel.
#pragma once
#include "simd/array.hpp"
#include "ssm/activations.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

// Sequence `unit % batch`, features of block `unit / batch`.
template <typename T>
class Sequence {
 public:
  Sequence(const SsmConvolutionArguments<T>& args, std::int64_t unit)
      : block(unit / args.batch),
        length(args.length),
        args_(args),
        first_(unit % args.batch * args.length * args.features + block * Lanes<T>::count),
        count_(smaller(Lanes<T>::count, args.features - block * Lanes<T>::count)) {}

  HIPPO_INLINE Vector<T> input(std::int64_t step) const { return load_lanes<T>(args_.inputs + at(step), count_); }

  // The gradient of the outputs before their activation.
  HIPPO_INLINE Vector<T> grad_output(std::int64_t step) const {
    const Vector<T> grad = load_lanes<T>(args_.grad_outputs + at(step), count_);
    return args_.has_activation ? grad * gelu_derivative(load_lanes<T>(args_.outputs + at(step), count_)) : grad;
  }

  HIPPO_INLINE void put_output(std::int64_t step, Vector<T> value) const {
    store_lanes<T>(args_.outputs + at(step), value, count_);
    if (args_.has_activation) store_lanes<T>(args_.activated + at(step), gelu(value), count_);
  }

  HIPPO_INLINE void put_grad_input(std::int64_t step, Vector<T> value) const {
    store_lanes<T>(args_.grad_inputs + at(step), value, count_);
  }

  const std::int64_t block, length;

 private:
  HIPPO_INLINE std::int64_t at(std::int64_t step) const { return first_ + step * args_.features; }

  const SsmConvolutionArguments<T>& args_;
  const std::int64_t first_, count_;
};

// The kernel of a block of features. The skip is part of it, at lag 0, and its gradient is that of this lag.
template <typename T>
class KernelOfFeatures {
 public:
  KernelOfFeatures(const SsmConvolutionArguments<T>& args, std::int64_t block)
      : args_(args), first_(block * Lanes<T>::count), count_(smaller(Lanes<T>::count, args.features - first_)) {}

  // Of the input `lag` steps ago.
  Vector<T> past(std::int64_t lag) const {
    const Vector<T> value = load_lanes<T>(args_.kernel + at(0, lag), count_);
    return lag ? value : value + load_lanes<T>(args_.skip + first_, count_);
  }

  // Of the input `lag` >= 1 steps later.
  Vector<T> future(std::int64_t lag) const {
    return args_.channels == 2 ? load_lanes<T>(args_.kernel + at(1, lag - 1), count_) : Vector<T>{};
  }

  void add_past(std::int64_t slot, std::int64_t lag, Vector<T> value) const {
    add(at(slot * args_.channels, lag), value);
  }
  void add_future(std::int64_t slot, std::int64_t lag, Vector<T> value) const {
    if (args_.channels == 2) add(at(slot * args_.channels + 1, lag - 1), value);
  }

 private:
  std::int64_t at(std::int64_t channel, std::int64_t lag) const {
    return (channel * args_.length + lag) * args_.features + first_;
  }
  void add(std::int64_t place, Vector<T> value) const {
    store_lanes<T>(args_.grad_kernel + place, load_lanes<T>(args_.grad_kernel + place, count_) + value, count_);
  }

  const SsmConvolutionArguments<T>& args_;
  const std::int64_t first_, count_;
};

}  // namespace
}  // namespace hippo
