// The arrays of a convolution, as a unit of work sees them: a cache line of features of one sequence, whose vectors are
// the blocks. Every lane is a feature.
#pragma once
#include "simd/array.hpp"
#include "ssm/activations.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

constexpr int kBlocks = 64 / HIPPO_VECTOR_BYTES;  // vectors in a line

template <typename T>
constexpr int kLineFeatures = kBlocks * Lanes<T>::count;

// Features of line `line`.
template <typename T>
class Line {
 public:
  Line(std::int64_t line, std::int64_t features) : first_(line * kLineFeatures<T>), features_(features) {}

  std::int64_t first(int block) const { return first_ + block * Lanes<T>::count; }
  std::int64_t count(int block) const { return larger(0, smaller(Lanes<T>::count, features_ - first(block))); }
  int blocks() const { return int(smaller(kBlocks, (features_ - first_ + Lanes<T>::count - 1) / Lanes<T>::count)); }

 private:
  std::int64_t first_, features_;
};

// Sequence `unit % batch`, features of line `unit / batch`.
template <typename T>
class Sequence {
 public:
  Sequence(const SsmConvolutionArguments<T>& args, std::int64_t unit)
      : line(unit / args.batch), args_(args), begin_(unit % args.batch * args.length * args.features) {}

  // Calls put(step, block, values) with the inputs of every step.
  template <typename Put>
  HIPPO_INLINE void inputs(const Put& put) const {
    visit([&](std::int64_t step, int block, std::int64_t at, std::int64_t count)
              HIPPO_INLINE_LAMBDA { put(step, block, load_lanes<T>(args_.inputs + at, count)); });
  }

  // The same with the gradients of the outputs before their activation.
  template <typename Put>
  HIPPO_INLINE void grad_outputs(const Put& put) const {
    visit([&](std::int64_t step, int block, std::int64_t at, std::int64_t count) HIPPO_INLINE_LAMBDA {
      const Vector<T> grad = load_lanes<T>(args_.grad_outputs + at, count);
      put(step, block, args_.has_activation ? grad * gelu_derivative(load_lanes<T>(args_.outputs + at, count)) : grad);
    });
  }

  // Writes the outputs, which get(step, block) returns.
  template <typename Get>
  HIPPO_INLINE void put_outputs(const Get& get) const {
    visit([&](std::int64_t step, int block, std::int64_t at, std::int64_t count) HIPPO_INLINE_LAMBDA {
      const Vector<T> value = get(step, block);
      store_lanes<T>(args_.outputs + at, value, count);
      if (args_.has_activation) store_lanes<T>(args_.activated + at, gelu(value), count);
    });
  }

  template <typename Get>
  HIPPO_INLINE void put_grad_inputs(const Get& get) const {
    visit([&](std::int64_t step, int block, std::int64_t at, std::int64_t count)
              HIPPO_INLINE_LAMBDA { store_lanes<T>(args_.grad_inputs + at, get(step, block), count); });
  }

  const std::int64_t line;

 private:
  // Visits all numbers once, a whole cache line at each step.
  template <typename Visit>
  HIPPO_INLINE void visit(const Visit& one) const {
    const Line<T> features(line, args_.features);
    const bool whole = features.blocks() == kBlocks && features.count(kBlocks - 1) == Lanes<T>::count;
    for (std::int64_t step = 0; step < args_.length; ++step) {
      const std::int64_t at = begin_ + step * args_.features;
      if (whole) {
        unroll<kBlocks>([&](auto block) HIPPO_INLINE_LAMBDA {
          one(step, int(block), at + features.first(block), std::int64_t(Lanes<T>::count));
        });
      } else {
        for (int block = 0; block < features.blocks(); ++block)
          one(step, block, at + features.first(block), features.count(block));
      }
    }
  }

  const SsmConvolutionArguments<T>& args_;
  const std::int64_t begin_;
};

// The kernel of one block of features. The skip is part of it, at lag 0, and its gradient is that of this lag.
template <typename T>
class KernelOfBlock {
 public:
  KernelOfBlock(const SsmConvolutionArguments<T>& args, std::int64_t line, int block)
      : args_(args),
        first_(Line<T>(line, args.features).first(block)),
        count_(Line<T>(line, args.features).count(block)) {}

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
