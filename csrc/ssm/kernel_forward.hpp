// Convolution kernels of state-space systems by the recurrence x' = a x + sum_r p_r t_r, t_r = Re(v_r . x).
//
// A step needs the functionals t of the step before, hence a pass over all states. To make fewer passes, each pass
// serves several steps: it reads the functionals of x, a x, a^2 x, ... as if the steps had no low-rank terms, and the
// couplings of these few steps add them. At rank 1 and one channel a state takes 10 multiply-adds per step, as in the
// recurrence itself, but a fourth of its loads.
#pragma once
#include "ssm/feature_block.hpp"

namespace hippo {
namespace {

template <typename S, typename T, int Rank, int Channels>
class KernelForward {
 public:
  KernelForward(const SsmKernelArguments<S>& args, std::int64_t block)
      : args_(args), block_(args, block), terms_(args.states, Fill::nothing), state_(args.states, Fill::nothing) {
    for (std::int64_t n = 0; n < args.states; ++n) {
      const auto terms = gather_terms<S, T, Rank, Channels>(block_, args.system, n);
      couplings_.add(terms);
      state_[n] = block_.gather(args.system.b, 0, 1, n);
      terms_[n].a = terms.a;
      terms_[n].square = times(terms.a, terms.a);
      for (int ch = 0; ch < Channels; ++ch) terms_[n].c[ch] = terms.c[ch];
      for (int r = 0; r < Rank; ++r) {
        terms_[n].v[r] = terms.v[r];
        terms_[n].p[kSteps - 1][r] = terms.p[r];
        for (int j = kSteps - 1; j > 0; --j) terms_[n].p[j - 1][r] = times(terms.a, terms_[n].p[j][r]);
      }
    }
  }

  void run() {
    Functionals found = {};
    for (std::int64_t l = 0; l < args_.length; l += kSteps) {
      found = steps(found);
      const int count = int(smaller(kSteps, args_.length - l));
      for (int j = 0; j < count; ++j) {
        for (int ch = 0; ch < Channels; ++ch)
          block_.write(args_.kernel, ch * args_.length + l + j, found.outputs[j][ch]);
        for (int r = 0; r < Rank; ++r) block_.write(args_.functionals, r * args_.length + l + j, found.t[j][r]);
      }
    }
  }

 private:
  static constexpr int kSteps = (Rank + Channels) * 4 <= kVectorRegisters - 4 ? 4 : 2;

  struct Terms {
    Complex<T> a, square, v[slots(Rank)], c[Channels];  // square = a^2
    Complex<T> p[kSteps][slots(Rank)];                  // p[j] = a^(steps - 1 - j) p
  };
  struct Functionals {
    Vector<T> t[kSteps][slots(Rank)], outputs[kSteps][Channels];
  };

  // The functionals of the next steps, from those of the steps before them. The states are kept as they are without
  // the low-rank terms of these steps, which the next pass adds.
  Functionals steps(const Functionals& before) {
    Functionals sums = {};
    for (std::int64_t n = 0; n < args_.states; ++n) {
      const Terms& terms = terms_[n];
      Complex<T> input = {};
      unroll<kSteps>([&](auto j) HIPPO_INLINE_LAMBDA {
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { input = input + terms.p[j][r] * before.t[j][r]; });
      });
      Complex<T> x = Rank ? state_[n] + input : state_[n], next = times(terms.a, x);
      unroll<kSteps>([&](auto j) HIPPO_INLINE_LAMBDA {
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { add_real(sums.t[j][r], terms.v[r], x); });
        unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA { add_real(sums.outputs[j][ch], terms.c[ch], x); });
        const Complex<T> after = times(terms.square, x);
        x = next;
        next = after;
      });
      state_[n] = x;
    }
    for (int j = 1; j < kSteps; ++j)
      for (int i = 0; i < j; ++i)
        for (int s = 0; s < Rank; ++s) {
          for (int r = 0; r < Rank; ++r) sums.t[j][r] += couplings_.v[j - 1 - i][r][s] * sums.t[i][s];
          for (int ch = 0; ch < Channels; ++ch) sums.outputs[j][ch] += couplings_.c[j - 1 - i][ch][s] * sums.t[i][s];
        }
    return sums;
  }

  const SsmKernelArguments<S>& args_;
  const FeatureBlock<S, T> block_;
  Couplings<T, Rank, Channels, kSteps> couplings_;
  AlignedArray<Terms> terms_;
  AlignedArray<Complex<T>> state_;
};

}  // namespace
}  // namespace hippo
