// The rows of a batch that one thread takes through a cell with a memory, and the operand of the product that reads the
// memory. The operand's columns are the hidden state, if the cell reads it, and the memories.
#pragma once
#include <cstdint>

#include "cells/interface.hpp"
#include "products/policy.hpp"
#include "simd/array.hpp"
#include "simd/floats.hpp"

namespace hippo {
namespace {

template <typename Policy>
struct MemoryRows {
  using Store = typename Policy::Store;
  using Operand = typename Policy::Operand;

  const MemoryCellArguments& args;
  const std::int64_t begin, count;    // of the rows
  const std::int64_t order;           // of a memory, padded to whole vectors
  const std::int64_t hidden_columns;  // of the operand, padded to whole vectors
  const std::int64_t depth;           // columns of the operand, padded
  AlignedArray<Operand> operand;      // forward [row][depth], backward [row][width]
  AlignedArray<float> grad_operand;   // backward [row][depth]

  MemoryRows(const MemoryCellArguments& args, const Rows& rows, std::int64_t width)
      : args(args),
        begin(rows.begin),
        count(rows.end - rows.begin),
        order(round_up(args.order, kLanes)),
        hidden_columns(round_up(args.hidden_columns(), kLanes)),
        depth(round_up(hidden_columns + (args.channels - 1) * args.order + order, 32)),
        operand(padded_rows(count) * larger(width, depth)),
        grad_operand(padded_rows(count) * depth) {}

  // The operand's column that column k of W_rec multiplies.
  std::int64_t operand_column(std::int64_t k) const {
    return k < args.hidden_columns() ? k : hidden_columns + k - args.hidden_columns();
  }

  // Entry of an array (steps, batch, size) at step t and this thread's row.
  std::int64_t index(std::int64_t t, std::int64_t row, std::int64_t size) const {
    return (t * args.batch_size + begin + row) * size;
  }

  Store* tape(Tape* whole, std::int64_t t, std::int64_t row, std::int64_t size) const {
    return static_cast<Store*>(whole) + index(t, row, size);
  }

  float& u(std::int64_t t, std::int64_t row, std::int64_t c) const { return args.u[index(t, row, args.channels) + c]; }

  // Coefficients n, n + 1, ... of the new memory, for the product and onto the tape.
  void write_memory(std::int64_t t, std::int64_t row, std::int64_t c, std::int64_t n, Floats value) {
    const std::int64_t at = c * args.order + n;
    Policy::put(&operand[row * depth + hidden_columns + at], value);
    store_part(tape(args.operand, t, row, args.operand_size()) + args.hidden_columns() + at, value, args.order - n);
  }

  // Their gradient from the product; lanes past the order hold values of other columns.
  Floats memory_gradient(std::int64_t row, std::int64_t c, std::int64_t n) const {
    return load(&grad_operand[row * depth + hidden_columns + c * args.order + n]);
  }
};

}  // namespace
}  // namespace hippo
