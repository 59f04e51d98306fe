// Compiled once per instruction set, with HIPPO_ISA its name: the same kernels under other compiler flags.
// Everything here is in unnamed namespaces, so the linker cannot merge code of two instruction sets.
#include "cells/flow_cell.hpp"
#include "cells/memory_cell.hpp"
#include "cells/recurrent_cell.hpp"
#include "finite.hpp"
#include "interface.hpp"
#include "legs/projection.hpp"
#include "legs/step.hpp"
#include "legs/textbook.hpp"
#include "peak.hpp"
#include "products/policies.hpp"
#include "ssm/convolution.hpp"
#include "ssm/gated_linear.hpp"
#include "ssm/kernel.hpp"
#include "ssm/step.hpp"

#define HIPPO_STRING_(name) #name
#define HIPPO_STRING(name) HIPPO_STRING_(name)
#define HIPPO_JOIN_(isa) isa##_kernels
#define HIPPO_JOIN(isa) HIPPO_JOIN_(isa)

namespace hippo {

namespace {

template <typename T>
constexpr KernelsOf<T> kernels_of = {
    .legs_step = legs_step<T>,
    .legs_step_adjoint = legs_step_adjoint<T>,
    .legs_project = legs_project<T>,
    .ssm_kernel = ssm_kernel<T>,
    .ssm_convolution = ssm_convolution<T>,
    .ssm_scan = ssm_scan<T>,
    .line_features = kLineFeatures<T>,
    .lanes = Lanes<T>::count,
    .float64_lanes = Lanes<double>::count,
    .first_nonfinite = first_nonfinite<T>,
    .peak_fma = peak_fma<T>,
    .textbook_legs_project = textbook_legs_project<T>,
};

// A cell's steps for some rows of the batch, under the product policy that its arguments name.
template <template <typename, typename> class Family, typename Equations, typename Arguments>
void run(const Arguments& args, const Rows& rows) {
  ProductPolicies::run_with(args.policy, [&](auto policy) {
    Family<Equations, decltype(policy)> cell(args, rows);
    args.backward ? cell.backward() : cell.forward();
  });
}

void weight_gradient(const WeightGradientArguments& args, std::int64_t begin, std::int64_t end) {
  ProductPolicies::run_with(args.policy, [&](auto policy) {
    using Gradient = typename decltype(policy)::Gradient;
    if constexpr (!__is_same(Gradient, LibraryGradient)) Gradient::run(args, begin, end);
  });
}

}  // namespace

#define HIPPO_CELL_ENTRY_(name, Family, Equations) .name = run<Family, Equations, Family##Arguments>,

const Kernels& HIPPO_JOIN(HIPPO_ISA)() {
  static constexpr Kernels table = {
      .name = HIPPO_STRING(HIPPO_ISA),
      .policies = ProductPolicies::table,
      .policy_count = ProductPolicies::count,
      .float32 = kernels_of<float>,
      .float64 = kernels_of<double>,
      .cells = {HIPPO_CELLS(HIPPO_CELL_ENTRY_)},
      .weight_gradient = weight_gradient,
      .gated_linear = gated_linear,
      .ssm_step = ssm_step,
  };
  return table;
}

}  // namespace hippo
