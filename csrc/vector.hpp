// Vectors of HIPPO_VECTOR_BYTES bytes as the compiler's own types: the same source serves every register width.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#ifdef __SSE__
#include <immintrin.h>
#endif

#include "kernels.hpp"

#define HIPPO_INLINED __attribute__((always_inline))  // HIPPO_INLINE for a lambda

namespace hippo {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int vector_registers = 32;
#else
constexpr int vector_registers = 16;
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

// Not std::sqrt: an inline function of the library would be shared between instruction sets by the linker.
HIPPO_INLINE float square_root(float x) { return __builtin_sqrtf(x); }
HIPPO_INLINE double square_root(double x) { return __builtin_sqrt(x); }

inline std::int32_t lane_integer(float, std::int64_t i) { return std::int32_t(i); }
inline std::int64_t lane_integer(double, std::int64_t i) { return i; }

// Calls f(0), f(1), ... f(Count - 1) with compile-time numbers, so that arrays so indexed live in registers.
template <int I>
struct Number {
    static constexpr int value = I;
    constexpr operator int() const { return I; }
};

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
    return __builtin_shufflevector(v, Vector<T>{} + entering, (Lane ? Lane - 1 : Lanes<T>::count)...);
}

// Moves every lane up by one and puts `entering` into lane 0.
template <typename T>
HIPPO_INLINE Vector<T> shift_in(Vector<T> v, T entering) {
    return shift_in<T>(v, entering, FirstIndices<Lanes<T>::count>{});
}

// 1 / v for v >= 1 without a division: a hardware estimate, refined by Newton's iteration to working precision.
HIPPO_INLINE Vector<float> reciprocal(Vector<float> v) {
#if defined(__AVX512F__)
    Vector<float> r = (Vector<float>)_mm512_rcp14_ps((__m512)v);
    return r + r * (1 - v * r);
#elif defined(__AVX__)
    Vector<float> r = (Vector<float>)_mm256_rcp_ps((__m256)v);
    return r + r * (1 - v * r);
#elif defined(__SSE__)
    Vector<float> r = (Vector<float>)_mm_rcp_ps((__m128)v);
    r = r + r * (1 - v * r);
    return r + r * (1 - v * r);
#else
    return 1 / v;
#endif
}

HIPPO_INLINE Vector<double> reciprocal(Vector<double> v) {
#if defined(__AVX512F__)
    Vector<double> r = (Vector<double>)_mm512_rcp14_pd((__m512d)v);
#elif defined(__AVX__)
    Vector<double> r = (Vector<double>)_mm256_cvtps_pd(_mm_rcp_ps(_mm256_cvtpd_ps((__m256d)v)));
    r = r + r * (1 - v * r);
#elif defined(__SSE2__)
    Vector<double> r = (Vector<double>)_mm_cvtps_pd(_mm_rcp_ps(_mm_cvtpd_ps((__m128d)v)));
    r = r + r * (1 - v * r);
#else
    return 1 / v;
#endif
#ifdef __SSE2__
    r = r + r * (1 - v * r);
    return r + r * (1 - v * r);
#endif
}

enum class Fill { zero, nothing };

// An array aligned to the vectors' width, zeroed unless all of it is written before it is read.
template <typename E>
class AlignedArray {
  public:
    explicit AlignedArray(std::int64_t size, Fill fill = Fill::zero) {
        const std::size_t bytes = (std::size_t(size) * sizeof(E) / HIPPO_VECTOR_BYTES + 1) * HIPPO_VECTOR_BYTES;
        data_ = static_cast<E*>(std::aligned_alloc(HIPPO_VECTOR_BYTES, bytes));
        if (!data_) out_of_memory();
        for (std::int64_t i = 0; fill == Fill::zero && i < size; ++i) data_[i] = E{};
    }
    ~AlignedArray() { std::free(data_); }
    AlignedArray(const AlignedArray&) = delete;
    AlignedArray& operator=(const AlignedArray&) = delete;
    E* data() const { return data_; }
    E& operator[](std::int64_t i) { return data_[i]; }
    const E& operator[](std::int64_t i) const { return data_[i]; }

  private:
    E* data_;
};

}  // namespace
}  // namespace hippo
