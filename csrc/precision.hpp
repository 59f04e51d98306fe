// The types that a cell computes with: `Store` is the tape's, `Operand` the products'.
#pragma once
#include "amx.hpp"
#include "floats.hpp"

namespace hippo {
namespace {

struct Float32 {
    using Store = float;
    using Operand = float;
};
struct BFloat16 {
    using Store = bfloat16;
    using Operand = float;  // rounded to bfloat16, multiplied in float: the same numbers, without the speed
};
#ifdef HIPPO_AMX
struct BFloat16Amx {
    using Store = bfloat16;
    using Operand = bfloat16;
};
#endif

// Stores an operand, rounded as the tape rounds it.
template <typename Precision>
inline void put(typename Precision::Operand* to, Floats value) {
    if constexpr (sizeof(typename Precision::Operand) == sizeof(typename Precision::Store)) return store(to, value);
    bfloat16 halves[kLanes];
    store(halves, value);
    store(to, load(halves));
}

// A weight, as the products see it.
template <typename Precision>
inline float rounded(float weight) {
    if constexpr (sizeof(typename Precision::Store) == sizeof(float)) return weight;
    bfloat16 halves[kLanes];
    store(halves, splat(weight));
    return load(halves)[0];
}

// run(Precision{}), in what is fastest here for this tape.
template <typename Run>
inline void in_precision(bool bfloat16_tape, Run run) {
    FlushSubnormals flush;
    if (!bfloat16_tape) return run(Float32{});
#ifdef HIPPO_AMX
    static const bool amx = amx_available();
    if (amx) {
        AmxSession session;
        return run(BFloat16Amx{});
    }
#endif
    run(BFloat16{});
}

}  // namespace
}  // namespace hippo
