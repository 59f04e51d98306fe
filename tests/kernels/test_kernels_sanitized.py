"""The kernels' tests once more, with addresses and undefined behaviour checked: `pytest -m slow -k sanitized`."""

import os
import subprocess
import sys
from pathlib import Path

import pybind11
import pytest

ROOT = Path(__file__).parents[2]
TESTS = [
    "tests/kernels/test_kernels.py",
    "tests/kernels/test_kernels_isa.py",
    "tests/kernels/test_kernels_arguments.py",
    "tests/nn/test_fused.py",
    "tests/memory/test_long_streams.py",
]

RUN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("hippo._kernels", sys.argv[1])
sys.modules["hippo._kernels"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
import pytest
sys.exit(pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-k", "not long_float32", *sys.argv[2:]]))
"""


@pytest.mark.slow
def test_kernels_under_sanitizers(tmp_path):
    runtime = subprocess.run(["c++", "-print-file-name=libasan.so"], capture_output=True, text=True).stdout.strip()
    if not Path(runtime).is_absolute():
        pytest.skip("the compiler has no address sanitizer here")
    configure = ["cmake", "-S", ROOT, "-B", tmp_path, "-DHIPPO_SANITIZE=ON", f"-DPython_EXECUTABLE={sys.executable}"]
    subprocess.run([*configure, f"-Dpybind11_DIR={pybind11.get_cmake_dir()}"], check=True)
    subprocess.run(["cmake", "--build", tmp_path], check=True)
    module = next(tmp_path.glob("_kernels*.so"))
    # The interpreter is not built with the sanitizer, so its runtime comes first, and its own leaks do not count.
    options = {"LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    command = [sys.executable, "-c", RUN, str(module), *TESTS]
    result = subprocess.run(command, cwd=ROOT, env={**os.environ, **options}, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
