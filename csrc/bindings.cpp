// The Python module: views of the arrays in, one call of the chosen kernel, without the interpreter's lock.
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <new>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "interface.hpp"
#include "ssm/bindings.hpp"
#include "threads.hpp"

namespace py = pybind11;
using hippo::divide_rows;
using hippo::Kernels;
using hippo::Unlocked;

namespace {

// The caller (hippo/kernels) has checked shapes and values; `noconvert` keeps arrays shared, never copied.
template <typename T>
using Array = py::array_t<T, py::array::c_style>;

// -- instruction sets and product policies ----------------------------------------------------------------------------

// One choice of HIPPO_KERNELS: an instruction set, and the position of its policy for bfloat16 products.
struct Choice {
  static constexpr int none = -1;  // no bfloat16 products

  std::string name;
  const Kernels* kernels;
  int bfloat16_policy;
};

std::vector<const Kernels*> runnable_instruction_sets() {
  std::vector<const Kernels*> tables = {&hippo::baseline_kernels()};
#ifdef HIPPO_X86_KERNELS
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&hippo::avx2_kernels());
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw"))
    tables.push_back(&hippo::avx512_kernels());
#endif
  return tables;
}

// Every choice that this processor runs: of each instruction set, itself and then itself with each policy.
const std::vector<Choice>& choices() {
  static const std::vector<Choice> all = [] {
    std::vector<Choice> found;
    for (const Kernels* table : runnable_instruction_sets()) {
      found.push_back({.name = table->name, .kernels = table, .bfloat16_policy = Choice::none});
      for (int i = 0; i < table->policy_count; ++i) {
        const hippo::ProductPolicy& policy = table->policies[i];
        if (policy.stores_bfloat16 && policy.available())
          found.push_back(
              {.name = std::string(table->name) + "+" + policy.name, .kernels = table, .bfloat16_policy = i});
      }
    }
    return found;
  }();
  return all;
}

const Choice* active = &choices().front();

void choose(const std::string& name) {
  for (const Choice& choice : choices())
    if (name == choice.name) {
      active = &choice;
      return;
    }
  throw py::value_error("this processor does not run the kernels '" + name + "'");
}

const hippo::KernelsOf<float>& kernels_of(float) { return active->kernels->float32; }
const hippo::KernelsOf<double>& kernels_of(double) { return active->kernels->float64; }

// -- LegS -------------------------------------------------------------------------------------------------------------

// state (batch, order), inputs (batch,), step_ratios (batch,) or (1,).
template <typename T>
hippo::LegsStepArguments<T> step_arguments(Array<T>& state, T* inputs, const Array<T>& step_ratios, double alpha) {
  return {.state = state.mutable_data(),
          .inputs = inputs,
          .step_ratios = step_ratios.data(),
          .per_memory = step_ratios.size() > 1,
          .batch = state.shape(0),
          .order = state.shape(1),
          .alpha = T(alpha)};
}

template <typename T>
void step(Array<T> state, Array<T> inputs, Array<T> step_ratios, double alpha) {
  const auto args =
      step_arguments<T>(state, const_cast<T*>(inputs.data()), step_ratios, alpha);  // inputs are only read
  const Unlocked unlocked;
  kernels_of(T()).legs_step(args);
}

template <typename T>
void step_adjoint(Array<T> grad, Array<T> inputs, Array<T> step_ratios, double alpha) {
  const auto args = step_arguments<T>(grad, inputs.mutable_data(), step_ratios, alpha);
  const Unlocked unlocked;
  kernels_of(T()).legs_step_adjoint(args);
}

// state (batch, order), inputs (batch, length), step_ratios (0,), (length,) or (batch, length); `seen` inputs before
// these count for the stride; snapshots (batch, (seen % stride + length) / stride, order).
template <typename T>
void project(Array<T> state, Array<T> inputs, Array<T> step_ratios, double first, double alpha, std::int64_t stride,
             std::int64_t seen, Array<T> snapshots, std::int64_t threads) {
  if (threads < 1) throw py::value_error("legs_project: 'threads' must be positive");
  const std::int64_t order = state.shape(1), length = inputs.shape(1);
  const std::int64_t next_step_ratios = step_ratios.size() > length ? length : 0;
  const std::int64_t next_snapshots = stride ? (seen % stride + length) / stride * order : 0;
  const hippo::LegsProjectArguments<T> batch = {.state = state.mutable_data(),
                                                .inputs = inputs.data(),
                                                .step_ratios = step_ratios.size() ? step_ratios.data() : nullptr,
                                                .first = first,
                                                .length = length,
                                                .order = order,
                                                .alpha = T(alpha),
                                                .stride = stride,
                                                .snapshots = snapshots.mutable_data(),
                                                .seen = seen};
  const auto kernel = kernels_of(T()).legs_project;
  divide_rows(state.shape(0), threads, [&](const hippo::Rows& rows) {
    for (std::int64_t b = rows.begin; b < rows.end; ++b) {
      hippo::LegsProjectArguments<T> args = batch;
      args.state += b * order;
      args.inputs += b * length;
      if (args.step_ratios) args.step_ratios += b * next_step_ratios;
      args.snapshots += b * next_snapshots;
      kernel(args);
    }
  });
}

template <typename T>
void textbook(Array<T> state, Array<T> inputs, double first) {
  T* const c = state.mutable_data();
  const Unlocked unlocked;
  kernels_of(T()).textbook_legs_project(c, inputs.data(), first, inputs.size(), state.size());
}

template <typename T>
std::int64_t first_nonfinite(Array<T> values) {
  const Unlocked unlocked;
  return kernels_of(T()).first_nonfinite(values.data(), values.size());
}

template <typename T>
double peak_fma(std::int64_t rounds) {
  const Unlocked unlocked;
  return kernels_of(T()).peak_fma(rounds);
}

template <typename T>
void define(py::module_& module) {
  const auto state = py::arg("state").noconvert(), inputs = py::arg("inputs").noconvert();
  const auto step_ratios = py::arg("step_ratios").noconvert(), snapshots = py::arg("snapshots").noconvert();
  const auto alpha = py::arg("alpha"), first = py::arg("first"), stride = py::arg("stride"), seen = py::arg("seen");
  module.def("legs_step", &step<T>, state, inputs, step_ratios, alpha);
  module.def("legs_step_adjoint", &step_adjoint<T>, state, inputs, step_ratios, alpha);
  module.def("legs_project", &project<T>, state, inputs, step_ratios, first, alpha, stride, seen, snapshots,
             py::arg("threads"));
  module.def("textbook_legs_project", &textbook<T>, state, inputs, first);
  module.def("first_nonfinite", &first_nonfinite<T>, py::arg("values").noconvert());
  module.def(sizeof(T) == 4 ? "peak_fma_float32" : "peak_fma_float64", &peak_fma<T>, py::arg("rounds"));
}

// -- cells ------------------------------------------------------------------------------------------------------------

template <typename Arguments, typename Layout>
void run_cell(const char* name, hippo::CellFunction<Arguments> hippo::Cells::* cell, const Layout& layout,
              std::int64_t threads, const py::kwargs& given) {
  if (threads < 1) throw py::value_error(std::string(name) + ": 'threads' must be positive");
  Arguments args;
  args.layout = layout;
  args.slots = threads;
  hippo::ArgumentReader(name, given).read(args);
  if (args.bfloat16) {
    args.policy = active->bfloat16_policy;
    if (args.policy == Choice::none)
      throw py::value_error(std::string(name) + ": the kernels '" + active->name + "' have no bfloat16 products");
  }
  const hippo::CellFunction<Arguments> function = active->kernels->cells.*cell;
  divide_rows(args.batch_size, threads, [&](const hippo::Rows& rows) { function(args, rows); });
}

// The policy of products in this type, `Choice::none` if there is none.
int policy_of(bool bfloat16) {
  constexpr int float32 = 0;  // the first of every instruction set
  return bfloat16 ? active->bfloat16_policy : float32;
}

// Whether the chosen kernels compute the gradient of a weight from a tape of this type.
bool has_weight_gradient(bool bfloat16) {
  const int policy = policy_of(bfloat16);
  return policy != Choice::none && active->kernels->policies[policy].has_weight_gradient;
}

// out (m, n) = left (rows, m)^T right (rows, n), whose columns are contiguous. Both are float, or the bits of bfloat16
// numbers as int16.
void weight_gradient(std::int64_t threads, const py::array& left, const py::array& right, Array<float> out) {
  const bool bfloat16 = py::isinstance<py::array_t<std::int16_t>>(left);
  if (!has_weight_gradient(bfloat16))
    throw py::value_error("weight_gradient: the kernels '" + active->name + "' have no such product");
  const auto is_readable = [&](const py::array& array) {
    const bool has_type =
        bfloat16 ? py::isinstance<py::array_t<std::int16_t>>(array) : py::isinstance<py::array_t<float>>(array);
    return has_type && array.ndim() == 2 && (array.size() == 0 || array.strides(1) == array.itemsize());
  };
  if (threads < 1 || !is_readable(left) || !is_readable(right) || left.shape(0) != right.shape(0) || out.ndim() != 2 ||
      out.shape(0) != left.shape(1) || out.shape(1) != right.shape(1))
    throw py::value_error(
        "weight_gradient: expected threads >= 1, left (rows, m), right (rows, n) of one type, out (m, n)");
  const hippo::WeightGradientArguments args = {
      .left = left.data(),
      .right = right.data(),
      .out = out.mutable_data(),
      .left_step = left.strides(0) / left.itemsize(),
      .right_step = right.strides(0) / right.itemsize(),
      .rows = left.shape(0),
      .left_columns = left.shape(1),
      .right_columns = right.shape(1),
      .policy = policy_of(bfloat16),
  };
  const auto function = active->kernels->weight_gradient;
  divide_rows(args.left_columns, threads, [&](const hippo::Rows& rows) { function(args, rows.begin, rows.end); });
}

#define HIPPO_DEFINE_CELL_(name, Family, Equations)                                                                \
  module.def(                                                                                                      \
      #name,                                                                                                       \
      [](std::int64_t threads, const py::kwargs& given) {                                                          \
        run_cell<hippo::Family##Arguments>(#name, &hippo::Cells::name, hippo::layouts::Equations, threads, given); \
      },                                                                                                           \
      py::arg("threads"));

}  // namespace

void hippo::out_of_memory() { throw std::bad_alloc(); }

PYBIND11_MODULE(_kernels, module) {
  module.attr("interface") = HIPPO_INTERFACE;
  module.def("supported", [] {
    py::list names;
    for (const Choice& choice : choices()) names.append(choice.name);
    return names;
  });
  module.def("choose", &choose, py::arg("name"));
  module.def("has_weight_gradient", &has_weight_gradient, py::arg("bfloat16"));
  module.def("weight_gradient", &weight_gradient, py::arg("threads"), py::arg("left"), py::arg("right"),
             py::arg("out").noconvert());
  define<float>(module);
  define<double>(module);
  hippo::define_ssm<float>(module, [] { return &active->kernels->float32; });
  hippo::define_ssm<double>(module, [] { return &active->kernels->float64; });
  hippo::define_gated_linear(module, [] { return active->kernels; });
  hippo::define_step(module, [] { return active->kernels; });
  HIPPO_CELLS(HIPPO_DEFINE_CELL_)
}
