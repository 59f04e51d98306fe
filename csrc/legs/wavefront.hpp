// The LegS projection of a long signal as a wavefront: no shuffle, division or branch on the way of an element.
//
// In z_n = c_n / sqrt(2n+1) one input of step ratio s is, with r_n = s / (1 + alpha s (n+1)) and S_0 = f,
//   z'_n = z_n - r_n ((n+1) z_n - S_n),   S_{n+1} = S_n - (2n+1) (z_n + alpha (z'_n - z_n)),
// a difference form: it adds a small change to z_n, so that float32 loses one rounding per input and no more.
//
// Lane l of a vector owns the indices l*depth ... (l+1)*depth - 1 and works `lag` inputs behind lane l-1, whose running
// sum it receives when that lane's indices are done. A diagonal is one pass of all lanes over their indices: lane l
// works on input diagonal - l*lag. Many diagonals are under way at once, which fills the latency of the chain
// z, S -> z', S': a slot works on `width` diagonals, row by row, and passes z from one to the next in a register. Each
// slot is one row behind the slot before it, and takes z from it in a register too. Indices beyond the order are
// computed as well: they change no lower one, because A is lower triangular.
#pragma once
#include "legs/coefficients.hpp"
#include "legs/interface.hpp"
#include "legs/ratios.hpp"
#include "legs/snapshots.hpp"
#include "simd/array.hpp"
#include "simd/functions.hpp"
#include "simd/optimizer.hpp"
#include "simd/vector.hpp"
#include "simd/window.hpp"

namespace hippo {
namespace {

// The shape of a wavefront. A sum passes all rows of a lane and enters the next lane within `lag` diagonals. So the lag
// is no less than the diagonals in flight, and long enough for the latency of the rows: in low orders, longer than half
// the depth. Half the depth, in high orders, gives all lanes the same ratios and the shortest ramp.
template <typename T>
struct WavefrontShape {
  static constexpr int lanes = Lanes<T>::count;
  static constexpr std::int64_t least_depth = 4, least_lag = kVectorRegisters == 32 ? 16 : 8;

  explicit WavefrontShape(std::int64_t order) : depth(larger(round_up(order, lanes) / lanes, least_depth)) {
    if (depth > 2 * least_lag) depth = round_up(depth, 2);
    lag = larger(least_lag, (depth + 1) / 2);
  }

  bool same_ratios() const { return 2 * lag == depth; }
  std::int64_t ramp() const { return lag * (lanes - 1); }  // diagonals before the last lane starts

  std::int64_t depth, lag;
};

template <typename T, typename Ratios>
class Wavefront {
  static constexpr int lanes = Lanes<T>::count;
  static constexpr int width = Ratios::width;
  static_assert(Ratios::flight <= WavefrontShape<T>::least_lag);
  using V = Vector<T>;

 public:
  explicit Wavefront(const LegsProjectArguments<T>& args)
      : args_(args),
        shape_(args.order),
        depth_(shape_.depth),
        rows_(depth_),
        records_(args.stride ? Ratios::flight * depth_ : 0),
        sums_(shape_.lag, Ratios::flight),
        root_(args.order, Fill::nothing),
        ratios_(args, depth_, shape_.lag),
        snapshots_(args, shape_.lag) {
    V first;  // index of each lane's first row
    for (int lane = 0; lane < lanes; ++lane) {
      delay_[lane] = lane * shape_.lag;
      first[lane] = T(lane * depth_);
    }
    for (std::int64_t row = 0; row < depth_; ++row) {
      const V n = first + T(row);
      rows_[row].factors.index = n + 1;
      rows_[row].factors.weight = Ratios::weight_scale * (2 * n + 1);
    }
    for (int n = 0; n < int(args.order); ++n) root_[n] = square_root(T(2 * n + 1));
    for (int lane = 0; lane < lanes; ++lane)
      for (std::int64_t n = lane * depth_, row = 0; row < rows_of(lane); ++row, ++n)
        reinterpret_cast<Lane*>(&rows_[row].z)[lane] = args.state[n] / root_[n];
  }

  // All inputs.
  void run() {
    constexpr int few = 4, most = Ratios::slots, recorded = most * width > 8 ? 8 / width : most;
    const std::int64_t most_possible = Ratios::only_high_orders ? most : depth_;
    if (args_.stride)
      most_possible < recorded ? run_slots<few, Rows::recorded>() : run_slots<recorded, Rows::recorded>();
    else if (most_possible == few)
      run_slots<few, Rows::in_registers>();
    else if (most_possible < most)
      run_slots<few, Rows::in_memory>();
    else
      run_slots<most, Rows::in_memory>();
    for (int lane = 0; lane < lanes; ++lane) copy_lane(lane, &rows_[0].z, 3, args_.state);
  }

 private:
  typedef T Lane __attribute__((may_alias));

  struct Factors {
    V index, weight;
  };
  struct Row {
    V z;
    Factors factors;
  };

  // Where z is between the last slot and the first: in memory, or in a register if there are as many slots as rows.
  // Factors are with z. Recorded rows are in memory, and every diagonal leaves a copy of them.
  enum class Rows { in_memory, in_registers, recorded };

  // The number of the lane's rows that hold coefficients; the other rows fill the vectors.
  std::int64_t rows_of(int lane) const {
    const std::int64_t left = args_.order - lane * depth_;
    return left < 0 ? 0 : left < depth_ ? left : depth_;
  }

  // From vectors of z that are `stride` vectors apart.
  void copy_lane(int lane, const V* z, int stride, T* coefficients) const {
    const Lane* values = reinterpret_cast<const Lane*>(z) + lane;
    const std::int64_t first = lane * depth_, count = rows_of(lane);
    for (std::int64_t row = 0; row < count; ++row)
      coefficients[first + row] = values[row * stride * lanes] * root_.data()[first + row];
  }

  // The lanes whose snapshot is complete after `done` diagonals, from the rows of the last of them.
  __attribute__((noinline)) void copy_snapshots(std::int64_t done, const V* z) {
    snapshots_.copy(done, [&](int lane, T* snapshot) { copy_lane(lane, z, 1, snapshot); });
  }

  // The registers of the slots and of their diagonals.
  template <int Slots>
  struct Registers {
    V sum[Slots * width], z[Slots];
    Mask<T> working[Slots * width];  // lanes that have an input; all, and not used, in between
    typename Ratios::template Registers<Slots * width> ratios;
  };

  // Masks are needed while lanes start and finish.
  template <int Slots, Rows rows>
  void run_slots() {
    constexpr int flight = Slots * width;
    const std::int64_t started = shape_.ramp() + flight, finishing = args_.length - flight + 1;
    Registers<Slots> now = {};
    for (int slot = 0; slot < Slots; ++slot) now.z[slot] = rows_[depth_ - 1 - slot].z;
    std::int64_t diagonal = 0;
    if (started < finishing) {
      diagonal = run_groups<Slots, rows, true>(now, 0, started);
      diagonal = run_groups<Slots, rows, false>(now, diagonal, finishing);
      for (Mask<T>& working : now.working) working = ~Mask<T>{};
    }
    run_groups<Slots, rows, true>(now, diagonal, args_.length + shape_.ramp() + flight);
    if (rows == Rows::in_registers)
      for (int slot = 0; slot < Slots; ++slot) rows_[depth_ - 1 - slot].z = now.z[slot];
  }

  // Groups of diagonals from `diagonal` on, until one would begin at `end` or later; returns where it would.
  template <int Slots, Rows rows, bool Masked>
  __attribute__((noinline)) std::int64_t run_groups(Registers<Slots>& saved, std::int64_t diagonal, std::int64_t end) {
    constexpr bool in_registers = rows == Rows::in_registers, recorded = rows == Rows::recorded;
    constexpr int flight = Slots * width;
    const std::int64_t depth = in_registers ? Slots : depth_;
    Row* const first_row = rows_.data();
    Row* const end_row = opaque(first_row + depth);
    V* const records = records_.data();
    Registers<Slots> now = saved;
    Factors held[Slots];  // used if in_registers
    if constexpr (in_registers)
      unroll<Slots>([&](auto row) HIPPO_INLINE_LAMBDA { held[int(row)] = first_row[int(row)].factors; });
    for (; diagonal < end; diagonal += flight) {
      const auto* const ratios = opaque(ratios_.template prepare<flight>(diagonal));
      const auto* const last_ratios = opaque(ratios + depth - 2 * flight);
      V* const sums = opaque(sums_.at(diagonal));
      const V* const sums_before = opaque(sums - shape_.lag);
      const T* const inputs = opaque(args_.inputs + diagonal);
      unroll<Slots>([&](auto turn) HIPPO_INLINE_LAMBDA {  // one slot after the other changes to its next diagonals
        constexpr int row = turn;
        forget_loads();
        unroll<width>([&](auto part) HIPPO_INLINE_LAMBDA {
          constexpr int i = row * width + part;
          sums[i - flight] = now.sum[i];
          if (const std::int64_t done = diagonal - flight + i + 1; recorded && snapshots_.any(done))
            copy_snapshots(done, records + i * depth);
          start_diagonal<Masked>(now, i, diagonal + i, inputs + i, sums_before[i]);
        });
        const V last_z = now.z[Slots - 1];
        unroll<Slots>([&](auto back) HIPPO_INLINE_LAMBDA {
          constexpr int slot = Slots - 1 - back;
          constexpr bool started = slot <= row;  // on its next diagonals
          Row* const own = (started ? first_row : end_row) + row - slot;
          const Factors& factors = in_registers ? held[(row - slot + Slots) % Slots] : own->factors;
          compute_row<rows, Masked>(now, Number<slot>{}, (started ? ratios : last_ratios) + row - slot, factors, own,
                                    records + (started ? 0 : depth) + row - slot, last_z);
        });
      });
      for (std::int64_t row = Slots; row < depth; ++row) {
        forget_loads();
        unroll<Slots>([&](auto back) HIPPO_INLINE_LAMBDA {
          constexpr int slot = Slots - 1 - back;
          Row* const own = first_row + row - slot;
          compute_row<rows, Masked>(now, Number<slot>{}, ratios + row - slot, own->factors, own, records + row - slot,
                                    V{});
        });
      }
    }
    saved = now;
    return diagonal;
  }

  template <bool Masked, int Slots>
  HIPPO_INLINE void start_diagonal(Registers<Slots>& now, int i, std::int64_t diagonal, const T* input, V sum_before) {
    now.sum[i] = shift_in(sum_before, !Masked || diagonal < args_.length ? *input : 0);
    ratios_.start_diagonal(now.ratios, i, diagonal);
    if constexpr (Masked) {
      const Mask<T> own = lane_integer(T(), diagonal) - delay_;  // the input that each lane works on
      now.working[i] = (own >= 0) & (own < lane_integer(T(), args_.length));
    }
  }

  // One row of a slot's diagonals: z comes from the slot before it, and to the first slot from the last.
  template <Rows rows, bool Masked, int Slots, int Slot, typename Entry>
  HIPPO_INLINE void compute_row(Registers<Slots>& now, Number<Slot>, const Entry* ratio, const Factors& factors,
                                Row* row, V* record, V last_z) {
    V z = Slot ? now.z[Slot ? Slot - 1 : 0] : rows == Rows::in_registers ? last_z : row->z;
    unroll<width>([&](auto part) HIPPO_INLINE_LAMBDA {
      constexpr int i = Slot * width + part;
      V next;
      ratios_.step(now.ratios, i, ratio + 2 * i, factors.index, factors.weight, z, next, now.sum[i]);
      if constexpr (Masked) next = now.working[i] ? next : z;
      if constexpr (rows == Rows::recorded) record[i * depth_] = next;
      z = next;
    });
    now.z[Slot] = z;
    if constexpr (Slot == Slots - 1 && rows != Rows::in_registers) row->z = z;
  }

  const LegsProjectArguments<T>& args_;
  const WavefrontShape<T> shape_;
  const std::int64_t depth_;
  AlignedArray<Row> rows_;
  AlignedArray<V> records_;  // z of the diagonals in flight, if there are snapshots
  Window<V> sums_;           // of the last diagonals
  AlignedArray<T> root_;
  Mask<T> delay_;
  Ratios ratios_;
  LaneSnapshots<T> snapshots_;
};

}  // namespace
}  // namespace hippo
