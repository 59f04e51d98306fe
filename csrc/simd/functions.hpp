// Elementary functions of vectors, to the working precision.
#pragma once
#ifdef __SSE__
#include <immintrin.h>
#endif

#include "simd/floats.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

// Not std::sqrt: an inline function of the library would be shared between instruction sets by the linker.
HIPPO_INLINE float square_root(float x) { return __builtin_sqrtf(x); }
HIPPO_INLINE double square_root(double x) { return __builtin_sqrt(x); }

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

// exp(x) = 2^k exp(r), |r| <= ln 2 / 2: returns k as a float, and leaves r in x.
inline Floats reduce(Floats& x) {
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const Floats k = (x * 1.44269504f + magic) - magic;
  x = (x - k * 0.693359375f) + k * 2.12194440e-4f;
  return k;
}

inline Floats power_of_two(Floats k) {
  const Integers bits = (__builtin_convertvector(k, Integers) + 127) << 23;
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

}  // namespace
}  // namespace hippo
