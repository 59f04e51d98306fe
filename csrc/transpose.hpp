// Transposition of a square of vectors in registers, and their loads and stores at any address.
#pragma once
#include "vector.hpp"

namespace hippo {
namespace {

template <typename T>
struct Unaligned {
    typedef T Vector __attribute__((vector_size(HIPPO_VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};

template <typename T>
HIPPO_INLINE Vector<T> load(const T* from) {
    return *reinterpret_cast<const typename Unaligned<T>::Vector*>(from);
}

template <typename T>
HIPPO_INLINE void store(T* to, Vector<T> v) {
    *reinterpret_cast<typename Unaligned<T>::Vector*>(to) = v;
}

// Exchanges, between vectors a and b that lie `Block` apart, the blocks of `Block` lanes off the diagonal.
template <typename T, int Block, int... Lane>
HIPPO_INLINE void exchange(Vector<T>& a, Vector<T>& b, Indices<Lane...>) {
    constexpr int count = Lanes<T>::count;
    const Vector<T> low = __builtin_shufflevector(a, b, (Lane & Block ? Lane - Block + count : Lane)...);
    b = __builtin_shufflevector(a, b, (Lane & Block ? Lane + count : Lane + Block)...);
    a = low;
}

template <typename T, int Block = 1>
HIPPO_INLINE void transpose(Vector<T>* rows) {
    constexpr int count = Lanes<T>::count;
    if constexpr (Block < count) {
        unroll<count>([&](auto turn) HIPPO_INLINED {
            constexpr int row = turn;
            if constexpr (!(row & Block)) exchange<T, Block>(rows[row], rows[row + Block], FirstIndices<count>{});
        });
        transpose<T, 2 * Block>(rows);
    }
}

}  // namespace
}  // namespace hippo
