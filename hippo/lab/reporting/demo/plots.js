"use strict";
// Plots on canvases: a signal, what a memory recalls of it, and the coefficients as bars.

const plots = (() => {
  const HIGHEST = 1.15; // of the signal axis; signals are between -1 and 1

  function color(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  }

  // A cleared context whose unit is a CSS pixel, with the size of the canvas.
  function prepare(canvas) {
    const { clientWidth: width, clientHeight: height } = canvas;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    context.lineJoin = context.lineCap = "round";
    return { context, width, height };
  }

  function line(context, count, x, y, style, thickness) {
    context.beginPath();
    for (let i = 0; i < count; i++) context.lineTo(x(i), y(i));
    context.strokeStyle = style;
    context.lineWidth = thickness;
    context.stroke();
  }

  // The signal, and over it the recalled samples `recalled`, which end with the newest one that was read.
  function curve(canvas, { signal, read, recalled, span, name, bold }) {
    const { context, width, height } = prepare(canvas);
    const x = i => ((i + 0.5) / signal.length) * width;
    const y = value => height * (0.5 - value / (2 * HIGHEST));
    const now = (read / signal.length) * width;
    const start = (Math.max(0, read - span) / signal.length) * width;
    context.globalAlpha = Number(color("band"));
    context.fillStyle = color(name);
    context.fillRect(start, 0, now - start, height);
    context.globalAlpha = 1;
    context.fillStyle = color("line");
    context.fillRect(0, height / 2, width, 1);
    const gray = bold ? 5 : 3.5;
    line(context, signal.length - read, i => x(i + read), i => y(signal[i + read]), color("future"), gray);
    line(context, read, x, i => y(signal[i]), color("signal"), gray);
    // Beyond the span the line is thin: the memory is not made for that past.
    const older = Math.max(0, recalled.length - span);
    const first = read - recalled.length;
    const clipped = i => y(Math.max(-4, Math.min(4, recalled[i])));
    context.globalAlpha = 0.4;
    line(context, Math.min(older + 1, recalled.length), i => x(first + i), clipped, color(name), 1);
    context.globalAlpha = 1;
    const newer = recalled.length - older;
    line(context, newer, i => x(first + older + i), i => clipped(older + i), color(name), bold ? 2.4 : 1.7);
    if (bold || read < signal.length) {
      context.fillStyle = color("ink");
      context.fillRect(Math.min(now, width - 2), 0, bold ? 2 : 1, height);
    }
    if (bold) label(context, "now", now, width);
  }

  function label(context, text, x, width) {
    context.font = "600 12px system-ui, sans-serif";
    const right = x > width / 2;
    context.textAlign = right ? "right" : "left";
    context.fillText(text, x + (right ? -6 : 6), 16);
  }

  // Coefficients as bars, on an axis that is linear near 0 and compresses large ones.
  function bars(canvas, coefficients, name) {
    const { context, width, height } = prepare(canvas);
    const compressed = Array.from(coefficients, value => Math.asinh(value * 5));
    const highest = Math.max(1, ...compressed.map(Math.abs));
    const step = width / coefficients.length;
    context.fillStyle = color("line");
    context.fillRect(0, height / 2, width, 1);
    context.fillStyle = color(name);
    compressed.forEach((value, n) => {
      const size = (value / highest) * (height / 2);
      const gap = Math.min(2, step / 4);
      const thickness = Math.min(step - gap, 18);
      context.fillRect((n + 0.5) * step - thickness / 2, height / 2 - Math.max(size, 0), thickness, Math.abs(size));
    });
  }

  return { curve, bars, HIGHEST };
})();
