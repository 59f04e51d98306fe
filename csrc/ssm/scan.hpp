// The recurrence of state-space systems, for inputs that arrive one by one or in chunks.
//
// The lanes are the real and imaginary parts of neighboring states, as the arrays hold them.
#pragma once
#include "cells/interface.hpp"
#include "simd/array.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

// Pairs of lanes as complex numbers.
template <typename T>
struct Pairs {
  template <int... Lane>
  static HIPPO_INLINE Vector<T> real(Vector<T> v, Indices<Lane...>) {
    return __builtin_shufflevector(v, v, (Lane & ~1)...);
  }
  template <int... Lane>
  static HIPPO_INLINE Vector<T> imaginary(Vector<T> v, Indices<Lane...>) {
    return __builtin_shufflevector(v, v, (Lane | 1)...);
  }
  template <int... Lane>
  static HIPPO_INLINE Vector<T> signs(Indices<Lane...>) {
    return Vector<T>{T(Lane % 2 ? 1 : -1)...};
  }

  static HIPPO_INLINE Vector<T> product(Vector<T> x, Vector<T> y) {
    constexpr FirstIndices<Lanes<T>::count> all = {};
    return real(x, all) * y + imaginary(x, all) * (exchange_lanes<T, 1>(y, all) * signs(all));
  }
  // The sum of the real parts of products, from the sum of the products of lanes.
  static HIPPO_INLINE T real_sum(Vector<T> products) {
    return -sum_of_lanes<T>(products * signs(FirstIndices<Lanes<T>::count>{}));
  }
};

// One feature of one sample over all steps.
template <typename T, int Rank>
inline void scan_feature(const SsmScanArguments<T>& args, std::int64_t sample, std::int64_t feature) {
  constexpr int lanes = Lanes<T>::count;
  const std::int64_t numbers = 2 * args.states;
  const SystemArrays<const T>& system = args.system;
  const T *const a = system.a + feature * numbers, *const b = system.b + feature * numbers,
                 *const c = system.c + feature * numbers, *const p = system.p + feature * Rank * numbers,
                 *const v = system.v + feature * Rank * numbers;
  const std::int64_t place = (sample * args.features + feature) * numbers;
  const T* before = args.before + place;
  T* const after = args.after + place;
  const T* input = args.inputs + sample * args.length * args.features + feature;
  T* output = args.outputs + sample * args.length * args.features + feature;

  T t[Rank + 1] = {};
  for (int r = 0; r < Rank; ++r) {
    Vector<T> sum = {};
    for (std::int64_t n = 0; n < numbers; n += lanes) {
      const std::int64_t count = smaller(lanes, numbers - n);
      sum += load_lanes<T>(v + r * numbers + n, count) * load_lanes<T>(before + n, count);
    }
    t[r] = Pairs<T>::real_sum(sum);
  }
  for (std::int64_t step = 0; step < args.length; ++step, input += args.features, output += args.features) {
    const T u = *input;
    Vector<T> sums[Rank + 1] = {};  // of the functionals, and of the output
    for (std::int64_t n = 0; n < numbers; n += lanes) {
      const std::int64_t count = smaller(lanes, numbers - n);
      Vector<T> next = Pairs<T>::product(load_lanes<T>(a + n, count), load_lanes<T>(before + n, count)) +
                       u * load_lanes<T>(b + n, count);
      for (int r = 0; r < Rank; ++r) next += t[r] * load_lanes<T>(p + r * numbers + n, count);
      store_lanes<T>(after + n, next, count);
      for (int r = 0; r < Rank; ++r) sums[r] += load_lanes<T>(v + r * numbers + n, count) * next;
      sums[Rank] += load_lanes<T>(c + n, count) * next;
    }
    before = after;
    for (int r = 0; r < Rank; ++r) t[r] = Pairs<T>::real_sum(sums[r]);
    *output = Pairs<T>::real_sum(sums[Rank]) + args.skip[feature] * u;
  }
}

template <typename T>
void ssm_scan(const SsmScanArguments<T>& args, const Rows& rows) {
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    const std::int64_t sample = row / args.features, feature = row % args.features;
    if (args.rank == 0) scan_feature<T, 0>(args, sample, feature);
    if (args.rank == 1) scan_feature<T, 1>(args, sample, feature);
    if (args.rank == 2) scan_feature<T, 2>(args, sample, feature);
  }
}

}  // namespace
}  // namespace hippo
