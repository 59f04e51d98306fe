// Loads and stores of the first lanes of a vector, and sums over lanes.
#pragma once
#include "simd/vector.hpp"

namespace hippo {
namespace {

// The first `count` numbers at `from`, converted to T; the other lanes are zero.
template <typename T, typename S>
HIPPO_INLINE Vector<T> load_lanes(const S* from, std::int64_t count) {
  constexpr int lanes = Lanes<T>::count;
  T all[lanes] = {};
  if (count == lanes) {
    if constexpr (__is_same(T, S)) return load(from);
    for (int i = 0; i < lanes; ++i) all[i] = T(from[i]);
  } else {
    for (std::int64_t i = 0; i < count; ++i) all[i] = T(from[i]);
  }
  return load(all);
}

// The first `count` lanes of `value`, converted to S.
template <typename T, typename S>
HIPPO_INLINE void store_lanes(S* to, Vector<T> value, std::int64_t count) {
  constexpr int lanes = Lanes<T>::count;
  T all[lanes];
  if (count == lanes) {
    if constexpr (__is_same(T, S)) return store(to, value);
    store(all, value);
    for (int i = 0; i < lanes; ++i) to[i] = S(all[i]);
  } else {
    store(all, value);
    for (std::int64_t i = 0; i < count; ++i) to[i] = S(all[i]);
  }
}

// Calls f(start, count) for each vector of `size` numbers. The count of whole vectors is known to the compiler, which
// then needs no branch at their loads.
template <typename T, typename F>
HIPPO_INLINE void for_each_vector(std::int64_t size, F&& f) {
  constexpr std::int64_t lanes = Lanes<T>::count;
  const std::int64_t whole = size / lanes * lanes;
  for (std::int64_t start = 0; start < whole; start += lanes) f(start, lanes);
  if (whole < size) f(whole, size - whole);
}

template <typename T, int Block, int... Lane>
HIPPO_INLINE Vector<T> exchange_lanes(Vector<T> v, Indices<Lane...>) {
  return __builtin_shufflevector(v, v, (Lane ^ Block)...);
}

template <typename T, int Block = 1>
HIPPO_INLINE T sum_of_lanes(Vector<T> v) {
  constexpr int lanes = Lanes<T>::count;
  if constexpr (Block < lanes)
    return sum_of_lanes<T, 2 * Block>(v + exchange_lanes<T, Block>(v, FirstIndices<lanes>{}));
  else
    return v[0];
}

}  // namespace
}  // namespace hippo
