// One LegS step of a batch of memories in O(N) by a running sum (Gu et al. 2020, section 3.3), and its adjoint.
//
// With S_n = sum_{k<n} q_k (alpha c'_k + (1 - alpha) c_k) - f, q_n = sqrt(2n+1), r_n = s / (1 + alpha s (n+1)):
//   c'_n = c_n - (decay_n c_n + feed_n S_n),   decay_n = (n+1) r_n,   feed_n = q_n r_n
//   S_{n+1} = gain_n S_n + take_n c_n,         gain_n = 1 - alpha (2n+1) r_n,   take_n = q_n (1 - alpha (n+1) r_n)
// The adjoint is the same recurrence from the last index to the first, with feed and take exchanged and negated.
//
// Lanes hold memories: tiles of as many rows and columns as there are lanes are transposed in registers.
#pragma once

#include "kernels.hpp"
#include "transpose.hpp"
#include "vector.hpp"

namespace hippo {
namespace {

template <typename N>
struct Coefficients {  // of one index: numbers, or vectors where every memory has its own step ratio
    N decay, feed, gain, take;
};

template <typename T>
class LegsStep {
    static constexpr int lanes = Lanes<T>::count;
    using V = Vector<T>;

  public:
    explicit LegsStep(const LegsStepArgs<T>& args)
        : args_(args), tables_(7 * args.order, Fill::nothing), index_(tables_.data()), root_(index_ + args.order),
          decay_(root_ + args.order), feed_(decay_ + args.order), gain_(feed_ + args.order),
          take_(gain_ + args.order), spare_(take_ + args.order) {
        for (std::int64_t n = 0; n < args.order; ++n) spare_[n] = 0;
        for (int n = 0; n < int(args.order); ++n) {
            index_[n] = T(n + 1);
            root_[n] = square_root(2 * index_[n] - 1);
        }
        if (!args.per_memory) set_step(args.step[0]);
    }

    template <bool Adjoint>
    void run() {
        std::int64_t row = 0;
        // A tile takes as long as about two rows on their own, however few of its lanes are used.
        for (; row + 2 < args_.batch; row += lanes) tile<Adjoint>(row);
        for (; row < args_.batch; ++row) single<Adjoint>(row);
    }

  private:
    void set_step(T step) {
        const T alpha = args_.alpha;
#pragma GCC ivdep
        for (std::int64_t n = 0; n < args_.order; ++n) {
            const T index = index_[n], r = step / (1 + alpha * step * index);
            decay_[n] = index * r;
            feed_[n] = root_[n] * r;
            gain_[n] = 1 - alpha * (2 * index - 1) * r;
            take_[n] = root_[n] * (1 - alpha * index * r);
        }
    }

    HIPPO_INLINE Coefficients<T> uniform(std::int64_t n) { return {decay_[n], feed_[n], gain_[n], take_[n]}; }

    HIPPO_INLINE Coefficients<V> own(std::int64_t n, V step) {
        const T alpha = args_.alpha, index = index_[n], root = root_[n];
        const V r = step * reciprocal(1 + (alpha * index) * step);
        return {index * r, root * r, 1 - (2 * alpha * index - alpha) * r, root - (alpha * index * root) * r};
    }

    template <bool Adjoint, typename N, typename S>
    static HIPPO_INLINE void element(const Coefficients<N>& k, S& c, S& sum) {
        const S old = c;
        c = old - (k.decay * old + (Adjoint ? -k.take : k.feed) * sum);
        sum = k.gain * sum + (Adjoint ? -k.feed : k.take) * old;
    }

    template <bool Adjoint>
    void single(std::int64_t row) {
        if (args_.per_memory) set_step(args_.step[row]);
        T* c = args_.state + row * args_.order;
        T sum = Adjoint ? 0 : -args_.inputs[row];
        for (std::int64_t i = 0; i < args_.order; ++i) {
            const std::int64_t n = Adjoint ? args_.order - 1 - i : i;
            element<Adjoint>(uniform(n), c[n], sum);
        }
        if (Adjoint) args_.inputs[row] = -sum;
    }

    template <bool Adjoint>
    void tile(std::int64_t row) {
        const int rows = int(args_.batch - row < lanes ? args_.batch - row : lanes);
        T *memory[lanes], inputs[lanes] = {}, steps[lanes] = {};
        for (int lane = 0; lane < lanes; ++lane) {
            const bool used = lane < rows;
            memory[lane] = used ? args_.state + (row + lane) * args_.order : spare_;
            if (used && !Adjoint) inputs[lane] = args_.inputs[row + lane];
            if (used && args_.per_memory) steps[lane] = args_.step[row + lane];
        }
        V sum = -load<T>(inputs);
        const V step = load<T>(steps);
        const std::int64_t whole = args_.order / lanes * lanes;
        if (!Adjoint) columns<Adjoint>(memory, 0, whole, sum, step);
        rest<Adjoint>(memory, whole, sum, step);
        if (Adjoint) columns<Adjoint>(memory, 0, whole, sum, step);
        if (Adjoint)
            for (int lane = 0; lane < rows; ++lane) args_.inputs[row + lane] = -sum[lane];
    }

    // Whole squares of columns [begin, end), transposed so that a vector holds one index of all memories.
    template <bool Adjoint>
    HIPPO_INLINE void columns(T* const* memory, std::int64_t begin, std::int64_t end, V& sum, V step) {
        const bool own_steps = args_.per_memory;
        for (std::int64_t i = begin; i < end; i += lanes) {
            const std::int64_t column = Adjoint ? begin + end - lanes - i : i;
            V square[lanes];
            unroll<lanes>([&](auto lane) HIPPO_INLINED { square[lane] = load<T>(memory[lane] + column); });
            transpose<T>(square);
            if (own_steps)
                unroll<lanes>([&](auto turn) HIPPO_INLINED {
                    constexpr int j = Adjoint ? lanes - 1 - turn : turn;
                    element<Adjoint>(own(column + j, step), square[j], sum);
                });
            else
                unroll<lanes>([&](auto turn) HIPPO_INLINED {
                    constexpr int j = Adjoint ? lanes - 1 - turn : turn;
                    element<Adjoint>(uniform(column + j), square[j], sum);
                });
            transpose<T>(square);
            unroll<lanes>([&](auto lane) HIPPO_INLINED { store<T>(memory[lane] + column, square[lane]); });
        }
    }

    // The columns from `begin` on that fill no square, one by one.
    template <bool Adjoint>
    void rest(T* const* memory, std::int64_t begin, V& sum, V step) {
        for (std::int64_t i = begin; i < args_.order; ++i) {
            const std::int64_t n = Adjoint ? begin + args_.order - 1 - i : i;
            V column = {};
            for (int lane = 0; lane < lanes; ++lane) column[lane] = memory[lane][n];
            if (args_.per_memory) element<Adjoint>(own(n, step), column, sum);
            else element<Adjoint>(uniform(n), column, sum);
            for (int lane = 0; lane < lanes; ++lane) memory[lane][n] = column[lane];
        }
    }

    const LegsStepArgs<T>& args_;
    AlignedArray<T> tables_;
    T *const index_, *const root_, *const decay_, *const feed_, *const gain_, *const take_, *const spare_;
};

template <typename T>
void legs_step(const LegsStepArgs<T>& args) {
    LegsStep<T>(args).template run<false>();
}

template <typename T>
void legs_step_adjoint(const LegsStepArgs<T>& args) {
    LegsStep<T>(args).template run<true>();
}

}  // namespace
}  // namespace hippo
