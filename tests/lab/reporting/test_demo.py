"""The page of `hippo demo`: its numbers against this library's, in a browser; what the reader changes; its command."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from hippo.cli.commands import hippo
from hippo.lab.reporting.demo.memories import MEMORIES, relative_error
from hippo.lab.reporting.demo.page import FIRST, ORDER, WINDOW, write_demo
from hippo.lab.reporting.demo.signals import example_signals
from hippo.operators import MEASURES
from hippo.operators.dynamics import SCALE_INVARIANT, TIME_INVARIANT
from tests.browser import NEEDS_BROWSER, run_page

TOLERANCE = 1e-9  # both compute in float64; matrix exponentials of order 64 differ by 1e-12
# Order, window, samples: a pair of numbers, more numbers than samples in the window, the ends of the sliders.
CASES = [(2, 32, 40), (6, 50, 200), (16, 160, 512), (64, 32, 512), (64, 512, 512)]
MEASURE_CASES = """
const results = cases.map(([order, theta, samples, signal]) => memories.map(memory => {
  const coefficients = hippo.record(memory, order, theta, signal)[samples];
  const span = memory.scaleInvariant ? samples : Math.min(theta, samples);
  const recalled = Array.from({length: span}, (_, i) =>
    hippo.recall(memory, theta, coefficients, samples, span - i - 0.5));
  return [Array.from(coefficients), recalled];
}));
parent.postMessage(JSON.stringify(results), "*");
"""
# A reader plots a line from the lower left to the upper right with the pointer, then moves the sliders.
USE = """
const seen = () => ({
  signal: Array.from(state.signal), error: Number(cards.get("legs").dataset.error),
  heading: document.querySelector("h1").textContent, code: find("#code").textContent, name: find("#name").textContent,
  check: find("#check").textContent, width: innerWidth, page: document.documentElement.scrollWidth,
  inked: [...document.querySelectorAll("canvas")].map(inked),
});
function inked(canvas) {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  return copy.getImageData(0, 0, canvas.width, canvas.height).data.some(value => value);
}
// The page renders in the next frame, before this resolves.
const frame = () => new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve)));
function point(kind, x = 0, y = 0) {
  const box = canvas.getBoundingClientRect();
  const where = { clientX: box.left + x * box.width, clientY: box.top + y * box.height, pointerId: 1 };
  canvas.dispatchEvent(new PointerEvent(kind, where));
}
function slide(name, value) {
  find("#" + name).value = value;
  find("#" + name).dispatchEvent(new Event("input"));
}
(async () => {
  const steps = [];
  await frame(); steps.push(seen());
  point("pointerdown", 0, 0.9); point("pointermove", 0.5, 0.5); point("pointermove", 0.9999, 0.1); point("pointerup");
  point("pointermove", 0.2, 0.1); await frame(); steps.push(seen());
  slide("order", 2); slide("now", 256); cards.get("lagt").click(); await frame(); steps.push(seen());
  find("[data-signal='']").click(); await frame(); steps.push(seen());
  parent.postMessage(JSON.stringify(steps), "*");
})();
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo.html"
    write_demo(out)
    return out.read_text(encoding="utf-8")


def test_every_memory_that_can_reconstruct_is_on_the_page():
    expected = {(name, TIME_INVARIANT) for name, measure in MEASURES.items() if measure.basis}
    assert {(memory.measure, memory.dynamics) for memory in MEMORIES} == expected | {("legs", SCALE_INVARIANT)}
    assert len({memory.key for memory in MEMORIES}) == len(MEMORIES)


@NEEDS_BROWSER
def test_the_page_computes_what_the_library_computes(page, tmp_path):
    rng = np.random.default_rng(0)
    signals = [rng.uniform(-1, 1, samples) for _, _, samples in CASES]
    cases = [[*case, signal.tolist()] for case, signal in zip(CASES, signals, strict=True)]
    results, console = run_page(page, f"const cases = {json.dumps(cases)};{MEASURE_CASES}", tmp_path)
    assert not console
    for (order, window, _), signal, by_memory in zip(CASES, signals, results, strict=True):
        for memory, (coefficients, recalled) in zip(MEMORIES, by_memory, strict=True):
            expected = memory.read(signal, order, window)
            np.testing.assert_allclose(coefficients, expected.coefficients, atol=TOLERANCE, rtol=0)
            np.testing.assert_allclose(recalled, memory.recall(expected), atol=TOLERANCE, rtol=0)


@NEEDS_BROWSER
@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_plots_a_signal_and_moves_the_sliders(page, width, tmp_path):
    steps, console = run_page(page, USE, tmp_path, width)
    assert not console  # a refused request or an error of a script would be written there
    first, plotted, moved, cleared = steps
    for step in steps:
        assert step["page"] <= step["width"] == width and all(step["inked"])
    signal = example_signals()[FIRST]
    np.testing.assert_array_equal(first["signal"], signal)
    memory = MEMORIES[0]
    recalled = memory.recall(memory.read(signal, ORDER, WINDOW))
    assert first["error"] == pytest.approx(relative_error(recalled, signal), abs=TOLERANCE)
    assert float(re.search(r"at most (\S+)\.$", first["check"])[1]) < TOLERANCE
    # The axis is from -1.15 to 1.15: the line is from -0.92 to 0.92.
    np.testing.assert_allclose(plotted["signal"], np.linspace(-0.92, 0.92, len(signal)), rtol=0, atol=0.01)
    assert plotted["error"] < first["error"]  # a line is within the reach of 16 polynomials
    assert moved["heading"] == "What do 2 numbers remember?" and moved["name"] == "LagT"
    assert 'OnlineMemory("lagt", order=2, theta=160)' in moved["code"]
    assert not any(cleared["signal"])


@NEEDS_BROWSER
def test_the_python_code_of_the_page_runs(page, tmp_path):
    script = """const codes = memories.map(memory => pythonCode(memory));
    parent.postMessage(JSON.stringify(codes), "*");"""
    codes, _ = run_page(page, script, tmp_path)
    for memory, code in zip(MEMORIES, codes, strict=True):
        names = {"signal": example_signals()[FIRST]}
        exec(code, names)
        expected = memory.recall(memory.read(names["signal"], ORDER, WINDOW))
        np.testing.assert_allclose(names["past"], expected, rtol=0, atol=1e-9)


def test_the_command_prints_errors_and_writes_the_page_anywhere(page, tmp_path):
    command = [sys.executable, "-m", "hippo.cli", "demo", "--no-open"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["hippo-demo.html"]
    assert (tmp_path / "hippo-demo.html").read_text(encoding="utf-8") == page
    lines = [line for line in done.stdout.splitlines() if line.endswith("%")]
    assert [line.split()[0] for line in lines] == [memory.label for memory in MEMORIES]
    errors = {line.split()[0]: float(line.split()[-2]) for line in lines}
    assert errors["LegT"] < 5 and errors["LMU"] == errors["LegT"]  # the same memory in two scalings


@pytest.mark.parametrize("display, options, opened", [(":0", [], 1), (":0", ["--no-open"], 0), ("", [], 0)])
def test_a_browser_opens_only_if_there_is_a_display(display, options, opened, tmp_path, monkeypatch):
    launched = []
    monkeypatch.setattr("click.launch", launched.append)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    out = tmp_path / "my demo.html"
    result = CliRunner().invoke(hippo, ["demo", "--out", str(out), *options])
    assert result.exit_code == 0 and launched == [out.as_uri()] * opened


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    command = [sys.executable, "-m", "hippo.cli", "demo", "--no-open", "--out", "file/demo.html"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "file/demo.html" in done.stderr and "Traceback" not in done.stderr
