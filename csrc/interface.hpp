// The kernels as a table of functions: one table per instruction set, chosen at run time.
//
// The interface between Python and the compiled module is this file, every other interface.hpp, and bindings.cpp. Its
// version is their hash (CMakeLists.txt, hippo/kernels/backend.py), so a module of another version is recognized.
#pragma once
#include <cstdint>

#include "cells/interface.hpp"
#include "legs/interface.hpp"
#include "products/interface.hpp"
#include "ssm/interface.hpp"

namespace hippo {

// Throws std::bad_alloc. Defined once, outside the kernels: they instantiate nothing of the standard library, whose
// copies the linker would merge into one that not every processor runs.
[[noreturn]] void out_of_memory();

template <typename T>
struct KernelsOf {
  void (*legs_step)(const LegsStepArguments<T>&);
  void (*legs_step_adjoint)(const LegsStepArguments<T>&);
  void (*legs_project)(const LegsProjectArguments<T>&);
  // Of blocks of `float64_lanes` features (backward `lanes`), of units of `line_features` features of a sample, of
  // features of a sample.
  void (*ssm_kernel)(const SsmKernelArguments<T>&, const Rows& blocks);
  void (*ssm_convolution)(const SsmConvolutionArguments<T>&, const Rows& units);
  void (*ssm_scan)(const SsmScanArguments<T>&, const Rows& rows);
  std::int64_t line_features, lanes, float64_lanes;
  std::int64_t (*first_nonfinite)(const T* values, std::int64_t size);  // -1 where all are finite
  // For comparison: runs so many rounds at the core's peak rate and returns the multiply-adds done; and the published
  // algorithm, one input of step ratio 1/k after the other for k = first, first + 1, ...
  double (*peak_fma)(std::int64_t rounds);
  void (*textbook_legs_project)(T* state, const T* inputs, double first, std::int64_t length, std::int64_t order);
};

#define HIPPO_CELL_MEMBER_(name, Family, Equations) CellFunction<Family##Arguments> name;
struct Cells {
  HIPPO_CELLS(HIPPO_CELL_MEMBER_)
};
#undef HIPPO_CELL_MEMBER_

// A way to compute a cell's products (products/policy.hpp).
struct ProductPolicy {
  const char* name;
  bool stores_bfloat16;
  bool has_weight_gradient;
  bool (*available)();  // to be called only where the instruction set runs
};

struct Kernels {
  const char* name;
  const ProductPolicy* policies;
  int policy_count;
  KernelsOf<float> float32;
  KernelsOf<double> float64;
  Cells cells;
  WeightGradientFunction weight_gradient;
  void (*gated_linear)(const GatedLinearArguments&, const Rows& rows);
  bool (*ssm_step)(const SsmScanArguments<float>&, const SsmOutputArguments&);
};

const Kernels& baseline_kernels();
const Kernels& avx2_kernels();
const Kernels& avx512_kernels();

}  // namespace hippo
