// Convolution kernels of state-space systems and their gradients, by the recurrence of the system.
//
// Every lane is a feature. A step costs O(states) whatever the rank is, and the kernel does not depend on the batch, so
// this is a small part of a layer: the states are carried in float64 for both types of arrays. At 32 states, 2 channels
// and rank 1 a step is 12 multiply-adds and 12 loads per state.
#pragma once
#include "cells/interface.hpp"
#include "simd/array.hpp"
#include "ssm/complex.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

// One block of features. S is the type of the arrays, T that of the states.
template <typename S, typename T, int Rank, int Channels>
class SsmKernelBlock {
 public:
  static constexpr int lanes = Lanes<T>::count;

  SsmKernelBlock(const SsmKernelArguments<S>& args, std::int64_t block)
      : args_(args),
        first_(block * lanes),
        count_(smaller(lanes, args.features - first_)),
        terms_(args.states, Fill::nothing),
        state_(args.states, Fill::nothing) {
    const auto& system = args.system;
    for (std::int64_t n = 0; n < args.states; ++n) {
      terms_[n].a = gather(system.a, 0, 1, n);
      state_[n] = gather(system.b, 0, 1, n);
      for (int r = 0; r < Rank; ++r) {
        terms_[n].p[r] = gather(system.p, r, Rank, n);
        terms_[n].v[r] = gather(system.v, r, Rank, n);
      }
      for (int ch = 0; ch < Channels; ++ch) terms_[n].c[ch] = gather(system.c + 2 * ch * features_states(), 0, 1, n);
    }
  }

  void forward() {
    Functionals t = evaluate<Channels>(state_.data(), nullptr, {});
    for (std::int64_t l = 0; l < args_.length; ++l) {
      for (int ch = 0; ch < Channels; ++ch) store_lanes<T>(args_.kernel + at(ch, l), t.outputs[ch], count_);
      if (l + 1 < args_.length) t = evaluate<Channels>(state_.data(), state_.data(), t);
    }
  }

  void backward() {
    const std::int64_t states = args_.states, length = args_.length;
    const std::int64_t chunks = (length + kChunk - 1) / kChunk;
    AlignedArray<Complex<T>> starts(chunks * states, Fill::nothing);  // the state at the start of each chunk
    AlignedArray<Complex<T>> x(kChunk * states, Fill::nothing), y((kChunk + 1) * states, Fill::nothing);
    AlignedArray<Steps> steps(kChunk, Fill::nothing);
    AlignedArray<Terms> grad(states, Fill::zero);

    Functionals t = evaluate<0>(state_.data(), nullptr, {});
    for (std::int64_t l = 0; l < length; ++l) {
      if (l % kChunk == 0) copy(state_.data(), states, starts.data() + l / kChunk * states);
      if (l + 1 < length) t = evaluate<0>(state_.data(), state_.data(), t);
    }

    Vector<T> grad_t[Rank + 1] = {};  // Re(conj(p) . y) of the state after the chunk
    for (std::int64_t n = 0; n < states; ++n) y[n] = Complex<T>{};
    for (std::int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
      const std::int64_t begin = chunk * kChunk, count = smaller(kChunk, length - begin);
      copy(starts.data() + chunk * states, states, x.data());
      t = evaluate<0>(x.data(), nullptr, {});
      for (std::int64_t i = 0; i < count; ++i) {
        for (int r = 0; r < Rank; ++r) steps[i].t[r] = t.t[r];
        for (int ch = 0; ch < Channels; ++ch)
          steps[i].grad[ch] = load_lanes<T>(args_.grad_kernel + at(ch, begin + i), count_);
        if (i + 1 < count) t = evaluate<0>(x.data() + i * states, x.data() + (i + 1) * states, t);
      }
      copy(y.data(), states, y.data() + count * states);  // the gradient of the state after the chunk
      for (std::int64_t i = count - 1; i >= 0; --i) {
        for (int r = 0; r < Rank; ++r) steps[i].grad_t[r] = grad_t[r];
        propagate(y.data() + (i + 1) * states, y.data() + i * states, steps[i], grad_t);
      }
      for (std::int64_t n = 0; n < states; ++n) accumulate(x.data() + n, y.data() + n, steps.data(), count, grad[n]);
    }

    for (std::int64_t n = 0; n < states; ++n) {
      scatter(args_.grad.a, 0, 1, n, grad[n].a);
      scatter(args_.grad.b, 0, 1, n, y[n]);
      for (int r = 0; r < Rank; ++r) {
        scatter(args_.grad.p, r, Rank, n, grad[n].p[r]);
        scatter(args_.grad.v, r, Rank, n, grad[n].v[r]);
      }
      for (int ch = 0; ch < Channels; ++ch) scatter(args_.grad.c + 2 * ch * features_states(), 0, 1, n, grad[n].c[ch]);
    }
  }

 private:
  static constexpr std::int64_t kChunk = 32;  // steps whose states are held at once

  // The numbers of the system that belong to one state, or their gradients.
  struct Terms {
    Complex<T> a, p[Rank + 1], v[Rank + 1], c[Channels];
  };

  // Real functionals of a state: Re(v_r . x) and the outputs.
  struct Functionals {
    Vector<T> t[Rank + 1], outputs[Channels];
  };

  // What a step leaves for the gradients.
  struct Steps {
    Vector<T> t[Rank + 1], grad_t[Rank + 1], grad[Channels];
  };

  std::int64_t features_states() const { return args_.features * args_.states; }
  std::int64_t at(int channel, std::int64_t step) const {
    return (channel * args_.length + step) * args_.features + first_;
  }

  // Entry n of part `part` of `parts`, of every lane's feature.
  Complex<T> gather(const S* from, int part, int parts, std::int64_t n) const {
    T re[lanes] = {}, im[lanes] = {};
    for (std::int64_t i = 0; i < count_; ++i) {
      const S* const number = from + 2 * (((first_ + i) * parts + part) * args_.states + n);
      re[i] = T(number[0]);
      im[i] = T(number[1]);
    }
    return {load(re), load(im)};
  }

  void scatter(S* to, int part, int parts, std::int64_t n, Complex<T> value) const {
    for (std::int64_t i = 0; i < count_; ++i) {
      S* const number = to + 2 * (((first_ + i) * parts + part) * args_.states + n);
      number[0] = S(value.re[i]);
      number[1] = S(value.im[i]);
    }
  }

  // The functionals of a state: of `from`, or of the state after it, which is written to `to`.
  template <int Outputs>
  Functionals evaluate(const Complex<T>* from, Complex<T>* to, const Functionals& before) const {
    RealSum<T> t[Rank + 1], outputs[Channels];
    const Terms* const terms = terms_.data();
    for (std::int64_t n = 0; n < args_.states; ++n) {
      Complex<T> x = from[n];
      if (to) {
        x = times(terms[n].a, x);
        for (int r = 0; r < Rank; ++r) x = x + terms[n].p[r] * before.t[r];
        to[n] = x;
      }
      for (int r = 0; r < Rank; ++r) t[r].add_product(terms[n].v[r], x);
      for (int ch = 0; ch < Outputs; ++ch) outputs[ch].add_product(terms[n].c[ch], x);
    }
    Functionals found;
    for (int r = 0; r < Rank; ++r) found.t[r] = t[r].total();
    for (int ch = 0; ch < Outputs; ++ch) found.outputs[ch] = outputs[ch].total();
    return found;
  }

  // The gradient y of a state from that of the next state, `after`; and what `grad_t` is for the step before.
  void propagate(const Complex<T>* after, Complex<T>* y, const Steps& step, Vector<T>* grad_t) const {
    RealSum<T> next[Rank + 1];
    const Terms* const terms = terms_.data();
    for (std::int64_t n = 0; n < args_.states; ++n) {
      Complex<T> sum = times_conjugate(after[n], terms[n].a);
      for (int r = 0; r < Rank; ++r) sum = sum + conjugate(terms[n].v[r]) * step.grad_t[r];
      for (int ch = 0; ch < Channels; ++ch) sum = sum + conjugate(terms[n].c[ch]) * step.grad[ch];
      for (int r = 0; r < Rank; ++r) next[r].add_conjugate_product(terms[n].p[r], sum);
      y[n] = sum;
    }
    for (int r = 0; r < Rank; ++r) grad_t[r] = next[r].total();
  }

  // Adds the gradients of one state's terms over the steps of a chunk; x and y hold the state's entry of each step.
  void accumulate(const Complex<T>* x, const Complex<T>* y, const Steps* steps, std::int64_t count, Terms& grad) const {
    Terms sum = grad;
    for (std::int64_t i = 0; i < count; ++i) {
      const Complex<T> state = x[i * args_.states], after = y[(i + 1) * args_.states];
      sum.a = sum.a + times_conjugate(after, state);
      for (int r = 0; r < Rank; ++r) {
        sum.p[r] = sum.p[r] + after * steps[i].t[r];
        sum.v[r] = sum.v[r] + conjugate(state) * steps[i].grad_t[r];
      }
      for (int ch = 0; ch < Channels; ++ch) sum.c[ch] = sum.c[ch] + conjugate(state) * steps[i].grad[ch];
    }
    grad = sum;
  }

  const SsmKernelArguments<S>& args_;
  const std::int64_t first_, count_;
  AlignedArray<Terms> terms_;
  AlignedArray<Complex<T>> state_;
};

// Calls run(Number<rank>, Number<channels>) with both as compile-time numbers.
template <typename Run>
inline void with_sizes(std::int64_t rank, std::int64_t channels, const Run& run) {
  const auto with_channels = [&](auto known_rank) {
    channels == 1 ? run(known_rank, Number<1>{}) : run(known_rank, Number<2>{});
  };
  rank == 0 ? with_channels(Number<0>{}) : rank == 1 ? with_channels(Number<1>{}) : with_channels(Number<2>{});
}

template <typename S>
void ssm_kernel(const SsmKernelArguments<S>& args, const Rows& rows) {
  with_sizes(args.rank, args.channels, [&](auto rank, auto channels) {
    for (std::int64_t block = rows.begin; block < rows.end; ++block) {
      SsmKernelBlock<S, double, rank, channels> kernel(args, block);
      args.grad_kernel ? kernel.backward() : kernel.forward();
    }
  });
}

}  // namespace
}  // namespace hippo
