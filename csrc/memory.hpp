// The memory of a HiPPO cell's rows, one step forward and its adjoint: LegS, or any that is time-invariant.
#pragma once
#include <cstdint>

#include "kernels.hpp"
#include "precision.hpp"
#include "product.hpp"

namespace hippo {
namespace {

// What the cell and its memory share: which rows they are, and the operand of the product that reads the memory,
// which is the hidden state first where the cell reads that too.
template <typename Precision>
struct HippoRows {
    using Store = typename Precision::Store;
    using Operand = typename Precision::Operand;

    const HippoArgs& p;
    const std::int64_t begin, rows, blocks, lead, depth;
    AlignedArray<Operand> operand;    // forward [row][depth], backward [row][width]
    AlignedArray<float> grad_operand;  // backward [row][depth]

    HippoRows(const HippoArgs& args, std::int64_t begin, std::int64_t end, std::int64_t width)
        : p(args),
          begin(begin),
          rows(end - begin),
          blocks(round_up(p.order, kLanes)),
          lead(round_up(p.lead(), kLanes)),
          depth(round_up(lead + (p.channels - 1) * p.order + blocks, 32)),
          operand(padded_rows(rows) * at_least(width, depth)),
          grad_operand(padded_rows(rows) * depth) {}

    // Where column k of W_rec stands in the operand.
    std::int64_t column(std::int64_t k) const { return k < p.lead() ? k : lead + k - p.lead(); }

    // Entry of an array (steps, batch, size) at step t and this thread's row.
    std::int64_t index(std::int64_t t, std::int64_t row, std::int64_t size) const {
        return (t * p.batch + begin + row) * size;
    }

    Store* tape(void* whole, std::int64_t t, std::int64_t row, std::int64_t size) const {
        return static_cast<Store*>(whole) + index(t, row, size);
    }

    float& u(std::int64_t t, std::int64_t row, std::int64_t c) const {
        return static_cast<float*>(p.u)[index(t, row, p.channels) + c];
    }

    // Coefficients n, n + 1, ... of the new memory, for the product and onto the tape.
    void show(std::int64_t t, std::int64_t row, std::int64_t c, std::int64_t n, Floats value) {
        put<Precision>(&operand[row * depth + lead + c * p.order + n], value);
        store_part(tape(p.memory, t, row, p.columns()) + p.lead() + c * p.order + n, value, p.order - n);
    }

    // Their gradient from the product; past the order it is something else.
    Floats shown(std::int64_t row, std::int64_t c, std::int64_t n) const {
        return load(&grad_operand[row * depth + lead + c * p.order + n]);
    }
};

// It lives transposed, [order][row]: a LegS step is a running sum over the order, side by side for all rows.
template <typename Precision>
class LegsMemory {
   public:
    explicit LegsMemory(HippoRows<Precision>& shared)
        : r(shared),
          p(r.p),
          rows(r.rows),
          blocks(r.blocks),
          lanes(round_up(rows, kLanes)),
          m(p.channels * blocks * lanes),
          coefficients(4 * blocks),
          roots(blocks) {
        for (std::int64_t n = 0; n < blocks; ++n) roots[n] = square_root(float(2 * n + 1));
        each([&](float& own, float& outer) { own = outer; });
    }

    void save() {
        each([&](float& own, float& outer) { outer = own; });
    }

    void advance(std::int64_t t) {
        for (std::int64_t c = 0; c < p.channels; ++c) advance(t, c);
    }

    void retreat(std::int64_t t) {
        for (std::int64_t c = 0; c < p.channels; ++c) retreat(t, c);
    }

   private:
    HippoRows<Precision>& r;
    const HippoArgs& p;
    const std::int64_t rows, blocks, lanes;
    AlignedArray<float> m, coefficients, roots;  // m: the memory, or in the backward pass its gradient

    template <typename Visit>
    void each(Visit visit) {
        for (std::int64_t row = 0; row < rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t n = 0; n < p.order; ++n)
                    visit(m[(c * blocks + n) * lanes + row], p.m[((r.begin + row) * p.channels + c) * p.order + n]);
    }

    // The step's share of time for a vector of rows; one for all unless there are timestamps.
    Floats share(std::int64_t t, std::int64_t row) const {
        if (!p.shares) return splat(1.0f / float(at_least(1, p.first + t)));
        Floats values = {};
        for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i)
            values[i] = p.shares[(r.begin + row + i) * p.share_stride + p.first + t];
        return values;
    }

    struct Step {
        Floats gain, sum, decay, feed;
    };

    // As in legs_step.hpp; past the order, a step that changes nothing.
    Step coefficient(std::int64_t n, Floats share) const {
        if (n >= p.order) return Step{splat(1), Floats{}, Floats{}, Floats{}};
        const float index = float(n + 1), root = roots[n];
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
                u[i] = r.u(t, row + i, c);
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
                for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i) r.show(t, row + i, c, n, square[i]);
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
                    square[i] = row + i < rows ? r.shown(row + i, c, n) : Floats{};
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
            for (std::int64_t i = 0; i < at_most(kLanes, rows - row); ++i) r.u(t, row + i, c) = u[i];
        }
    }
};

// m' = m Abar^T + u Bbar, one product for all rows and channels. In float whatever the precision: it is a state.
template <typename Precision>
class DenseMemory {
   public:
    explicit DenseMemory(HippoRows<Precision>& shared)
        : r(shared),
          p(r.p),
          size(round_up(p.order, 32)),
          count(r.rows * p.channels),
          transition(size, size),
          input(size),
          u_memory(p.u_memory ? p.channels * p.channels * size : 0),
          m(padded_rows(count) * size),
          product(padded_rows(count) * size) {
        for (std::int64_t n = 0; n < p.order; ++n)
            for (std::int64_t k = 0; k < p.order; ++k)
                p.adjoint ? transition.set(k, n, p.transition[n * p.order + k])
                          : transition.set(n, k, p.transition[n * p.order + k]);
        copy(p.input, p.order, input.data());
        for (std::int64_t i = 0; p.u_memory && i < p.channels * p.channels; ++i)
            copy(p.u_memory + i * p.order, p.order, &u_memory[i * size]);
        each([&](float* own, float* outer) { copy(outer, p.order, own); });
    }

    void save() {
        each([&](float* own, float* outer) { copy(own, p.order, outer); });
    }

    void advance(std::int64_t t) {
        if (p.u_memory) each_pair([&](std::int64_t row, std::int64_t c, const float* state, const float* weight) {
            Floats total = {};
            for (std::int64_t n = 0; n < size; n += kLanes) total += load(state + n) * load(weight + n);
            r.u(t, row, c) += sum(total);
        });
        transition.multiply(m.data(), count, product.data());
        for (std::int64_t row = 0; row < r.rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c) {
                const std::int64_t here = (row * p.channels + c) * size;
                const float u = r.u(t, row, c);
                for (std::int64_t n = 0; n < r.blocks; n += kLanes) {
                    const Floats value = load(&product[here + n]) + u * load(&input[n]);
                    store(&m[here + n], value);
                    r.show(t, row, c, n, value);
                }
            }
    }

    // The adjoint of `advance`: the product's gradient joins the memory's, and u's comes out onto the tape. What
    // stands past the order meets zeros in B and A.
    void retreat(std::int64_t t) {
        for (std::int64_t row = 0; row < r.rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c) {
                const std::int64_t here = (row * p.channels + c) * size;
                Floats u = {};
                for (std::int64_t n = 0; n < r.blocks; n += kLanes) {
                    const Floats grad = load(&product[here + n]) + r.shown(row, c, n);
                    store(&m[here + n], grad);
                    u += grad * load(&input[n]);
                }
                r.u(t, row, c) = sum(u);
            }
        transition.multiply(m.data(), count, product.data());
        if (p.u_memory) each_pair([&](std::int64_t row, std::int64_t c, float* state, const float* weight) {
            const float u = r.u(t, row, c);
            for (std::int64_t n = 0; n < size; n += kLanes) store(state + n, load(state + n) + u * load(weight + n));
        });
    }

   private:
    HippoRows<Precision>& r;
    const HippoArgs& p;
    const std::int64_t size, count;
    Packed<float> transition;
    AlignedArray<float> input, u_memory, m, product;

    // The state, or its gradient, before (backward: after) the step at hand.
    float* state(std::int64_t row, std::int64_t c) {
        return &(p.adjoint ? product : m)[(row * p.channels + c) * size];
    }

    template <typename Visit>
    void each(Visit visit) {
        for (std::int64_t row = 0; row < r.rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c)
                visit(state(row, c), p.m + ((r.begin + row) * p.channels + c) * p.order);
    }

    // Every u with every channel that it reads.
    template <typename Visit>
    void each_pair(Visit visit) {
        for (std::int64_t row = 0; row < r.rows; ++row)
            for (std::int64_t c = 0; c < p.channels; ++c)
                for (std::int64_t from = 0; from < p.channels; ++from)
                    visit(row, c, state(row, from), &u_memory[(c * p.channels + from) * size]);
    }
};

}  // namespace
}  // namespace hippo
