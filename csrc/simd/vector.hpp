// Vectors of HIPPO_VECTOR_BYTES bytes as the compiler's own types: the same source serves every register width.
//
// Everything that the kernels of one instruction set use lies in unnamed namespaces, and nothing of the standard
// library's templates is instantiated. The linker would otherwise merge the copies of several instruction sets into
// one, which not every processor runs.
#pragma once
#include <cstdint>
#include <cstring>

#include "inline.hpp"

namespace hippo {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kVectorRegisters = 32;
#else
constexpr int kVectorRegisters = 16;
#endif

template <typename T>
struct Lanes {
  static constexpr int count = HIPPO_VECTOR_BYTES / int(sizeof(T));
  typedef T Vector __attribute__((vector_size(HIPPO_VECTOR_BYTES)));
};

template <typename T>
using Vector = typename Lanes<T>::Vector;

template <typename T>
using Mask = decltype(Vector<T>{} < Vector<T>{});  // integers of T's width: -1 where true

inline std::int32_t lane_integer(float, std::int64_t i) { return std::int32_t(i); }
inline std::int64_t lane_integer(double, std::int64_t i) { return i; }

// `value` in every lane; its negative zero stays negative.
template <typename T>
HIPPO_INLINE Vector<T> splat(T value) {
  return value - Vector<T>{};
}

// Loads and stores at any address.
template <typename T>
HIPPO_INLINE Vector<T> load(const T* from) {
  Vector<T> value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
HIPPO_INLINE void store(T* to, Vector<T> value) {
  std::memcpy(to, &value, sizeof value);
}

// A number known at compile time, passed as an argument.
template <int I>
struct Number {
  static constexpr int value = I;
  constexpr operator int() const { return I; }
};

// Calls f(0), f(1), ... f(Count - 1) with compile-time numbers, so that arrays with these indices live in registers.
template <int Count, int From = 0, typename F>
HIPPO_INLINE void unroll(F&& f) {
  if constexpr (From < Count) {
    f(Number<From>{});
    unroll<Count, From + 1>(f);
  }
}

template <int... I>
struct Indices {};

template <int Count, int... I>
struct MakeIndices : MakeIndices<Count - 1, Count - 1, I...> {};
template <int... I>
struct MakeIndices<0, I...> {
  using type = Indices<I...>;
};
template <int Count>
using FirstIndices = typename MakeIndices<Count>::type;

template <typename T, int... Lane>
HIPPO_INLINE Vector<T> shift_in(Vector<T> v, T entering, Indices<Lane...>) {
  return __builtin_shufflevector(v, splat(entering), (Lane ? Lane - 1 : Lanes<T>::count)...);
}

// Moves every lane up by one and puts `entering` into lane 0.
template <typename T>
HIPPO_INLINE Vector<T> shift_in(Vector<T> v, T entering) {
  return shift_in<T>(v, entering, FirstIndices<Lanes<T>::count>{});
}

// Exchanges, between vectors a and b whose positions differ by `Block`, the blocks of `Block` lanes off the diagonal.
template <typename T, int Block, int... Lane>
HIPPO_INLINE void exchange(Vector<T>& a, Vector<T>& b, Indices<Lane...>) {
  constexpr int count = Lanes<T>::count;
  const Vector<T> low = __builtin_shufflevector(a, b, (Lane & Block ? Lane - Block + count : Lane)...);
  b = __builtin_shufflevector(a, b, (Lane & Block ? Lane + count : Lane + Block)...);
  a = low;
}

// Transposes a square of vectors in registers, in log2(lanes) rounds.
template <typename T, int Block = 1>
HIPPO_INLINE void transpose(Vector<T>* rows) {
  constexpr int count = Lanes<T>::count;
  if constexpr (Block < count) {
    unroll<count>([&](auto turn) HIPPO_INLINE_LAMBDA {
      constexpr int row = turn;
      if constexpr (!(row & Block)) exchange<T, Block>(rows[row], rows[row + Block], FirstIndices<count>{});
    });
    transpose<T, 2 * Block>(rows);
  }
}

}  // namespace
}  // namespace hippo
