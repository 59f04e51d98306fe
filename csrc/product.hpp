// Products with a weight that stays the same for a whole sequence: packed once, in the order it is read.
//
// C (rows, width) = A (rows, depth) W^T, with all sizes padded: depth and width to 32, rows of A and C
// to `padded_rows`. Padding of A must be finite and that of W is zero, so what is padded reaches nothing else.
#pragma once
#include <cstdint>

#include "amx.hpp"
#include "floats.hpp"

namespace hippo {
namespace {

constexpr int kBlockRows = kLanes == 16 ? 10 : 6;  // with two vectors a row, what the registers hold
constexpr int kBlockColumns = 2 * kLanes;

inline std::int64_t padded_rows(std::int64_t rows) {
    return at_least(round_up(rows, 16), round_up(rows, kBlockRows));
}

// W (width, depth), packed for operands of type `Operand`.
template <typename Operand>
struct Packed;

template <>
struct Packed<float> {
    std::int64_t width, depth;
    AlignedArray<float> data;  // [panel of columns][depth][columns of the panel]

    Packed(std::int64_t width, std::int64_t depth) : width(width), depth(depth), data(width * depth) {}

    void set(std::int64_t column, std::int64_t k, float value) {
        data[(column / kBlockColumns * depth + k) * kBlockColumns + column % kBlockColumns] = value;
    }

    void multiply(const float* a, std::int64_t rows, float* c) const {
        for (std::int64_t panel = 0; panel < width; panel += kBlockColumns)
            for (std::int64_t row = 0; row < rows; row += kBlockRows)
                block(a + row * depth, data.data() + panel * depth, c + row * width + panel);
    }

   private:
    void block(const float* a, const float* b, float* c) const {
        Floats sum[kBlockRows][2] = {};
        for (std::int64_t k = 0; k < depth; ++k, b += kBlockColumns) {
            const Floats left = load(b), right = load(b + kLanes);
#pragma GCC unroll 16
            for (int i = 0; i < kBlockRows; ++i) {
                const Floats value = splat(a[i * depth + k]);
                sum[i][0] += value * left;
                sum[i][1] += value * right;
            }
        }
#pragma GCC unroll 16
        for (int i = 0; i < kBlockRows; ++i) {
            store(c + i * width, sum[i][0]);
            store(c + i * width + kLanes, sum[i][1]);
        }
    }
};

#ifdef HIPPO_AMX
template <>
struct Packed<bfloat16> {
    std::int64_t width, depth;
    AlignedArray<bfloat16> data;  // [16 columns][32 of depth] tiles, pairs of depth together, 32 columns a panel

    Packed(std::int64_t width, std::int64_t depth) : width(width), depth(depth), data(width * depth) {}

    void set(std::int64_t column, std::int64_t k, float value) {
        Floats one = splat(value);
        const std::int64_t tile = (column / 32 * (depth / 32) + k / 32) * 2 + column % 32 / 16;
        data[tile * 512 + k % 32 / 2 * 32 + column % 16 * 2 + k % 2] = round_to_bfloat16(one)[0];
    }

    void multiply(const bfloat16* a, std::int64_t rows, float* c) const {
        amx_multiply(a, data.data(), c, round_up(rows, 16), width, depth);
    }
};
#endif

}  // namespace
}  // namespace hippo
