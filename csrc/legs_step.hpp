// One LegS step of a batch of memories in O(N) by a running sum (Gu et al. 2020, section 3.3), and its adjoint.
//
// With S_n = sum_{k<n} q_k (alpha c'_k + (1 - alpha) c_k) - f, q_n = sqrt(2n+1), r_n = s / (1 + alpha s (n+1)):
//   c'_n = c_n - r_n ((n+1) c_n + q_n S_n)
//   S_{n+1} = (1 - alpha (2n+1) r_n) S_n + q_n (1 - alpha (n+1) r_n) c_n
#pragma once
#include <cmath>

#include "kernels.hpp"
#include "vector.hpp"

namespace hippo {
namespace {

// The step as c'_n = c_n - (decay c_n + feed S), S <- gain S + sum c_n; it depends on n and s alone.
template <typename T>
struct StepCoefficients {
    AlignedArray<T> root, gain, sum, decay, feed;

    explicit StepCoefficients(std::int64_t order) : root(order), gain(order), sum(order), decay(order), feed(order) {
        for (std::int64_t n = 0; n < order; ++n) root[n] = std::sqrt(T(2 * n + 1));
    }

    void set_step(T step, T alpha, std::int64_t order) {
        for (std::int64_t n = 0; n < order; ++n) {
            const T index = T(n + 1);
            const T r = step / (1 + alpha * step * index);
            gain[n] = 1 - alpha * (2 * index - 1) * r;
            sum[n] = root[n] * (1 - alpha * index * r);
            decay[n] = index * r;
            feed[n] = root[n] * r;
        }
    }
};

template <typename T>
void legs_step(const LegsStepArgs<T>& args) {
    StepCoefficients<T> k(args.order);
    for (std::int64_t row = 0; row < args.batch; ++row) {
        if (row == 0 || args.per_memory) k.set_step(args.step[row], args.alpha, args.order);
        T* c = args.state + row * args.order;
        T S = -args.inputs[row];
        for (std::int64_t n = 0; n < args.order; ++n) {
            const T old = c[n];
            c[n] = old - (k.decay[n] * old + k.feed[n] * S);
            S = k.gain[n] * S + k.sum[n] * old;
        }
    }
}

// The transpose of the step: the running sum goes from the last index to the first.
template <typename T>
void legs_step_adjoint(const LegsStepArgs<T>& args) {
    StepCoefficients<T> k(args.order);
    for (std::int64_t row = 0; row < args.batch; ++row) {
        if (row == 0 || args.per_memory) k.set_step(args.step[row], args.alpha, args.order);
        T* g = args.state + row * args.order;
        T S = 0;
        for (std::int64_t n = args.order - 1; n >= 0; --n) {
            const T old = g[n];
            g[n] = old - (k.decay[n] * old - k.sum[n] * S);
            S = k.gain[n] * S - k.feed[n] * old;
        }
        args.inputs[row] = -S;
    }
}

}  // namespace
}  // namespace hippo
