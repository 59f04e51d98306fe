"use strict";
// The page: its state, what the reader changes, and the plots that follow.

const find = selector => document.querySelector(selector);
const data = JSON.parse(find("#data").textContent);
const memories = data.memories;
const canvas = find("#signal");
const state = {
  signal: Float64Array.from(data.signals[data.first]),
  read: 0, // samples that the memories have read
  order: 0,
  window: 0,
  chosen: memories[0].key,
};
state.read = state.signal.length;
const cards = new Map(memories.map(memory => [memory.key, find(`[data-memory=${memory.key}]`)]));
const histories = new Map(); // coefficients after every sample, by memory

function remember() {
  for (const memory of memories)
    histories.set(memory.key, hippo.record(memory, state.order, state.window, state.signal));
}

// The past that a memory is made for, in samples.
function spanOf(memory) {
  return memory.scaleInvariant ? state.read : Math.min(state.window, state.read);
}

// What a memory recalls of the samples that it has read. A window memory knows nothing that is older than its window.
function recall(memory) {
  const fades = memory.key === "s4_legs" || memory.key === "lagt";
  const count = fades ? state.read : spanOf(memory);
  const coefficients = histories.get(memory.key)[state.read];
  return Float64Array.from({ length: count }, (_, i) =>
    hippo.recall(memory, state.window, coefficients, state.read, count - i - 0.5),
  );
}

// Root mean squared error over the root mean square of the signal, in the past that the memory is made for.
function relativeError(memory, recalled) {
  const span = spanOf(memory);
  let error = 0;
  let norm = 0;
  for (let i = 1; i <= span; i++) {
    const value = state.signal[state.read - i];
    error += (recalled[recalled.length - i] - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(error / norm);
}

function percent(error) {
  if (!Number.isFinite(error)) return "";
  if (error > 1) return "error over 100 %";
  return `error ${(100 * error).toPrecision(error < 0.0995 ? 1 : 2)} %`;
}

function render() {
  document.documentElement.style.setProperty("--chosen", `var(--${state.chosen})`);
  for (const memory of memories) {
    const card = cards.get(memory.key);
    const recalled = recall(memory);
    const error = relativeError(memory, recalled);
    const span = spanOf(memory);
    const picture = { signal: state.signal, read: state.read, recalled, span, name: memory.key };
    card.style.setProperty("--own", `var(--${memory.key})`);
    card.dataset.error = error;
    card.querySelector(".error").textContent = percent(error);
    card.setAttribute("aria-pressed", memory.key === state.chosen);
    plots.curve(card.querySelector(".curve"), picture);
    plots.bars(card.querySelector(".numbers"), histories.get(memory.key)[state.read], memory.key);
    if (memory.key === state.chosen) {
      plots.curve(canvas, { ...picture, bold: true });
      find("#name").textContent = memory.label;
      find("#code").textContent = pythonCode(memory);
    }
  }
  for (const element of document.querySelectorAll(".order")) element.textContent = state.order;
  for (const name of ["now", "order", "window"]) find(`#${name}-value`).textContent = find(`#${name}`).value;
}

function pythonCode(memory) {
  const theta = memory.scaleInvariant ? "" : `, theta=${state.window}`;
  const dynamics = memory.key === "s4_legs" ? `, dynamics="time-invariant"` : "";
  const points = spanOf(memory);
  return [
    "from hippo import OnlineMemory, reconstruct",
    "",
    `memory = OnlineMemory("${memory.measure}", order=${state.order}${theta}${dynamics})`,
    "for sample in signal:",
    "    memory.update(sample)",
    "past = reconstruct(",
    `    memory.coefficients, "${memory.measure}", points=${points}${dynamics}`,
    ")",
  ].join("\n");
}

// Render in the next frame, once for all changes until then; compute the coefficients again if a change concerns them.
let waiting = false;
let stale = false;
function update({ coefficients = true } = {}) {
  stale = stale || coefficients;
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    if (stale) remember();
    waiting = stale = false;
    render();
  });
}

function readSliders() {
  state.order = Number(find("#order").value);
  state.window = Number(find("#window").value);
  state.read = Number(find("#now").value);
}

function setRead(samples) {
  state.read = Math.max(1, Math.min(state.signal.length, Math.round(samples)));
  find("#now").value = state.read;
  update({ coefficients: false });
}

function loadSignal(name) {
  state.signal = name ? Float64Array.from(data.signals[name]) : new Float64Array(state.signal.length);
  markSignal(name);
  update();
}

function markSignal(name) {
  for (const button of document.querySelectorAll("[data-signal]"))
    button.setAttribute("aria-pressed", name !== null && button.dataset.signal === name);
}

// The pointer sets the samples from its last position to the present one.
let last = null;
function trace(event) {
  const box = canvas.getBoundingClientRect();
  const length = state.signal.length;
  const i = Math.max(0, Math.min(length - 1, Math.floor(((event.clientX - box.left) / box.width) * length)));
  const height = (0.5 - (event.clientY - box.top) / box.height) * 2 * plots.HIGHEST;
  const value = Math.max(-1, Math.min(1, height));
  const from = last || { i, value };
  const steps = Math.abs(i - from.i) || 1;
  for (let k = 0; k <= steps; k++)
    state.signal[from.i + Math.sign(i - from.i) * k] = from.value + ((value - from.value) * k) / steps;
  last = { i, value };
  update();
}

canvas.addEventListener("pointerdown", event => {
  stop();
  try {
    canvas.setPointerCapture(event.pointerId);
  } catch {
    // A pointer that a script made cannot be captured.
  }
  find("#hint").hidden = true;
  markSignal(null);
  setRead(state.signal.length);
  last = null;
  trace(event);
});
canvas.addEventListener("pointermove", event => {
  if (last) for (const one of event.getCoalescedEvents?.().length ? event.getCoalescedEvents() : [event]) trace(one);
});
for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => (last = null));

let playing = null;
function stop() {
  cancelAnimationFrame(playing);
  playing = null;
  find("#play").textContent = "▶";
}

function play() {
  const begin = performance.now();
  find("#play").textContent = "❚❚";
  const frame = time => {
    const read = (Math.max(0, time - begin) / 6000) * state.signal.length;
    setRead(read);
    if (read < state.signal.length) playing = requestAnimationFrame(frame);
    else stop();
  };
  playing = requestAnimationFrame(frame);
}

find("#play").addEventListener("click", () => (playing === null ? play() : stop()));
for (const name of ["now", "order", "window"])
  find(`#${name}`).addEventListener("input", () => {
    stop();
    readSliders();
    update({ coefficients: name !== "now" });
  });
for (const button of document.querySelectorAll("[data-signal]"))
  button.addEventListener("click", () => loadSignal(button.dataset.signal));
for (const [key, card] of cards)
  card.addEventListener("click", () => {
    state.chosen = key;
    update({ coefficients: false });
  });
new ResizeObserver(() => update({ coefficients: false })).observe(canvas);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => update({ coefficients: false }));

// The largest difference between the coefficients of this page and those of the Python library, for the first signal.
function differenceFromPython() {
  let difference = 0;
  for (const memory of memories)
    data.python[memory.key].forEach((value, n) => {
      difference = Math.max(difference, Math.abs(value - histories.get(memory.key)[state.signal.length][n]));
    });
  return difference;
}

readSliders();
remember();
find("#check").textContent =
  "This page computes everything itself. Its numbers for the first signal differ from those of the Python library by " +
  `at most ${differenceFromPython().toExponential(0)}.`;
render();
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) play();
