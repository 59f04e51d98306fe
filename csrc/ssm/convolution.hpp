// Convolution of sequences with the kernels of their features, by Fourier transforms, forward and backward.
//
// Every lane is a feature, so arrays (batch, length, features) are read and written as they are. Two samples are the
// real and the imaginary part of one complex sequence: their kernel is real, so a product of transforms keeps them
// apart. Nothing between the inputs and the outputs leaves the caches of the core.
#pragma once
#include "cells/interface.hpp"
#include "ssm/activations.hpp"
#include "ssm/fourier.hpp"
#include "ssm/interface.hpp"
#include "ssm/lanes.hpp"

namespace hippo {
namespace {

template <typename T>
class SsmConvolution {
 public:
  SsmConvolution(const SsmConvolutionArguments<T>& args, const Rows& rows)
      : args_(args), rows_(rows), size_(transform_length(args.length)), roots_(size_) {}

  void forward() {
    AlignedArray<Complex<T>> kernel(size_, Fill::nothing), z(size_, Fill::nothing);
    std::int64_t block = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Place place = place_of(unit);
      if (place.block != block) transform_kernel(block = place.block, kernel.data());
      read_inputs(place, z.data());
      convolve_blocks(z.data(), kernel.data());
      write_outputs(place, z.data());
    }
  }

  void backward() {
    AlignedArray<Complex<T>> kernel(size_, Fill::nothing), grad_kernel(size_, Fill::nothing), z(size_, Fill::nothing),
        grad(size_, Fill::nothing);
    std::int64_t block = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Place place = place_of(unit);
      if (place.block != block) {
        if (block >= 0) add_grad_kernel(block, grad_kernel.data());
        transform_kernel(block = place.block, kernel.data());
        for (std::int64_t k = 0; k < size_; ++k) grad_kernel[k] = Complex<T>{};
      }
      read_inputs(place, z.data());
      read_gradient(place, grad.data());
      correlate_blocks(z.data(), grad.data(), kernel.data(), grad_kernel.data());
      write_gradient(place, grad.data());
    }
    if (block >= 0) add_grad_kernel(block, grad_kernel.data());
  }

 private:
  static constexpr int lanes = Lanes<T>::count;

  struct Place {
    std::int64_t block, sample;
  };

  // A unit of work is a block of features of a pair of samples.
  Place place_of(std::int64_t unit) const {
    const std::int64_t pairs = (args_.batch + 1) / 2;
    return {unit / pairs, 2 * (unit % pairs)};
  }
  std::int64_t width(std::int64_t block) const { return smaller(lanes, args_.features - block * lanes); }
  std::int64_t at(std::int64_t sequence, std::int64_t step, std::int64_t block) const {
    return (sequence * args_.length + step) * args_.features + block * lanes;
  }

  // -- reading and writing: the lanes beyond the last feature are zero ------------------------------------------------

  // The first pass of the transform of two samples, whose numbers get(place) returns.
  template <typename Get>
  void read(const Place& place, Complex<T>* z, const Get& get) const {
    const std::int64_t length = args_.length, stride = args_.features, first = at(place.sample, 0, place.block);
    const std::int64_t second = first + length * stride;
    const bool paired = place.sample + 1 < args_.batch;
    first_pass(z, size_, roots_.first(), [&](std::int64_t k) HIPPO_INLINE_LAMBDA -> Complex<T> {
      if (k >= length) return Complex<T>{};
      return {get(first + k * stride), paired ? get(second + k * stride) : Vector<T>{}};
    });
  }

  void read_inputs(const Place& place, Complex<T>* z) const {
    const std::int64_t count = width(place.block);
    read(place, z, [&](std::int64_t i) HIPPO_INLINE_LAMBDA { return load_lanes<T>(args_.inputs + i, count); });
  }

  void read_gradient(const Place& place, Complex<T>* z) const {
    const std::int64_t count = width(place.block);
    const auto gradient = [&](std::int64_t i)
                              HIPPO_INLINE_LAMBDA { return load_lanes<T>(args_.grad_outputs + i, count); };
    if (!args_.has_activation) return read(place, z, gradient);
    read(place, z, [&](std::int64_t i) HIPPO_INLINE_LAMBDA {
      return gradient(i) * gelu_derivative(load_lanes<T>(args_.outputs + i, count));
    });
  }

  // The last pass of the inverse transform of two samples; put(place, numbers).
  template <typename Put>
  void write(const Place& place, const Complex<T>* z, const Put& put) const {
    const std::int64_t length = args_.length, stride = args_.features, first = at(place.sample, 0, place.block);
    const std::int64_t second = first + length * stride;
    const bool paired = place.sample + 1 < args_.batch;
    last_pass(z, size_, roots_.first(), [&](std::int64_t k, Complex<T> value) HIPPO_INLINE_LAMBDA {
      if (k >= length) return;
      put(first + k * stride, value.re);
      if (paired) put(second + k * stride, value.im);
    });
  }

  void write_outputs(const Place& place, const Complex<T>* z) const {
    const std::int64_t count = width(place.block);
    write(place, z, [&](std::int64_t i, Vector<T> value) HIPPO_INLINE_LAMBDA {
      store_lanes<T>(args_.outputs + i, value, count);
      if (args_.has_activation) store_lanes<T>(args_.activated + i, gelu(value), count);
    });
  }

  void write_gradient(const Place& place, const Complex<T>* z) const {
    const std::int64_t count = width(place.block);
    write(place, z, [&](std::int64_t i, Vector<T> value) HIPPO_INLINE_LAMBDA {
      store_lanes<T>(args_.grad_inputs + i, value, count);
    });
  }

  // -- the kernel on a circle of `size_` lags: the past from lag 0 up, the future from the end down -------------------

  void transform_kernel(std::int64_t block, Complex<T>* z) const {
    const std::int64_t count = width(block);
    const T scale = T(1) / T(size_);  // of the inverse transform
    for (std::int64_t k = 0; k < size_; ++k) z[k] = Complex<T>{};
    for (std::int64_t l = 0; l < args_.length; ++l)
      z[l].re = load_lanes<T>(args_.kernel + at(0, l, block), count) * scale;
    z[0].re += load_lanes<T>(args_.skip + block * lanes, count) * scale;
    if (args_.channels == 2)
      for (std::int64_t l = 0; l + 1 < args_.length; ++l)
        z[size_ - 1 - l].re = load_lanes<T>(args_.kernel + at(1, l, block), count) * scale;
    transform(z, size_, roots_.first());
  }

  void add_grad_kernel(std::int64_t block, Complex<T>* z) const {
    const std::int64_t count = width(block);
    const T scale = T(1) / T(size_);
    T* const grad = args_.grad_kernel + at(rows_.slot * args_.channels, 0, block);
    const auto add = [&](std::int64_t place, Vector<T> value) {
      T* const to = grad + place * args_.features;
      store_lanes<T>(to, load_lanes<T>(to, count) + value * scale, count);
    };
    inverse_transform(z, size_, roots_.first());
    for (std::int64_t l = 0; l < args_.length; ++l) add(l, z[l].re);
    if (args_.channels == 2)
      for (std::int64_t l = 0; l + 1 < args_.length; ++l) add(args_.length + l, z[size_ - 1 - l].re);
  }

  // -- products of transforms: each block goes there and back while it is in the caches -------------------------------

  // After the first pass, and up to the last.
  void convolve_blocks(Complex<T>* z, const Complex<T>* kernel) const {
    const std::int64_t q = size_ / 4;
    for (int block = 0; block < 4; ++block)
      convolve(z + block * q, kernel + block * q, q, Roots<T>::next(roots_.first(), size_));
  }

  static void convolve(Complex<T>* z, const Complex<T>* kernel, std::int64_t m, const T* roots) {
    if (m <= 4) {
      transform(z, m, roots);
      for (std::int64_t k = 0; k < m; ++k) z[k] = times(z[k], kernel[k]);
      return inverse_transform(z, m, roots);
    }
    pass(z, m, roots);
    for (int block = 0; block < 4; ++block)
      convolve(z + block * (m / 4), kernel + block * (m / 4), m / 4, Roots<T>::next(roots, m));
    inverse_pass(z, m, roots);
  }

  void correlate_blocks(Complex<T>* z, Complex<T>* grad, const Complex<T>* kernel, Complex<T>* grad_kernel) const {
    const std::int64_t q = size_ / 4;
    for (int block = 0; block < 4; ++block)
      correlate(z + block * q, grad + block * q, kernel + block * q, grad_kernel + block * q, q,
                Roots<T>::next(roots_.first(), size_));
  }

  static void correlate(Complex<T>* z, Complex<T>* grad, const Complex<T>* kernel, Complex<T>* grad_kernel,
                        std::int64_t m, const T* roots) {
    if (m <= 4) {
      transform(z, m, roots);
      transform(grad, m, roots);
      for (std::int64_t k = 0; k < m; ++k) {
        grad_kernel[k] = grad_kernel[k] + times_conjugate(grad[k], z[k]);
        grad[k] = times_conjugate(grad[k], kernel[k]);
      }
      return inverse_transform(grad, m, roots);
    }
    pass(z, m, roots);
    pass(grad, m, roots);
    for (int block = 0; block < 4; ++block) {
      const std::int64_t begin = block * (m / 4);
      correlate(z + begin, grad + begin, kernel + begin, grad_kernel + begin, m / 4, Roots<T>::next(roots, m));
    }
    inverse_pass(grad, m, roots);
  }

  const SsmConvolutionArguments<T>& args_;
  const Rows& rows_;
  const std::int64_t size_;
  const Roots<T> roots_;
};

template <typename T>
void ssm_convolution(const SsmConvolutionArguments<T>& args, const Rows& rows) {
  SsmConvolution<T> convolution(args, rows);
  args.grad_outputs ? convolution.backward() : convolution.forward();
}

}  // namespace
}  // namespace hippo
