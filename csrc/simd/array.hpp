// Aligned memory, and the integer functions that the kernels need in the place of the standard library's templates.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "interface.hpp"

namespace hippo {
namespace {

inline std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
inline std::int64_t smaller(std::int64_t a, std::int64_t b) { return b < a ? b : a; }
inline std::int64_t larger(std::int64_t a, std::int64_t b) { return b > a ? b : a; }

template <typename T>
inline void copy(const T* from, std::int64_t count, T* to) {
  std::memcpy(to, from, count * sizeof(T));
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
