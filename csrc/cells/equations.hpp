// The equations of the recurrent cells without a memory, for one vector of hidden units of one sample at one step.
#pragma once
#include "cells/interface.hpp"
#include "simd/floats.hpp"
#include "simd/functions.hpp"

namespace hippo {
namespace {

// Forward: z are pre-activations W x + [U h, 0], which become activations; h and c are states.
// Backward: z are activations, which become gradients of pre-activations; h and c are gradients of the new states,
// which become those of the old ones, except for the part that comes back through U.
struct Units {
  Floats z[4], h, c;
  Floats h_before, c_before, c_after;  // states on the tape, backward; h_before is the operand of the first product
  Floats passed;                       // forward: the operand of the second product; backward: its gradient
  Floats grad_gate;                    // of two-stage cells, from the second stage to the first
  Floats bias;
};

// h' = tanh(W x + U h)
struct Rnn {
  static constexpr RecurrentCellLayout layout = layouts::Rnn;

  static void forward(Units& u, int) { u.h = u.z[0] = tanh(u.z[0]); }

  static void backward(Units& u, int) {
    u.z[0] = u.h * (1.0f - u.z[0] * u.z[0]);
    u.h = Floats{};
  }
};

// h' = sign(z) relu(|z| + b), z = W x + U h
struct ModRelu {
  static constexpr RecurrentCellLayout layout = layouts::ModRelu;

  static Floats size(const Units& u) { return (u.z[0] < 0 ? -u.z[0] : u.z[0]) + u.bias; }

  static void forward(Units& u, int) {
    const Floats out = size(u) <= 0 ? Floats{} : size(u);
    u.h = u.z[0] < 0 ? -out : (u.z[0] == 0 ? Floats{} : out);
  }

  static void backward(Units& u, int) {
    u.z[0] = size(u) <= 0 ? Floats{} : u.h;
    u.h = Floats{};
  }
};

// r, v = sigmoid(W x + U h);  n = tanh(W_n x + b + r (U_n h + b'));  h' = (1 - v) n + v h;  z = [r, v, U_n h + b', n]
struct Gru {
  static constexpr RecurrentCellLayout layout = layouts::Gru;

  static void forward(Units& u, int) {
    auto& [reset, keep, from_hidden, candidate] = u.z;
    reset = sigmoid(reset);
    keep = sigmoid(keep);
    candidate = tanh(candidate + reset * from_hidden);
    u.h = candidate + keep * (u.h - candidate);
  }

  static void backward(Units& u, int) {
    auto& [reset, keep, from_hidden, candidate] = u.z;
    const Floats kept = u.h * keep;
    const Floats grad_candidate = (u.h - kept) * (1.0f - candidate * candidate);
    keep = kept * (1.0f - keep) * (u.h_before - candidate);
    candidate = grad_candidate;
    const Floats grad_from_hidden = grad_candidate * reset;
    reset = grad_from_hidden * from_hidden * (1.0f - reset);
    from_hidden = grad_from_hidden;
    u.h = kept;
  }
};

// i, f, o = sigmoid(W x + U h);  g = tanh(W x + U h);  c' = f c + i g;  h' = o tanh(c');  z = [i, f, g, o]
struct Lstm {
  static constexpr RecurrentCellLayout layout = layouts::Lstm;

  static void forward(Units& u, int) {
    auto& [in, forget, candidate, out] = u.z;
    in = sigmoid(in);
    forget = sigmoid(forget);
    candidate = tanh(candidate);
    out = sigmoid(out);
    u.c = forget * u.c + in * candidate;
    u.h = out * tanh(u.c);
  }

  static void backward(Units& u, int) {
    auto& [in, forget, candidate, out] = u.z;
    const Floats squashed = tanh(u.c_after);
    const Floats grad = u.c + u.h * out * (1.0f - squashed * squashed);
    out = u.h * squashed * out * (1.0f - out);
    const Floats grad_in = grad * candidate * in * (1.0f - in);
    candidate = grad * in * (1.0f - candidate * candidate);
    in = grad_in;
    u.c = grad * forget;
    forget = u.c * u.c_before * (1.0f - forget);
    u.h = Floats{};
  }
};

// The last stage of these cells: h' = (1 - g) h + g n with n = tanh(candidate).
struct GatedUpdate {
  static void forward(Units& u, Floats gate, Floats& candidate) {
    candidate = tanh(candidate);
    u.h += gate * (candidate - u.h);
  }

  // Leaves the gradient of g for the first stage.
  static void backward(Units& u, Floats gate, Floats& candidate) {
    const Floats grad_through = u.h * gate;
    u.grad_gate = u.h * (candidate - u.h_before);
    candidate = grad_through * (1.0f - candidate * candidate);
    u.h -= grad_through;
  }
};

// g, n = sigmoid(W_g x + U_g h), tanh(W_n x + U_n h);  h' = (1 - g) h + g n;  z = [g, n]
struct UpdateGate {
  static constexpr RecurrentCellLayout layout = layouts::UpdateGate;

  static void forward(Units& u, int) {
    u.z[0] = sigmoid(u.z[0]);
    GatedUpdate::forward(u, u.z[0], u.z[1]);
  }

  static void backward(Units& u, int) {
    auto& gate = u.z[0];
    GatedUpdate::backward(u, gate, u.z[1]);
    gate = u.grad_gate * gate * (1.0f - gate);
  }
};

// f = sigmoid(W_f x + U_f h);  n = tanh(W_n x + U_n (f h));  h' = (1 - f) h + f n;  z = [f, n], a stage each
struct Mgu {
  static constexpr RecurrentCellLayout layout = layouts::Mgu;

  static void forward(Units& u, int stage) {
    auto& gate = u.z[0];
    auto& candidate = u.z[1];
    if (stage == 0) {
      gate = sigmoid(gate);
      u.passed = gate * u.h;
    } else {
      GatedUpdate::forward(u, gate, candidate);
    }
  }

  static void backward(Units& u, int stage) {
    auto& gate = u.z[0];
    auto& candidate = u.z[1];
    if (stage == 1) {
      GatedUpdate::backward(u, gate, candidate);
    } else {
      u.h += u.passed * gate;
      gate = (u.grad_gate + u.passed * u.h_before) * gate * (1.0f - gate);
    }
  }
};

// h~ = exp(-relu(d)) h;  r, v = sigmoid(W x + U h~);  n = tanh(W_n x + U_n (r h~));  h' = (1 - v) h~ + v n;
// z = [r, v, n, d]
struct GruD {
  static constexpr RecurrentCellLayout layout = layouts::GruD;

  static Floats factor(Floats decay) { return exp(decay <= 0 ? Floats{} : -decay); }

  static void decay_forward(Units& u) { u.h *= factor(u.z[3]); }

  static void decay_backward(Units& u) {
    auto& decay = u.z[3];
    const Floats kept = u.h * factor(decay);
    decay = decay <= 0 ? Floats{} : -u.h * u.h_before;
    u.h = kept;
  }

  static void forward(Units& u, int stage) {
    auto& [reset, gate, candidate, decay] = u.z;
    if (stage == 0) {
      reset = sigmoid(reset);
      gate = sigmoid(gate);
      u.passed = reset * u.h;
    } else {
      GatedUpdate::forward(u, gate, candidate);
    }
  }

  static void backward(Units& u, int stage) {
    auto& [reset, gate, candidate, decay] = u.z;
    if (stage == 1) {
      GatedUpdate::backward(u, gate, candidate);
    } else {
      u.h += u.passed * reset;
      gate = u.grad_gate * gate * (1.0f - gate);
      reset = u.passed * u.h_before * reset * (1.0f - reset);
    }
  }
};

}  // namespace
}  // namespace hippo
