// The compiled recurrent cells: their names, and their arguments, each listed once.
//
// A list of fields declares a struct's members, and tells the binding each array's name, type and shape. An array that
// is unknown, missing, or of another type or shape is an error there.
#pragma once
#include <cstdint>

#include "inline.hpp"

namespace hippo {

struct Shape {
  static constexpr std::int64_t none = -1;  // there is no such dimension
  std::int64_t first = none, second = none, third = none;
};

enum class Presence { required, optional, absent };

constexpr HIPPO_INLINE Presence required_if(bool condition) {
  return condition ? Presence::required : Presence::absent;
}

// A tape holds float, or bfloat16 if the product policy stores that.
using Tape = void;

// -- cells with a memory ----------------------------------------------------------------------------------------------

struct MemoryCellLayout {
  bool time_invariant = false;  // m' = Abar m + Bbar u, otherwise LegS
};

// A chunk of steps of a HiPPO cell or an LMU. NUMBER(type, name); ARRAY(type, name, presence, shape...), where a const
// type is only read, and the others are updated in place.
#define HIPPO_MEMORY_CELL_FIELDS(NUMBER, ARRAY)                                                                     \
  NUMBER(std::int64_t, steps)                                                                                       \
  NUMBER(std::int64_t, batch_size)                                                                                  \
  NUMBER(std::int64_t, input_size)                                                                                  \
  NUMBER(std::int64_t, hidden_size)                                                                                 \
  NUMBER(std::int64_t, channels) /* memories of each sample */                                                      \
  NUMBER(std::int64_t, order)                                                                                       \
  NUMBER(std::int64_t, first_step)        /* number of the chunk's first step in its sequence */                    \
  NUMBER(std::int64_t, step_ratio_stride) /* length of a row of step_ratios */                                      \
  NUMBER(bool, gated)                                                                                               \
  NUMBER(bool, reads_hidden) /* z and u read the hidden state and the old memory, as in the LMU */                  \
  NUMBER(bool, bfloat16)     /* the type of the tape and of the products */                                         \
  NUMBER(bool, backward)                                                                                            \
  NUMBER(float, alpha) /* discretization of LegS */                                                                 \
  ARRAY(const float, x, Presence::required, steps, batch_size, input_size)                                          \
  ARRAY(const float, w_in, Presence::required, z_size(), input_size)                                                \
  ARRAY(const float, w_rec, Presence::required, z_size(), operand_size())                                           \
  ARRAY(const float, u_rec, Presence::required, channels, hidden_size)                                              \
  ARRAY(const float, u_memory, required_if(reads_hidden), channels, memory_columns())                               \
  ARRAY(const float, transition, required_if(layout.time_invariant), order, order)                                  \
  ARRAY(const float, input, required_if(layout.time_invariant), order)                                              \
  ARRAY(const float, step_ratios, Presence::optional, batch_size, step_ratio_stride) /* 1 / k if absent */          \
  ARRAY(const float, grad_hidden, backward ? Presence::optional : Presence::absent, steps, batch_size, hidden_size) \
  ARRAY(float, h, Presence::required, batch_size, hidden_size)    /* backward: its gradient */                      \
  ARRAY(float, m, Presence::required, memories(), order)          /* backward: its gradient */                      \
  ARRAY(Tape, z, Presence::required, steps, batch_size, z_size()) /* activations; backward: gradients of z */       \
  ARRAY(Tape, hidden, required_if(!reads_hidden), steps + 1, batch_size, hidden_size)                               \
  ARRAY(Tape, operand, Presence::required, steps, batch_size, operand_size()) /* what W_rec multiplies */           \
  ARRAY(float, u, Presence::required, steps, batch_size, channels)            /* backward: its gradient */          \
  ARRAY(float, grad_w_in, required_if(backward), slots, z_size(), input_size)                                       \
  ARRAY(float, grad_u_in, required_if(backward), slots, channels, input_size)                                       \
  ARRAY(float, grad_u_rec, required_if(backward), slots, channels, hidden_size)

// -- cells without a memory -------------------------------------------------------------------------------------------

struct RecurrentCellLayout {
  int z_blocks;            // blocks of hidden_size columns of z
  int products[2];         // blocks of z that the first and the second product of a step add to
  bool has_bias = false;   // of the activation
  bool has_cell = false;   // a cell state c
  bool has_decay = false;  // the hidden state decays between steps
};

namespace layouts {

constexpr MemoryCellLayout LegsMemory = {.time_invariant = false};
constexpr MemoryCellLayout DenseMemory = {.time_invariant = true};

constexpr RecurrentCellLayout Rnn = {.z_blocks = 1, .products = {1, 0}};
constexpr RecurrentCellLayout ModRelu = {.z_blocks = 1, .products = {1, 0}, .has_bias = true};
constexpr RecurrentCellLayout Gru = {.z_blocks = 4, .products = {3, 0}};
constexpr RecurrentCellLayout Lstm = {.z_blocks = 4, .products = {4, 0}, .has_cell = true};
constexpr RecurrentCellLayout UpdateGate = {.z_blocks = 2, .products = {2, 0}};
constexpr RecurrentCellLayout Mgu = {.z_blocks = 2, .products = {1, 1}};
constexpr RecurrentCellLayout GruD = {.z_blocks = 4, .products = {2, 1}, .has_decay = true};

}  // namespace layouts

// A chunk of steps.
#define HIPPO_RECURRENT_CELL_FIELDS(NUMBER, ARRAY)                                                                  \
  NUMBER(std::int64_t, steps)                                                                                       \
  NUMBER(std::int64_t, batch_size)                                                                                  \
  NUMBER(std::int64_t, hidden_size)                                                                                 \
  NUMBER(bool, bfloat16) /* the type of the tape and of the products */                                             \
  NUMBER(bool, backward)                                                                                            \
  NUMBER(float, negligible) /* gradients of states up to this size are zero */                                      \
  ARRAY(const float, w_rec, Presence::required, product_size(0), hidden_size)                                       \
  ARRAY(const float, extra, required_if(layout.has_bias || layout.products[1]), extra_shape())                      \
  ARRAY(const float, grad_hidden, backward ? Presence::optional : Presence::absent, steps, batch_size, hidden_size) \
  ARRAY(float, h, Presence::required, batch_size, hidden_size)           /* backward: its gradient */               \
  ARRAY(float, c, required_if(layout.has_cell), batch_size, hidden_size) /* backward: its gradient */               \
  ARRAY(Tape, z, Presence::required, steps, batch_size, z_size())        /* backward: gradients of z */             \
  ARRAY(Tape, hidden, Presence::required, steps + 1, batch_size, hidden_size)                                       \
  ARRAY(Tape, cell, required_if(layout.has_cell), steps + 1, batch_size, hidden_size)                               \
  ARRAY(Tape, passed, required_if(layout.products[1]), steps, batch_size, hidden_size)                              \
  ARRAY(Tape, decayed, required_if(layout.has_decay), steps, batch_size, hidden_size)

// -- cells whose hidden state follows a differential equation ---------------------------------------------------------

struct FlowCellLayout {
  bool has_update = false;  // a GRU changes the hidden state at every input
};

namespace layouts {

constexpr FlowCellLayout Ncde = {};
constexpr FlowCellLayout OdeRnn = {.has_update = true};

}  // namespace layouts

// A whole sequence. Between two inputs the solver takes `substeps` steps of `stages` evaluations. The tape has room for
// all of them, or without `keep` for one. Gradients of weights are those of the transposed weights.
#define HIPPO_FLOW_CELL_FIELDS(NUMBER, ARRAY)                                                                          \
  NUMBER(std::int64_t, steps)                                                                                          \
  NUMBER(std::int64_t, batch_size)                                                                                     \
  NUMBER(std::int64_t, hidden_size)                                                                                    \
  NUMBER(std::int64_t, field_size) /* hidden units of the vector field */                                              \
  NUMBER(std::int64_t, channels)   /* of the path that drives the equation */                                          \
  NUMBER(std::int64_t, substeps)                                                                                       \
  NUMBER(std::int64_t, stages)                                                                                         \
  NUMBER(std::int64_t, input_size) /* of the update */                                                                 \
  NUMBER(bool, keep)                                                                                                   \
  NUMBER(bool, bfloat16) /* the type of the products; the tape is float */                                             \
  NUMBER(bool, backward)                                                                                               \
  ARRAY(const float, tableau, Presence::required, stages + 1, stages) /* of the states of the stages, and the sum */   \
  ARRAY(const float, controls, Presence::required, evaluations(), batch_size, channels)                                \
  ARRAY(const float, inner_weight, Presence::required, field_size, hidden_size)                                        \
  ARRAY(const float, inner_bias, Presence::required, field_size)                                                       \
  ARRAY(const float, outer_weight, Presence::required, channels, hidden_size, field_size)                              \
  ARRAY(const float, outer_bias, Presence::required, channels, hidden_size)                                            \
  ARRAY(const float, x, required_if(layout.has_update), steps, batch_size, input_size)                                 \
  ARRAY(const float, w_in, required_if(layout.has_update), 4 * hidden_size, input_size)                                \
  ARRAY(const float, w_rec, required_if(layout.has_update), 3 * hidden_size, hidden_size)                              \
  ARRAY(const float, grad_hidden, backward ? Presence::optional : Presence::absent, steps, batch_size, hidden_size)    \
  ARRAY(float, h, Presence::required, batch_size, hidden_size) /* backward: its gradient */                            \
  ARRAY(float, hidden, backward ? Presence::absent : Presence::optional, steps, batch_size, hidden_size)               \
  ARRAY(float, states, Presence::required, kept(evaluations()), batch_size, hidden_size) /* tape: operands of inner */ \
  ARRAY(float, inner, Presence::required, kept(evaluations()), batch_size, field_size)   /* tape: activations */       \
  ARRAY(float, outer, Presence::required, kept(evaluations()), batch_size, channels* hidden_size)                      \
  ARRAY(float, flowed, required_if(layout.has_update), kept(steps), batch_size, hidden_size) /* before the update */   \
  ARRAY(float, z, required_if(layout.has_update), kept(steps), batch_size, 4 * hidden_size)                            \
  ARRAY(float, grad_controls, required_if(backward), evaluations(), batch_size, channels)                              \
  ARRAY(float, grad_inner_weight, required_if(backward), slots, hidden_size, field_size)                               \
  ARRAY(float, grad_inner_bias, required_if(backward), slots, field_size)                                              \
  ARRAY(float, grad_outer_weight, required_if(backward), slots, field_size, channels* hidden_size)                     \
  ARRAY(float, grad_outer_bias, required_if(backward), slots, channels* hidden_size)                                   \
  ARRAY(float, grad_x, backward&& layout.has_update ? Presence::optional : Presence::absent, steps, batch_size,        \
        input_size)                                                                                                    \
  ARRAY(float, grad_w_in, required_if(backward&& layout.has_update), slots, input_size, 4 * hidden_size)               \
  ARRAY(float, grad_w_rec, required_if(backward&& layout.has_update), slots, hidden_size, 3 * hidden_size)

// -- the structs ------------------------------------------------------------------------------------------------------

#define HIPPO_NUMBER_MEMBER_(type, name) type name = {};
#define HIPPO_ARRAY_MEMBER_(type, name, ...) type* name = nullptr;
#define HIPPO_VISIT_NUMBER_(type, name) visit.number(#name, name);
#define HIPPO_VISIT_ARRAY_(type, name, presence, ...) visit.array(#name, name, presence, Shape{__VA_ARGS__});
#define HIPPO_IGNORE_(...)

struct MemoryCellArguments {
  MemoryCellLayout layout;
  int policy = 0;          // position in the instruction set's list of product policies
  std::int64_t slots = 1;  // first dimension of the gradients that every thread sums up by itself
  HIPPO_MEMORY_CELL_FIELDS(HIPPO_NUMBER_MEMBER_, HIPPO_ARRAY_MEMBER_)

  // Columns of z: candidate, and gate. Columns that W_rec multiplies: the hidden state if it is read, and the memories.
  HIPPO_INLINE std::int64_t z_size() const { return gated ? 2 * hidden_size : hidden_size; }
  HIPPO_INLINE std::int64_t hidden_columns() const { return reads_hidden ? hidden_size : 0; }
  HIPPO_INLINE std::int64_t memory_columns() const { return channels * order; }
  HIPPO_INLINE std::int64_t operand_size() const { return hidden_columns() + memory_columns(); }
  HIPPO_INLINE std::int64_t memories() const { return batch_size * channels; }

  // What is wrong although every array has its shape; null if nothing is.
  const char* fault() const {
    const bool covered = !step_ratios || first_step + steps <= step_ratio_stride;
    return covered ? nullptr : "'step_ratios' has fewer columns than first_step + steps";
  }

  template <typename Visitor>
  void visit_numbers(Visitor& visit) {
    HIPPO_MEMORY_CELL_FIELDS(HIPPO_VISIT_NUMBER_, HIPPO_IGNORE_)
  }
  template <typename Visitor>
  void visit_arrays(Visitor& visit) {
    HIPPO_MEMORY_CELL_FIELDS(HIPPO_IGNORE_, HIPPO_VISIT_ARRAY_)
  }
};

struct RecurrentCellArguments {
  RecurrentCellLayout layout;
  int policy = 0;          // position in the instruction set's list of product policies
  std::int64_t slots = 1;  // not used
  HIPPO_RECURRENT_CELL_FIELDS(HIPPO_NUMBER_MEMBER_, HIPPO_ARRAY_MEMBER_)

  HIPPO_INLINE std::int64_t z_size() const { return layout.z_blocks * hidden_size; }
  HIPPO_INLINE std::int64_t product_size(int stage) const { return layout.products[stage] * hidden_size; }
  // The bias of the activation, or the weight of the second product.
  HIPPO_INLINE Shape extra_shape() const {
    return layout.has_bias ? Shape{hidden_size} : Shape{product_size(1), hidden_size};
  }
  const char* fault() const { return nullptr; }

  template <typename Visitor>
  void visit_numbers(Visitor& visit) {
    HIPPO_RECURRENT_CELL_FIELDS(HIPPO_VISIT_NUMBER_, HIPPO_IGNORE_)
  }
  template <typename Visitor>
  void visit_arrays(Visitor& visit) {
    HIPPO_RECURRENT_CELL_FIELDS(HIPPO_IGNORE_, HIPPO_VISIT_ARRAY_)
  }
};

struct FlowCellArguments {
  FlowCellLayout layout;
  int policy = 0;          // position in the instruction set's list of product policies
  std::int64_t slots = 1;  // first dimension of the gradients that every thread sums up by itself
  HIPPO_FLOW_CELL_FIELDS(HIPPO_NUMBER_MEMBER_, HIPPO_ARRAY_MEMBER_)

  HIPPO_INLINE std::int64_t evaluations() const { return steps > 0 ? (steps - 1) * substeps * stages : 0; }
  HIPPO_INLINE std::int64_t kept(std::int64_t count) const { return keep || count < 1 ? count : 1; }
  const char* fault() const {
    return backward && !keep ? "'keep' is false, but the backward pass reads every step of the tape" : nullptr;
  }

  template <typename Visitor>
  void visit_numbers(Visitor& visit) {
    HIPPO_FLOW_CELL_FIELDS(HIPPO_VISIT_NUMBER_, HIPPO_IGNORE_)
  }
  template <typename Visitor>
  void visit_arrays(Visitor& visit) {
    HIPPO_FLOW_CELL_FIELDS(HIPPO_IGNORE_, HIPPO_VISIT_ARRAY_)
  }
};

// -- the list of cells ------------------------------------------------------------------------------------------------

// CELL(name in Python, family, equations): the family's arguments are FamilyArguments, its template of kernels is
// run<Family, equations>, and the layout is layouts::equations. The list is the table of functions (interface.hpp), its
// content (instruction_set.cpp) and the binding (bindings.cpp).
#define HIPPO_CELLS(CELL)                      \
  CELL(legs_cell, MemoryCell, LegsMemory)      \
  CELL(dense_cell, MemoryCell, DenseMemory)    \
  CELL(rnn, RecurrentCell, Rnn)                \
  CELL(mod_relu, RecurrentCell, ModRelu)       \
  CELL(gru, RecurrentCell, Gru)                \
  CELL(lstm, RecurrentCell, Lstm)              \
  CELL(update_gate, RecurrentCell, UpdateGate) \
  CELL(mgu, RecurrentCell, Mgu)                \
  CELL(gru_d, RecurrentCell, GruD)             \
  CELL(ncde, FlowCell, Ncde)                   \
  CELL(ode_rnn, FlowCell, OdeRnn)

// Some rows of the batch, for one thread, which leaves gradients of small weights in its slot.
struct Rows {
  std::int64_t begin, end, slot;
};

template <typename Arguments>
using CellFunction = void (*)(const Arguments&, const Rows&);

}  // namespace hippo
