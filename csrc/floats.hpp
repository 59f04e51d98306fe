// Vectors of floats: loads and stores as float or bfloat16, exponentials, transposition.
#pragma once
#include <cstdint>
#include <cstring>
#include <utility>

#include "vector.hpp"

namespace hippo {
namespace {

constexpr int kVectorBytes = HIPPO_VECTOR_BYTES;
constexpr int kLanes = kVectorBytes / 4;

// Integers and copies without the standard library: its templates, compiled once per instruction set, would be merged
// by the linker into one copy that not every processor runs.
inline std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
inline std::int64_t at_most(std::int64_t bound, std::int64_t n) { return n < bound ? n : bound; }
inline std::int64_t at_least(std::int64_t bound, std::int64_t n) { return n > bound ? n : bound; }

template <typename T>
inline void copy(const T* from, std::int64_t count, T* to) {
    std::memcpy(to, from, count * sizeof(T));
}

typedef float Floats __attribute__((vector_size(kVectorBytes)));
typedef std::int32_t Ints __attribute__((vector_size(kVectorBytes)));
typedef std::uint32_t Words __attribute__((vector_size(kVectorBytes)));
typedef std::uint16_t Halves __attribute__((vector_size(kVectorBytes / 2)));

using bfloat16 = std::uint16_t;  // the upper half of a float

inline Floats splat(float value) { return value - Floats{}; }

inline Floats load(const float* from) {
    Floats value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

inline Floats load(const bfloat16* from) {
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    const Words words = __builtin_convertvector(halves, Words) << 16;
    return (Floats)words;
}

// Round to nearest, ties to even. Not-a-numbers that would round to infinity do not come here alone: a state that
// holds one is lost either way.
inline Halves round_to_bfloat16(Floats value) {
    const Words words = (Words)value;
    return __builtin_convertvector((words + 0x7fff + ((words >> 16) & 1)) >> 16, Halves);
}

inline void store(float* to, Floats value) { std::memcpy(to, &value, sizeof value); }

inline void store(bfloat16* to, Floats value) {
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

// While it lives, subnormal numbers are zero. Gradients that fade over many steps pass through them, and arithmetic
// on them is a hundred times slower.
struct FlushSubnormals {
#ifdef __SSE2__
    const unsigned before = __builtin_ia32_stmxcsr();
    FlushSubnormals() { __builtin_ia32_ldmxcsr(before | 0x8040); }
    ~FlushSubnormals() { __builtin_ia32_ldmxcsr(before); }
#endif
};

// exp(x) = 2^k exp(r), |r| <= ln 2 / 2: k as a float, and r.
inline Floats reduce(Floats& x) {
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const Floats k = (x * 1.44269504f + magic) - magic;
    x = (x - k * 0.693359375f) + k * 2.12194440e-4f;
    return k;
}

inline Floats power_of_two(Floats k) {
    const Ints bits = (__builtin_convertvector(k, Ints) + 127) << 23;
    return (Floats)bits;
}

// exp(r) - 1 for |r| <= ln 2 / 2, to float's rounding (Taylor, degree 7).
inline Floats expm1_reduced(Floats r) {
    Floats p = splat(1.0f / 5040);
    const float terms[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f};
    for (const float term : terms) p = p * r + term;
    return p * r;
}

inline Floats clamp(Floats x, float low, float high) {
    x = x < low ? splat(low) : x;
    return x > high ? splat(high) : x;
}

inline Floats exp(Floats x) {
    x = clamp(x, -87.0f, 87.0f);
    const Floats k = reduce(x);
    return (expm1_reduced(x) + 1.0f) * power_of_two(k);
}

inline Floats expm1(Floats x) {
    x = clamp(x, -87.0f, 87.0f);
    const Floats scale = power_of_two(reduce(x));
    return expm1_reduced(x) * scale + (scale - 1.0f);
}

inline Floats sigmoid(Floats x) { return reciprocal(1.0f + exp(-x)); }

inline Floats tanh(Floats x) {
    const Floats e = expm1(x < 0 ? 2.0f * x : -2.0f * x);  // tanh |x| = -e / (e + 2)
    const Floats size = -e * reciprocal(e + 2.0f);
    return x < 0 ? -size : size;
}

// One half of a perfect shuffle of two vectors: their lower (Half 0) or upper (Half 1) lanes in turn.
template <int Half, int... I>
inline Floats interleave(Floats a, Floats b, std::integer_sequence<int, I...>) {
    return __builtin_shufflevector(a, b, (I / 2 + Half * kLanes / 2 + (I % 2) * kLanes)...);
}

// Transpose of a square of vectors in log2(lanes) perfect shuffles.
inline void transpose(Floats (&rows)[kLanes]) {
    constexpr auto lanes = std::make_integer_sequence<int, kLanes>{};
    for (int stage = 1; stage < kLanes; stage *= 2) {
        Floats next[kLanes];
        for (int i = 0; i < kLanes / 2; ++i) {
            next[2 * i] = interleave<0>(rows[i], rows[i + kLanes / 2], lanes);
            next[2 * i + 1] = interleave<1>(rows[i], rows[i + kLanes / 2], lanes);
        }
        for (int i = 0; i < kLanes; ++i) rows[i] = next[i];
    }
}

}  // namespace
}  // namespace hippo
