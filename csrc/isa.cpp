// Compiled once per instruction set, with HIPPO_ISA its name: the same kernels under other compiler flags.
// Everything here is in unnamed namespaces, so the linker cannot merge code of two instruction sets.
#include "finite.hpp"
#include "kernels.hpp"
#include "hippo_cell.hpp"
#include "legs_project.hpp"
#include "legs_step.hpp"
#include "peak.hpp"
#include "recurrent_cell.hpp"
#include "textbook.hpp"

#define HIPPO_STRING_(name) #name
#define HIPPO_STRING(name) HIPPO_STRING_(name)
#define HIPPO_JOIN_(isa) isa##_kernels
#define HIPPO_JOIN(isa) HIPPO_JOIN_(isa)

namespace hippo {

namespace {

template <typename T>
constexpr KernelsOf<T> kernels_of = {
    legs_step<T>, legs_step_adjoint<T>, legs_project<T>, first_nonfinite<T>, peak_fma<T>, textbook_legs_project<T>,
};

}  // namespace

const Kernels& HIPPO_JOIN(HIPPO_ISA)() {
    static const Kernels table = {
        HIPPO_STRING(HIPPO_ISA), kernels_of<float>, kernels_of<double>,
        hippo_cell<LegsMemory>,  hippo_cell<DenseMemory>,
        recurrent_rows<Rnn>,     recurrent_rows<ModRelu>, recurrent_rows<Gru>, recurrent_rows<Lstm>,
        recurrent_rows<Mgu>,     recurrent_rows<GruD>,
    };
    return table;
}

}  // namespace hippo
