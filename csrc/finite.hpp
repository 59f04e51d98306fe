// The position of the first NaN or infinity of an array.
#pragma once
#include "simd/vector.hpp"

namespace hippo {
namespace {

template <typename T>
std::int64_t first_nonfinite(const T* values, std::int64_t size) {
  constexpr std::int64_t block = 4 * Lanes<T>::count;
  for (std::int64_t start = 0; start < size; start += block) {
    if (size - start >= block) {
      Vector<T> differences = {};  // v - v is 0 where v is finite, and NaN where it is not
      unroll<4>([&](auto i) HIPPO_INLINE_LAMBDA {
        const Vector<T> v = load<T>(values + start + i * Lanes<T>::count);
        differences += v - v;
      });
      T total = 0;
      unroll<Lanes<T>::count>([&](auto lane) HIPPO_INLINE_LAMBDA { total += differences[int(lane)]; });
      if (total == 0) continue;
    }
    for (std::int64_t i = start; i < size && i < start + block; ++i)
      if (!(values[i] - values[i] == 0)) return i;
  }
  return -1;
}

}  // namespace
}  // namespace hippo
