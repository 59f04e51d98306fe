// Compiled once per instruction set, with HIPPO_ISA its name: the same kernels under other compiler flags.
// Everything here is in unnamed namespaces, so the linker cannot merge code of two instruction sets.
#include "finite.hpp"
#include "kernels.hpp"
#include "hippo_cell.hpp"
#include "legs_project.hpp"
#include "legs_step.hpp"
#include "peak.hpp"

#define HIPPO_STRING_(name) #name
#define HIPPO_STRING(name) HIPPO_STRING_(name)
#define HIPPO_JOIN_(isa) isa##_kernels
#define HIPPO_JOIN(isa) HIPPO_JOIN_(isa)

namespace hippo {

const Kernels& HIPPO_JOIN(HIPPO_ISA)() {
    static const Kernels table = {
        HIPPO_STRING(HIPPO_ISA),
        {legs_step<float>, legs_step_adjoint<float>, legs_project<float>, first_nonfinite<float>, peak_fma<float>},
        {legs_step<double>, legs_step_adjoint<double>, legs_project<double>, first_nonfinite<double>, peak_fma<double>},
        hippo_cell,
    };
    return table;
}

}  // namespace hippo
