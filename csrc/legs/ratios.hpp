// Where the projection takes r_n = s / (1 + alpha s (n+1)) from: a table, or a refined reciprocal.
//
// Both classes offer the same functions. Slots and diagonals in flight are described in wavefront.hpp.
#pragma once
#include "legs/coefficients.hpp"
#include "legs/interface.hpp"
#include "simd/optimizer.hpp"
#include "simd/vector.hpp"
#include "simd/window.hpp"

namespace hippo {
namespace {

// Uniform signals under the bilinear rule: r_n = 2 / (2k+n+1), a table of 2 / j that slides with the diagonals, two
// entries for each. From lane to lane n grows by the depth and k falls by the lag. If the lag is half the depth, r is
// the same in all lanes, and `Entry` is a number. Otherwise it is a vector: the one of `spread` entries before, moved
// up by a lane, with the next number in lane 0.
template <typename T, typename Entry>
class TableRatios {
 public:
  // The most slots, and the diagonals in each (wavefront.hpp): a register for every diagonal in flight, another one for
  // every slot, and some to work in.
  static constexpr int slots = kVectorRegisters == 32 ? 8 : 6, width = kVectorRegisters == 32 ? 2 : 1;
  static constexpr int flight = slots * width;
  static constexpr bool only_high_orders = sizeof(Entry) == sizeof(T);  // which have all slots
  // In (2n+1) (z + alpha (z' - z)) = (n + 1/2) (z + z') for alpha = 1/2.
  static constexpr T weight_scale = T(0.5);
  template <int Flight>
  struct Registers {};

  TableRatios(const LegsProjectArguments<T>& args, std::int64_t depth, std::int64_t lag)
      : depth_(depth), spread_(2 * lag - depth), table_(larger(spread_, 2 * flight), 4 * flight + depth + entries) {
    for (int j = 0; j < entries; ++j) next_[j] = 2 * args.first + 1 + j;
  }

  // Fills the table for a group of `Count` diagonals, and returns the entry of the first row of the first of them.
  template <int Count>
  HIPPO_INLINE const Entry* prepare(std::int64_t diagonal) {
    Entry* const entry = table_.at(2 * diagonal);
    // A group further than asked for, so that the group does not wait for a division.
    for (const std::int64_t end = 2 * (diagonal + 2 * Count) + depth_; filled_ < end; filled_ += entries) {
      append(entry + (filled_ - 2 * diagonal));
      next_ += entries;
    }
    return entry;
  }

  template <int Flight>
  HIPPO_INLINE void start_diagonal(Registers<Flight>&, int, std::int64_t) {}

  // One row of a diagonal. An addition in place of a multiply-add leaves a multiplier free, but prolongs the chain from
  // sum to sum. Where registers are few, too few diagonals are in flight to fill a longer chain.
  template <int Flight>
  HIPPO_INLINE void step(const Registers<Flight>&, int, const Entry* r, Vector<T> index, Vector<T> weight, Vector<T> z,
                         Vector<T>& next, Vector<T>& sum) const {
    next = z - *r * (index * z - sum);
    sum = kVectorRegisters == 32 ? sum - weight * (z + next) : (sum - weight * z) - weight * next;
  }

 private:
  static constexpr int entries = Lanes<double>::count;

  HIPPO_INLINE void append(Entry* to) const {
    typedef T Numbers __attribute__((vector_size(entries * sizeof(T)), aligned(sizeof(T)), may_alias));
    const Numbers numbers = __builtin_convertvector(2 / next_, Numbers);
    if constexpr (only_high_orders) {
      *reinterpret_cast<Numbers*>(to) = numbers;
    } else {
      T each[entries];  // through memory, from where a number is loaded into all lanes by one instruction
      *reinterpret_cast<Numbers*>(opaque(each)) = numbers;
      forget_loads();
      const Entry* const before = opaque(to - spread_);
      unroll<entries>([&](auto j) HIPPO_INLINE_LAMBDA { to[j] = shift_in<T>(before[j], each[j]); });
    }
  }

  std::int64_t depth_, spread_;
  Window<Entry> table_;
  std::int64_t filled_ = 0;
  Vector<double> next_;
};

// Any rule, and signals with timestamps: each lane carries the step ratio s of its input.
template <typename T>
class RefinedRatios {
 public:
  static constexpr int slots = kVectorRegisters == 32 ? 8 : 4, width = 1;
  static constexpr int flight = slots * width;
  static constexpr bool only_high_orders = false;
  static constexpr T weight_scale = 1;
  template <int Flight>
  struct Registers {
    Vector<T> step_ratio[Flight];
  };

  RefinedRatios(const LegsProjectArguments<T>& args, std::int64_t, std::int64_t lag)
      : args_(args), lag_(lag), step_ratios_(lag, flight) {}

  template <int Count>
  HIPPO_INLINE const Vector<T>* prepare(std::int64_t diagonal) {
    group_ = diagonal;
    return step_ratios_.at(diagonal);
  }

  template <int Flight>
  HIPPO_INLINE void start_diagonal(Registers<Flight>& registers, int i, std::int64_t diagonal) {
    T step_ratio = 0;
    if (diagonal < args_.length)
      step_ratio = args_.step_ratios ? args_.step_ratios[diagonal] : T(1 / (args_.first + double(diagonal)));
    Vector<T>* const own = step_ratios_.at(group_) + i;
    *own = registers.step_ratio[i] = shift_in(own[-lag_], step_ratio);
  }

  template <int Flight>
  HIPPO_INLINE void step(const Registers<Flight>& registers, int i, const Vector<T>*, Vector<T> index, Vector<T> weight,
                         Vector<T> z, Vector<T>& next, Vector<T>& sum) const {
    const Vector<T> change = scaled_ratios<T>(registers.step_ratio[i], index, args_.alpha) * (index * z - sum);
    next = z - change;
    sum = (sum - weight * z) + weight * (args_.alpha * change);
  }

 private:
  const LegsProjectArguments<T>& args_;
  std::int64_t lag_, group_ = 0;  // the first diagonal of the group
  Window<Vector<T>> step_ratios_;
};

}  // namespace
}  // namespace hippo
