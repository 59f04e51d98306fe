// The LegS cell over a stretch of steps, forward and backward, for some of the batch's rows (HiPPO paper, section 3):
//   u = U_in x + U_rec h;  m' = LegS(m, u);  z = W_in x + W_rec m';  h' = h + sigmoid(z_g) (tanh(z_c) - h)
//
// Samples do not see each other, so each thread takes its rows through all steps and none waits for another. The
// memory lives transposed, [order][row]: a LegS step is a running sum over the order, side by side for all rows.
#pragma once
#include <cstdint>

#include "kernels.hpp"
#include "precision.hpp"
#include "product.hpp"

namespace hippo {
namespace {

template <typename Precision>
class HippoCell {
    using Store = typename Precision::Store;
    using Operand = typename Precision::Operand;

   public:
    HippoCell(const HippoArgs& args, std::int64_t begin, std::int64_t end)
        : p(args),
          begin(begin),
          rows(end - begin),
          lanes(round_up(rows, kLanes)),
          padded(round_up(p.hidden, kLanes)),
          blocks(round_up(p.order, kLanes)),
          width(round_up(p.gated ? 2 * padded : padded, 32)),
          depth(round_up((p.channels - 1) * p.order + blocks, 32)),
          h(padded_rows(rows) * padded),
          m(p.channels * blocks * lanes),
          z(padded_rows(rows) * width),
          operand(padded_rows(rows) * at_least(width, depth)),
          s(padded_rows(rows) * depth),
          w_in(p.inputs * width),
          u_rec(p.channels * padded),
          coefficients(4 * blocks),
          grad_w_in(p.inputs * width),
          grad_u_in(p.channels * p.inputs),
          grad_u_rec(p.channels * padded) {
        for (std::int64_t i = 0; i < p.inputs; ++i)
            for (std::int64_t g = 0; g < p.gates(); ++g) w_in[i * width + place(g)] = p.w_in[g * p.inputs + i];
        for (std::int64_t c = 0; c < p.channels; ++c)
            copy(p.u_rec + c * p.hidden, p.hidden, &u_rec[c * padded]);
    }

    void forward() {
        Packed<Operand> weight(width, depth);
        for (std::int64_t g = 0; g < p.gates(); ++g)
            for (std::int64_t k = 0; k < p.columns(); ++k) weight.set(place(g), k, p.w_rec[g * p.columns() + k]);
        load_state(p.h, p.m);
        for (std::int64_t t = 0; t < p.steps; ++t) {
            write_memory(t);
            for (std::int64_t c = 0; c < p.channels; ++c) advance(t, c);
            weight.multiply(operand.data(), rows, z.data());
            for (std::int64_t row = 0; row < rows; ++row) activate(t, row);
        }
        save_state(p.h, p.m);
    }

    // Leaves the small weights' gradients over its rows in the given slot of their arrays.
    void backward(std::int64_t slot) {
        Packed<Operand> weight(depth, width);
        for (std::int64_t g = 0; g < p.gates(); ++g)
            for (std::int64_t k = 0; k < p.columns(); ++k) weight.set(k, place(g), p.w_rec[g * p.columns() + k]);
        load_state(p.h, p.m);
        for (std::int64_t i = 0; i < p.inputs * width; ++i) w_in[i] = 0;  // from here on the sum of its gradients
        AlignedArray<float> u_in(p.channels * p.inputs), total_u_rec(p.channels * padded);
        for (std::int64_t t = p.steps - 1; t >= 0; --t) {
            for (std::int64_t row = 0; row < rows; ++row) differentiate(t, row);
            weight.multiply(operand.data(), rows, s.data());
            for (std::int64_t c = 0; c < p.channels; ++c) retreat(t, c);
            for (std::int64_t row = 0; row < rows; ++row) read_memory(t, row);
            // Sums of one step join those of all: two short sums round less than a long one.
            settle(grad_w_in, w_in, p.inputs * width);
            settle(grad_u_in, u_in, p.channels * p.inputs);
            settle(grad_u_rec, total_u_rec, p.channels * padded);
        }
        save_state(p.h, p.m);
        const std::int64_t gates = p.gates();
        float* out = p.grad_w_in + slot * gates * p.inputs;
        for (std::int64_t g = 0; g < gates; ++g)
            for (std::int64_t i = 0; i < p.inputs; ++i) out[g * p.inputs + i] = w_in[i * width + place(g)];
        copy(u_in.data(), p.channels * p.inputs, p.grad_u_in + slot * p.channels * p.inputs);
        for (std::int64_t c = 0; c < p.channels; ++c)
            copy(&total_u_rec[c * padded], p.hidden, p.grad_u_rec + (slot * p.channels + c) * p.hidden);
    }

   private:
    const HippoArgs& p;
    const std::int64_t begin, rows, lanes, padded, blocks, width, depth;
    AlignedArray<float> h, m, z;  // state, or in the backward pass its gradient
    AlignedArray<Operand> operand;
    AlignedArray<float> s, w_in, u_rec, coefficients;
    AlignedArray<float> grad_w_in, grad_u_in, grad_u_rec;  // of the step at hand

    static void settle(AlignedArray<float>& step, AlignedArray<float>& total, std::int64_t size) {
        for (std::int64_t i = 0; i < size; ++i) {
            total[i] += step[i];
            step[i] = 0;
        }
    }

    void add(float* sum, Floats value) const { store(sum, load(sum) + value); }

    // Candidate and gate each start on a vector of their own.
    std::int64_t place(std::int64_t g) const { return g < p.hidden ? g : padded + g - p.hidden; }

    // Entry of a tape (steps, batch, size) at step t and this thread's row.
    template <typename T>
    T* at(void* tape, std::int64_t t, std::int64_t row, std::int64_t size) const {
        return static_cast<T*>(tape) + (t * p.batch + begin + row) * size;
    }

    // -- states -----------------------------------------------------------------------------------------------

    void load_state(const float* from_h, const float* from_m) {
        for (std::int64_t row = 0; row < rows; ++row) {
            copy(from_h + (begin + row) * p.hidden, p.hidden, &h[row * padded]);
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t n = 0; n < p.order; ++n)
                    m[(c * blocks + n) * lanes + row] = from_m[((begin + row) * p.channels + c) * p.order + n];
        }
    }

    void save_state(float* to_h, float* to_m) const {
        for (std::int64_t row = 0; row < rows; ++row) {
            copy(&h[row * padded], p.hidden, to_h + (begin + row) * p.hidden);
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t n = 0; n < p.order; ++n)
                    to_m[((begin + row) * p.channels + c) * p.order + n] = m[(c * blocks + n) * lanes + row];
        }
    }

    // -- the memory -------------------------------------------------------------------------------------------

    // u, whose part from the input is on the tape already, += U_rec h
    void write_memory(std::int64_t t) {
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c) {
                Floats total = {};
                for (std::int64_t i = 0; i < padded; i += kLanes)
                    total += load(&h[row * padded + i]) * load(&u_rec[c * padded + i]);
                at<float>(p.u, t, row, p.channels)[c] += sum(total);
            }
    }

    // The step's share of time for a vector of rows; one for all unless there are timestamps.
    Floats share(std::int64_t t, std::int64_t row) const {
        if (!p.shares) return splat(1.0f / float(at_least(1, p.first + t)));
        Floats values = {};
        for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i)
            values[i] = p.shares[(begin + row + i) * p.share_stride + p.first + t];
        return values;
    }

    struct Step {
        Floats gain, sum, decay, feed;
    };

    // As in legs_step.hpp; past the order, a step that changes nothing.
    Step coefficient(std::int64_t n, Floats share) const {
        if (n >= p.order) return Step{splat(1), Floats{}, Floats{}, Floats{}};
        const float index = float(n + 1), root = square_root(float(2 * n + 1));
        const Floats r = share * reciprocal(1.0f + p.alpha * share * index);
        return Step{1.0f - p.alpha * (2 * index - 1) * r, root * (1.0f - p.alpha * index * r), index * r, root * r};
    }

    // Without timestamps the coefficients are the same for all rows: made once per step.
    void set_coefficients(std::int64_t t) {
        if (p.shares) return;
        const Floats all = share(t, 0);
        for (std::int64_t n = 0; n < blocks; ++n) {
            const Step step = coefficient(n, all);
            float* to = &coefficients[4 * n];
            to[0] = step.gain[0], to[1] = step.sum[0], to[2] = step.decay[0], to[3] = step.feed[0];
        }
    }

    Step step_at(std::int64_t n, Floats share) const {
        if (p.shares) return coefficient(n, share);
        const float* from = &coefficients[4 * n];
        return Step{splat(from[0]), splat(from[1]), splat(from[2]), splat(from[3])};
    }

    // One LegS step of channel c, and the new memory as the operand of the product and onto the tape.
    void advance(std::int64_t t, std::int64_t c) {
        const bool fill = p.first + t == 0;
        set_coefficients(t);
        for (std::int64_t row = 0; row < rows; row += kLanes) {
            Floats u = {};
            for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i)
                u[i] = at<float>(p.u, t, row + i, p.channels)[c];
            const Floats now = share(t, row);
            Floats S = -u;
            for (std::int64_t n = 0; n < blocks; n += kLanes) {
                Floats square[kLanes];
                for (int i = 0; i < kLanes; ++i) {
                    float* memory = &m[(c * blocks + n + i) * lanes + row];
                    if (fill) {
                        square[i] = n + i == 0 ? u : Floats{};
                    } else {
                        const Floats old = load(memory);
                        const Step k = step_at(n + i, now);
                        square[i] = old - (k.decay * old + k.feed * S);
                        S = k.gain * S + k.sum * old;
                    }
                    store(memory, square[i]);
                }
                transpose(square);
                for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i) {
                    put<Precision>(&operand[(row + i) * depth + c * p.order + n], square[i]);
                    store_part(at<Store>(p.memory, t, row + i, p.columns()) + c * p.order + n, square[i], p.order - n);
                }
            }
        }
    }

    // The adjoint of `advance`: the product's gradient joins the memory's, and u's comes out onto the tape.
    void retreat(std::int64_t t, std::int64_t c) {
        const bool fill = p.first + t == 0;
        set_coefficients(t);
        for (std::int64_t row = 0; row < rows; row += kLanes) {
            const Floats now = share(t, row);
            Floats S = {}, u = {};
            for (std::int64_t n = blocks - kLanes; n >= 0; n -= kLanes) {
                Floats square[kLanes];
                for (int i = 0; i < kLanes; ++i)
                    square[i] = row + i < rows ? load(&s[(row + i) * depth + c * p.order + n]) : Floats{};
                transpose(square);
                for (int i = kLanes - 1; i >= 0; --i) {
                    float* memory = &m[(c * blocks + n + i) * lanes + row];
                    const Floats old = n + i < p.order ? load(memory) + square[i] : Floats{};
                    if (fill) {
                        u = old;  // the last one standing is that of the first coefficient
                        store(memory, Floats{});
                        continue;
                    }
                    const Step k = step_at(n + i, now);
                    store(memory, old - (k.decay * old - k.sum * S));
                    S = k.gain * S - k.feed * old;
                }
            }
            if (!fill) u = -S;
            for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i)
                at<float>(p.u, t, row + i, p.channels)[c] = u[i];
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
        const float* x = at<float>(const_cast<float*>(p.x), t, row, p.inputs);
        Store* kept = at<Store>(p.z, t, row, p.gates());
        Store* shown = at<Store>(p.hidden_tape, t + 1, row, p.hidden);
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
            store_part(shown + i, next, count);
            // What is beyond the hidden units must stay zero.
            for (int lane = 0; count < kLanes && lane < kLanes; ++lane) next[lane] = lane < count ? next[lane] : 0;
            store(state, next);
        }
    }

    // The gradient of h becomes those of the pre-activations, on the tape and as the product's operand, and what of
    // it goes straight on to the step before.
    void differentiate(std::int64_t t, std::int64_t row) {
        const float* x = at<float>(const_cast<float*>(p.x), t, row, p.inputs);
        Store* kept = at<Store>(p.z, t, row, p.gates());
        const Store* before = at<Store>(p.hidden_tape, t, row, p.hidden);
        const float* more = p.grad_hidden ? at<float>(const_cast<float*>(p.grad_hidden), t, row, p.hidden) : nullptr;
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
                const Floats closing = opened * (1.0f - gate) * (candidate - load_part(before + i, count));
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

    // u came from x and from h.
    void read_memory(std::int64_t t, std::int64_t row) {
        const float* x = at<float>(const_cast<float*>(p.x), t, row, p.inputs);
        const Store* before = at<Store>(p.hidden_tape, t, row, p.hidden);
        for (std::int64_t c = 0; c < p.channels; ++c) {
            const float u = at<float>(p.u, t, row, p.channels)[c];
            for (std::int64_t i = 0; i < p.inputs; ++i) grad_u_in[c * p.inputs + i] += u * x[i];
            for (std::int64_t i = 0; i < padded; i += kLanes) {
                add(&h[row * padded + i], u * load(&u_rec[c * padded + i]));
                add(&grad_u_rec[c * padded + i], u * load_part(before + i, p.hidden - i));
            }
        }
    }
};

void hippo_cell(const HippoArgs& args, std::int64_t begin, std::int64_t end, std::int64_t slot) {
    in_precision(args.bfloat16_tape, [&](auto precision) {
        HippoCell<decltype(precision)> cell(args, begin, end);
        args.adjoint ? cell.backward(slot) : cell.forward();
    });
}

}  // namespace
}  // namespace hippo
