// What a matrix-product policy is, and a list of them.
//
// A cell computes C (rows, width) = A (rows, depth) W^T at every step, with a weight W that stays the same for a whole
// sequence. A policy says in which type and on which unit of the processor. It is a struct with
//   name               as in HIPPO_KERNELS=avx512+NAME
//   stores_bfloat16    whether the tape holds bfloat16, otherwise float
//   available()        whether this processor and system run it; called only where the instruction set itself runs
//   Store              the type of the tape
//   Operand            the type of A
//   Weight             W, packed once in the order in which it is read: Weight(width, depth), set(column, k, value) and
//                      multiply(a, rows, c)
//   Gradient           run(arguments, begin, end): the gradient of a weight, or LibraryGradient
//   Session            what a thread holds while it computes products
//   put(to, value)     stores a vector of A, rounded as the tape rounds it
//   round(weight)      an entry of W, rounded as products see it
// A new policy is one file, and one line in policies.hpp.
//
// All sizes are padded: depth and width to 32, the rows of A and C to padded_rows(rows). Padding of A must be finite
// and that of W is zero, so padding changes no other result.
#pragma once
#include "interface.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

constexpr int kBlockRows = kLanes == 16 ? 10 : 6;  // with two vectors for each row, what the registers hold
constexpr int kBlockColumns = 2 * kLanes;

inline std::int64_t padded_rows(std::int64_t rows) { return larger(round_up(rows, 16), round_up(rows, kBlockRows)); }

// In the place of the gradient of a weight that the caller computes by PyTorch.
struct LibraryGradient {};

// In the place of a policy whose unit this instruction set or compiler does not have.
struct NotCompiled {
  static constexpr const char* name = "";
  static constexpr bool stores_bfloat16 = false;
  static bool available() { return false; }
  using Gradient = LibraryGradient;
};

template <typename Policy, typename Run>
void run_in_session(const Run& run) {
  if constexpr (!__is_same(Policy, NotCompiled)) {
    [[maybe_unused]] const typename Policy::Session session;
    run(Policy{});
  }
}

template <typename... Policies>
struct PolicyList {
  static constexpr int count = sizeof...(Policies);
  static constexpr ProductPolicy table[] = {
      {.name = Policies::name,
       .stores_bfloat16 = Policies::stores_bfloat16,
       .has_weight_gradient = !__is_same(typename Policies::Gradient, LibraryGradient),
       .available = Policies::available}...};

  // run(Policy{}) for the policy with this position in the list.
  template <typename Run>
  static void run_with(int position, const Run& run) {
    int i = 0;
    ((i++ == position ? run_in_session<Policies>(run) : void()), ...);
  }
};

}  // namespace
}  // namespace hippo
