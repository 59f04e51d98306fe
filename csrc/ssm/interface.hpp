// Arguments of the kernels of state-space layers. A system is, for each of its `features`,
//   x_{k+1} = a x_k + sum_r p_r Re(v_r . x_k) + b u_k,   y_k = Re(c . x_{k+1}),
// with complex states of which one of each conjugate pair is kept; n = 0 .. states - 1, r = 0 .. rank - 1.
#pragma once
#include <cstdint>

namespace hippo {

// Complex arrays hold real and imaginary part of every number side by side.
template <typename T>
struct SystemArrays {
  T* a;  // (features, states)
  T* p;  // (features, rank, states)
  T* v;  // (features, rank, states)
  T* b;  // (features, states)
  T* c;  // (channels, features, states)
};

// kernel[ch, l, h] = Re(c_ch . Abar^l b) and functionals[r, l, h] = Re(v_r . Abar^l b) of feature h, and the adjoint of
// the kernel.
template <typename T>
struct SsmKernelArguments {
  SystemArrays<const T> system;
  SystemArrays<T> grad;  // backward: written
  T* kernel;             // (channels, length, features): written
  T* functionals;        // (rank, length, features): written; backward: read
  const T* grad_kernel;  // backward: in its place
  std::int64_t features, states, rank, channels, length;
  bool outputs_only;  // backward: of the gradients, c alone
};

// outputs[b, l] = skip inputs[b, l] + sum_{j <= l} kernel[0, j] inputs[b, l - j]
//                 + sum_{j >= 1} kernel[1, j - 1] inputs[b, l + j] if there are two channels, for each feature.
template <typename T>
struct SsmConvolutionArguments {
  const T* inputs;        // (batch, length, features), as all arrays without a shape of their own
  const T* kernel;        // (channels, length, features)
  const T* skip;          // (features)
  T* outputs;             // forward: written; backward: read if they are activated
  T* activated;           // forward: GELU of the outputs, written if has_activation; float32 only
  const T* grad_outputs;  // backward: of the outputs, or of the activated ones
  T* grad_inputs;         // backward: written
  T* grad_kernel;         // backward: (slots, channels, length, features), zeros; each thread adds to its slot
  std::int64_t batch, length, features, channels;
  bool has_activation;
};

// The recurrence itself, for inputs of any length; of the system's outputs only the first channel is computed.
template <typename T>
struct SsmScanArguments {
  SystemArrays<const T> system;
  const T* skip;    // (features)
  const T* before;  // (batch, features, states), complex: the state before the first input
  T* after;         // (batch, features, states), complex: written, the state after the last one
  const T* inputs;  // (batch, length, features)
  T* outputs;       // (batch, length, features): written
  std::int64_t batch, length, features, states, rank;
};

// What a layer computes from the outputs of a single step of the recurrence: GELU, and a linear map with GLU.
struct SsmOutputArguments {
  bool has_activation;
  const float* weight;  // (2 * features, features), or null: no map
  const float* bias;    // (2 * features)
};

// A linear map to twice the features, then GLU: outputs = (V z + v) sigmoid(W z + w), weight = (V, W), bias = (v, w).
// Forward, or backward if grad_outputs is not null.
struct GatedLinearArguments {
  const float* inputs;        // (rows, features)
  const float* weight;        // (2 * features, features)
  const float* bias;          // (2 * features)
  float* outputs;             // (rows, features): written
  const float* grad_outputs;  // (rows, features)
  float* grad_inputs;         // (rows, features): written
  float* grad_weight;         // (slots, 2 * features, features), zeros: each thread adds to its slot
  float* grad_bias;           // (slots, 2 * features), zeros
  std::int64_t features;
};

}  // namespace hippo
