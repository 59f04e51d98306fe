"use strict";
// Memories of a signal in float64: matrices, discretization, steps and reconstruction. The formulas are those of
// hippo.operators.measures; the tests compare both.

const hippo = (() => {
  // Each pair fills A (row n, column k) and B of c' = A c + B f.
  const root = n => Math.sqrt(2 * n + 1);
  const sign = n => (n % 2 ? -1 : 1);
  const pairs = {
    legs: { A: (n, k) => (n > k ? -root(n) * root(k) : n === k ? -(n + 1) : 0), B: root },
    legt: { A: (n, k) => -root(n) * root(k) * (n >= k ? 1 : sign(k - n)), B: root },
    lmu: { A: (n, k) => (2 * n + 1) * (n < k ? -1 : sign(n - k + 1)), B: n => (2 * n + 1) * sign(n) },
    lagt: { A: (n, k) => (n > k ? -1 : n === k ? -0.5 : 0), B: () => 1 },
    fout: {
      A: (n, k) => (n !== k && n >> 1 === k >> 1 ? Math.PI * (n >> 1) * Math.sign(n - k) : 0) - cosine(n) * cosine(k),
      B: n => cosine(n),
    },
  };
  const cosine = n => (n === 0 ? 1 : n % 2 ? 0 : Math.SQRT2);
  const WINDOWS = { fout: 2 }; // length of the window, or the time constant, in the unit of time of A and B; else 1

  function multiply(left, right, size) {
    const product = new Float64Array(size * size);
    for (let i = 0; i < size; i++)
      for (let k = 0; k < size; k++) {
        const factor = left[i * size + k];
        if (factor !== 0)
          for (let j = 0; j < size; j++) product[i * size + j] += factor * right[k * size + j];
      }
    return product;
  }

  // e^M by its Taylor series, after M has been halved until its norm is at most 1/2; the result is then squared again.
  function exponential(matrix, size) {
    let norm = 0;
    for (let i = 0; i < size; i++) {
      let row = 0;
      for (let j = 0; j < size; j++) row += Math.abs(matrix[i * size + j]);
      norm = Math.max(norm, row);
    }
    const halvings = Math.max(0, Math.ceil(Math.log2(norm)) + 1);
    const scaled = matrix.map(value => value / 2 ** halvings);
    let result = new Float64Array(size * size);
    for (let i = 0; i < size; i++) result[i * size + i] = 1;
    let term = result;
    for (let degree = 1; degree <= 14; degree++) {
      term = multiply(term, scaled, size).map(value => value / degree);
      result = result.map((value, i) => value + term[i]);
    }
    for (let i = 0; i < halvings; i++) result = multiply(result, result, size);
    return result;
  }

  // c <- Abar c + Bbar f, exact for an input that is constant over a step: e^[[A, B], [0, 0]] = [[Abar, Bbar], [0, 1]].
  function zeroOrderHold(measure, order, theta) {
    const { A, B } = pairs[measure];
    const size = order + 1;
    const step = (WINDOWS[measure] || 1) / theta;
    const block = new Float64Array(size * size);
    for (let n = 0; n < order; n++) {
      for (let k = 0; k < order; k++) block[n * size + k] = A(n, k) * step;
      block[n * size + order] = B(n) * step;
    }
    return exponential(block, size);
  }

  const held = new Map();
  function discretized(measure, order, theta) {
    const key = `${measure} ${order} ${theta}`;
    if (!held.has(key)) {
      if (held.size > 200) held.clear();
      held.set(key, zeroOrderHold(measure, order, theta));
    }
    return held.get(key);
  }

  // One bilinear step of c' = (A c + B f) / t with the step ratio dt / t, in O(N): below its diagonal, A is of rank 1.
  function scaleInvariantStep(before, after, order, stepRatio, input) {
    const half = stepRatio / 2;
    let old = 0; // sums of root(k) c_k over k < n, of the old and of the new coefficients
    let fresh = 0;
    for (let n = 0; n < order; n++) {
      const right = before[n] - half * (root(n) * old + (n + 1) * before[n]) + stepRatio * root(n) * input;
      after[n] = (right - half * root(n) * fresh) / (1 + half * (n + 1));
      old += root(n) * before[n];
      fresh += root(n) * after[n];
    }
  }

  // Coefficients after 0, 1, ..., length samples: a list of arrays (order,).
  function record(memory, order, theta, signal) {
    const states = [new Float64Array(order)];
    const size = order + 1;
    const matrix = memory.scaleInvariant ? null : discretized(memory.measure, order, theta);
    for (let i = 0; i < signal.length; i++) {
      const before = states[i];
      const after = new Float64Array(order);
      if (memory.scaleInvariant) {
        if (i === 0) after[0] = signal[0];
        else scaleInvariantStep(before, after, order, 1 / i, signal[i]);
      } else
        for (let n = 0; n < order; n++) {
          let sum = matrix[n * size + order] * signal[i];
          for (let k = 0; k < order; k++) sum += matrix[n * size + k] * before[k];
          after[n] = sum;
        }
      states.push(after);
    }
    return states;
  }

  function legendre(coefficients, x, weight) {
    let previous = 0;
    let current = 1;
    let sum = 0;
    for (let n = 0; n < coefficients.length; n++) {
      sum += coefficients[n] * weight(n) * current;
      [previous, current] = [current, ((2 * n + 1) * x * current - n * previous) / (n + 1)];
    }
    return sum;
  }

  function laguerre(coefficients, age) {
    let previous = 0;
    let current = Math.exp(-age / 2);
    let sum = 0;
    for (let n = 0; n < coefficients.length; n++) {
      sum += coefficients[n] * current;
      [previous, current] = [current, ((2 * n + 1 - age) * current - n * previous) / (n + 1)];
    }
    return sum;
  }

  function fourier(coefficients, age) {
    let sum = coefficients[0];
    for (let n = 2; n < coefficients.length; n++) {
      const angle = 2 * Math.PI * (n >> 1) * age;
      sum += coefficients[n] * Math.SQRT2 * (n % 2 ? Math.sin(angle) : Math.cos(angle));
    }
    return sum;
  }

  // The signal that coefficients represent `age` samples before now.
  function recall(memory, theta, coefficients, samples, age) {
    const relative = age / (memory.scaleInvariant ? samples : theta);
    if (memory.measure === "lagt") return laguerre(coefficients, relative);
    if (memory.measure === "fout") return fourier(coefficients, relative);
    if (memory.measure === "lmu") return legendre(coefficients, 2 * relative - 1, () => 1);
    const past = memory.measure === "legs" && !memory.scaleInvariant ? -Math.expm1(-relative) : relative;
    return legendre(coefficients, 1 - 2 * past, root);
  }

  return { record, recall };
})();
