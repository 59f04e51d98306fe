// The plain recurrent cells over a stretch of steps, forward and backward, for some of the batch's rows.
//
// A cell is its equations, for one vector of hidden units of one sample at one step. Each thread takes its rows
// through all steps; the input products are on the tape already, and the weights' gradients are made from it later.
#pragma once
#include <cstdint>

#include "kernels.hpp"
#include "precision.hpp"
#include "product.hpp"

namespace hippo {
namespace {

// Forward: z are pre-activations W x + [U h, 0], which become activations; h and c are states.
// Backward: z are activations, which become gradients of pre-activations; h and c are gradients of the new states,
// which become those of the old ones, all but what comes back through U.
struct Units {
    Floats z[4], h, c;
    Floats h_before, c_before, c_after;  // states on the tape, backward: h_before is what the first product saw
    Floats passed;                       // forward: the operand of the second stage; backward: its gradient
    Floats bias;
};

// What most cells are: one product per step, no state but h, which the product sees as it is.
struct OneStage {
    static constexpr int stages = 1;
    static constexpr bool has_c = false, has_bias = false, fades = false;
};

// Two products, of which the second sees `passed`. They end in h' = (1 - g) h + g n with n = tanh(fresh).
struct TwoStages {
    static constexpr int stages = 2;
    static constexpr bool has_c = false, has_bias = false, fades = false;

    static void mix(Units& u, Floats gate, Floats& fresh) {
        fresh = tanh(fresh);
        u.h += gate * (fresh - u.h);
    }

    // Leaves the gradient of g in u.c, for the first stage.
    static void mix_adjoint(Units& u, Floats gate, Floats& fresh) {
        const Floats let_in = u.h * gate;
        u.c = u.h * (fresh - u.h_before);
        fresh = let_in * (1.0f - fresh * fresh);
        u.h -= let_in;
    }
};

// h' = tanh(W x + U h)
struct Rnn : OneStage {
    static constexpr int blocks = 1, products[] = {1};  // of z, and those of them that each stage's product adds to

    static void step(Units& u, int) { u.h = u.z[0] = tanh(u.z[0]); }

    static void adjoint(Units& u, int) {
        u.z[0] = u.h * (1.0f - u.z[0] * u.z[0]);
        u.h = Floats{};
    }
};

// h' = sign(z) relu(|z| + b), z = W x + U h
struct ModRelu : OneStage {
    static constexpr int blocks = 1, products[] = {1};
    static constexpr bool has_bias = true;

    static Floats size(const Units& u) { return (u.z[0] < 0 ? -u.z[0] : u.z[0]) + u.bias; }

    static void step(Units& u, int) {
        const Floats out = size(u) <= 0 ? Floats{} : size(u);
        u.h = u.z[0] < 0 ? -out : (u.z[0] == 0 ? Floats{} : out);
    }

    static void adjoint(Units& u, int) {
        u.z[0] = size(u) <= 0 ? Floats{} : u.h;
        u.h = Floats{};
    }
};

// r, v = sigmoid(W x + U h);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - v) n + v h;  z = [r, v, U_n h + b', n]
struct Gru : OneStage {
    static constexpr int blocks = 4, products[] = {3};

    static void step(Units& u, int) {
        auto& [reset, keep, remembered, fresh] = u.z;
        reset = sigmoid(reset);
        keep = sigmoid(keep);
        fresh = tanh(fresh + reset * remembered);
        u.h = fresh + keep * (u.h - fresh);
    }

    static void adjoint(Units& u, int) {
        auto& [reset, keep, remembered, fresh] = u.z;
        const Floats kept = u.h * keep;
        const Floats grad_fresh = (u.h - kept) * (1.0f - fresh * fresh);
        keep = kept * (1.0f - keep) * (u.h_before - fresh);
        fresh = grad_fresh;
        const Floats grad_remembered = grad_fresh * reset;
        reset = grad_remembered * remembered * (1.0f - reset);
        remembered = grad_remembered;
        u.h = kept;
    }
};

// i, f, o = sigmoid(W x + U h);  g = tanh(W x + U h);  c' = f c + i g;  h' = o tanh(c');  z = [i, f, g, o]
struct Lstm : OneStage {
    static constexpr int blocks = 4, products[] = {4};
    static constexpr bool has_c = true;

    static void step(Units& u, int) {
        auto& [in, forget, fresh, out] = u.z;
        in = sigmoid(in);
        forget = sigmoid(forget);
        fresh = tanh(fresh);
        out = sigmoid(out);
        u.c = forget * u.c + in * fresh;
        u.h = out * tanh(u.c);
    }

    static void adjoint(Units& u, int) {
        auto& [in, forget, fresh, out] = u.z;
        const Floats shown = tanh(u.c_after);
        const Floats grad = u.c + u.h * out * (1.0f - shown * shown);
        out = u.h * shown * out * (1.0f - out);
        const Floats grad_in = grad * fresh * in * (1.0f - in);
        fresh = grad * in * (1.0f - fresh * fresh);
        in = grad_in;
        u.c = grad * forget;
        forget = u.c * u.c_before * (1.0f - forget);
        u.h = Floats{};
    }
};

// f = sigmoid(W_f x + U_f h);  n = tanh(W_n x + U_n (f h));  h' = (1 - f) h + f n;  z = [f, n], a stage each
struct Mgu : TwoStages {
    static constexpr int blocks = 2, products[] = {1, 1};

    static void step(Units& u, int stage) {
        auto& gate = u.z[0];
        auto& fresh = u.z[1];
        if (stage == 0) {
            gate = sigmoid(gate);
            u.passed = gate * u.h;
        } else {
            mix(u, gate, fresh);
        }
    }

    static void adjoint(Units& u, int stage) {
        auto& gate = u.z[0];
        auto& fresh = u.z[1];
        if (stage == 1) {
            mix_adjoint(u, gate, fresh);
        } else {
            u.h += u.passed * gate;
            gate = (u.c + u.passed * u.h_before) * gate * (1.0f - gate);
        }
    }
};

// h~ = exp(-relu(d)) h;  r, v = sigmoid(W x + U h~);  n = tanh(W_n x + U_n (r h~));  h' = (1 - v) h~ + v n;
// z = [r, v, n, d]
struct GruD : TwoStages {
    static constexpr int blocks = 4, products[] = {2, 1};
    static constexpr bool fades = true;

    static Floats share(Floats fading) { return exp(fading <= 0 ? Floats{} : -fading); }

    static void fade(Units& u) { u.h *= share(u.z[3]); }

    static void fade_adjoint(Units& u) {
        auto& fading = u.z[3];
        const Floats kept = u.h * share(fading);
        fading = fading <= 0 ? Floats{} : -u.h * u.h_before;
        u.h = kept;
    }

    static void step(Units& u, int stage) {
        auto& [reset, gate, fresh, fading] = u.z;
        if (stage == 0) {
            reset = sigmoid(reset);
            gate = sigmoid(gate);
            u.passed = reset * u.h;
        } else {
            mix(u, gate, fresh);
        }
    }

    static void adjoint(Units& u, int stage) {
        auto& [reset, gate, fresh, fading] = u.z;
        if (stage == 1) {
            mix_adjoint(u, gate, fresh);
        } else {
            u.h += u.passed * reset;
            gate = u.c * gate * (1.0f - gate);
            reset = u.passed * u.h_before * reset * (1.0f - reset);
        }
    }
};

template <typename Cell, typename Precision>
class RecurrentCell {
    using Store = typename Precision::Store;
    using Operand = typename Precision::Operand;
    static constexpr int stages = Cell::stages, most = Cell::products[0];  // no later stage has more products
    static constexpr bool keeps_c = Cell::has_c || stages == 2;

   public:
    RecurrentCell(const RecurrentArgs& args, std::int64_t begin, std::int64_t end)
        : p(args),
          begin(begin),
          rows(end - begin),
          padded(round_up(p.hidden, 32)),
          h(rows * padded),
          c(keeps_c ? rows * padded : 0),
          bias(Cell::has_bias ? padded : 0),
          operand(padded_rows(rows) * (p.adjoint ? widths(0) : padded)),
          product(padded_rows(rows) * (p.adjoint ? padded : widths(0))) {
        for (std::int64_t row = 0; row < rows; ++row) {
            copy(p.h + (begin + row) * p.hidden, p.hidden, &h[row * padded]);
            if (p.c) copy(p.c + (begin + row) * p.hidden, p.hidden, &c[row * padded]);
        }
        if (Cell::has_bias) copy(p.extra, p.hidden, bias.data());
    }

    void forward() {
        Packed<Operand> weights[] = {{widths(0), padded}, {widths(1), padded}};
        pack([&](int stage, std::int64_t to, std::int64_t from, float w) { weights[stage].set(to, from, w); });
        for (std::int64_t i = 0; i < rows * padded; i += kLanes) put<Precision>(&operand[i], load(&h[i]));
        for (std::int64_t t = 0; t < p.steps; ++t) {
            if constexpr (Cell::fades)
                for (std::int64_t row = 0; row < rows; ++row) fade(t, row);
            unroll<stages>([&](auto stage) {
                weights[stage].multiply(operand.data(), rows, product.data());
                for (std::int64_t row = 0; row < rows; ++row) activate<stage.value>(t, row);
            });
        }
        save_state();
    }

    void backward() {
        Packed<Operand> weights[] = {{padded, widths(0)}, {stages == 2 ? padded : 0, widths(1)}};
        pack([&](int stage, std::int64_t to, std::int64_t from, float w) { weights[stage].set(from, to, w); });
        for (std::int64_t t = p.steps - 1; t >= 0; --t) {
            unroll<stages>([&](auto done) {
                constexpr int stage = stages - 1 - done.value;
                for (std::int64_t row = 0; row < rows; ++row) differentiate<stage>(t, row);
                weights[stage].multiply(operand.data(), rows, product.data());
            });
            if constexpr (Cell::fades)
                for (std::int64_t row = 0; row < rows; ++row) fade_adjoint(t, row);
        }
        if constexpr (!Cell::fades)
            for (std::int64_t i = 0; i < rows * padded; i += kLanes) store(&h[i], load(&h[i]) + load(&product[i]));
        save_state();
    }

   private:
    const RecurrentArgs& p;
    const std::int64_t begin, rows, padded;
    AlignedArray<float> h, c, bias;  // states, or in the backward pass their gradients
    AlignedArray<Operand> operand;
    AlignedArray<float> product;

    // Rows of a stage's weight: each block of z starts on a vector of its own.
    std::int64_t widths(int stage) const { return stage < stages ? Cell::products[stage] * padded : 0; }

    template <typename Set>
    void pack(Set set) const {
        for (int stage = 0; stage < stages; ++stage) {
            const float* w = stage ? p.extra : p.w_rec;
            for (std::int64_t block = 0; block < Cell::products[stage]; ++block)
                for (std::int64_t to = 0; to < p.hidden; ++to)
                    for (std::int64_t from = 0; from < p.hidden; ++from, ++w)
                        set(stage, block * padded + to, from, rounded<Precision>(*w));
        }
    }

    void save_state() const {
        for (std::int64_t row = 0; row < rows; ++row) {
            copy(&h[row * padded], p.hidden, p.h + (begin + row) * p.hidden);
            if (p.c) copy(&c[row * padded], p.hidden, p.c + (begin + row) * p.hidden);
        }
    }

    // Entry of a tape (steps, batch, blocks * hidden) at step t and this thread's row.
    template <typename T>
    T* at(void* tape, std::int64_t t, std::int64_t row, int blocks = 1) const {
        return static_cast<T*>(tape) + (t * p.batch + begin + row) * blocks * p.hidden;
    }

    // What the first product sees of h where it fades between steps.
    void fade(std::int64_t t, std::int64_t row) {
        const Store* z = at<Store>(p.z, t, row, Cell::blocks);
        Store* decayed = at<Store>(p.decayed, t, row);
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            const std::int64_t count = p.hidden - i, here = row * padded + i;
            Units u;
            for (int b = 0; b < Cell::blocks; ++b) u.z[b] = load_part(z + b * p.hidden + i, count);
            u.h = load(&h[here]);
            Cell::fade(u);
            store(&h[here], u.h);
            put<Precision>(&operand[here], u.h);
            store_part(decayed + i, u.h, count);
        }
    }

    void fade_adjoint(std::int64_t t, std::int64_t row) {
        Store* z = at<Store>(p.z, t, row, Cell::blocks);
        const Store* before = at<Store>(p.decayed, t, row);
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            const std::int64_t count = p.hidden - i, here = row * padded + i;
            Units u;
            for (int b = 0; b < Cell::blocks; ++b) u.z[b] = load_part(z + b * p.hidden + i, count);
            u.h_before = load_part(before + i, count);
            u.h = load(&h[here]) + load(&product[here]);
            Cell::fade_adjoint(u);
            for (int b = 0; b < Cell::blocks; ++b) store_part(z + b * p.hidden + i, u.z[b], count);
            store(&h[here], u.h);
            store(&product[here], Floats{});
        }
    }

    template <int stage>
    void activate(std::int64_t t, std::int64_t row) {
        Store* z = at<Store>(p.z, t, row, Cell::blocks);
        Store* shown = at<Store>(p.hidden_tape, t + 1, row);
        Store* passed = at<Store>(p.passed, t, row);
        Store* cell = at<Store>(p.cell, t + 1, row);
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            const std::int64_t count = p.hidden - i, here = row * padded + i;
            Units u;
            for (int b = 0; b < Cell::blocks; ++b) u.z[b] = load_part(z + b * p.hidden + i, count);
            for (int b = 0; b < Cell::products[stage]; ++b)
                u.z[stage * most + b] += load(&product[row * widths(stage) + b * padded + i]);
            u.h = load(&h[here]);
            if (Cell::has_c) u.c = load(&c[here]);
            if (Cell::has_bias) u.bias = load(&bias[i]);
            Cell::step(u, stage);
            for (int b = 0; b < Cell::blocks; ++b) store_part(z + b * p.hidden + i, u.z[b], count);
            if (stage + 1 < stages) {
                put<Precision>(&operand[here], u.passed);
                store_part(passed + i, u.passed, count);
                continue;
            }
            put<Precision>(&operand[here], u.h);
            store(&h[here], u.h);
            store_part(shown + i, u.h, count);
            if (!Cell::has_c) continue;
            store(&c[here], u.c);
            store_part(cell + i, u.c, count);
        }
    }

    Floats unless_negligible(Floats x) const { return (x < 0 ? -x : x) <= p.negligible ? Floats{} : x; }

    template <int stage>
    void differentiate(std::int64_t t, std::int64_t row) {
        Store* z = at<Store>(p.z, t, row, Cell::blocks);
        const Store* before = at<Store>(Cell::fades ? p.decayed : p.hidden_tape, t, row);
        const float* more = p.grad_hidden ? at<float>(const_cast<float*>(p.grad_hidden), t, row) : nullptr;
        for (std::int64_t i = 0; i < p.hidden; i += kLanes) {
            const std::int64_t count = p.hidden - i, here = row * padded + i;
            Units u;
            for (int b = 0; b < Cell::blocks; ++b) u.z[b] = load_part(z + b * p.hidden + i, count);
            u.h_before = load_part(before + i, count);
            u.h = load(&h[here]);
            u.passed = load(&product[here]);
            if (stage + 1 == stages) {
                u.h += u.passed;
                if (more) u.h += load_part(more + i, count);
                u.h = unless_negligible(u.h);
            }
            if (keeps_c) u.c = unless_negligible(load(&c[here]));
            if (Cell::has_c) {
                u.c_before = load_part(at<Store>(p.cell, t, row) + i, count);
                u.c_after = load_part(at<Store>(p.cell, t + 1, row) + i, count);
            }
            if (Cell::has_bias) u.bias = load(&bias[i]);
            Cell::adjoint(u, stage);
            for (int b = 0; b < Cell::blocks; ++b) store_part(z + b * p.hidden + i, u.z[b], count);
            for (int b = 0; b < Cell::products[stage]; ++b)
                put<Precision>(&operand[row * widths(stage) + b * padded + i], u.z[stage * most + b]);
            store(&h[here], u.h);
            if (keeps_c) store(&c[here], u.c);
        }
    }
};

template <typename Cell>
void recurrent_rows(const RecurrentArgs& args, std::int64_t begin, std::int64_t end) {
    in_precision(args.bfloat16_tape, [&](auto precision) {
        RecurrentCell<Cell, decltype(precision)> cell(args, begin, end);
        args.adjoint ? cell.backward() : cell.forward();
    });
}

}  // namespace
}  // namespace hippo
