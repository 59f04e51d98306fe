// A block of a product, held in vector registers: the innermost loop of the products on vector units.
//
// A `Dot` says what is multiplied and how it is added up:
//   Element         the type of the operands
//   rows            how many neighbors of the summed index are packed into one `Packed`
//   Packed, Vector  packed operands, one and a vector of them
//   element(number) a number as an operand
//   pack(rows, to)  packs the entries of so many rows
//   add(sum, a, b)  adds to every lane of `sum`, which is float, the products of the packed operands
#pragma once
#include "products/policy.hpp"

namespace hippo {
namespace {

struct FloatDot {
  using Element = float;
  using Packed = float;
  using Vector = Floats;
  static constexpr int rows = 1;

  static float element(float number) { return number; }
  template <int Count>
  static HIPPO_INLINE void pack(const float* const* from, float* to) {
    std::memcpy(to, from[0], Count * sizeof(float));
  }
  static HIPPO_INLINE Floats add(Floats sum, Floats a, Floats b) { return sum + a * b; }
};

// Two bfloat16 side by side in the bits of a lane, as one number whatever the type of the array that holds them.
typedef std::uint32_t Pair __attribute__((may_alias));

struct PairDot {
  using Element = bfloat16;
  using Packed = Pair;
  using Vector = Words;
  static constexpr int rows = 2;

  static bfloat16 element(float number) { return round_to_bfloat16(splat(number))[0]; }
  template <int Count>
  static HIPPO_INLINE void pack(const bfloat16* const* from, Pair* to) {
    const bfloat16 *first = from[0], *second = from[1];
    std::uint32_t pairs[Count];  // which aliases nothing: the loop is vectorized
    for (int i = 0; i < Count; ++i) pairs[i] = first[i] | std::uint32_t(second[i]) << 16;
    std::memcpy(to, pairs, sizeof pairs);
  }
};

// sum[Rows][2] += a (Rows, count) b (count, 2 vectors): entry k of row i is a[i * step_row + k * step], the columns'
// entries k start at b[k * kBlockColumns].
template <typename Dot, int Rows>
HIPPO_INLINE void add_products(Floats (&sum)[Rows][2], const typename Dot::Packed* a, std::int64_t step_row,
                               std::int64_t step, const typename Dot::Packed* b, std::int64_t count) {
  for (std::int64_t k = 0; k < count; ++k, a += step, b += kBlockColumns) {
    typename Dot::Vector left, right;
    std::memcpy(&left, b, sizeof left);
    std::memcpy(&right, b + kLanes, sizeof right);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const typename Dot::Vector value = a[i * step_row] - typename Dot::Vector{};
      sum[i][0] = Dot::add(sum[i][0], value, left);
      sum[i][1] = Dot::add(sum[i][1], value, right);
    }
  }
}

}  // namespace
}  // namespace hippo
