// A cell with a memory over a stretch of steps, forward and backward, for some of the batch's rows.
//
// HiPPO paper, section 3: u = U_in x + U_rec h;  m' = memory(m, u);  z = W_in x + W_rec m';
//   h' = h + sigmoid(z_g) (tanh(z_c) - h), or h' = tanh(z) where there is no gate.
// LMU: the same without a gate; u also reads the memory (+ U_mem m), and z the hidden state (W_rec [h, m']).
//
// Samples do not see each other, so each thread takes its rows through all steps and none waits for another.
#pragma once
#include <cstdint>

#include "kernels.hpp"
#include "memory.hpp"
#include "precision.hpp"
#include "product.hpp"

namespace hippo {
namespace {

template <typename Precision, template <typename> class Memory>
class HippoCell : HippoRows<Precision> {
    using Rows = HippoRows<Precision>;
    using Store = typename Precision::Store;
    using Operand = typename Precision::Operand;
    using Rows::begin, Rows::column, Rows::depth, Rows::grad_operand, Rows::index, Rows::lead, Rows::operand, Rows::p, Rows::rows,
        Rows::tape, Rows::u;

   public:
    HippoCell(const HippoArgs& args, std::int64_t begin, std::int64_t end)
        : Rows(args, begin, end, width_of(args)),
          padded(round_up(p.hidden, kLanes)),
          width(width_of(p)),
          memory(*this),
          h(rows * padded),
          z(padded_rows(rows) * width),
          w_in(p.inputs * width),
          u_rec(p.channels * padded),
          grad_w_in(p.inputs * width),
          grad_u_in(p.channels * p.inputs),
          grad_u_rec(p.channels * padded) {
        for (std::int64_t row = 0; row < rows; ++row)
            copy(p.h + (begin + row) * p.hidden, p.hidden, &h[row * padded]);
        for (std::int64_t i = 0; i < p.inputs; ++i)
            for (std::int64_t g = 0; g < p.gates(); ++g) w_in[i * width + place(g)] = p.w_in[g * p.inputs + i];
        for (std::int64_t c = 0; c < p.channels; ++c)
            copy(p.u_rec + c * p.hidden, p.hidden, &u_rec[c * padded]);
    }

    void forward() {
        Packed<Operand> weight(width, depth);
        for (std::int64_t g = 0; g < p.gates(); ++g)
            for (std::int64_t k = 0; k < p.columns(); ++k)
                weight.set(place(g), column(k), rounded<Precision>(p.w_rec[g * p.columns() + k]));
        for (std::int64_t t = 0; t < p.steps; ++t) {
            for (std::int64_t row = 0; row < rows; ++row) write_memory(t, row);
            memory.advance(t);
            weight.multiply(operand.data(), rows, z.data());
            for (std::int64_t row = 0; row < rows; ++row) activate(t, row);
        }
        save_state();
    }

    // Leaves the small weights' gradients over its rows in the given slot of their arrays.
    void backward(std::int64_t slot) {
        Packed<Operand> weight(depth, width);
        for (std::int64_t g = 0; g < p.gates(); ++g)
            for (std::int64_t k = 0; k < p.columns(); ++k)
                weight.set(column(k), place(g), rounded<Precision>(p.w_rec[g * p.columns() + k]));
        for (std::int64_t i = 0; i < p.inputs * width; ++i) w_in[i] = 0;  // from here on the sum of its gradients
        AlignedArray<float> u_in(p.channels * p.inputs), total_u_rec(p.channels * padded);
        for (std::int64_t t = p.steps - 1; t >= 0; --t) {
            for (std::int64_t row = 0; row < rows; ++row) differentiate(t, row);
            weight.multiply(operand.data(), rows, grad_operand.data());
            memory.retreat(t);
            for (std::int64_t row = 0; row < rows; ++row) read_memory(t, row);
            // Sums of one step join those of all: two short sums round less than a long one.
            settle(grad_w_in, w_in, p.inputs * width);
            settle(grad_u_in, u_in, p.channels * p.inputs);
            settle(grad_u_rec, total_u_rec, p.channels * padded);
        }
        save_state();
        const std::int64_t gates = p.gates();
        float* out = p.grad_w_in + slot * gates * p.inputs;
        for (std::int64_t g = 0; g < gates; ++g)
            for (std::int64_t i = 0; i < p.inputs; ++i) out[g * p.inputs + i] = w_in[i * width + place(g)];
        copy(u_in.data(), p.channels * p.inputs, p.grad_u_in + slot * p.channels * p.inputs);
        for (std::int64_t c = 0; c < p.channels; ++c)
            copy(&total_u_rec[c * padded], p.hidden, p.grad_u_rec + (slot * p.channels + c) * p.hidden);
    }

   private:
    const std::int64_t padded, width;
    Memory<Precision> memory;
    AlignedArray<float> h, z;  // h: the state, or in the backward pass its gradient
    AlignedArray<float> w_in, u_rec;
    AlignedArray<float> grad_w_in, grad_u_in, grad_u_rec;  // of the step at hand

    static std::int64_t width_of(const HippoArgs& p) {
        const std::int64_t padded = round_up(p.hidden, kLanes);
        return round_up(p.gated ? 2 * padded : padded, 32);
    }

    static void settle(AlignedArray<float>& step, AlignedArray<float>& total, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i) {
            total[i] += step[i];
            step[i] = 0;
        }
    }

    void add(float* sum, Floats value) const { store(sum, load(sum) + value); }

    // Candidate and gate each start on a vector of their own.
    std::int64_t place(std::int64_t g) const { return g < p.hidden ? g : padded + g - p.hidden; }

    // The hidden state before step t.
    const Store* before(std::int64_t t, std::int64_t row) const {
        return lead ? tape(p.memory, t, row, p.columns()) : tape(p.hidden_tape, t, row, p.hidden);
    }

    void save_state() {
        for (std::int64_t row = 0; row < rows; ++row)
            copy(&h[row * padded], p.hidden, p.h + (begin + row) * p.hidden);
        memory.save();
    }

    // u, whose part from the input is on the tape already, += U_rec h
    void write_memory(std::int64_t t, std::int64_t row) {
        for (std::int64_t c = 0; c < p.channels; ++c) {
            Floats total = {};
            for (std::int64_t i = 0; i < padded; i += kLanes)
                total += load(&h[row * padded + i]) * load(&u_rec[c * padded + i]);
            u(t, row, c) += sum(total);
        }
        Store* kept = tape(p.memory, t, row, p.columns());
        for (std::int64_t i = 0; i < lead; i += kLanes) {
            put<Precision>(&operand[row * depth + i], load(&h[row * padded + i]));
            store_part(kept + i, load(&h[row * padded + i]), p.hidden - i);
        }
    }

    // -- candidate and gate -----------------------------------------------------------------------------------

    // Pre-activation of a vector of gates of one row: the product, and the input's part.
    Floats drive(const float* x, std::int64_t row, std::int64_t g) const {
        Floats total = load(&z[row * width + g]);
        for (std::int64_t i = 0; i < p.inputs; ++i) total += x[i] * load(&w_in[i * width + g]);
        return total;
    }

    void activate(std::int64_t t, std::int64_t row) {
        const float* x = p.x + index(t, row, p.inputs);
        Store* kept = tape(p.z, t, row, p.gates());
        Store* shown = lead ? nullptr : tape(p.hidden_tape, t + 1, row, p.hidden);
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            float* state = &h[row * padded + i];
            const std::int64_t count = p.hidden - i;
            const Floats candidate = tanh(drive(x, row, i));
            Floats next = candidate;
            if (p.gated) {
                const Floats gate = sigmoid(drive(x, row, padded + i)), old = load(state);
                next = old + gate * (candidate - old);
                store_part(kept + p.hidden + i, gate, count);
            }
            store_part(kept + i, candidate, count);
            if (shown) store_part(shown + i, next, count);
            // What is beyond the hidden units must stay zero.
            for (int lane = 0; count < kLanes && lane < kLanes; ++lane) next[lane] = lane < count ? next[lane] : 0;
            store(state, next);
        }
    }

    // The gradient of h becomes those of the pre-activations, on the tape and as the product's operand, and what of
    // it goes straight on to the step before.
    void differentiate(std::int64_t t, std::int64_t row) {
        const float* x = p.x + index(t, row, p.inputs);
        Store* kept = tape(p.z, t, row, p.gates());
        const Store* old = before(t, row);
        const float* more = p.grad_hidden ? p.grad_hidden + index(t, row, p.hidden) : nullptr;
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            const std::int64_t count = p.hidden - i;
            float* grad = &h[row * padded + i];
            Floats g = load(grad);
            if (more) g += load_part(more + i, count);
            const Floats candidate = load_part(kept + i, count);
            Floats opened = g;
            if (p.gated) {
                const Floats gate = load_part(kept + p.hidden + i, count);
                opened = g * gate;
                const Floats closing = opened * (1.0f - gate) * (candidate - load_part(old + i, count));
                store_part(kept + p.hidden + i, closing, count);
                put<Precision>(&operand[row * width + padded + i], closing);
                for (std::int64_t c = 0; c < p.inputs; ++c) add(&grad_w_in[c * width + padded + i], x[c] * closing);
            }
            const Floats opening = opened * (1.0f - candidate * candidate);
            store_part(kept + i, opening, count);
            put<Precision>(&operand[row * width + i], opening);
            for (std::int64_t c = 0; c < p.inputs; ++c) add(&grad_w_in[c * width + i], x[c] * opening);
            store(grad, g - opened);
        }
    }

    // u came from x and from h, and so did z where it reads h.
    void read_memory(std::int64_t t, std::int64_t row) {
        const float* x = p.x + index(t, row, p.inputs);
        const Store* old = before(t, row);
        for (std::int64_t i = 0; i < lead; i += kLanes) add(&h[row * padded + i], load(&grad_operand[row * depth + i]));
        for (std::int64_t c = 0; c < p.channels; ++c) {
            const float grad = u(t, row, c);
            for (std::int64_t i = 0; i < p.inputs; ++i) grad_u_in[c * p.inputs + i] += grad * x[i];
            for (std::int64_t i = 0; i < padded; i += kLanes) {
                add(&h[row * padded + i], grad * load(&u_rec[c * padded + i]));
                add(&grad_u_rec[c * padded + i], grad * load_part(old + i, p.hidden - i));
            }
        }
    }
};

template <template <typename> class Memory>
void hippo_cell(const HippoArgs& args, std::int64_t begin, std::int64_t end, std::int64_t slot) {
    in_precision(args.bfloat16_tape, [&](auto precision) {
        HippoCell<decltype(precision), Memory> cell(args, begin, end);
        args.adjoint ? cell.backward(slot) : cell.forward();
    });
}

}  // namespace
}  // namespace hippo
