// The core's peak rate of fused multiply-adds, which benchmarks compare the kernels with.
#pragma once
#include "simd/vector.hpp"

namespace hippo {
namespace {

// Runs `rounds` rounds of 16 independent multiply-adds of vectors; returns the scalar multiply-adds done.
template <typename T>
double peak_fma(std::int64_t rounds) {
  constexpr int chains =
      Lanes<T>::count * sizeof(T) == 64 ? 16 : 12;  // more than latency times ports, and held in registers
  Vector<T> sums[chains];                           // of different values, so that the compiler computes each of them
  unroll<chains>([&](auto chain) HIPPO_INLINE_LAMBDA { sums[int(chain)] = Vector<T>{} + T(int(chain)); });
  const Vector<T> factor = Vector<T>{} + T(0.5);
  for (std::int64_t i = 0; i < rounds; ++i)
    unroll<chains>([&](auto chain) HIPPO_INLINE_LAMBDA {
      constexpr int c = chain;
      sums[c] = sums[c] * factor + factor;
    });
  double sink = 0;
  for (auto& sum : sums) sink += double(sum[0]);
  return sink > 0 ? double(rounds) * chains * Lanes<T>::count : 0;
}

}  // namespace
}  // namespace hippo
