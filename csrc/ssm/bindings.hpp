// The Python functions of state-space layers. Complex arrays come as real ones with a last dimension of 2. The callers
// in hippo/nn/ssm have checked shapes and values, with messages for users; here a wrong shape is an error without
// details.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

#include "interface.hpp"
#include "threads.hpp"

namespace hippo {

template <typename T>
using SharedArray = pybind11::array_t<T, pybind11::array::c_style>;

// The kernels of the instruction set that is chosen at the time of a call.
template <typename T>
using ChosenKernels = const KernelsOf<T>* (*)();

inline void expect(bool condition, const char* what) {
  if (!condition) throw std::invalid_argument(std::string("expected ") + what);
}

// Whether an array has this shape; -1 stands for any size.
inline bool has_shape(const pybind11::array& array, std::initializer_list<std::int64_t> shape) {
  if (array.ndim() != static_cast<pybind11::ssize_t>(shape.size())) return false;
  pybind11::ssize_t dimension = 0;
  for (const std::int64_t size : shape)
    if (const auto found = array.shape(dimension++); size >= 0 && found != size) return false;
  return true;
}

// Of pairs that have one shape: inputs and outputs, or an array and its gradient.
inline void expect_same_shape(std::initializer_list<std::pair<pybind11::array, pybind11::array>> pairs) {
  for (const auto& [one, other] : pairs) {
    const bool same = std::equal(one.shape(), one.shape() + one.ndim(), other.shape(), other.shape() + other.ndim());
    expect(same, "outputs in the shape of the inputs, and gradients in the shapes of the arrays");
  }
}

inline void expect_system(const pybind11::array& a, const pybind11::array& p, const pybind11::array& v,
                          const pybind11::array& b, const pybind11::array& c) {
  expect(has_shape(a, {-1, -1, 2}), "a (features, states, 2)");
  const std::int64_t features = a.shape(0), states = a.shape(1);
  expect(has_shape(p, {features, -1, states, 2}) && p.shape(1) <= 2, "p (features, at most 2, states, 2)");
  expect(has_shape(v, {features, p.shape(1), states, 2}), "v in the shape of p");
  expect(has_shape(b, {features, states, 2}), "b in the shape of a");
  expect(has_shape(c, {-1, features, states, 2}) && c.shape(0) >= 1 && c.shape(0) <= 2,
         "c (1 or 2, features, states, 2)");
}

template <typename T>
SsmKernelArguments<T> kernel_arguments(const SharedArray<T>& a, const SharedArray<T>& p, const SharedArray<T>& v,
                                       const SharedArray<T>& b, const SharedArray<T>& c, const SharedArray<T>& kernel) {
  expect_system(a, p, v, b, c);
  expect(has_shape(kernel, {c.shape(0), -1, a.shape(0)}) && kernel.shape(1) >= 1,
         "kernel (channels, length, features) of at least one step");
  SsmKernelArguments<T> args = {};
  args.system = {.a = a.data(), .p = p.data(), .v = v.data(), .b = b.data(), .c = c.data()};
  args.features = a.shape(0);
  args.states = a.shape(1);
  args.rank = p.shape(1);
  args.channels = c.shape(0);
  args.length = kernel.shape(1);
  return args;
}

template <typename T>
void expect_functionals(const SsmKernelArguments<T>& args, const pybind11::array& functionals) {
  expect(has_shape(functionals, {args.rank, args.length, args.features}), "functionals (rank, length, features)");
}

template <typename T>
void run_kernel(const KernelsOf<T>& kernels, const SsmKernelArguments<T>& args, std::int64_t threads) {
  const std::int64_t lanes = args.grad_kernel ? kernels.lanes : kernels.float64_lanes;
  const std::int64_t blocks = (args.features + lanes - 1) / lanes;
  divide_rows(blocks, threads, [&](const Rows& rows) { kernels.ssm_kernel(args, rows); });
}

template <typename T>
SsmConvolutionArguments<T> convolution_arguments(const SharedArray<T>& inputs, const SharedArray<T>& kernel,
                                                 const SharedArray<T>& skip, SharedArray<T>& outputs) {
  expect(has_shape(inputs, {-1, -1, -1}), "inputs (batch, length, features)");
  const std::int64_t batch = inputs.shape(0), length = inputs.shape(1), features = inputs.shape(2);
  expect(has_shape(kernel, {-1, length, features}) && kernel.shape(0) >= 1 && kernel.shape(0) <= 2,
         "kernel (1 or 2, length, features)");
  expect(has_shape(skip, {features}), "skip (features)");
  expect(!outputs.size() || has_shape(outputs, {batch, length, features}), "outputs in the shape of inputs");
  SsmConvolutionArguments<T> args = {};
  args.inputs = inputs.data();
  args.kernel = kernel.data();
  args.skip = skip.data();
  args.outputs = outputs.mutable_data();
  args.batch = inputs.shape(0);
  args.length = inputs.shape(1);
  args.features = inputs.shape(2);
  args.channels = kernel.shape(0);
  return args;
}

template <typename T>
void run_convolution(const KernelsOf<T>& kernels, const SsmConvolutionArguments<T>& args, std::int64_t threads) {
  const std::int64_t lines = (args.features + kernels.line_features - 1) / kernels.line_features;
  divide_rows(lines * args.batch, threads, [&](const Rows& rows) { kernels.ssm_convolution(args, rows); });
}

template <typename T>
SsmScanArguments<T> scan_arguments(const SharedArray<T>& a, const SharedArray<T>& p, const SharedArray<T>& v,
                                   const SharedArray<T>& b, const SharedArray<T>& c, const SharedArray<T>& skip,
                                   const SharedArray<T>& before, SharedArray<T>& after) {
  expect_system(a, p, v, b, c);
  const std::int64_t features = a.shape(0), states = a.shape(1);
  expect(c.shape(0) == 1, "c (1, features, states, 2)");
  expect(has_shape(skip, {features}), "skip (features)");
  expect(has_shape(before, {-1, features, states, 2}), "before (batch, features, states, 2)");
  expect(has_shape(after, {before.shape(0), features, states, 2}), "after in the shape of before");
  SsmScanArguments<T> args = {};
  args.system = {.a = a.data(), .p = p.data(), .v = v.data(), .b = b.data(), .c = c.data()};
  args.skip = skip.data();
  args.before = before.data();
  args.after = after.mutable_data();
  args.features = a.shape(0);
  args.states = a.shape(1);
  args.rank = p.shape(1);
  return args;
}

template <typename T>
void define_ssm(pybind11::module_& module, ChosenKernels<T> chosen) {
  using Array = SharedArray<T>;
  const auto in = [](const char* name) { return pybind11::arg(name).noconvert(); };
  const auto threads = pybind11::arg("threads");

  // kernel (channels, length, features), functionals (rank, length, features): written.
  module.def(
      "ssm_kernel",
      [chosen](std::int64_t threads, const Array& a, const Array& p, const Array& v, const Array& b, const Array& c,
               Array kernel, Array functionals) {
        SsmKernelArguments<T> args = kernel_arguments<T>(a, p, v, b, c, kernel);
        expect_functionals(args, functionals);
        args.kernel = kernel.mutable_data();
        args.functionals = functionals.mutable_data();
        run_kernel(*chosen(), args, threads);
      },
      threads, in("a"), in("p"), in("v"), in("b"), in("c"), in("kernel"), in("functionals"));

  // functionals: those of the forward pass. grad_a ... grad_c, of the shapes of a ... c: written.
  module.def(
      "ssm_kernel_backward",
      [chosen](std::int64_t threads, const Array& a, const Array& p, const Array& v, const Array& b, const Array& c,
               Array functionals, const Array& grad_kernel, Array grad_a, Array grad_p, Array grad_v, Array grad_b,
               Array grad_c) {
        SsmKernelArguments<T> args = kernel_arguments<T>(a, p, v, b, c, grad_kernel);
        expect_functionals(args, functionals);
        expect_same_shape({{a, grad_a}, {p, grad_p}, {v, grad_v}, {b, grad_b}, {c, grad_c}});
        args.functionals = functionals.mutable_data();
        args.grad_kernel = grad_kernel.data();
        args.grad = {.a = grad_a.mutable_data(),
                     .p = grad_p.mutable_data(),
                     .v = grad_v.mutable_data(),
                     .b = grad_b.mutable_data(),
                     .c = grad_c.mutable_data()};
        run_kernel(*chosen(), args, threads);
      },
      threads, in("a"), in("p"), in("v"), in("b"), in("c"), in("functionals"), in("grad_kernel"), in("grad_a"),
      in("grad_p"), in("grad_v"), in("grad_b"), in("grad_c"));

  // The same for c alone: grad_c is written.
  module.def(
      "ssm_kernel_backward_outputs",
      [chosen](std::int64_t threads, const Array& a, const Array& p, const Array& v, const Array& b, const Array& c,
               Array functionals, const Array& grad_kernel, Array grad_c) {
        SsmKernelArguments<T> args = kernel_arguments<T>(a, p, v, b, c, grad_kernel);
        expect_functionals(args, functionals);
        expect_same_shape({{c, grad_c}});
        args.functionals = functionals.mutable_data();
        args.grad_kernel = grad_kernel.data();
        args.grad.c = grad_c.mutable_data();
        args.outputs_only = true;
        run_kernel(*chosen(), args, threads);
      },
      threads, in("a"), in("p"), in("v"), in("b"), in("c"), in("functionals"), in("grad_kernel"), in("grad_c"));

  // inputs, outputs, activated (batch, length, features); kernel (channels, length, features); skip (features).
  // activated: empty, or written with GELU(outputs).
  module.def(
      "ssm_convolution",
      [chosen](std::int64_t threads, const Array& inputs, const Array& kernel, const Array& skip, Array outputs,
               Array activated) {
        SsmConvolutionArguments<T> args = convolution_arguments<T>(inputs, kernel, skip, outputs);
        expect(outputs.size() == inputs.size(), "outputs in the shape of inputs");
        expect(!activated.size() || activated.size() == inputs.size(), "activated in the shape of inputs, or empty");
        args.has_activation = activated.size() > 0;
        args.activated = activated.mutable_data();
        run_convolution(*chosen(), args, threads);
      },
      threads, in("inputs"), in("kernel"), in("skip"), in("outputs"), in("activated"));

  // outputs: empty, or those of the forward pass if they were activated. grad_inputs: written; grad_kernel (threads,
  // channels, length, features), zeros: each thread adds to its slot.
  module.def(
      "ssm_convolution_backward",
      [chosen](std::int64_t threads, const Array& inputs, const Array& kernel, const Array& skip, Array outputs,
               const Array& grad_outputs, Array grad_inputs, Array grad_kernel) {
        SsmConvolutionArguments<T> args = convolution_arguments<T>(inputs, kernel, skip, outputs);
        expect_same_shape({{inputs, grad_outputs}, {inputs, grad_inputs}});
        expect(has_shape(grad_kernel, {threads, kernel.shape(0), kernel.shape(1), kernel.shape(2)}),
               "grad_kernel (threads, channels, length, features)");
        args.has_activation = outputs.size() > 0;
        args.grad_outputs = grad_outputs.data();
        args.grad_inputs = grad_inputs.mutable_data();
        args.grad_kernel = grad_kernel.mutable_data();
        run_convolution(*chosen(), args, threads);
      },
      threads, in("inputs"), in("kernel"), in("skip"), in("outputs"), in("grad_outputs"), in("grad_inputs"),
      in("grad_kernel"));

  // before, after (batch, features, states), complex; inputs, outputs (batch, length, features). Written: after,
  // outputs.
  module.def(
      "ssm_scan",
      [chosen](std::int64_t threads, const Array& a, const Array& p, const Array& v, const Array& b, const Array& c,
               const Array& skip, const Array& before, Array after, const Array& inputs, Array outputs) {
        SsmScanArguments<T> args = scan_arguments<T>(a, p, v, b, c, skip, before, after);
        expect(has_shape(inputs, {before.shape(0), -1, args.features}), "inputs (batch, length, features)");
        expect_same_shape({{inputs, outputs}});
        args.inputs = inputs.data();
        args.outputs = outputs.mutable_data();
        args.batch = inputs.shape(0);
        args.length = inputs.shape(1);
        const auto scan = chosen()->ssm_scan;
        divide_rows(args.batch * args.features, threads, [&](const Rows& rows) { scan(args, rows); });
      },
      threads, in("a"), in("p"), in("v"), in("b"), in("c"), in("skip"), in("before"), in("after"), in("inputs"),
      in("outputs"));
}

// The steps of a layer. The object holds the arrays of the system and of the output map, whose shapes its caller has
// checked: weight (2 * features, features) and bias, or both empty. A call costs little more than its arithmetic: it
// takes addresses of contiguous memory, of inputs and outputs (batch, features) and of complex states before and after
// (batch, features, states). It returns false, and writes nothing, if an input is NaN or infinite.
class SsmStep {
 public:
  using Array = SharedArray<float>;

  SsmStep(const Kernels* (*chosen)(), Array a, Array p, Array v, Array b, Array c, Array skip, Array weight, Array bias,
          bool gelu)
      : chosen_(chosen), arrays_{a, p, v, b, c, skip, weight, bias} {
    args_.system = {.a = a.data(), .p = p.data(), .v = v.data(), .b = b.data(), .c = c.data()};
    args_.skip = skip.data();
    args_.features = a.shape(0);
    args_.states = a.shape(1);
    args_.rank = p.shape(1);
    args_.length = 1;
    output_ = {.has_activation = gelu, .weight = weight.size() ? weight.data() : nullptr, .bias = bias.data()};
  }

  bool operator()(std::int64_t batch, std::uintptr_t inputs, std::uintptr_t before, std::uintptr_t outputs,
                  std::uintptr_t after) const {
    if (!inputs || !before || !outputs || !after) throw std::invalid_argument("a tensor has no memory");
    SsmScanArguments<float> args = args_;
    args.batch = batch;
    args.inputs = reinterpret_cast<const float*>(inputs);
    args.before = reinterpret_cast<const float*>(before);
    args.outputs = reinterpret_cast<float*>(outputs);
    args.after = reinterpret_cast<float*>(after);
    const auto step = chosen_()->ssm_step;
    const Unlocked unlocked;
    return step(args, output_);
  }

 private:
  const Kernels* (*chosen_)();
  Array arrays_[8];  // they keep the memory
  SsmScanArguments<float> args_ = {};
  SsmOutputArguments output_ = {};
};

inline void define_step(pybind11::module_& module, const Kernels* (*chosen)()) {
  using Array = SharedArray<float>;
  const auto in = [](const char* name) { return pybind11::arg(name).noconvert(); };
  pybind11::class_<SsmStep>(module, "SsmStep")
      .def(pybind11::init([chosen](const Array& a, const Array& p, const Array& v, const Array& b, const Array& c,
                                   const Array& skip, const Array& weight, const Array& bias,
                                   bool gelu) { return SsmStep(chosen, a, p, v, b, c, skip, weight, bias, gelu); }),
           in("a"), in("p"), in("v"), in("b"), in("c"), in("skip"), in("weight"), in("bias"), pybind11::arg("gelu"))
      .def("__call__", &SsmStep::operator(), pybind11::arg("batch"), pybind11::arg("inputs"), pybind11::arg("before"),
           pybind11::arg("outputs"), pybind11::arg("after"));
}

// inputs, outputs, grad_outputs, grad_inputs (rows, features); weight (2 * features, features); bias (2 * features).
// Backward: grad_inputs: written; grad_weight and grad_bias, one more dimension of threads, zeros: added to.
inline void define_gated_linear(pybind11::module_& module, const Kernels* (*chosen)()) {
  using Array = SharedArray<float>;
  const auto in = [](const char* name) { return pybind11::arg(name).noconvert(); };
  const auto arguments = [](const Array& inputs, const Array& weight, const Array& bias) {
    expect(has_shape(inputs, {-1, -1}), "inputs (rows, features)");
    expect(has_shape(weight, {2 * inputs.shape(1), inputs.shape(1)}), "weight (2 features, features)");
    expect(has_shape(bias, {2 * inputs.shape(1)}), "bias (2 features)");
    GatedLinearArguments args = {};
    args.inputs = inputs.data();
    args.weight = weight.data();
    args.bias = bias.data();
    args.features = inputs.shape(1);
    return args;
  };
  const auto run = [chosen](std::int64_t threads, const GatedLinearArguments& args, std::int64_t count) {
    const auto gated_linear = chosen()->gated_linear;
    divide_rows(count, threads, [&](const Rows& rows) { gated_linear(args, rows); });
  };
  module.def(
      "gated_linear",
      [=](std::int64_t threads, const Array& inputs, const Array& weight, const Array& bias, Array outputs) {
        GatedLinearArguments args = arguments(inputs, weight, bias);
        expect_same_shape({{inputs, outputs}});
        args.outputs = outputs.mutable_data();
        run(threads, args, inputs.shape(0));
      },
      pybind11::arg("threads"), in("inputs"), in("weight"), in("bias"), in("outputs"));
  module.def(
      "gated_linear_backward",
      [=](std::int64_t threads, const Array& inputs, const Array& weight, const Array& bias, const Array& grad_outputs,
          Array grad_inputs, Array grad_weight, Array grad_bias) {
        GatedLinearArguments args = arguments(inputs, weight, bias);
        expect_same_shape({{inputs, grad_outputs}, {inputs, grad_inputs}});
        expect(has_shape(grad_weight, {threads, weight.shape(0), weight.shape(1)}) &&
                   has_shape(grad_bias, {threads, bias.shape(0)}),
               "grad_weight and grad_bias with one more dimension of threads");
        args.grad_outputs = grad_outputs.data();
        args.grad_inputs = grad_inputs.mutable_data();
        args.grad_weight = grad_weight.mutable_data();
        args.grad_bias = grad_bias.mutable_data();
        run(threads, args, inputs.shape(0));
      },
      pybind11::arg("threads"), in("inputs"), in("weight"), in("bias"), in("grad_outputs"), in("grad_inputs"),
      in("grad_weight"), in("grad_bias"));
}

}  // namespace hippo
