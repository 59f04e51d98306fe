// The LegS recurrence as it is published (Gu et al. 2020, appendix C): the reference that the kernels are timed against.
// One input after the other, a multiplication by I + A / 2k and a triangular solve with I - A / 2k, by running sums.
#include <cmath>
#include <vector>

#include "kernels.hpp"

namespace hippo {
namespace {

template <typename T>
void project(T* c, const T* inputs, double first, std::int64_t length, std::int64_t order) {
    std::vector<T> root(order);
    for (std::int64_t n = 0; n < order; ++n) root[n] = std::sqrt(T(2 * n + 1));
    for (std::int64_t i = 0; i < length; ++i) {
        const T step = T(1 / (first + double(i)));
        T sum = 0;
        for (std::int64_t n = 0; n < order; ++n) {
            const T old = c[n];
            c[n] = old - step / 2 * ((n + 1) * old + root[n] * sum) + step * root[n] * inputs[i];
            sum += root[n] * old;
        }
        sum = 0;
        for (std::int64_t n = 0; n < order; ++n) {
            c[n] = (c[n] - step / 2 * root[n] * sum) / (1 + step / 2 * (n + 1));
            sum += root[n] * c[n];
        }
    }
}

}  // namespace

void textbook_legs_project(float* state, const float* inputs, double first, std::int64_t length, std::int64_t order) {
    project(state, inputs, first, length, order);
}

void textbook_legs_project(double* state, const double* inputs, double first, std::int64_t length, std::int64_t order) {
    project(state, inputs, first, length, order);
}

}  // namespace hippo
