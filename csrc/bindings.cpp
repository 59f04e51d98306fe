// The only file that knows Python: views of the arrays in, one call of the chosen kernel, without the GIL.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "kernels.hpp"

namespace py = pybind11;
using hippo::Kernels;

namespace {

// The caller (hippo/kernels) has checked shapes and values; `noconvert` keeps arrays shared, never copied.
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

const hippo::KernelsOf<float>& kernels_of(float) { return active->f32; }
const hippo::KernelsOf<double>& kernels_of(double) { return active->f64; }

// While it lives: no GIL, and no denormals, which slow arithmetic a hundredfold as high coefficients fade to 1e-38.
class Unlocked {
  public:
#ifdef __SSE__
    Unlocked() : control_(_mm_getcsr()) { _mm_setcsr(control_ | 0x8040); }
    ~Unlocked() { _mm_setcsr(control_); }

  private:
    unsigned control_;
#endif
    py::gil_scoped_release released_;
};

// state (batch, order), inputs (batch,), step (batch,) or (1,).
template <typename T>
hippo::LegsStepArgs<T> step_args(Array<T>& state, T* inputs, const Array<T>& step, double alpha) {
    return {state.mutable_data(), inputs, step.data(), step.size() > 1, state.shape(0), state.shape(1), T(alpha)};
}

// state (batch, order), inputs (batch, length), steps (0,), (length,) or (batch, length); `seen` inputs before these
// count for the stride; snapshots (batch, (seen % stride + length) / stride, order).
template <typename T>
void project(Array<T> state, Array<T> inputs, Array<T> steps, double first, double alpha, std::int64_t stride,
             std::int64_t seen, Array<T> snapshots) {
    const std::int64_t batch = state.shape(0), order = state.shape(1), length = inputs.shape(1);
    const std::int64_t next_steps = steps.size() > length ? length : 0;
    hippo::LegsProjectArgs<T> args = {state.mutable_data(), inputs.data(), steps.size() ? steps.data() : nullptr,
                                      first, length, order, T(alpha), stride, snapshots.mutable_data(), seen};
    const std::int64_t rows = args.taken(length) * order;
    const auto kernel = kernels_of(T()).legs_project;
    const Unlocked unlocked;
    for (std::int64_t b = 0; b < batch; ++b) {
        kernel(args);
        args.state += order;
        args.inputs += length;
        if (args.step) args.step += next_steps;
        args.snapshots += rows;
    }
}

template <typename T>
void define(py::module_& module) {
    const auto state = py::arg("state").noconvert(), inputs = py::arg("inputs").noconvert();
    const auto step = py::arg("step").noconvert(), snapshots = py::arg("snapshots").noconvert();
    const auto alpha = py::arg("alpha"), first = py::arg("first"), stride = py::arg("stride");
    const auto seen = py::arg("seen");
    const auto step_kernel = [](Array<T> state, Array<T> inputs, Array<T> step, double alpha) {
        const auto args = step_args<T>(state, const_cast<T*>(inputs.data()), step, alpha);  // the step only reads it
        const Unlocked unlocked;
        kernels_of(T()).legs_step(args);
    };
    const auto adjoint_kernel = [](Array<T> grad, Array<T> inputs, Array<T> step, double alpha) {
        const auto args = step_args<T>(grad, inputs.mutable_data(), step, alpha);
        const Unlocked unlocked;
        kernels_of(T()).legs_step_adjoint(args);
    };
    const auto textbook = [](Array<T> state, Array<T> inputs, double first) {
        T* const c = state.mutable_data();
        const Unlocked unlocked;
        kernels_of(T()).textbook_legs_project(c, inputs.data(), first, inputs.size(), state.size());
    };
    module.def("legs_step", step_kernel, state, inputs, step, alpha);
    module.def("legs_step_adjoint", adjoint_kernel, state, inputs, step, alpha);
    module.def("legs_project", &project<T>, state, inputs, step, first, alpha, stride, seen, snapshots);
    module.def("textbook_legs_project", textbook, state, inputs, first);
    module.def("first_nonfinite", [](Array<T> values) {
        const Unlocked unlocked;
        return kernels_of(T()).first_nonfinite(values.data(), values.size());
    }, py::arg("values").noconvert());
    module.def(sizeof(T) == 4 ? "peak_fma_float32" : "peak_fma_float64", [](std::int64_t rounds) {
        const Unlocked unlocked;
        return kernels_of(T()).peak_fma(rounds);
    });
}

// What Python passes to a cell's kernel, by name; an array that is not there is null.
struct Named {
    const py::dict &sizes, &arrays;

    std::int64_t size(const char* name) const { return sizes[name].cast<std::int64_t>(); }
    float number(const char* name) const { return sizes[name].cast<float>(); }
    void* data(const char* name) const {
        return arrays.contains(name) ? const_cast<void*>(arrays[name].cast<py::array>().data()) : nullptr;
    }
    float* floats(const char* name) const { return static_cast<float*>(data(name)); }
};

// rows(begin, end, slot): rows of the batch are shared out among threads that meet at the end only. The rows of a
// thread that cannot be had are the caller's, and what fails in a thread is thrown here, once all have met.
template <typename Rows>
void share_rows(std::int64_t batch, int threads, Rows rows) {
    const Unlocked unlocked;
    const std::int64_t share = (batch + threads - 1) / threads;
    std::vector<std::thread> others;
    std::vector<std::exception_ptr> failures(threads);
    others.reserve(threads);
    const auto run = [&](std::int64_t slot) {
        try {
            rows(slot * share, std::min((slot + 1) * share, batch), slot);
        } catch (...) {
            failures[slot] = std::current_exception();
        }
    };
    for (std::int64_t slot = 1; slot * share < batch; ++slot) {
        try {
            others.emplace_back(run, slot);
        } catch (const std::exception&) {
            run(slot);
        }
    }
    run(0);
    for (std::thread& other : others) other.join();
    for (const std::exception_ptr& failure : failures)
        if (failure) std::rethrow_exception(failure);
}

template <hippo::Kernels::HippoCell* hippo::Kernels::* cell>
void run_hippo_cell(const py::dict& sizes, const py::dict& arrays, int threads) {
    const Named of = {sizes, arrays};
    const hippo::HippoArgs args = {
        of.size("steps"), of.size("batch"), of.size("inputs"), of.size("hidden"), of.size("channels"),
        of.size("order"), of.size("first"), of.size("share_stride"), of.size("gated") != 0,
        of.size("bfloat16") != 0, of.size("adjoint") != 0, of.number("alpha"), of.floats("x"), of.floats("w_in"),
        of.floats("w_rec"), of.floats("u_rec"), of.floats("u_memory"), of.floats("transition"), of.floats("input"),
        of.floats("shares"), of.floats("grad_hidden"), of.floats("h"),
        of.floats("m"), of.data("z"), of.data("hidden"), of.data("memory"), of.data("u"), of.floats("grad_w_in"),
        of.floats("grad_u_in"), of.floats("grad_u_rec")};
    share_rows(args.batch, threads, [&](std::int64_t begin, std::int64_t end, std::int64_t slot) {
        (active->*cell)(args, begin, end, slot);
    });
}

template <hippo::Kernels::RecurrentCell* hippo::Kernels::* cell>
void run_recurrent_cell(const py::dict& sizes, const py::dict& arrays, int threads) {
    const Named of = {sizes, arrays};
    const hippo::RecurrentArgs args = {
        of.size("steps"), of.size("batch"), of.size("hidden"), of.size("bfloat16") != 0, of.size("adjoint") != 0,
        of.number("negligible"), of.floats("w_rec"), of.floats("extra"), of.floats("grad_hidden"), of.floats("h"),
        of.floats("c"), of.data("z"), of.data("hidden"), of.data("cell"), of.data("passed"), of.data("decayed")};
    share_rows(args.batch, threads, [&](std::int64_t begin, std::int64_t end, std::int64_t) {
        (active->*cell)(args, begin, end);
    });
}

}  // namespace

void hippo::out_of_memory() { throw std::bad_alloc(); }

PYBIND11_MODULE(_kernels, module) {
    module.attr("interface") = 3;  // hippo/kernels/backend.py: both change with any signature
    module.def("supported", [] {
        py::list names;
        for (const Kernels* table : supported()) names.append(table->name);
        return names;
    });
    module.def("choose", &choose);
    define<float>(module);
    define<double>(module);
    const auto define_cell = [&](const char* name, auto* run) {
        module.def(name, run, py::arg("sizes"), py::arg("arrays"), py::arg("threads"));
    };
    define_cell("legs_cell", &run_hippo_cell<&Kernels::legs>);
    define_cell("dense_cell", &run_hippo_cell<&Kernels::dense>);
    define_cell("rnn", &run_recurrent_cell<&Kernels::rnn>);
    define_cell("mod_relu", &run_recurrent_cell<&Kernels::mod_relu>);
    define_cell("gru", &run_recurrent_cell<&Kernels::gru>);
    define_cell("lstm", &run_recurrent_cell<&Kernels::lstm>);
    define_cell("mgu", &run_recurrent_cell<&Kernels::mgu>);
    define_cell("gru_d", &run_recurrent_cell<&Kernels::gru_d>);
}
