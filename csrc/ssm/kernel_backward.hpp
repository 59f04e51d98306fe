// Gradients of convolution kernels, in two parts.
//
// The gradients y of the states follow the adjoint recurrence y_l = conj(a) y_{l+1} + sum_r conj(v_r) s_r + conj(c) g,
// s_r = Re(conj(p_r) . y_{l+1}), with the gradient g of the kernel. The first part computes s, as the forward pass
// computes the functionals t. With s and t at hand no state depends on another: the second part takes one or two states
// at a time through a chunk of steps, and holds all that it works on in registers and the L1 cache.
#pragma once
#include "ssm/feature_block.hpp"

namespace hippo {
namespace {

// Numbers of every step: of the kernel's gradient, and of the functionals of states and of their gradients.
template <typename T, int Rank, int Channels>
struct StepNumbers {
  Vector<T> grad[Channels], t[slots(Rank)], s[slots(Rank)];
};

// The functionals s of all steps.
template <typename T, int Rank, int Channels>
class AdjointFunctionals {
 public:
  using Terms = StateTerms<T, Rank, Channels>;
  using Numbers = StepNumbers<T, Rank, Channels>;

  AdjointFunctionals(const Terms* terms, std::int64_t states)
      : states_(states), terms_(states, Fill::nothing), state_(states) {
    for (std::int64_t n = 0; n < states; ++n) {
      couplings_.add(terms[n]);
      Table& table = terms_[n];
      table.a = conjugate(terms[n].a);
      table.square = times(table.a, table.a);
      for (int r = 0; r < Rank; ++r) {
        table.p[r] = terms[n].p[r];
        table.v[kSteps - 1][r] = conjugate(terms[n].v[r]);
        for (int j = kSteps - 1; j > 0; --j) table.v[j - 1][r] = times(table.a, table.v[j][r]);
      }
      for (int ch = 0; ch < Channels; ++ch) {
        table.c[kSteps - 1][ch] = conjugate(terms[n].c[ch]);
        for (int j = kSteps - 1; j > 0; --j) table.c[j - 1][ch] = times(table.a, table.c[j][ch]);
      }
    }
  }

  void run(Numbers* numbers, std::int64_t length) {
    Inputs inputs = {};
    for (std::int64_t l = length - 1; l >= 0; l -= kSteps) {
      inputs = steps(inputs, numbers + l, l + 1);
      const int count = int(smaller(kSteps, l + 1));
      for (int j = 0; j < count; ++j)
        for (int r = 0; r < Rank; ++r) numbers[l - j].s[r] = inputs.s[j][r];
    }
  }

 private:
  static constexpr int kSteps = 4;

  struct Table {
    // of the adjoint: a is conjugated, square = a^2, v[j] = a^(steps - 1 - j) conj(v), c[j] likewise
    Complex<T> a, square, p[Rank], v[kSteps][Rank], c[kSteps][Channels];
  };
  // What enters the gradients of states in a few steps, from later to earlier ones.
  struct Inputs {
    Vector<T> s[kSteps][Rank], grad[kSteps][Channels];
  };

  // The inputs of the `left` steps, or the first few of them, that end at `numbers`.
  Inputs steps(const Inputs& before, const Numbers* numbers, std::int64_t left) {
    Inputs found = {};
    for (std::int64_t n = 0; n < states_; ++n) {
      const Table& table = terms_[n];
      Complex<T> input = {};
      unroll<kSteps>([&](auto j) HIPPO_INLINE_LAMBDA {
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { input = input + table.v[j][r] * before.s[j][r]; });
        unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA { input = input + table.c[j][ch] * before.grad[j][ch]; });
      });
      Complex<T> y = state_[n] + input, next = times(table.a, y);
      unroll<kSteps>([&](auto j) HIPPO_INLINE_LAMBDA {
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { add_real_conjugate(found.s[j][r], table.p[r], y); });
        const Complex<T> after = times(table.square, y);
        y = next;
        next = after;
      });
      state_[n] = y;
    }
    for (int j = 0; j < kSteps && j < left; ++j) {
      for (int ch = 0; ch < Channels; ++ch) found.grad[j][ch] = numbers[-j].grad[ch];
      for (int i = 0; i < j; ++i)
        for (int r = 0; r < Rank; ++r) {
          for (int q = 0; q < Rank; ++q) found.s[j][r] += couplings_.v[j - 1 - i][q][r] * found.s[i][q];
          for (int ch = 0; ch < Channels; ++ch) found.s[j][r] += couplings_.c[j - 1 - i][ch][r] * found.grad[i][ch];
        }
    }
    return found;
  }

  const std::int64_t states_;
  Couplings<T, Rank, Channels, kSteps> couplings_;
  AlignedArray<Table> terms_;
  AlignedArray<Complex<T>> state_;
};

template <typename T, int Rank, int Channels>
class KernelBackward {
 public:
  KernelBackward(const SsmKernelArguments<T>& args, std::int64_t block)
      : args_(args), block_(args, block), terms_(args.states, Fill::nothing), numbers_(args.length) {
    for (std::int64_t n = 0; n < args.states; ++n)
      terms_[n] = gather_terms<T, T, Rank, Channels>(block_, args.system, n);
    for (std::int64_t l = 0; l < args.length; ++l) {
      for (int ch = 0; ch < Channels; ++ch) numbers_[l].grad[ch] = block_.read(args.grad_kernel, ch * args.length + l);
      for (int r = 0; r < Rank; ++r) numbers_[l].t[r] = block_.read(args.functionals, r * args.length + l);
    }
  }

  void run() {
    if constexpr (Rank > 0)
      AdjointFunctionals<T, Rank, Channels>(terms_.data(), args_.states).run(numbers_.data(), args_.length);
    const std::int64_t states = args_.states, length = args_.length, chunks = (length + kChunk - 1) / kChunk;
    AlignedArray<Complex<T>> starts(chunks * states, Fill::nothing);  // the states at the start of each chunk
    AlignedArray<Complex<T>> y(states), x(kMany * kChunk, Fill::nothing);
    AlignedArray<Terms> grads(states);
    for (std::int64_t n = 0; n < states; ++n) starts[n] = block_.gather(args_.system.b, 0, 1, n);
    for (std::int64_t chunk = 0; chunk + 1 < chunks; ++chunk)
      for_states([&](auto many, std::int64_t n) {
        forward_steps<many>(n, starts.data() + chunk * states + n, numbers_.data() + chunk * kChunk, kChunk,
                            starts.data() + (chunk + 1) * states + n, nullptr);
      });
    for (std::int64_t chunk = chunks - 1; chunk >= 0; --chunk) {
      const std::int64_t begin = chunk * kChunk, count = smaller(kChunk, length - begin);
      for_states([&](auto many, std::int64_t n) {
        forward_steps<many>(n, starts.data() + chunk * states + n, numbers_.data() + begin, count, nullptr, x.data());
        unroll<many>([&](auto i) {
          backward_steps(terms_[n + i], x.data() + i * kChunk, numbers_.data() + begin, count, y[n + i], grads[n + i]);
        });
      });
    }
    for (std::int64_t n = 0; n < states; ++n) write(n, grads[n], y[n]);
  }

 private:
  static constexpr std::int64_t kChunk = 64;  // steps whose states are held at once
  static constexpr int kMany = 2;  // states at a time in forward_steps: each is a chain of dependent products

  using Terms = StateTerms<T, Rank, Channels>;

  template <typename F>
  void for_states(const F& f) const {
    std::int64_t n = 0;
    for (; n + kMany <= args_.states; n += kMany) f(Number<kMany>{}, n);
    for (; n < args_.states; ++n) f(Number<1>{}, n);
  }

  // Takes `Many` states from n on through some steps. Writes the states after them to `after`, or those before each
  // step to `each` (Many, kChunk).
  template <int Many>
  void forward_steps(std::int64_t n, const Complex<T>* before, const StepNumbers<T, Rank, Channels>* numbers,
                     std::int64_t count, Complex<T>* after, Complex<T>* each) const {
    Complex<T> x[Many], a[Many];
    unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA {
      x[i] = before[i];
      a[i] = terms_[n + i].a;
    });
    const Terms* const terms = terms_.data() + n;
    for (std::int64_t l = 0; l < count; ++l)
      unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA {
        if (each) each[i * kChunk + l] = x[i];
        Complex<T> input = {};
        unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA { input = input + terms[i].p[r] * numbers[l].t[r]; });
        x[i] = Rank ? times_plus(x[i], a[i], input) : times(x[i], a[i]);
      });
    if (after) unroll<Many>([&](auto i) HIPPO_INLINE_LAMBDA { after[i] = x[i]; });
  }

  // Takes the gradient y of one state back through some steps, and adds the gradients of its terms.
  static void backward_steps(const Terms& terms, const Complex<T>* x, const StepNumbers<T, Rank, Channels>* numbers,
                             std::int64_t count, Complex<T>& y, Terms& grad) {
    Terms sum = {};
    Complex<T> after = y;
    for (std::int64_t l = count - 1; l >= 0; --l) {
      const StepNumbers<T, Rank, Channels>& step = numbers[l];
      const Complex<T> state = x[l];
      sum.a = sum.a + times_conjugate(after, state);
      Complex<T> input = {};
      unroll<Rank>([&](auto r) HIPPO_INLINE_LAMBDA {
        sum.p[r] = sum.p[r] + after * step.t[r];
        sum.v[r] = sum.v[r] + conjugate(state) * step.s[r];
        input = input + conjugate(terms.v[r]) * step.s[r];
      });
      unroll<Channels>([&](auto ch) HIPPO_INLINE_LAMBDA {
        sum.c[ch] = sum.c[ch] + conjugate(state) * step.grad[ch];
        input = input + conjugate(terms.c[ch]) * step.grad[ch];
      });
      after = times_conjugate_plus(after, terms.a, input);
    }
    y = after;
    grad.a = grad.a + sum.a;
    for (int r = 0; r < Rank; ++r) {
      grad.p[r] = grad.p[r] + sum.p[r];
      grad.v[r] = grad.v[r] + sum.v[r];
    }
    for (int ch = 0; ch < Channels; ++ch) grad.c[ch] = grad.c[ch] + sum.c[ch];
  }

  void write(std::int64_t n, const Terms& grad, Complex<T> grad_b) const {
    block_.scatter(args_.grad.a, 0, 1, n, grad.a);
    block_.scatter(args_.grad.b, 0, 1, n, grad_b);
    for (int r = 0; r < Rank; ++r) {
      block_.scatter(args_.grad.p, r, Rank, n, grad.p[r]);
      block_.scatter(args_.grad.v, r, Rank, n, grad.v[r]);
    }
    for (int ch = 0; ch < Channels; ++ch) block_.scatter(block_.output_vector(args_.grad.c, ch), 0, 1, n, grad.c[ch]);
  }

  const SsmKernelArguments<T>& args_;
  const FeatureBlock<T, T> block_;
  AlignedArray<Terms> terms_;
  AlignedArray<StepNumbers<T, Rank, Channels>> numbers_;
};

}  // namespace
}  // namespace hippo
