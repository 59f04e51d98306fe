// Products on emulated tile registers, against float64: what test_tiles.py runs. For each product it prints
//   error     the largest error of an entry, in units of 2^-24 times the sum of the magnitudes of its products
//   same      whether a division into parts gives the same bits
//   loads, stores, products, rows   of tiles, and the rows of A in all products
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "products/tile_emulation.hpp"
#include "products/tile_gradient.hpp"
#include "products/tile_weight.hpp"

void hippo::out_of_memory() { std::abort(); }

namespace {

using namespace hippo;
using Tiles = EmulatedTiles;
using Matrix = std::vector<double>;
using std::int64_t;

// Numbers of bfloat16, and their bits in an array of exactly this size, whose ends a sanitizer watches.
struct Operand {
  Matrix numbers;
  std::vector<bfloat16> bits;

  explicit Operand(int64_t size) : numbers(size), bits(size) {
    static std::mt19937 generator(1);
    std::normal_distribution<float> normal;
    for (int64_t i = 0; i < size; ++i) {
      bits[i] = round_to_bfloat16(splat(normal(generator)))[0];
      numbers[i] = load_part(&bits[i], 1)[0];
    }
  }
};

class Comparison {
 public:
  void add(float got, double want, double magnitude) {
    const double error = std::abs(got - want), unit = std::ldexp(magnitude, -24);
    if (!(error <= largest_ * unit)) largest_ = error > largest_ * unit ? error / unit : INFINITY;  // where got is NaN
  }

  void print(const Tiles::Counts& counts, bool same) const {
    std::printf("{\"error\": %g, \"same\": %d, \"loads\": %ld, \"stores\": %ld, \"products\": %ld, \"rows\": %ld}\n",
                std::isfinite(largest_) ? largest_ : 1e30, same, long(counts.loads), long(counts.stores),
                long(counts.products), long(counts.rows_multiplied));
  }

 private:
  double largest_ = 0;
};

void multiply(int64_t rows, int64_t width, int64_t depth) {
  const int64_t computed = rows + rows % 2;
  const Operand a(computed * depth), w(width * depth);
  TileWeight<Tiles> weight(width, depth);
  for (int64_t column = 0; column < width; ++column)
    for (int64_t k = 0; k < depth; ++k) weight.set(column, k, float(w.numbers[column * depth + k]));
  std::vector<float> c(computed * width, NAN), alone(2 * width);
  const TileSession<Tiles> session;
  weight.multiply(a.bits.data(), rows, c.data());
  const Tiles::Counts counts = Tiles::counts();
  Comparison comparison;
  bool same = true;
  for (int64_t row = 0; row < rows; ++row) {
    weight.multiply(&a.bits[row * depth], 1, alone.data());
    for (int64_t column = 0; column < width; ++column) {
      double want = 0, magnitude = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const double product = a.numbers[row * depth + k] * w.numbers[column * depth + k];
        want += product;
        magnitude += std::abs(product);
      }
      comparison.add(c[row * width + column], want, magnitude);
      same = same && c[row * width + column] == alone[column];
    }
  }
  comparison.print(counts, same);
}

// The operands are columns of larger arrays.
void gradient(int64_t rows, int64_t m, int64_t n) {
  const int64_t left_step = m + 3, right_step = n + 5;
  const Operand left(rows ? (rows - 1) * left_step + m : 0), right(rows ? (rows - 1) * right_step + n : 0);
  std::vector<float> out(m * n, NAN), divided(m * n, NAN);
  WeightGradientArguments args = {.left = left.bits.data(),
                                  .right = right.bits.data(),
                                  .out = out.data(),
                                  .left_step = left_step,
                                  .right_step = right_step,
                                  .rows = rows,
                                  .left_columns = m,
                                  .right_columns = n,
                                  .policy = 0};
  const TileSession<Tiles> session;
  TileGradient<Tiles>::run(args, 0, m);
  const Tiles::Counts counts = Tiles::counts();
  args.out = divided.data();
  const int64_t part = (m + 2) / 3;
  for (int64_t begin = 0; begin < m; begin += part) TileGradient<Tiles>::run(args, begin, smaller(begin + part, m));
  Comparison comparison;
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j) {
      double want = 0, magnitude = 0;
      for (int64_t row = 0; row < rows; ++row) {
        const double product = left.numbers[row * left_step + i] * right.numbers[row * right_step + j];
        want += product;
        magnitude += std::abs(product);
      }
      comparison.add(out[i * n + j], want, magnitude);
    }
  comparison.print(counts, out == divided);
}

// What the instructions refuse, or compute in a way of their own.
int fault(const std::string& name) {
  alignas(64) float tile[16][16] = {};
  TileConfig config;
  if (name == "palette") config.palette = 2;
  if (name == "rows") config.rows[3] = 17;
  if (name == "bytes") config.bytes[3] = 65;
  if (name == "empty") config.rows[3] = 0;
  if (name == "ninth") config.rows[8] = config.bytes[8] = 4;
  if (name == "sizes") config.rows[4] = 15;
  if (name == "depth") config.bytes[4] = 60;
  if (name != "unconfigured") Tiles::configure(config);
  if (name == "released") Tiles::release();
  Tiles::zero<0>();
  Tiles::load<4>(tile, kTileBytes);
  Tiles::load<6>(tile, kTileBytes);
  Tiles::multiply<0, 4, 6>();
  Tiles::store<0>(tile, name == "beyond" ? kTileBytes + 4 : kTileBytes);
  return 0;
}

// Sums that are rounded to even, subnormal numbers that are zeros, and the order of a sum.
void numbers() {
  const auto product = [](std::vector<float> a, std::vector<float> b, float c) {
    alignas(64) bfloat16 left[32] = {}, right[16][2] = {};
    for (std::size_t k = 0; k < a.size(); ++k) {
      left[k] = round_to_bfloat16(splat(a[k]))[0];
      right[k / 2][k % 2] = round_to_bfloat16(splat(b[k]))[0];
    }
    TileConfig config;
    config.rows[0] = config.rows[4] = 1;
    config.bytes[0] = config.bytes[6] = 4;
    Tiles::configure(config);
    Tiles::load<0>(&c, 0);
    Tiles::load<4>(left, 0);
    Tiles::load<6>(right, 4);
    Tiles::multiply<0, 4, 6>();
    Tiles::store<0>(&c, 0);
    return c;
  };
  const float half = std::ldexp(1.0f, -12), tiny = std::ldexp(1.0f, -70), smallest = std::ldexp(1.0f, -127);
  std::printf("[%.9g, %.9g, %.9g, %.9g, %.9g]\n", product({half}, {half}, 1),  // a tie
              product({half, 0, half}, {half, 0, half}, 1),                    // even entries are added first
              product({tiny}, {tiny}, 0), product({smallest}, {1e30f}, 0), product({1}, {smallest}, smallest));
}

}  // namespace

int main(int count, char** words) {
  const std::string what = count > 1 ? words[1] : "";
  const auto number = [&](int i) { return int64_t(std::atoll(words[i])); };
  if (what == "multiply" && count == 5) return multiply(number(2), number(3), number(4)), 0;
  if (what == "gradient" && count == 5) return gradient(number(2), number(3), number(4)), 0;
  if (what == "fault" && count == 3) return fault(words[2]);
  if (what == "numbers") return numbers(), 0;
  return 2;
}
