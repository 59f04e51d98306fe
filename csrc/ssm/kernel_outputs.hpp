// Gradients of convolution kernels for the output vectors c alone, where the dynamics are fixed.
//
// grad_c = sum_l conj(x_l) g_l, with the gradient g of the kernel. Since the forward pass left the functionals t, no
// state depends on another: a few states at a time go through a chunk of steps, whose numbers stay in the L1 cache.
#pragma once
#include "ssm/feature_block.hpp"

namespace hippo {
namespace {

template <typename T, int Rank, int Channels>
class KernelOutputs {
 public:
  KernelOutputs(const SsmKernelArguments<T>& args, std::int64_t block)
      : args_(args), block_(args, block), states_(args.states) {  // sums begin at zero
    for (std::int64_t n = 0; n < args.states; ++n) {
      State& state = states_[n];
      state.a = block_.gather(args.system.a, 0, 1, n);
      state.x = block_.gather(args.system.b, 0, 1, n);
      for (int r = 0; r < Rank; ++r) state.p[r] = block_.gather(args.system.p, r, Rank, n);
    }
  }

  void run() {
    for (std::int64_t begin = 0; begin < args_.length; begin += kChunk) {
      const std::int64_t count = smaller(kChunk, args_.length - begin);
      read(begin, count);
      std::int64_t n = 0;
      for (; n + kMany <= args_.states; n += kMany) steps<kMany>(states_.data() + n, count);
      for (; n < args_.states; ++n) steps<1>(states_.data() + n, count);
    }
    for (std::int64_t n = 0; n < args_.states; ++n)
      for (int ch = 0; ch < Channels; ++ch)
        block_.scatter(block_.output_vector(args_.grad.c, ch), 0, 1, n, conjugate(states_[n].sums[ch]));
  }

 private:
  static constexpr std::int64_t kChunk = 128;
  static constexpr int kMany = 2;  // states at a time: each is a chain of dependent products

  struct State {
    Complex<T> a, p[slots(Rank)], x, sums[Channels];
  };

  void read(std::int64_t begin, std::int64_t count) {
    for (std::int64_t l = 0; l < count; ++l) {
      for (int ch = 0; ch < Channels; ++ch)
        grad_[l][ch] = block_.read(args_.grad_kernel, ch * args_.length + begin + l);
      for (int r = 0; r < Rank; ++r) t_[l][r] = block_.read(args_.functionals, r * args_.length + begin + l);
    }
  }

  // Takes `Many` states through the steps that were read.
  template <int Many>
  void steps(State* states, std::int64_t count) const {
    Complex<T> x[Many], a[Many], sums[Many][Channels];
    unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA {
      x[i] = states[i].x;
      a[i] = states[i].a;
      unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA { sums[i][ch] = states[i].sums[ch]; });
    });
    for (std::int64_t l = 0; l < count; ++l)
      unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA {
        unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA { sums[i][ch] = sums[i][ch] + x[i] * grad_[l][ch]; });
        Complex<T> input = {};
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { input = input + states[i].p[r] * t_[l][r]; });
        x[i] = Rank ? times_plus(x[i], a[i], input) : times(x[i], a[i]);
      });
    unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA {
      states[i].x = x[i];
      unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA { states[i].sums[ch] = sums[i][ch]; });
    });
  }

  const SsmKernelArguments<T>& args_;
  const FeatureBlock<T, T> block_;
  AlignedArray<State> states_;
  Vector<T> grad_[kChunk][Channels], t_[kChunk][slots(Rank)];
};

}  // namespace
}  // namespace hippo
