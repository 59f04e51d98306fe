// Threads of the calls from Python.
#pragma once
#include <pybind11/pybind11.h>

#include <algorithm>
#include <exception>
#include <stdexcept>
#include <thread>
#include <vector>

#include "cells/interface.hpp"
#include "simd/flush_subnormals.hpp"

namespace hippo {

// For its lifetime, other Python threads may run, and subnormal numbers are zeros.
struct Unlocked {
  pybind11::gil_scoped_release released;
  FlushSubnormals flush;
};

// Divides `count` rows among threads, which meet at the end only, and calls kernel(rows) in each. If a thread cannot be
// started, the caller takes its rows. An exception of a thread is thrown here, once all have finished.
template <typename Kernel>
void divide_rows(std::int64_t count, std::int64_t threads, Kernel kernel) {
  if (threads < 1) throw std::invalid_argument("threads must be at least 1");
  const Unlocked unlocked;
  const std::int64_t rows_per_thread = (count + threads - 1) / threads;
  std::vector<std::thread> others;
  std::vector<std::exception_ptr> failures(threads);
  others.reserve(threads);
  const auto run = [&](std::int64_t slot) {
    const FlushSubnormals flush;  // a switch of each thread
    try {
      kernel(Rows{.begin = slot * rows_per_thread, .end = std::min((slot + 1) * rows_per_thread, count), .slot = slot});
    } catch (...) {
      failures[slot] = std::current_exception();
    }
  };
  for (std::int64_t slot = 1; slot * rows_per_thread < count; ++slot) {
    try {
      others.emplace_back(run, slot);
    } catch (const std::exception&) {
      run(slot);
    }
  }
  run(0);
  for (std::thread& other : others) other.join();
  for (const std::exception_ptr& failure : failures)
    if (failure) std::rethrow_exception(failure);
}

}  // namespace hippo
