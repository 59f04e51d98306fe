// A vector of features of the arrays of systems and kernels: every lane is a feature.
#pragma once
#include "simd/array.hpp"
#include "ssm/complex.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

// S is the type of the arrays, T that of the lanes.
template <typename S, typename T>
class FeatureBlock {
 public:
  static constexpr int lanes = Lanes<T>::count;

  FeatureBlock(const SsmKernelArguments<S>& args, std::int64_t block)
      : args_(args), first_(block * lanes), count_(smaller(lanes, args.features - first_)) {}

  // Entry n of part `part` of `parts`, of every lane's feature.
  Complex<T> gather(const S* from, int part, int parts, std::int64_t n) const {
    T re[lanes] = {}, im[lanes] = {};
    for (std::int64_t i = 0; i < count_; ++i) {
      const S* const number = from + place(i, part, parts, n);
      re[i] = T(number[0]);
      im[i] = T(number[1]);
    }
    return {load(re), load(im)};
  }

  void scatter(S* to, int part, int parts, std::int64_t n, Complex<T> value) const {
    for (std::int64_t i = 0; i < count_; ++i) {
      S* const number = to + place(i, part, parts, n);
      number[0] = S(value.re[i]);
      number[1] = S(value.im[i]);
    }
  }

  // Row `row` of an array (rows, features).
  Vector<T> read(const S* from, std::int64_t row) const {
    return load_lanes<T>(from + row * args_.features + first_, count_);
  }
  void write(S* to, std::int64_t row, Vector<T> value) const {
    store_lanes<T>(to + row * args_.features + first_, value, count_);
  }

  // The vector c of a channel.
  template <typename E>
  E* output_vector(E* c, int channel) const {
    return c + 2 * channel * args_.features * args_.states;
  }

 private:
  std::int64_t place(std::int64_t lane, int part, int parts, std::int64_t n) const {
    return 2 * (((first_ + lane) * parts + part) * args_.states + n);
  }

  const SsmKernelArguments<S>& args_;
  const std::int64_t first_, count_;
};

// Length of arrays with one entry per low-rank term. Arrays of length 0 do not exist.
constexpr int slots(int rank) { return rank ? rank : 1; }

// The terms of one state, or their gradients.
template <typename T, int Rank, int Channels>
struct StateTerms {
  Complex<T> a, p[slots(Rank)], v[slots(Rank)], c[Channels];
};

template <typename S, typename T, int Rank, int Channels>
inline StateTerms<T, Rank, Channels> gather_terms(const FeatureBlock<S, T>& block, const SystemArrays<const S>& system,
                                                  std::int64_t n) {
  StateTerms<T, Rank, Channels> terms = {};
  terms.a = block.gather(system.a, 0, 1, n);
  for (int r = 0; r < Rank; ++r) {
    terms.p[r] = block.gather(system.p, r, Rank, n);
    terms.v[r] = block.gather(system.v, r, Rank, n);
  }
  for (int ch = 0; ch < Channels; ++ch) terms.c[ch] = block.gather(block.output_vector(system.c, ch), 0, 1, n);
  return terms;
}

// Couplings of `Steps` steps that are computed at once: with a^m between them, step j reads the low-rank functionals of
// the steps before it by v[m] = Re(v_r . a^m p_s) and the outputs read them by c[m] = Re(c . a^m p_s).
template <typename T, int Rank, int Channels, int Steps>
struct Couplings {
  Vector<T> v[Steps][slots(Rank)][slots(Rank)] = {}, c[Steps][Channels][slots(Rank)] = {};

  void add(const StateTerms<T, Rank, Channels>& terms) {
    for (int s = 0; s < Rank; ++s) {
      Complex<T> z = terms.p[s];
      for (int m = 0; m + 1 < Steps; ++m) {
        for (int r = 0; r < Rank; ++r) v[m][r][s] += terms.v[r].re * z.re - terms.v[r].im * z.im;
        for (int ch = 0; ch < Channels; ++ch) c[m][ch][s] += terms.c[ch].re * z.re - terms.c[ch].im * z.im;
        z = times(terms.a, z);
      }
    }
  }
};

}  // namespace
}  // namespace hippo
