// The LegS projection of a long signal as a wavefront: no shuffle, division or branch on the way of an element.
//
// In z_n = c_n / sqrt(2n+1) one input of step ratio s is, with r_n = s / (1 + alpha s (n+1)) and S_0 = -f,
//   z'_n = z_n - r_n ((n+1) z_n + S_n),   S_{n+1} = S_n + (2n+1) (z_n + alpha (z'_n - z_n)),
// a difference form: it adds a small change to z_n, so that float32 loses one rounding per input and no more.
//
// Lane l of a vector owns the indices l*depth ... (l+1)*depth - 1 and works `lag` inputs behind lane l-1, whose running
// sum it receives when that lane's indices are done. A diagonal is one pass of all lanes over their indices: lane l
// works on input diagonal - l*lag. `Flight` diagonals (sets of registers) are under way at once, each one row behind
// the one before it and taking z from it in a register: that fills the latency of the chain z, S -> z', S'. Indices
// beyond the order are computed too: they change no lower one, because A is lower triangular.
#pragma once
#include "legs/coefficients.hpp"
#include "legs/interface.hpp"
#include "legs/ratios.hpp"
#include "legs/step.hpp"
#include "simd/array.hpp"
#include "simd/functions.hpp"
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

template <typename T, typename Ratios>
class Wavefront {
  static constexpr int lanes = Lanes<T>::count;
  static constexpr int least_flight = 4;
  static constexpr std::int64_t never = std::int64_t(1) << 62;
  using V = Vector<T>;

  // Rows for all indices, an even number; no fewer than let the least flight run, which low orders would not gain by.
  static std::int64_t depth_of(std::int64_t order) {
    return 2 * larger((order + 2 * lanes - 1) / (2 * lanes), least_flight);
  }

 public:
  explicit Wavefront(const LegsProjectArguments<T>& args)
      : args_(args),
        depth_(depth_of(args.order)),
        lag_(depth_ / 2),
        z_(depth_),
        scratch_(depth_),
        index_(depth_),
        weight_(depth_),
        sums_(lag_),
        root_(args.order, Fill::nothing),
        ratios_(args, depth_, lag_) {
    V first;  // index of each lane's first row
    for (int lane = 0; lane < lanes; ++lane) {
      delay_[lane] = lane * lag_;
      first[lane] = T(lane * depth_);
    }
    for (std::int64_t row = 0; row < depth_; ++row) {
      const V n = first + T(row);
      index_[row] = n + 1;
      weight_[row] = Ratios::weight_scale * (2 * n + 1);
    }
    for (int n = 0; n < int(args.order); ++n) root_[n] = square_root(T(2 * n + 1));
    for (int lane = 0; lane < lanes; ++lane)
      for (std::int64_t n = lane * depth_, row = 0; row < rows_of(lane); ++row, ++n)
        reinterpret_cast<Lane*>(z_.data())[row * lanes + lane] = args.state[n] / root_[n];
  }

  // Diagonals before the last lane starts.
  static std::int64_t ramp(std::int64_t order) { return depth_of(order) / 2 * (lanes - 1); }

  // All inputs. If a stride is asked for, every set records its rows, which are copied out lane by lane.
  void run() {
    const std::int64_t end = args_.length + lag_ * (lanes - 1);
    if (args_.stride) {
      for (int lane = 0; lane < lanes; ++lane) next_snapshot_[lane] = diagonals_before_snapshot(lane);
      run_sets<least_flight, true, true>(0, end);
    } else {
      run_diagonals(0, end);
    }
    for (int lane = 0; lane < lanes; ++lane) copy_lane(lane, z_.data(), args_.state);
  }

 private:
  // The number of diagonals after which the next snapshot of `lane` is complete.
  std::int64_t diagonals_before_snapshot(int lane) const {
    if (copied_[lane] == snapshots_after(args_, args_.length)) return never;
    return (copied_[lane] + 1) * args_.stride - args_.seen % args_.stride + lane * lag_;
  }

  // Copies the lanes whose snapshot is complete after `diagonals` diagonals, from the rows of the set that ended there.
  void copy_snapshots(std::int64_t diagonals, const V* rows) {
    if (diagonals < earliest_snapshot_) return;
    earliest_snapshot_ = never;
    for (int lane = 0; lane < lanes; ++lane) {
      if (next_snapshot_[lane] == diagonals) {
        copy_lane(lane, rows, args_.snapshots + copied_[lane] * args_.order);
        ++copied_[lane];
        next_snapshot_[lane] = diagonals_before_snapshot(lane);
      }
      if (next_snapshot_[lane] < earliest_snapshot_) earliest_snapshot_ = next_snapshot_[lane];
    }
  }

  // The number of the lane's rows that hold coefficients; the other rows fill the vectors.
  std::int64_t rows_of(int lane) const {
    const std::int64_t left = args_.order - lane * depth_;
    return left < 0 ? 0 : left < depth_ ? left : depth_;
  }

  typedef T Lane __attribute__((may_alias));

  void copy_lane(int lane, const V* rows, T* coefficients) const {
    const Lane* values = reinterpret_cast<const Lane*>(rows) + lane;
    const std::int64_t first = lane * depth_, count = rows_of(lane);
    for (std::int64_t row = 0; row < count; ++row)
      coefficients[first + row] = values[row * lanes] * root_.data()[first + row];
  }

  // Diagonals [begin, end). Masks are needed while lanes start and finish, and where not all sets in flight are used. A
  // lane's sum must be ready before the next lane needs it, hence no more sets than the lag.
  void run_diagonals(std::int64_t begin, std::int64_t end) {
    if constexpr (Ratios::flight > least_flight) {
      if (lag_ >= Ratios::flight) {
        const std::int64_t started = lag_ * (lanes - 1);
        const std::int64_t full = begin > started ? begin : started < end ? started : end;
        const std::int64_t finishing = args_.length < end ? args_.length : end;
        const std::int64_t groups = finishing > full ? (finishing - full) / Ratios::flight : 0;
        run_sets<Ratios::flight, true>(begin, full);
        run_sets<Ratios::flight, false>(full, full + groups * Ratios::flight);
        run_sets<Ratios::flight, true>(full + groups * Ratios::flight, end);
        return;
      }
    }
    run_sets<least_flight, true>(begin, end);
  }

  // The registers of the diagonals in flight.
  template <int Flight, bool Masked>
  struct Sets {
    V sum[Flight], z[Flight];
    Mask<T> working[Flight];  // unused unless Masked
    typename Ratios::template Sets<Flight> ratios;
  };

  // Diagonals [diagonal, end) in groups of `Flight`. Before the first group and after the last one, the sets that have
  // no diagonal run on scratch rows.
  template <int Flight, bool Masked, bool Recorded = false>
  void run_sets(std::int64_t diagonal, std::int64_t end) {
    const std::int64_t groups = (end - diagonal + Flight - 1) / Flight;
    if (groups == 0) return;
    Sets<Flight, Masked> sets = {};
    const AlignedArray<V> records(Recorded ? Flight * depth_ : 0, Fill::nothing);
    std::int64_t slot = diagonal % lag_;  // of sums_, which holds the last sums of `lag` diagonals
    for (std::int64_t group = 0; group <= groups; ++group) {
      V* const finishing = group > 0 ? z_.data() : scratch_.data();
      V* const starting = group < groups ? z_.data() : scratch_.data();
      ratios_.template prepare<Flight>(diagonal);
      unroll<Flight>([&](auto turn) HIPPO_INLINE_LAMBDA {  // one set after the other changes to its next diagonal
        constexpr int row = turn;
        if (group > 0 && (!Masked || diagonal - Flight + row < end)) {
          sums_[wrapped(slot + lag_ - Flight + row)] = sets.sum[row];
          if (Recorded) copy_snapshots(diagonal - Flight + row + 1, records.data() + row * depth_);
        }
        if (group < groups) start_set(sets, row, diagonal + row, end, wrapped(slot + row));
        unroll<Flight>([&](auto back) HIPPO_INLINE_LAMBDA {
          constexpr int set = Flight - 1 - back;
          const std::int64_t at = set <= row ? row - set : depth_ + row - set;
          element(sets, Number<set>{}, at, set <= row ? 0 : Flight, set <= row ? starting : finishing);
          if (Recorded) records.data()[set * depth_ + at] = sets.z[set];
        });
      });
      if (group == groups) break;
      for (std::int64_t row = Flight; row < depth_; ++row)
        unroll<Flight>([&](auto back) HIPPO_INLINE_LAMBDA {
          constexpr int set = Flight - 1 - back;
          element(sets, Number<set>{}, row - set, 0, starting);
          if (Recorded) records.data()[set * depth_ + row - set] = sets.z[set];
        });
      diagonal += Flight;
      slot = wrapped(slot + Flight);
    }
  }

  HIPPO_INLINE std::int64_t wrapped(std::int64_t slot) const { return slot < lag_ ? slot : slot - lag_; }

  template <int Flight, bool Masked>
  HIPPO_INLINE void start_set(Sets<Flight, Masked>& sets, int set, std::int64_t diagonal, std::int64_t end,
                              std::int64_t slot) {
    if (Masked && diagonal >= end) {
      sets.working[set] = Mask<T>{};
      return;
    }
    const T input = !Masked || diagonal < args_.length ? args_.inputs[diagonal] : 0;
    sets.sum[set] = shift_in(sums_[slot], -input);
    ratios_.start_set(sets.ratios, set, diagonal, slot);
    if constexpr (Masked) {
      const Mask<T> own = lane_integer(T(), diagonal) - delay_;  // the input that each lane works on
      sets.working[set] = (own >= 0) & (own < lane_integer(T(), args_.length));
    }
  }

  // One row of one set, which takes z from the set before it, or from memory, and leaves it to the one after it.
  template <int Flight, bool Masked, int Set>
  HIPPO_INLINE void element(Sets<Flight, Masked>& sets, Number<Set>, std::int64_t row, int behind, V* rows) {
    const V z = Set == 0 ? rows[row] : sets.z[Set ? Set - 1 : 0];
    V next;
    ratios_.step(sets.ratios, Set, row, behind, index_[row], weight_[row], z, next, sets.sum[Set]);
    if constexpr (Masked) next = sets.working[Set] ? next : z;
    sets.z[Set] = next;
    if constexpr (Set == Flight - 1) rows[row] = next;
  }

  const LegsProjectArguments<T>& args_;
  std::int64_t depth_, lag_;
  AlignedArray<V> z_, scratch_, index_, weight_, sums_;
  AlignedArray<T> root_;
  Mask<T> delay_;
  std::int64_t copied_[lanes] = {}, next_snapshot_[lanes] = {}, earliest_snapshot_ = 0;
  Ratios ratios_;
};

// Input after input: for signals too short for the wavefront's ramp.
template <typename T>
void legs_project_stepwise(const LegsProjectArguments<T>& args) {
  for (std::int64_t i = 0; i < args.length; ++i) {
    T input = args.inputs[i];
    const T step_ratio = args.step_ratios ? args.step_ratios[i] : T(1 / (args.first + double(i)));
    legs_step<T>({.state = args.state,
                  .inputs = &input,
                  .step_ratios = &step_ratio,
                  .per_memory = false,
                  .batch = 1,
                  .order = args.order,
                  .alpha = args.alpha});
    snapshot_state(args, i + 1);
  }
}

template <typename T>
void legs_project_part(const LegsProjectArguments<T>& args) {
  // A diagonal in flight costs about 1/32 of a step on its own.
  if (32 * args.length < Wavefront<T, TableRatios<T>>::ramp(args.order))
    legs_project_stepwise(args);
  else if (args.alpha == T(0.5) && !args.step_ratios)
    Wavefront<T, TableRatios<T>>(args).run();
  else
    Wavefront<T, RefinedRatios<T>>(args).run();
}

// The first input of all by itself, and the rest in parts that the integers of a float's width can count.
template <typename T>
void legs_project(const LegsProjectArguments<T>& args) {
  constexpr std::int64_t longest_part = std::int64_t(1) << 30;
  for (std::int64_t done = 0; done < args.length;) {
    LegsProjectArguments<T> part = args;
    part.inputs += done;
    if (args.step_ratios) part.step_ratios += done;
    part.first += double(done);
    part.seen += done;
    part.snapshots += snapshots_after(args, done) * args.order;
    if (part.first == 0) {
      part.length = 1;
      for (std::int64_t n = 0; n < args.order; ++n) args.state[n] = n ? 0 : args.inputs[0];
      snapshot_state(part, 1);
    } else {
      part.length = smaller(args.length - done, longest_part);
      legs_project_part(part);
    }
    done += part.length;
  }
}

}  // namespace
}  // namespace hippo
