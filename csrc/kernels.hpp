// The kernels as a table of functions: one table per instruction set, chosen at run time.
#pragma once
#include <cstdint>

#define HIPPO_INLINE inline __attribute__((always_inline))

namespace hippo {

// Throws std::bad_alloc. Defined once, outside the kernels: what they instantiate of the standard library, the linker
// would merge into one copy that not every processor runs.
[[noreturn]] void out_of_memory();

// `step` arrays hold one ratio per memory where `per_memory`, else a single one. Rows are contiguous.
template <typename T>
struct LegsStepArgs {
    T* state;           // (batch, order): the memories; for the adjoint, the gradient. Updated in place.
    T* inputs;          // (batch,): read by the step, written by the adjoint
    const T* step;      // (batch,) or (1,)
    bool per_memory;
    std::int64_t batch, order;
    T alpha;
};

// A long signal through one memory, with the coefficients copied out after every `stride` inputs (0: never).
template <typename T>
struct LegsProjectArgs {
    T* state;           // (order,): the memory, updated in place
    const T* inputs;    // (length,)
    const T* step;      // (length,) step ratios; null for the uniform signal, whose input k >= 1 has ratio 1/k
    double first;       // number k of the first input; input 0 fills the memory with its value
    std::int64_t length, order;
    T alpha;
    std::int64_t stride;
    T* snapshots;       // (length / stride, order)
    std::int64_t seen;  // inputs before these that count for the stride

    // The number of snapshots taken after `count` inputs, whether one is due just then, and its copying. Always
    // inline, lest the linker merge those of two instruction sets.
    HIPPO_INLINE std::int64_t taken(std::int64_t count) const { return stride ? (seen % stride + count) / stride : 0; }
    HIPPO_INLINE bool due(std::int64_t count) const { return stride && (seen + count) % stride == 0; }
    HIPPO_INLINE void copy_to(T* row) const {
        for (std::int64_t n = 0; n < order; ++n) row[n] = state[n];
    }
};

// A stretch of steps of a cell with a memory, forward or (adjoint) backward, over tapes that the engine owns; shapes
// and contents as in hippo/nn/engine/hippo.py and lmu.py. Tapes hold float, or bfloat16 where `bfloat16_tape`.
struct HippoArgs {
    std::int64_t steps, batch, inputs, hidden, channels, order, first, share_stride;
    bool gated, bfloat16_tape, adjoint;
    float alpha;
    const float *x, *w_in, *w_rec, *u_rec;
    const float* u_memory;     // (channels, channels * order), or null: u does not read the memory, nor z the state h
    const float *transition, *input;  // (order, order), (order,): Abar and Bbar of a memory that is not LegS
    const float* shares;       // (batch, share_stride), or null: 1 / k
    const float* grad_hidden;  // (steps, batch, hidden), or null; read by the adjoint
    float *h, *m;              // states, or for the adjoint their gradients; updated in place
    void *z, *hidden_tape, *memory, *u;
    float *grad_w_in, *grad_u_in, *grad_u_rec;  // (slots, ...): written by the adjoint

    HIPPO_INLINE std::int64_t gates() const { return gated ? 2 * hidden : hidden; }
    HIPPO_INLINE std::int64_t lead() const { return u_memory ? hidden : 0; }
    HIPPO_INLINE std::int64_t columns() const { return lead() + channels * order; }
};

// A stretch of steps of a plain recurrent cell, forward or (adjoint) backward, over tapes that the engine owns; shapes
// and contents as in hippo/nn/engine/recurrence.py and baselines.
struct RecurrentArgs {
    std::int64_t steps, batch, hidden;
    bool bfloat16_tape, adjoint;
    float negligible;            // gradients of states up to this size are zero
    const float *w_rec, *extra;  // extra: ModReLU's bias, or the second weight of MGU and GRU-D
    const float* grad_hidden;    // (steps, batch, hidden), or null; read by the adjoint
    float *h, *c;                // states, or for the adjoint their gradients; updated in place; c: of the LSTM
    void *z, *hidden_tape, *cell, *passed, *decayed;  // cell: the LSTM's, passed: MGU's and GRU-D's, decayed: GRU-D's
};

template <typename T>
struct KernelsOf {
    void (*legs_step)(const LegsStepArgs<T>&);
    void (*legs_step_adjoint)(const LegsStepArgs<T>&);
    void (*legs_project)(const LegsProjectArgs<T>&);
    std::int64_t (*first_nonfinite)(const T* values, std::int64_t size);  // -1 where all are finite
    // For comparison: the multiply-adds done in so many rounds at the core's peak rate, and the published algorithm,
    // one input of ratio 1/k after the other for k = first, first + 1, ...
    double (*peak_fma)(std::int64_t rounds);
    void (*textbook_legs_project)(T* state, const T* inputs, double first, std::int64_t length, std::int64_t order);
};

struct Kernels {
    const char* name;
    KernelsOf<float> f32;
    KernelsOf<double> f64;
    // For these rows of the batch; the adjoint leaves weight gradients over them in the given slot.
    using HippoCell = void(const HippoArgs&, std::int64_t begin, std::int64_t end, std::int64_t slot);
    HippoCell *legs, *dense;
    using RecurrentCell = void(const RecurrentArgs&, std::int64_t begin, std::int64_t end);
    RecurrentCell *rnn, *mod_relu, *gru, *lstm, *mgu, *gru_d;
};

const Kernels& scalar_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();

}  // namespace hippo
