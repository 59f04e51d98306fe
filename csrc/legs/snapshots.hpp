// The coefficients on the way, after every `stride` inputs.
#pragma once
#include "legs/interface.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

// The number of snapshots after `count` inputs.
template <typename T>
std::int64_t snapshots_after(const LegsProjectArguments<T>& args, std::int64_t count) {
  return args.stride ? (args.seen % args.stride + count) / args.stride : 0;
}

// Copies the state after `count` inputs to its snapshot, if the stride asks for one there.
template <typename T>
void snapshot_state(const LegsProjectArguments<T>& args, std::int64_t count) {
  if (!args.stride || (args.seen + count) % args.stride) return;
  T* row = args.snapshots + (snapshots_after(args, count) - 1) * args.order;
  for (std::int64_t n = 0; n < args.order; ++n) row[n] = args.state[n];
}

// The snapshots of a wavefront, whose lanes complete theirs one after the other, `lag` diagonals apart.
template <typename T>
class LaneSnapshots {
 public:
  LaneSnapshots(const LegsProjectArguments<T>& args, std::int64_t lag) : args_(args), lag_(lag) {
    for (int lane = 0; lane < lanes; ++lane) next_[lane] = diagonals_before_next(lane);
  }

  // Whether a lane may have completed a snapshot after so many diagonals.
  HIPPO_INLINE bool any(std::int64_t diagonals) const { return diagonals >= earliest_; }

  // Calls copy_lane(lane, snapshot) for the lanes that have.
  template <typename CopyLane>
  void copy(std::int64_t diagonals, CopyLane copy_lane) {
    earliest_ = never;
    for (int lane = 0; lane < lanes; ++lane) {
      if (next_[lane] == diagonals) {
        copy_lane(lane, args_.snapshots + copied_[lane] * args_.order);
        ++copied_[lane];
        next_[lane] = diagonals_before_next(lane);
      }
      if (next_[lane] < earliest_) earliest_ = next_[lane];
    }
  }

 private:
  static constexpr int lanes = Lanes<T>::count;
  static constexpr std::int64_t never = std::int64_t(1) << 62;

  std::int64_t diagonals_before_next(int lane) const {
    if (copied_[lane] == snapshots_after(args_, args_.length)) return never;
    return (copied_[lane] + 1) * args_.stride - args_.seen % args_.stride + lane * lag_;
  }

  const LegsProjectArguments<T>& args_;
  std::int64_t lag_;
  std::int64_t copied_[lanes] = {}, next_[lanes], earliest_ = 0;
};

}  // namespace
}  // namespace hippo
