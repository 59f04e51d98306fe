// Memory and small integers without the standard library: its templates, compiled once per instruction set, would be
// merged by the linker into one copy that not every processor runs.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace hippo {
namespace {

inline std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
inline std::int64_t at_most(std::int64_t bound, std::int64_t n) { return n < bound ? n : bound; }
inline std::int64_t at_least(std::int64_t bound, std::int64_t n) { return n > bound ? n : bound; }

template <typename T>
inline void copy(const T* from, std::int64_t count, T* to) {
    std::memcpy(to, from, count * sizeof(T));
}

// `size` zeros, aligned to a cache line.
template <typename T>
class Buffer {
   public:
    explicit Buffer(std::int64_t size) {
        const std::size_t bytes = round_up(size * sizeof(T) + 1, 64);
        values = static_cast<T*>(std::aligned_alloc(64, bytes));
        if (!values) std::abort();
        std::memset(values, 0, bytes);
    }
    ~Buffer() { std::free(values); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    T& operator[](std::int64_t i) { return values[i]; }
    const T& operator[](std::int64_t i) const { return values[i]; }
    T* data() { return values; }
    const T* data() const { return values; }

   private:
    T* values;
};

}  // namespace
}  // namespace hippo
