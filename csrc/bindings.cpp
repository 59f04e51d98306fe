// The only file that knows Python: views of the arrays in, one call of the chosen kernel, without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <algorithm>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "kernels.hpp"

namespace py = pybind11;
using hippo::Kernels;

namespace {

// The caller (hippo/kernels) has checked shapes, types and layout: `noconvert` keeps arrays shared, never copied.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;

std::vector<const Kernels*> supported() {
    std::vector<const Kernels*> tables = {&hippo::scalar_kernels()};
#ifdef HIPPO_X86_KERNELS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&hippo::avx2_kernels());
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw"))
        tables.push_back(&hippo::avx512_kernels());
#endif
    return tables;
}

const Kernels* active = supported().back();

void choose(const std::string& name) {
    for (const Kernels* table : supported())
        if (name == table->name) {
            active = table;
            return;
        }
    throw py::value_error("this processor does not run the instruction set '" + name + "'");
}

template <typename T>
using StepKernel = void (*)(const hippo::LegsStepArgs<T>&);

template <typename T>
void run_step(StepKernel<T> kernel, Array<T>& state, Array<T>& inputs, const Array<T>& step, double alpha) {
    const auto batch = state.shape(0), order = state.shape(1);
    const hippo::LegsStepArgs<T> args = {state.mutable_data(), const_cast<T*>(inputs.data()), step.data(),
                                         step.size() > 1,      batch, order, T(alpha)};
    py::gil_scoped_release unlocked;
    kernel(args);
}

template <typename T>
using ProjectKernel = void (*)(const hippo::LegsProjectArgs<T>&);

// state (batch, order), inputs (batch, length), step (0,), (length,) or (batch, length) flat,
// snapshots (batch, length / stride, order).
template <typename T>
void run_project(ProjectKernel<T> kernel, Array<T>& state, const Array<T>& inputs, const Array<T>& step,
                 double first, double alpha, std::int64_t stride, Array<T>& snapshots) {
    const std::int64_t batch = state.shape(0), order = state.shape(1), length = inputs.shape(1);
    T *c = state.mutable_data(), *rows = snapshots.mutable_data();
    const T *f = inputs.data(), *s = step.size() ? step.data() : nullptr;
    const std::int64_t next_step = step.size() > length ? length : 0;
    py::gil_scoped_release unlocked;
    for (std::int64_t b = 0; b < batch; ++b)
        kernel({c + b * order, f + b * length, s ? s + b * next_step : nullptr, first, length, order, T(alpha), stride,
                stride ? rows + b * (length / stride) * order : nullptr, 0});
}

// Rows of the batch are shared out among threads that meet at the end only.
void run_hippo_cell(const py::dict& sizes, const py::dict& arrays, int threads) {
    const auto size = [&](const char* name) { return sizes[name].cast<std::int64_t>(); };
    const auto data = [&](const char* name) -> void* {
        if (!arrays.contains(name)) return nullptr;
        return const_cast<void*>(arrays[name].cast<py::array>().data());
    };
    const auto floats = [&](const char* name) { return static_cast<float*>(data(name)); };
    const hippo::HippoArgs args = {
        size("steps"), size("batch"), size("inputs"), size("hidden"), size("channels"), size("order"), size("first"),
        size("share_stride"), size("gated") != 0, size("bfloat16") != 0, size("adjoint") != 0,
        sizes["alpha"].cast<float>(), floats("x"), floats("w_in"), floats("w_rec"), floats("u_rec"), floats("shares"),
        floats("grad_hidden"), floats("h"), floats("m"), data("z"), data("hidden"), data("memory"), data("u"),
        floats("grad_w_in"), floats("grad_u_in"), floats("grad_u_rec")};
    py::gil_scoped_release unlocked;
    const std::int64_t share = (args.batch + threads - 1) / threads;
    std::vector<std::thread> others;
    for (std::int64_t row = share, slot = 1; row < args.batch; row += share, ++slot)
        others.emplace_back(active->hippo_cell, std::cref(args), row, std::min(row + share, args.batch), slot);
    active->hippo_cell(args, 0, std::min(share, args.batch), 0);
    for (std::thread& other : others) other.join();
}

}  // namespace

PYBIND11_MODULE(_kernels, module) {
    module.def("supported", [] {
        py::list names;
        for (const Kernels* table : supported()) names.append(table->name);
        return names;
    });
    module.def("choose", &choose);
    module.def("active", [] { return std::string(active->name); });

    const auto state = py::arg("state").noconvert(), inputs = py::arg("inputs").noconvert();
    const auto step = py::arg("step").noconvert();
    const auto alpha = py::arg("alpha");
    module.def("legs_step", [](Array<float> c, Array<float> f, Array<float> s, double a) {
        run_step<float>(active->legs_step_f32, c, f, s, a); }, state, inputs, step, alpha);
    module.def("legs_step", [](Array<double> c, Array<double> f, Array<double> s, double a) {
        run_step<double>(active->legs_step_f64, c, f, s, a); }, state, inputs, step, alpha);
    module.def("legs_step_adjoint", [](Array<float> g, Array<float> f, Array<float> s, double a) {
        run_step<float>(active->legs_step_adjoint_f32, g, f, s, a); }, state, inputs, step, alpha);
    module.def("legs_step_adjoint", [](Array<double> g, Array<double> f, Array<double> s, double a) {
        run_step<double>(active->legs_step_adjoint_f64, g, f, s, a); }, state, inputs, step, alpha);

    const auto first = py::arg("first"), stride = py::arg("stride");
    const auto snapshots = py::arg("snapshots").noconvert();
    module.def("legs_project", [](Array<float> c, Array<float> f, Array<float> s, double k, double a, std::int64_t d,
        Array<float> out) { run_project<float>(active->legs_project_f32, c, f, s, k, a, d, out); },
        state, inputs, step, first, alpha, stride, snapshots);
    module.def("legs_project", [](Array<double> c, Array<double> f, Array<double> s, double k, double a, std::int64_t d,
        Array<double> out) { run_project<double>(active->legs_project_f64, c, f, s, k, a, d, out); },
        state, inputs, step, first, alpha, stride, snapshots);

    module.def("hippo_cell", &run_hippo_cell, py::arg("sizes"), py::arg("arrays"), py::arg("threads"));
}
