// Where the projection takes r_n = s / (1 + alpha s (n+1)) from: a table, or a refined reciprocal.
//
// Both classes offer the same functions. The sets of registers in flight are described in projection.hpp.
#pragma once
#include "legs/coefficients.hpp"
#include "legs/interface.hpp"
#include "simd/array.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

// Uniform signals under the bilinear rule: r_n = 2 / (2k+n+1). With a lag of half the depth, 2k+n is the same in all
// lanes, so r is one number of a table of 2 / j that slides with the diagonals, two entries for each.
template <typename T>
class TableRatios {
 public:
  // Number of sets in flight: two registers for each, and some to work in.
  static constexpr int flight = kVectorRegisters == 32 ? 8 : 6;
  template <int Flight>
  struct Sets {};

  TableRatios(const LegsProjectArguments<T>& args, std::int64_t depth, std::int64_t)
      : table_(capacity + 2 * depth + 4 * flight, Fill::nothing), depth_(depth) {
    for (int j = 0; j < Lanes<double>::count; ++j) next_[j] = 2 * args.first + 1 + j;
  }

  // Fills the table up to the `Count` diagonals from `diagonal` on; the entries before them stay for the drain.
  template <int Count>
  HIPPO_INLINE void prepare(std::int64_t diagonal) {
    const std::int64_t end = 2 * (diagonal + Count) + depth_;
    if (end - origin_ > capacity + 2 * depth_) slide(2 * (diagonal - flight));
    while (filled_ < end) {
      constexpr int width = Lanes<double>::count;
      typedef T Part __attribute__((vector_size(width * sizeof(T)), aligned(sizeof(T)), may_alias));
      *reinterpret_cast<Part*>(table_.data() + filled_ - origin_) = __builtin_convertvector(2 / next_, Part);
      next_ += width;
      filled_ += width;
    }
    ratios_ = table_.data() + 2 * diagonal - origin_;
  }

  template <int Flight>
  HIPPO_INLINE void start_set(Sets<Flight>&, int, std::int64_t, std::int64_t) {}

  // The element of set g at vector `row`, `behind` diagonals before the prepared group.
  template <int Flight>
  HIPPO_INLINE void step(const Sets<Flight>&, int g, std::int64_t row, int behind, Vector<T> index, Vector<T> weight,
                         Vector<T> z, Vector<T>& next, Vector<T>& sum) const {
    next = z - ratios_[row + 2 * (g - behind)] * (index * z + sum);
    sum = (sum + weight * z) + weight * next;  // the first half does not wait for `next`
  }

  static constexpr T weight_scale = T(0.5);  // alpha = 1/2 in (2n+1) (z + alpha (z' - z)) = (n + 1/2) (z + z')

 private:
  static constexpr std::int64_t capacity = 1024;

  void slide(std::int64_t keep_from) {
    if (keep_from < origin_) keep_from = origin_;
    T* table = table_.data();
    for (std::int64_t j = keep_from; j < filled_; ++j) table[j - keep_from] = table[j - origin_];
    origin_ = keep_from;
  }

  AlignedArray<T> table_;
  std::int64_t depth_, origin_ = 0, filled_ = 0;
  Vector<double> next_;
  const T* ratios_ = nullptr;
};

// Any rule, and signals with timestamps: each lane carries the step ratio s of its input.
template <typename T>
class RefinedRatios {
 public:
  static constexpr int flight = 4;
  template <int Flight>
  struct Sets {
    Vector<T> step_ratio[Flight];
  };

  RefinedRatios(const LegsProjectArguments<T>& args, std::int64_t, std::int64_t lag) : args_(args), previous_(lag) {}

  template <int Count>
  HIPPO_INLINE void prepare(std::int64_t) {}

  template <int Flight>
  HIPPO_INLINE void start_set(Sets<Flight>& sets, int g, std::int64_t diagonal, std::int64_t slot) {
    T step_ratio = 0;
    if (diagonal < args_.length)
      step_ratio = args_.step_ratios ? args_.step_ratios[diagonal] : T(1 / (args_.first + double(diagonal)));
    previous_[slot] = sets.step_ratio[g] = shift_in(previous_[slot], step_ratio);
  }

  template <int Flight>
  HIPPO_INLINE void step(const Sets<Flight>& sets, int g, std::int64_t, int, Vector<T> index, Vector<T> weight,
                         Vector<T> z, Vector<T>& next, Vector<T>& sum) const {
    const Vector<T> change = scaled_ratios<T>(sets.step_ratio[g], index, args_.alpha) * (index * z + sum);
    next = z - change;
    sum = (sum + weight * z) - weight * (args_.alpha * change);
  }

  static constexpr T weight_scale = 1;

 private:
  const LegsProjectArguments<T>& args_;
  AlignedArray<Vector<T>> previous_;  // step ratios of the last `lag` diagonals
};

}  // namespace
}  // namespace hippo
