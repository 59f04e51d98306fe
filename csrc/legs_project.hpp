// The LegS projection of a long signal, step after step.
#pragma once
#include "kernels.hpp"
#include "legs_step.hpp"

namespace hippo {
namespace {

template <typename T>
void legs_project(const LegsProjectArgs<T>& args) {
    for (std::int64_t i = 0; i < args.length; ++i) {
        T input = args.inputs[i];
        if (args.first + double(i) == 0) {
            for (std::int64_t n = 0; n < args.order; ++n) args.state[n] = n ? 0 : input;
        } else {
            const T step = args.step ? args.step[i] : T(1 / (args.first + double(i)));
            legs_step<T>({args.state, &input, &step, false, 1, args.order, args.alpha, args.workspace});
        }
        if (args.stride && (i + 1) % args.stride == 0) {
            T* row = args.snapshots + (i / args.stride) * args.order;
            for (std::int64_t n = 0; n < args.order; ++n) row[n] = args.state[n];
        }
    }
}

}  // namespace
}  // namespace hippo
