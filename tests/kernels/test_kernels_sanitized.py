"""The kernels' tests once more, with addresses and undefined behavior checked: `pytest -m slow -k sanitized`.

Every instruction set has the policy `amx` there, on emulated tile registers.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
import pytest

ROOT = Path(__file__).parents[2]
CMAKE = shutil.which("cmake", path=Path(sys.executable).parent) or "cmake"  # that of this environment
TESTS = [
    "tests/kernels/test_kernels.py",
    "tests/kernels/test_kernels_isa.py",
    "tests/kernels/test_kernels_arguments.py",
    "tests/kernels/test_weight_gradient.py",
    "tests/nn/test_fused.py",
    "tests/nn/ssm/test_compiled.py",
    "tests/nn/ssm/test_compiled_step.py",
    "tests/nn/ssm/test_step_gradient.py",
    "tests/baselines/test_flows.py",
    "tests/memory/test_long_streams.py",
]

RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("hippo._kernels", sys.argv[1])
sys.modules["hippo._kernels"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from hippo.kernels import backend
assert backend().compiled is module, backend().reason  # else the tests would be skipped
import pytest
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-k", "not long_float32", *sys.argv[2:]]))
"""


def library(name):
    """The path of a library of the compiler, or its name if the compiler has none."""
    return subprocess.run(["c++", f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_kernels_under_sanitizers(tmp_path):
    # The interpreter is built without the sanitizer, so its runtime is loaded first. It looks for the function that
    # throws exceptions when it starts, so the C++ library is loaded with it.
    runtime, standard = library("libasan.so"), library("libstdc++.so")
    if not Path(runtime).is_absolute():
        pytest.skip("the compiler has no address sanitizer here")
    configure = [CMAKE, "-S", ROOT, "-B", tmp_path, "-DHIPPO_SANITIZE=ON", "-DHIPPO_EMULATE_AMX=ON"]
    configure += [f"-DPython_EXECUTABLE={sys.executable}", f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"]
    subprocess.run(configure, check=True)
    subprocess.run([CMAKE, "--build", tmp_path], check=True)
    module = next(tmp_path.glob("_kernels*.so"))
    log = tmp_path / "report"  # pytest captures the output, and a report ends the process
    options = {
        "LD_PRELOAD": f"{runtime} {standard}",
        "ASAN_OPTIONS": f"detect_leaks=0:log_path={log}",  # leaks of the interpreter do not count
        "UBSAN_OPTIONS": f"print_stacktrace=1:log_path={log}",
    }
    command = [sys.executable, "-c", RUN, str(module), *TESTS]
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, **options}, capture_output=True, text=True)
    reports = "".join(path.read_text()[:3000] for path in tmp_path.glob("report*"))
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:] + reports
