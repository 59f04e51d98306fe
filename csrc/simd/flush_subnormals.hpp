// Subnormal numbers as zeros. High coefficients of a silent signal, and gradients over many steps, fade through them,
// and arithmetic on them is a hundred times slower.
#pragma once
#include <cstdint>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace hippo {

// Sets the calling thread's switch for its lifetime. Every thread that runs kernels holds one (bindings.cpp).
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(read()) { write(before_ | kFlush); }
  ~FlushSubnormals() { write(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__SSE__)
  static constexpr unsigned kFlush = 0x8040;  // MXCSR: flush to zero, and subnormal operands are zeros
  static unsigned read() { return _mm_getcsr(); }
  static void write(unsigned value) { _mm_setcsr(value); }
  unsigned before_;
#elif defined(__aarch64__)
  static constexpr std::uint64_t kFlush = std::uint64_t(1) << 24;  // FPCR.FZ
  static std::uint64_t read() {
    std::uint64_t value;
    asm volatile("mrs %0, fpcr" : "=r"(value));
    return value;
  }
  static void write(std::uint64_t value) { asm volatile("msr fpcr, %0" : : "r"(value)); }
  std::uint64_t before_;
#else
  static constexpr int kFlush = 0;
  static int read() { return 0; }
  static void write(int) {}
  int before_;
#endif
};

}  // namespace hippo
