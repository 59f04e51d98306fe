// Convolution of long sequences with the kernels of their features, by fast Fourier transforms, forward and backward.
//
// Every lane is a feature, so arrays (batch, length, features) are read and written as they are. The even and the odd
// steps of a sequence are the real and the imaginary part of one complex sequence z of half the length:
//   y_e = k_e * u_e + S (k_o * u_o),  y_o = k_o * u_e + k_e * u_o,   z = u_e + i u_o,
// with k_e, k_o the even and odd lags of the kernel on a circle, and S a shift by one. For their transforms, with
// d = exp(-2 pi i f / size) at frequency f and Z* the conjugate of Z at -f,
//   Y = alpha Z + beta Z*,   alpha = K_e + i/2 (1 - d) K_o,   beta = i/2 (1 + d) K_o.
// Nothing between the inputs and the outputs of a sequence leaves the caches of the core.
#pragma once
#include "cells/interface.hpp"
#include "ssm/features.hpp"
#include "ssm/fourier.hpp"
#include "ssm/interface.hpp"

namespace hippo {
namespace {

template <typename T>
class TransformConvolution {
 public:
  TransformConvolution(const SsmConvolutionArguments<T>& args, const Rows& rows)
      : args_(args), rows_(rows), size_(transform_length(args.length)), roots_(size_), frequencies_(size_) {}

  void forward() {
    AlignedArray<Complex<T>> alpha(kBlocks * size_, Fill::nothing), beta(kBlocks * size_, Fill::nothing),
        z(kBlocks * size_, Fill::nothing);
    std::int64_t line = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      const int blocks = Line<T>(sequence.line, args_.features).blocks();
      if (sequence.line != line) transform_kernels(line = sequence.line, alpha.data(), beta.data());
      sequence.inputs(writer(z.data()));
      for (int block = 0; block < blocks; ++block) {
        Complex<T>* const values = z.data() + block * size_;
        transform_values(values);
        multiply(values, alpha.data() + block * size_, beta.data() + block * size_);
        invert(values);
      }
      sequence.put_outputs(reader(z.data()));
    }
  }

  void backward() {
    AlignedArray<Complex<T>> alpha(kBlocks * size_, Fill::nothing), beta(kBlocks * size_, Fill::nothing),
        z(kBlocks * size_, Fill::nothing), grad(kBlocks * size_, Fill::nothing),
        products(kBlocks * size_, Fill::nothing), mirrored(kBlocks * size_, Fill::nothing);
    std::int64_t line = -1;
    for (std::int64_t unit = rows_.begin; unit < rows_.end; ++unit) {
      const Sequence<T> sequence(args_, unit);
      const int blocks = Line<T>(sequence.line, args_.features).blocks();
      if (sequence.line != line) {
        if (line >= 0) add_grad_kernels(line, products.data(), mirrored.data());
        transform_kernels(line = sequence.line, alpha.data(), beta.data());
        for (std::int64_t i = 0; i < kBlocks * size_; ++i) products[i] = mirrored[i] = Complex<T>{};
      }
      sequence.inputs(writer(z.data()));
      sequence.grad_outputs(writer(grad.data()));
      for (int block = 0; block < blocks; ++block) {
        const std::int64_t begin = block * size_;
        transform_values(z.data() + begin);
        transform_values(grad.data() + begin);
        correlate(z.data() + begin, grad.data() + begin, alpha.data() + begin, beta.data() + begin,
                  products.data() + begin, mirrored.data() + begin);
        invert(grad.data() + begin);
      }
      sequence.put_grad_inputs(reader(grad.data()));
    }
    if (line >= 0) add_grad_kernels(line, products.data(), mirrored.data());
  }

 private:
  // Step l of a block is part l % 2 of its number l / 2.
  auto writer(Complex<T>* z) const {
    return [=, this](std::int64_t step, int block, Vector<T> value) HIPPO_INLINE_LAMBDA {
      Complex<T>& number = z[block * size_ + step / 2];
      (step % 2 ? number.im : number.re) = value;
    };
  }
  auto reader(const Complex<T>* z) const {
    return [=, this](std::int64_t step, int block) HIPPO_INLINE_LAMBDA {
      const Complex<T>& number = z[block * size_ + step / 2];
      return step % 2 ? number.im : number.re;
    };
  }

  // Transforms a sequence, after filling it up with zeros.
  void transform_values(Complex<T>* z) const {
    if (args_.length % 2) z[args_.length / 2].im = Vector<T>{};
    for (std::int64_t k = (args_.length + 1) / 2; k < size_ / 2; ++k) z[k] = Complex<T>{};
    first_pass(z, size_, roots_.first(), [&](std::int64_t k) HIPPO_INLINE_LAMBDA { return z[k]; });
    transform_blocks(z);
  }

  void transform_blocks(Complex<T>* z) const {
    const std::int64_t quarter = size_ / 4;
    for (int block = 0; block < 4; ++block)
      transform(z + block * quarter, quarter, Roots<T>::next(roots_.first(), size_));
  }

  // The first half of the inverse transform.
  void invert(Complex<T>* z) const {
    const std::int64_t quarter = size_ / 4;
    for (int block = 0; block < 4; ++block)
      inverse_transform(z + block * quarter, quarter, Roots<T>::next(roots_.first(), size_));
    last_pass(z, size_, roots_.first(), [&](std::int64_t k, Complex<T> value) HIPPO_INLINE_LAMBDA { z[k] = value; });
  }

  // Y = alpha Z + beta Z*, in the place of Z.
  void multiply(Complex<T>* z, const Complex<T>* alpha, const Complex<T>* beta) const {
    for (std::int64_t place = 0; place < size_; ++place) {
      const std::int64_t mirror = frequencies_.mirror(place);
      if (mirror < place) continue;
      const Complex<T> here = z[place], there = z[mirror];
      z[place] = times(alpha[place], here) + times_conjugate(beta[place], there);
      if (mirror > place) z[mirror] = times(alpha[mirror], there) + times_conjugate(beta[mirror], here);
    }
  }

  // The adjoint of `multiply` in the place of `grad`, and what the gradient of the kernel is computed from.
  void correlate(const Complex<T>* z, Complex<T>* grad, const Complex<T>* alpha, const Complex<T>* beta,
                 Complex<T>* products, Complex<T>* mirrored) const {
    for (std::int64_t place = 0; place < size_; ++place) {
      const std::int64_t mirror = frequencies_.mirror(place);
      if (mirror < place) continue;
      const Complex<T> here = grad[place], there = grad[mirror];
      products[place] = products[place] + times_conjugate(here, z[place]);
      mirrored[place] = mirrored[place] + conjugate(times(there, z[place]));
      grad[place] = times_conjugate(here, alpha[place]) + times_conjugate(beta[mirror], there);
      if (mirror == place) continue;
      products[mirror] = products[mirror] + times_conjugate(there, z[mirror]);
      mirrored[mirror] = mirrored[mirror] + conjugate(times(here, z[mirror]));
      grad[mirror] = times_conjugate(there, alpha[mirror]) + times_conjugate(beta[place], here);
    }
  }

  // d at a place: exp(-2 pi i f / size).
  Complex<T> turn(std::int64_t place) const {
    const double angle = -6.283185307179586 * double(frequencies_.at(place)) / double(size_);
    return {splat(T(__builtin_cos(angle))), splat(T(__builtin_sin(angle)))};
  }

  void transform_kernels(std::int64_t line, Complex<T>* alpha, Complex<T>* beta) const {
    for (int block = 0; block < Line<T>(line, args_.features).blocks(); ++block)
      transform_kernel(KernelOfBlock<T>(args_, line, block), alpha + block * size_, beta + block * size_);
  }

  void add_grad_kernels(std::int64_t line, Complex<T>* products, Complex<T>* mirrored) const {
    for (int block = 0; block < Line<T>(line, args_.features).blocks(); ++block)
      add_grad_kernel(KernelOfBlock<T>(args_, line, block), products + block * size_, mirrored + block * size_);
  }

  // The kernel on a circle of 2 * size_ lags, the past from lag 0 up and the future from the end down.
  void transform_kernel(const KernelOfBlock<T>& kernel, Complex<T>* alpha, Complex<T>* beta) const {
    const T scale = T(1) / T(size_);  // of the inverse transform
    const auto lag = [&](std::int64_t j) -> Vector<T> {
      if (j < args_.length) return scale * kernel.past(j);
      return 2 * size_ - j < args_.length ? scale * kernel.future(2 * size_ - j) : Vector<T>{};
    };
    for (std::int64_t k = 0; k < size_; ++k) alpha[k] = Complex<T>{lag(2 * k), lag(2 * k + 1)};
    transform(alpha, size_, roots_.first());
    const T half = T(0.5);
    for (std::int64_t place = 0; place < size_; ++place) {
      const std::int64_t mirror = frequencies_.mirror(place);
      if (mirror < place) continue;
      const Complex<T> here = alpha[place], there = alpha[mirror];
      set(alpha, beta, place, here, there, half);
      if (mirror > place) set(alpha, beta, mirror, there, here, half);
    }
  }

  void set(Complex<T>* alpha, Complex<T>* beta, std::int64_t place, Complex<T> here, Complex<T> there, T half) const {
    const Complex<T> even = (here + conjugate(there)) * splat(half);
    const Complex<T> odd_i = (here - conjugate(there)) * splat(half);  // i K_o
    const Complex<T> turned = times(odd_i, turn(place));
    alpha[place] = even + (odd_i - turned) * splat(half);
    beta[place] = (odd_i + turned) * splat(half);
  }

  // With products = G conj(Z) and mirrored = conj(G at -f) conj(Z), each summed over sequences. The gradients of k_e
  // and k_o are the real and the imaginary part of the inverse transform of dK_e + i dK_o.
  void add_grad_kernel(const KernelOfBlock<T>& kernel, Complex<T>* products, Complex<T>* mirrored) const {
    const T half = T(0.5), quarter = T(0.25);
    for (std::int64_t place = 0; place < size_; ++place) {
      const std::int64_t mirror = frequencies_.mirror(place);
      if (mirror < place) continue;
      const Complex<T> even = (products[place] + conjugate(products[mirror])) * splat(half);
      // conj(U_e) G_o - conj(U_o) G_e = -i/2 (P - P*), conj(U_e) G_o + conj(U_o) G_e = i/2 (M - M*)
      const Complex<T> difference = times_i(conjugate(products[mirror]) - products[place]);
      const Complex<T> sum = times_i(mirrored[place] - conjugate(mirrored[mirror]));
      const Complex<T> odd =
          (sum + difference) * splat(quarter) + times_conjugate((sum - difference) * splat(quarter), turn(place));
      products[place] = even + times_i(odd);
      if (mirror > place) products[mirror] = conjugate(even) + times_i(conjugate(odd));
    }
    inverse_transform(products, size_, roots_.first());
    const T scale = T(1) / T(size_);
    const auto add = [&](std::int64_t j, Vector<T> value) {
      if (j < args_.length) kernel.add_past(rows_.slot, j, value * scale);
      if (2 * size_ - j < args_.length) kernel.add_future(rows_.slot, 2 * size_ - j, value * scale);
    };
    for (std::int64_t k = 0; k < size_; ++k) {
      add(2 * k, products[k].re);
      add(2 * k + 1, products[k].im);
    }
  }

  const SsmConvolutionArguments<T>& args_;
  const Rows& rows_;
  const std::int64_t size_;  // of the complex sequences: half of the circle, and not below the length
  const Roots<T> roots_;
  const Frequencies frequencies_;
};

}  // namespace
}  // namespace hippo
