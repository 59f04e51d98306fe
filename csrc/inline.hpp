// Functions that are always inlined. A copy of an inline function that several instruction sets have in common would be
// merged by the linker into one, which not every processor runs.
#pragma once

#define HIPPO_INLINE inline __attribute__((always_inline))
#define HIPPO_INLINE_LAMBDA __attribute__((always_inline))
