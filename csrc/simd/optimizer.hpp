// Limits to the compiler's optimization, for loops that need every register for their vectors.
#pragma once
#include "inline.hpp"

namespace hippo {
namespace {

// The same pointer, of unknown origin. If the compiler knows the origin, it computes the addresses of all accesses in
// advance and spills them.
template <typename P>
HIPPO_INLINE P* opaque(P* pointer) {
  asm("" : "+r"(pointer));
  return pointer;
}

// What was loaded before this point is loaded again after it. Otherwise the compiler keeps it and spills it; as
// operands in memory, tables cost no instruction.
HIPPO_INLINE void forget_loads() { asm volatile("" : : : "memory"); }

}  // namespace
}  // namespace hippo
