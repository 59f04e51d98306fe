// The LegS projection of a long signal as a wavefront: no shuffle, division or branch on the way of an element.
//
// In z_n = c_n / sqrt(2n+1) one input of ratio s is, with r_n = s / (1 + alpha s (n+1)) and S_0 = -f,
//   z'_n = z_n - r_n ((n+1) z_n + S_n),   S_{n+1} = S_n + (2n+1) (z_n + alpha (z'_n - z_n)),
// a difference form: it adds a small change to z_n, so that float32 loses one rounding per input and no more.
//
// Lane l of a vector owns the indices l*depth ... (l+1)*depth - 1 and lags `lag` inputs behind lane l-1, which hands
// its running sum over when its own indices are done. A diagonal is one pass of all lanes over their indices: lane l
// works on input diagonal - l*lag. `Flight` diagonals (sets) are under way at once, each one row behind the one before
// it and taking z from it in a register: that fills the latency of the chain z, S -> z', S'. Indices beyond the order
// are computed too: they feed no lower one, for A is lower triangular.
#pragma once

#include "legs_step.hpp"
#include "ratios.hpp"
#include "vector.hpp"

namespace hippo {
namespace {

template <typename T, typename Ratios>
class Wavefront {
    static constexpr int lanes = Lanes<T>::count;
    static constexpr int least_flight = 4;
    using V = Vector<T>;

    // Rows for all indices, an even number; no fewer than let the least flight run, which low orders would not gain by.
    static std::int64_t depth_of(std::int64_t order) {
        const std::int64_t half = (order + 2 * lanes - 1) / (2 * lanes);
        return 2 * (half > least_flight ? half : least_flight);
    }

  public:
    explicit Wavefront(const LegsProjectArgs<T>& args)
        : args_(args), depth_(depth_of(args.order)), lag_(depth_ / 2), z_(depth_), spare_(depth_),
          index_(depth_), weight_(depth_), handed_(lag_), root_(args.order, Fill::nothing), ratios_(args, depth_, lag_) {
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

    // All inputs; where a stride is asked for, every set records its rows, to be copied out lane by lane.
    void run() {
        const std::int64_t end = args_.length + lag_ * (lanes - 1);
        if (args_.stride) {
            for (int lane = 0; lane < lanes; ++lane) due_[lane] = next_due(lane);
            flight<least_flight, true, true>(0, end);
        } else {
            fly(0, end);
        }
        for (int lane = 0; lane < lanes; ++lane) store(lane, z_.data(), args_.state);
    }

  private:
    // The number of diagonals after which `lane` is to be copied next; beyond all where it is not.
    std::int64_t next_due(int lane) const {
        if (taken_[lane] == args_.taken(args_.length)) return std::int64_t(1) << 62;
        return (taken_[lane] + 1) * args_.stride - args_.seen % args_.stride + lane * lag_;
    }

    void copy_due(std::int64_t diagonals, const V* rows) {
        if (diagonals < earliest_) return;
        earliest_ = std::int64_t(1) << 62;
        for (int lane = 0; lane < lanes; ++lane) {
            if (due_[lane] == diagonals) {
                store(lane, rows, args_.snapshots + taken_[lane]++ * args_.order);
                due_[lane] = next_due(lane);
            }
            if (due_[lane] < earliest_) earliest_ = due_[lane];
        }
    }

    // How many of the lane's rows hold coefficients; the rest are there to fill the vectors.
    std::int64_t rows_of(int lane) const {
        const std::int64_t left = args_.order - lane * depth_;
        return left < 0 ? 0 : left < depth_ ? left : depth_;
    }

    typedef T Lane __attribute__((may_alias));

    void store(int lane, const V* rows, T* coefficients) const {
        const Lane* values = reinterpret_cast<const Lane*>(rows) + lane;
        const std::int64_t first = lane * depth_, count = rows_of(lane);
        for (std::int64_t row = 0; row < count; ++row)
            coefficients[first + row] = values[row * lanes] * root_.data()[first + row];
    }

    // Diagonals [begin, end). Masks are needed while lanes start and finish, and where the sets in flight are not all
    // of use. A sum must be handed over before it is due, hence no more sets than the lag.
    void fly(std::int64_t begin, std::int64_t end) {
        if constexpr (Ratios::flight > least_flight) {
            if (lag_ >= Ratios::flight) {
                const std::int64_t started = lag_ * (lanes - 1);
                const std::int64_t full = begin > started ? begin : started < end ? started : end;
                const std::int64_t finishing = args_.length < end ? args_.length : end;
                const std::int64_t groups = finishing > full ? (finishing - full) / Ratios::flight : 0;
                flight<Ratios::flight, true>(begin, full);
                flight<Ratios::flight, false>(full, full + groups * Ratios::flight);
                flight<Ratios::flight, true>(full + groups * Ratios::flight, end);
                return;
            }
        }
        flight<least_flight, true>(begin, end);
    }

    // The registers of the diagonals in flight.
    template <int Flight, bool Masked>
    struct Sets {
        V sum[Flight], z[Flight];
        Mask<T> working[Flight];  // unused unless Masked
        typename Ratios::template Sets<Flight> ratio;
    };

    // Before its first group the sets finish a group of nothing, and after its last they start one, on spare rows.
    template <int Flight, bool Masked, bool Recorded = false>
    void flight(std::int64_t diagonal, std::int64_t end) {
        const std::int64_t groups = (end - diagonal + Flight - 1) / Flight;
        if (groups == 0) return;
        Sets<Flight, Masked> sets = {};
        const AlignedArray<V> records(Recorded ? Flight * depth_ : 0, Fill::nothing);
        std::int64_t slot = diagonal % lag_;  // of handed_, which holds the last sums of `lag` diagonals
        for (std::int64_t group = 0; group <= groups; ++group) {
            V* const finishing = group > 0 ? z_.data() : spare_.data();
            V* const starting = group < groups ? z_.data() : spare_.data();
            ratios_.template prepare<Flight>(diagonal);
            unroll<Flight>([&](auto turn) HIPPO_INLINED {  // one set after the other goes over to its next diagonal
                constexpr int row = turn;
                if (group > 0 && (!Masked || diagonal - Flight + row < end)) {
                    handed_[wrapped(slot + lag_ - Flight + row)] = sets.sum[row];
                    if (Recorded) copy_due(diagonal - Flight + row + 1, records.data() + row * depth_);
                }
                if (group < groups) enter(sets, row, diagonal + row, end, wrapped(slot + row));
                unroll<Flight>([&](auto back) HIPPO_INLINED {
                    constexpr int set = Flight - 1 - back;
                    const std::int64_t at = set <= row ? row - set : depth_ + row - set;
                    element(sets, Number<set>{}, at, set <= row ? 0 : Flight, set <= row ? starting : finishing);
                    if (Recorded) records.data()[set * depth_ + at] = sets.z[set];
                });
            });
            if (group == groups) break;
            for (std::int64_t row = Flight; row < depth_; ++row)
                unroll<Flight>([&](auto back) HIPPO_INLINED {
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
    HIPPO_INLINE void enter(Sets<Flight, Masked>& sets, int set, std::int64_t diagonal, std::int64_t end,
                            std::int64_t slot) {
        if (Masked && diagonal >= end) {
            sets.working[set] = Mask<T>{};
            return;
        }
        const T input = !Masked || diagonal < args_.length ? args_.inputs[diagonal] : 0;
        sets.sum[set] = shift_in(handed_[slot], -input);
        ratios_.enter(sets.ratio, set, diagonal, slot);
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
        ratios_.step(sets.ratio, Set, row, behind, index_[row], weight_[row], z, next, sets.sum[Set]);
        if constexpr (Masked) next = sets.working[Set] ? next : z;
        sets.z[Set] = next;
        if constexpr (Set == Flight - 1) rows[row] = next;
    }

    const LegsProjectArgs<T>& args_;
    std::int64_t depth_, lag_;
    AlignedArray<V> z_, spare_, index_, weight_, handed_;
    AlignedArray<T> root_;
    Mask<T> delay_;
    std::int64_t taken_[lanes] = {}, due_[lanes] = {}, earliest_ = 0;  // snapshots of each lane
    Ratios ratios_;
};

// Input after input: for signals too short for the wavefront's run-up.
template <typename T>
void legs_project_stepwise(const LegsProjectArgs<T>& args) {
    for (std::int64_t i = 0; i < args.length; ++i) {
        T input = args.inputs[i];
        const T step = args.step ? args.step[i] : T(1 / (args.first + double(i)));
        legs_step<T>({args.state, &input, &step, false, 1, args.order, args.alpha});
        if (args.due(i + 1)) args.copy_to(args.snapshots + (args.taken(i + 1) - 1) * args.order);
    }
}

template <typename T>
void legs_project_part(const LegsProjectArgs<T>& args) {
    // A diagonal in flight costs about 1/32 of a step on its own.
    if (32 * args.length < Wavefront<T, TableRatios<T>>::ramp(args.order)) legs_project_stepwise(args);
    else if (args.alpha == T(0.5) && !args.step) Wavefront<T, TableRatios<T>>(args).run();
    else Wavefront<T, RefinedRatios<T>>(args).run();
}

// The first input of all by itself, and the rest in parts that the integers of a float's width can count.
template <typename T>
void legs_project(const LegsProjectArgs<T>& args) {
    constexpr std::int64_t most = std::int64_t(1) << 30;
    for (std::int64_t done = 0; done < args.length;) {
        LegsProjectArgs<T> part = args;
        part.inputs += done;
        if (args.step) part.step += done;
        part.first += double(done);
        part.seen += done;
        part.snapshots += args.taken(done) * args.order;
        if (part.first == 0) {
            part.length = 1;
            for (std::int64_t n = 0; n < args.order; ++n) args.state[n] = n ? 0 : args.inputs[0];
            if (args.due(1)) args.copy_to(args.snapshots);
        } else {
            part.length = args.length - done < most ? args.length - done : most;
            legs_project_part(part);
        }
        done += part.length;
    }
}

}  // namespace
}  // namespace hippo
