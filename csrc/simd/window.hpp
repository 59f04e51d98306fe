// The last entries of an endless sequence, in one piece of memory.
#pragma once
#include "simd/array.hpp"

namespace hippo {
namespace {

// Around a position, `history` entries before it and `ahead` entries from it on are in reach of one pointer. The
// positions grow from 0; at the end of the array the entries that are still in reach are copied to its front. Entries
// before position 0 are zero.
template <typename E>
class Window {
 public:
  Window(std::int64_t history, std::int64_t ahead)
      : history_(history),
        ahead_(ahead),
        size_(4 * (history + ahead)),
        entries_(size_, Fill::nothing),
        origin_(-history) {
    for (std::int64_t i = 0; i < history; ++i) entries_[i] = E{};
  }

  // The entry at `position`, which is at most `ahead` beyond the last one asked for, and not before it.
  HIPPO_INLINE E* at(std::int64_t position) {
    if (position + ahead_ > origin_ + size_) slide(position - history_);
    return entries_.data() + (position - origin_);
  }

 private:
  __attribute__((noinline)) void slide(std::int64_t first) {
    copy(entries_.data() + (first - origin_), origin_ + size_ - first, entries_.data());
    origin_ = first;
  }

  std::int64_t history_, ahead_, size_;
  AlignedArray<E> entries_;
  std::int64_t origin_;  // position of the first entry in memory
};

}  // namespace
}  // namespace hippo
