// bfloat16 products on the tile registers of Intel's AMX, where compiler, processor and system have them.
#pragma once
#include <cstdint>

#if defined(__AVX512F__) && defined(__linux__) && defined(__x86_64__) && (__GNUC__ >= 11 || defined(__clang__))
#define HIPPO_AMX
#include <cpuid.h>
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace hippo {
namespace {

#ifdef HIPPO_AMX

// The system saves tile registers only for a process that has asked for them.
inline bool amx_available() {
    unsigned a, b, c, d;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
    if (!(d >> 22 & 1) || !(d >> 24 & 1)) return false;  // AMX-BF16, AMX-TILE
    constexpr int request_permission = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

struct alignas(64) TileConfig {
    std::uint8_t palette = 1, start = 0, reserved[14] = {};
    std::uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// To be held around products: loads the shape of the tiles, and gives them back to the thread.
struct AmxSession {
    __attribute__((target("amx-tile"))) AmxSession() {
        static const TileConfig config;  // not on the stack: GCC takes the instruction to read 8 bytes only
        _tile_loadconfig(&config);
    }
    __attribute__((target("amx-tile"))) ~AmxSession() { _tile_release(); }
};

// a (rows, depth), b packed tiles, c (rows, width); rows a multiple of 16, the others of 32.
__attribute__((target("amx-tile,amx-bf16"), noinline)) void amx_multiply(
    const std::uint16_t* a, const std::uint16_t* b, float* c, std::int64_t rows, std::int64_t width,
    std::int64_t depth) {
    const std::int64_t step_a = depth * 2, step_c = width * 4;
    asm volatile("" ::: "memory");  // tile loads do not tell the compiler that they read memory
    for (std::int64_t column = 0; column < width; column += 32, b += 32 * depth) {
        std::int64_t row = 0;
        for (; row + 32 <= rows; row += 32) {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
            for (std::int64_t k = 0; k < depth; k += 32) {
                _tile_loadd(4, a + row * depth + k, step_a);
                _tile_loadd(6, b + k * 32, 64);
                _tile_loadd(7, b + k * 32 + 512, 64);
                _tile_loadd(5, a + (row + 16) * depth + k, step_a);
                _tile_dpbf16ps(0, 4, 6);
                _tile_dpbf16ps(1, 4, 7);
                _tile_dpbf16ps(2, 5, 6);
                _tile_dpbf16ps(3, 5, 7);
            }
            float* to = c + row * width + column;
            _tile_stored(0, to, step_c);
            _tile_stored(1, to + 16, step_c);
            _tile_stored(2, to + 16 * width, step_c);
            _tile_stored(3, to + 16 * width + 16, step_c);
        }
        if (row == rows) continue;
        _tile_zero(0);
        _tile_zero(1);
        for (std::int64_t k = 0; k < depth; k += 32) {
            _tile_loadd(4, a + row * depth + k, step_a);
            _tile_loadd(6, b + k * 32, 64);
            _tile_loadd(7, b + k * 32 + 512, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
        }
        _tile_stored(0, c + row * width + column, step_c);
        _tile_stored(1, c + row * width + column + 16, step_c);
    }
}

#endif

}  // namespace
}  // namespace hippo
