"""The compiled module as it is built: what it shares between instruction sets, and what it does when resources end."""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
import pytest

from hippo import kernels

ROOT = Path(__file__).parents[2]
CMAKE = shutil.which("cmake", path=Path(sys.executable).parent) or shutil.which("cmake")  # that of this environment
needs_compiled = pytest.mark.skipif(kernels.backend().compiled is None, reason="no compiled kernels here")


def instruction_sets():
    """Name, vector width and flags of each, as CMakeLists.txt builds it."""
    calls = re.findall(r"^\s*add_instruction_set\((\w+) (\d+)(.*)\)", (ROOT / "CMakeLists.txt").read_text(), re.M)
    return [(name, width, flags.split()) for name, width, flags in calls]


def slow_but_the_first(parameters):
    """The same code is compiled for every set; what would differ are the policies of the larger ones."""
    return [parameters[0], *(pytest.param(*values, marks=pytest.mark.slow) for values in parameters[1:])]


@pytest.mark.skipif(not (shutil.which("c++") and shutil.which("nm")), reason="needs a compiler and nm")
@pytest.mark.skipif(kernels.backend().compiled is None, reason="this compiler does not build the kernels")
@pytest.mark.parametrize(
    ("name", "width", "flags"),
    slow_but_the_first(instruction_sets()),
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_instruction_sets_share_no_code(tmp_path, name, width, flags):
    """A weak symbol of one object may serve them all, on processors that do not run it; inlining only hides that."""
    built = tmp_path / "isa.o"
    definitions = [f"-I{ROOT / 'csrc'}", f"-DHIPPO_ISA={name}", f"-DHIPPO_VECTOR_BYTES={width}"]
    command = ["c++", "-std=c++20", "-O0", "-fPIC", "-Wno-psabi", *definitions, *flags]
    subprocess.run([*command, "-c", ROOT / "csrc" / "instruction_set.cpp", "-o", built], check=True)
    listed = subprocess.run(["nm", "-C", "--defined-only", built], capture_output=True, text=True, check=True).stdout
    visible = {line.split(maxsplit=2)[2] for line in listed.splitlines() if line.split()[1] in "TDBRWVu"}
    assert visible - {"DW.ref.__gxx_personality_v0"} == {f"hippo::{name}_kernels()"}


@pytest.mark.skipif(not CMAKE, reason="needs cmake")
def test_a_compiler_that_is_too_old_is_named(tmp_path):
    """One that has no __builtin_shufflevector, as GCC before 12."""
    command = [CMAKE, "-S", ROOT, "-B", tmp_path, f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]
    command += [f"-DPython_EXECUTABLE={sys.executable}", "-DCMAKE_CXX_FLAGS=-D__builtin_shufflevector=unknown_function"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    assert re.search(r"need\s+__builtin_shufflevector:\s+GCC\s+12\s+or\s+newer", result.stderr)


def run(code, **options):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, **options)


@needs_compiled
def test_memory_that_cannot_be_had_is_an_error():
    code = """
import resource, numpy as np
from hippo import kernels
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, resource.RLIM_INFINITY))
state = np.zeros((1, 300_000_000), dtype=np.float32)
try:
    kernels.legs_step(state, np.ones(1), 0.5)
except MemoryError as error:
    print(type(error).__name__, kernels.legs_step(state[:, :4].copy(), np.ones(1), 0.5))
"""
    result = run(code)
    assert result.stdout == "MemoryError None\n", result.stderr


@needs_compiled
@pytest.mark.parametrize("threads", [1, 4])
def test_memory_that_a_thread_cannot_have_is_an_error(threads):
    """A memory of two million coefficients: its arrays exist, and the kernel's copies of them exceed the limit."""
    code = f"""
import resource, numpy as np
from hippo import kernels
compiled, order, batch = kernels.backend().compiled, 2_000_000, 4

def zeros(*shape):
    return np.zeros(shape, dtype=np.float32)

numbers = dict(steps=1, batch_size=batch, input_size=1, hidden_size=1, channels=1, order=order, first_step=1,
               step_ratio_stride=0, gated=True, reads_hidden=False, bfloat16=False, backward=False, alpha=0.5)
arrays = dict(x=zeros(1, batch, 1), w_in=zeros(2, 1), w_rec=zeros(2, order), u_rec=zeros(1, 1), h=zeros(batch, 1),
              m=zeros(batch, order), z=zeros(1, batch, 2), hidden=zeros(2, batch, 1), operand=zeros(1, batch, order),
              u=zeros(1, batch, 1))
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (300 << 20), resource.RLIM_INFINITY))
try:
    compiled.legs_cell(threads={threads}, **numbers, **arrays)
except MemoryError as error:
    print(type(error).__name__)
"""
    result = run(code)
    assert result.stdout == "MemoryError\n", result.stderr


@needs_compiled
@pytest.mark.skipif(sys.platform != "linux", reason="takes stacks from threads as Linux does")
def test_rows_of_a_thread_that_cannot_be_had_are_the_callers():
    code = """
import resource, threading
import torch
from hippo.nn import build_model
torch.manual_seed(0)
model, inputs = build_model("legs", 2, 3, hidden_size=24), torch.randn(7, 20, 2)

def hidden(threads):
    torch.get_num_threads = lambda: threads
    with torch.no_grad():
        return model.backbone(inputs, sequence=True)

alone = hidden(1)
resource.setrlimit(resource.RLIMIT_AS, (1 << 40, resource.RLIM_INFINITY))
try:
    threading.Thread(target=print).start()
except RuntimeError:
    print("no threads")
print(torch.equal(hidden(3), alone))
"""
    stack, most = 1 << 42, resource.getrlimit(resource.RLIMIT_STACK)[1]
    if most != resource.RLIM_INFINITY:
        pytest.skip("stacks are limited here")
    result = run(code, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (stack, most)))
    assert result.stdout == "no threads\nTrue\n", result.stderr
