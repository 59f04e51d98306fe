// Vectors of float, as the cells use them: loads and stores of float and bfloat16, whole or in part.
#pragma once
#include "simd/vector.hpp"

namespace hippo {
namespace {

using Floats = Vector<float>;
constexpr int kLanes = Lanes<float>::count;

typedef std::int32_t Integers __attribute__((vector_size(HIPPO_VECTOR_BYTES)));
typedef std::uint32_t Words __attribute__((vector_size(HIPPO_VECTOR_BYTES)));
typedef std::uint16_t Halves __attribute__((vector_size(HIPPO_VECTOR_BYTES / 2)));

using bfloat16 = std::uint16_t;  // the upper half of a float

HIPPO_INLINE Floats load(const bfloat16* from) {
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  const Words words = __builtin_convertvector(halves, Words) << 16;
  return (Floats)words;
}

// Rounds to nearest, ties to even. The sum would carry the payload of some NaN into the sign: a NaN stays one.
HIPPO_INLINE Halves round_to_bfloat16(Floats value) {
  const Words words = (Words)value, rounded = words + 0x7fff + ((words >> 16) & 1);
  const Words kept = value != value ? Words{} + 0x7fc00000 : rounded;
  return __builtin_convertvector(kept >> 16, Halves);
}

HIPPO_INLINE void store(bfloat16* to, Floats value) {
  const Halves halves = round_to_bfloat16(value);
  std::memcpy(to, &halves, sizeof halves);
}

// The first `count` lanes only.
template <typename S>
inline void store_part(S* to, Floats value, std::int64_t count) {
  if (count >= kLanes) return store(to, value);
  S all[kLanes];
  store(all, value);
  for (std::int64_t i = 0; i < count; ++i) to[i] = all[i];
}

template <typename S>
inline Floats load_part(const S* from, std::int64_t count) {
  if (count >= kLanes) return load(from);
  S all[kLanes] = {};
  for (std::int64_t i = 0; i < count; ++i) all[i] = from[i];
  return load(all);
}

inline float sum(Floats value) {
  float total = 0;
  for (int i = 0; i < kLanes; ++i) total += value[i];
  return total;
}

}  // namespace
}  // namespace hippo
