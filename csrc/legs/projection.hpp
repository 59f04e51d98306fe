// The LegS projection of a long signal: as a wavefront, or input after input if it is short.
#pragma once
#include "legs/interface.hpp"
#include "legs/ratios.hpp"
#include "legs/snapshots.hpp"
#include "legs/step.hpp"
#include "legs/wavefront.hpp"
#include "simd/array.hpp"
#include "simd/vector.hpp"

namespace hippo {
namespace {

// Input after input: for signals too short for the wavefront's ramp.
template <typename T>
void legs_project_stepwise(const LegsProjectArguments<T>& args) {
  for (std::int64_t i = 0; i < args.length; ++i) {
    T input = args.inputs[i];
    const T step_ratio = args.step_ratios ? args.step_ratios[i] : T(1 / (args.first + double(i)));
    legs_step<T>({.state = args.state,
                  .inputs = &input,
                  .step_ratios = &step_ratio,
                  .per_memory = false,
                  .batch = 1,
                  .order = args.order,
                  .alpha = args.alpha});
    snapshot_state(args, i + 1);
  }
}

template <typename T>
void legs_project_part(const LegsProjectArguments<T>& args) {
  const WavefrontShape<T> shape(args.order);
  // In a step on its own, a coefficient takes as long as three rows of a diagonal in flight. The rest is preparation.
  if (3 * args.length * (args.order + 16) < shape.ramp() * shape.depth + 512)
    legs_project_stepwise(args);
  else if (args.alpha != T(0.5) || args.step_ratios)
    Wavefront<T, RefinedRatios<T>>(args).run();
  else if (shape.same_ratios())
    Wavefront<T, TableRatios<T, T>>(args).run();
  else
    Wavefront<T, TableRatios<T, Vector<T>>>(args).run();
}

// The first input of all by itself, and the rest in parts that the integers of a float's width can count.
template <typename T>
void legs_project(const LegsProjectArguments<T>& args) {
  constexpr std::int64_t longest_part = std::int64_t(1) << 30;
  for (std::int64_t done = 0; done < args.length;) {
    LegsProjectArguments<T> part = args;
    part.inputs += done;
    if (args.step_ratios) part.step_ratios += done;
    part.first += double(done);
    part.seen += done;
    part.snapshots += snapshots_after(args, done) * args.order;
    if (part.first == 0) {
      part.length = 1;
      for (std::int64_t n = 0; n < args.order; ++n) args.state[n] = n ? 0 : args.inputs[0];
      snapshot_state(part, 1);
    } else {
      part.length = smaller(args.length - done, longest_part);
      legs_project_part(part);
    }
    done += part.length;
  }
}

}  // namespace
}  // namespace hippo
