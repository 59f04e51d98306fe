// The matrix-product policies, those of a processor's own units last: the last one that runs is preferred.
#pragma once
#include "products/bfloat16_amx.hpp"
#include "products/bfloat16_avx512.hpp"
#include "products/bfloat16_emulated.hpp"
#include "products/float32.hpp"
#include "products/policy.hpp"

namespace hippo {
namespace {

using ProductPolicies = PolicyList<  //
    Float32,                         //
    BFloat16Emulated,                //
    BFloat16Avx512,                  //
    BFloat16Amx>;

}  // namespace
}  // namespace hippo
