"""The choice of kernels, and the reference implementation where the compiled module does not serve."""

import os
import shutil
import subprocess
import sys
import threading
import time
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np
import pytest
import torch

from hippo import OnlineMemory, kernels

needs_compiled = pytest.mark.skipif(kernels.backend().compiled is None, reason="no compiled kernels here")


def run(code, **environment):
    """Run `code` in a fresh interpreter that raises on nothing but counts its warnings on stderr."""
    settings = {**os.environ, "PYTHONWARNINGS": "always", **environment}
    return subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True)


PROJECT = """
import numpy as np
from hippo import OnlineMemory, kernels
memory = OnlineMemory("legs", 5).update(np.arange(20.0))
memory.update(np.arange(3.0)); kernels.legs_step(np.ones((2, 3)), np.ones(2), 0.5)
kernels.legs_step_adjoint(np.ones((2, 3)), 0.5)
print(kernels.backend().name, *memory.coefficients)
"""
EXPECTED = OnlineMemory("legs", 5).update(np.arange(20.0)).update(np.arange(3.0)).coefficients


def coefficients(result):
    assert result.returncode == 0, result.stderr
    name, *values = result.stdout.split()
    return name, np.array(values, dtype=float)


@pytest.mark.parametrize("name", kernels.runnable())
def test_one_backend_can_be_forced(name):
    forced, values = coefficients(run(PROJECT, HIPPO_KERNELS=name))
    assert forced == name
    np.testing.assert_allclose(values, EXPECTED, rtol=1e-12)


BROKEN = {
    "absent": ("import sys; sys.modules['hippo._kernels'] = None", "hippo._kernels"),
    "built for another machine": (
        "import importlib.abc, sys\n"
        "class Broken(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'hippo._kernels': raise ImportError('wrong ELF class: ELFCLASS32')\n"
        "sys.meta_path.insert(0, Broken())",
        "wrong ELF class: ELFCLASS32",
    ),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_module_that_does_not_load_is_replaced_with_one_warning(how):
    preparation, cause = BROKEN[how]
    result = run(f"{preparation}\n{PROJECT}", HIPPO_KERNELS="")
    name, values = coefficients(result)
    assert name == "torch"
    assert result.stderr.count("RuntimeWarning") == 1 and cause in result.stderr
    assert "Reinstall with a C++ compiler" in result.stderr
    np.testing.assert_allclose(values, EXPECTED, rtol=1e-12)


def test_a_truncated_file_is_named(tmp_path):
    suffix = EXTENSION_SUFFIXES[0]
    (tmp_path / f"_kernels{suffix}").write_bytes(b"\x7fELF and then nothing")
    code = f"import hippo; hippo.__path__.insert(0, {str(tmp_path)!r}); import sys\n"
    # An editable install finds its modules by a finder of its own, which must step aside for the broken file.
    code += "sys.meta_path = [f for f in sys.meta_path if 'Redirecting' not in type(f).__name__]\n"
    result = run(code + PROJECT, HIPPO_KERNELS="")
    assert coefficients(result)[0] == "torch"
    assert result.stderr.count("RuntimeWarning") == 1 and f"_kernels{suffix}" in result.stderr


def test_unknown_or_impossible_backends_are_errors():
    result = run(PROJECT, HIPPO_KERNELS="avx1024")
    assert result.returncode == 1 and "HIPPO_KERNELS=avx1024: expected one of torch, numpy, baseline" in result.stderr
    result = run(PROJECT, HIPPO_KERNELS="torch+amx")
    assert result.returncode == 1 and "HIPPO_KERNELS=torch+amx: the torch kernels have no policy" in result.stderr
    result = run(PROJECT, HIPPO_KERNELS="numpy+emulated")
    assert result.returncode == 1 and "HIPPO_KERNELS=numpy+emulated: the numpy kernels have no policy" in result.stderr


ABSENT = "import sys; sys.modules['torch'] = None\n"


def test_numpy_serves_without_torch_and_compiled_module():
    result = run(f"{ABSENT}sys.modules['hippo._kernels'] = None\n{PROJECT}", HIPPO_KERNELS="")
    name, values = coefficients(result)
    assert name == "numpy" and result.stderr.count("the NumPy reference implementation serves instead") == 1
    np.testing.assert_allclose(values, EXPECTED, rtol=1e-12)
    shown = run(f"{ABSENT}from hippo import kernels; print(*kernels.runnable())")
    assert shown.stdout.split()[0] == "numpy" and "torch" not in shown.stdout


def test_numpy_can_be_forced_and_torch_cannot_where_it_is_not_installed():
    forced, values = coefficients(run(PROJECT, HIPPO_KERNELS="numpy"))
    assert forced == "numpy"
    np.testing.assert_allclose(values, EXPECTED, rtol=1e-12)
    result = run(ABSENT + PROJECT, HIPPO_KERNELS="torch")
    message = "HIPPO_KERNELS=torch: needs torch: pip install 'hippo-lab[nn]', or take HIPPO_KERNELS=numpy"
    assert result.returncode == 1 and message in result.stderr


@needs_compiled
@pytest.mark.parametrize("name", ["baseline+amx", "avx512+amx", "avx512+tensor_cores"])
def test_a_policy_without_its_unit_is_refused_by_name(name):
    if name in kernels.runnable():
        pytest.skip(f"{name} runs here")
    result = run(PROJECT, HIPPO_KERNELS=name)
    assert result.returncode == 1
    assert f"HIPPO_KERNELS={name}: this processor and build run only torch, baseline" in result.stderr


def shown(**environment):
    command = [sys.executable, "-m", "hippo.kernels"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True)


def test_the_command_line_says_which_and_why():
    result = shown(HIPPO_KERNELS="torch+emulated")
    lines = dict(line.split(maxsplit=2)[::2] for line in result.stdout.splitlines() if line.startswith("kernels"))
    assert not result.stderr
    assert "torch+emulated: HIPPO_KERNELS=torch+emulated selects them" in lines["kernels"]
    assert "bfloat16 products  bfloat16, emulated" in result.stdout
    others = [line for line in result.stdout.splitlines() if line.startswith("also run here")][0]
    assert others.split(maxsplit=3)[3].split(", ") == [name for name in kernels.runnable() if name != "torch+emulated"]


def test_the_command_line_reports_errors_without_a_traceback():
    result = shown(HIPPO_KERNELS="avx1024")
    assert result.returncode == 1 and result.stderr.startswith("HIPPO_KERNELS=avx1024: expected one of")


@needs_compiled
@pytest.mark.parametrize(
    ("supported", "expected"),
    [
        (["baseline", "baseline+emulated", "avx2", "avx2+emulated"], "avx2"),
        (["baseline", "avx512", "avx512+emulated"], "avx512"),
        (["baseline", "avx512", "avx512+emulated", "avx512+bf16"], "avx512+bf16"),
        (["baseline", "avx512", "avx512+emulated", "avx512+bf16", "avx512+amx"], "avx512+amx"),
    ],
)
def test_the_fastest_kernels_are_chosen_by_the_units_of_the_processor(supported, expected):
    """Emulation is no unit, and serves only if it is asked for."""
    code = f"""
import hippo._kernels as module
module.supported = lambda: {supported!r}
module.choose = lambda name: print("chosen", name)
from hippo import kernels
print(kernels.backend().name, kernels.product_precision("bfloat16"))
"""
    precision = "bfloat16" if "+" in expected else "float32"
    assert run(code, HIPPO_KERNELS="").stdout == f"chosen {expected}\n{expected} {precision}\n"


@needs_compiled
def test_other_kernels_can_be_used_inside_a_block():
    before = kernels.backend()
    environment = os.environ.get("HIPPO_KERNELS")
    with kernels.use("baseline+emulated") as chosen:
        assert kernels.backend() is chosen
        assert (chosen.name, chosen.instruction_set, chosen.policy) == ("baseline+emulated", "baseline", "emulated")
    with pytest.raises(ValueError, match="expected one of"):
        with kernels.use("avx1024"):
            pass
    assert kernels.backend() == before and os.environ.get("HIPPO_KERNELS") == environment


@pytest.mark.parametrize("name", kernels.runnable())
def test_bfloat16_products_need_a_policy_on_a_cpu(name):
    with kernels.use(name) as chosen:
        assert kernels.product_precision("float32") == "float32"
        assert kernels.product_precision("bfloat16", torch.device("cuda", 0)) == "bfloat16"
        if name != "torch":  # where PyTorch decides by the processor
            expected = "bfloat16" if chosen.policy else "float32"
            assert kernels.product_precision("bfloat16") == kernels.product_precision("auto") == expected


@needs_compiled
def test_a_module_of_another_interface_is_not_used():
    code = f"import hippo._kernels as module; module.interface = 'another'\n{PROJECT}"
    result = run(code, HIPPO_KERNELS="")
    assert coefficients(result)[0] == "torch"
    assert result.stderr.count("RuntimeWarning") == 1 and "built from another version" in result.stderr


@needs_compiled
def test_the_interface_version_follows_the_files_that_define_it(tmp_path):
    """In a copy of the package beside changed C++ files, the module is recognized as out of date."""
    root = Path(kernels.__file__).parents[2]
    if not (root / "csrc").is_dir():
        pytest.skip("an installed package has no C++ files")
    package = tmp_path / "hippo" / "kernels"
    package.mkdir(parents=True)
    shutil.copytree(root / "csrc", tmp_path / "csrc")
    shutil.copy(root / "hippo" / "kernels" / "backend.py", package)
    code = f"import sys; sys.path.insert(0, {str(package)!r}); import backend; print(backend.interface_version())"

    def version():
        return run(code).stdout.strip()

    import hippo._kernels as module

    assert version() == module.interface
    (tmp_path / "csrc" / "peak.hpp").write_text("// an implementation, no interface\n")
    assert version() == module.interface
    for path in ("interface.hpp", "cells/interface.hpp", "legs/interface.hpp", "bindings.cpp"):
        before = version()
        (tmp_path / "csrc" / path).write_text((tmp_path / "csrc" / path).read_text() + "// changed\n")
        assert len(version()) == 64 and version() != before
    shutil.rmtree(tmp_path / "csrc")
    assert version() == "None"
    (package / "interface.txt").write_text("packaged\n")
    assert version() == "packaged"


@needs_compiled
def test_numpy_users_never_import_torch():
    code = "import sys, numpy as np; from hippo import project; project(np.ones(9), 4); print('torch' in sys.modules)"
    assert run(code, HIPPO_KERNELS="").stdout == "False\n"


def long_calls():
    """Calls of the compiled module itself, each of some milliseconds or more."""
    compiled, none = kernels.backend().compiled, np.empty(0)
    state, wide, inputs = np.zeros((1, 512)), np.zeros((20_000, 256)), np.zeros((1, 300_000))
    column, step, many = np.zeros(len(wide)), np.full(1, 0.1), np.zeros(20_000_000, dtype=np.float32)
    return {
        "legs_project": lambda: compiled.legs_project(state, inputs, none, 1, 0.5, 0, 0, none, 1),
        "legs_step": lambda: compiled.legs_step(wide, column, step, 0.5),
        "legs_step_adjoint": lambda: compiled.legs_step_adjoint(wide, column, step, 0.5),
        "first_nonfinite": lambda: compiled.first_nonfinite(many),
        "textbook_legs_project": lambda: compiled.textbook_legs_project(state, inputs[:, :20_000], 1),
        "peak_fma_float64": lambda: compiled.peak_fma_float64(5_000_000),
    }


@needs_compiled
@pytest.mark.parametrize(
    "name",
    ["legs_project", "legs_step", "legs_step_adjoint", "first_nonfinite", "textbook_legs_project", "peak_fma_float64"],
)
def test_kernels_release_the_interpreter(name):
    """Another thread counts during the call; threads switch by themselves only where one of them lets go."""
    call, count, counted = long_calls()[name], 0, 0
    ready, done = threading.Event(), threading.Event()

    def counting():
        nonlocal count
        while not done.is_set():
            count += 1
            ready.set()
            time.sleep(0)

    thread, before = threading.Thread(target=counting), sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread.start()
        ready.wait()
        at_first = count
        for _ in range(100):  # a busy machine may leave the other thread waiting for a core
            call()
            if counted := count - at_first:
                break
    finally:
        done.set()
        sys.setswitchinterval(before)
        thread.join()
    assert counted


BAD_STATES = [
    (np.ones((2, 3), dtype=np.int64), TypeError, "float32 or float64, got int64"),
    (np.ones((2, 3), dtype=">f8"), TypeError, "float32 or float64, got >f8"),
    (np.ones(3), ValueError, r"2 dimensions, got shape \(3,\)"),
    (np.ones((3, 2)).T, ValueError, "not C-contiguous"),
    (np.broadcast_to(np.ones(3), (2, 3)), ValueError, "updated in place"),
    ([[1.0, 2.0, 3.0]] * 2, TypeError, "numpy array or a torch tensor, got list"),
]


@pytest.mark.parametrize(("state", "error", "message"), BAD_STATES, ids=lambda v: str(v)[:20])
def test_states_that_cannot_be_updated_are_refused(state, error, message):
    with pytest.raises(error, match=message):
        kernels.legs_step(state, np.ones(2), 0.5)
    with pytest.raises(error, match=message):
        kernels.legs_step_adjoint(state, 0.5)
    with pytest.raises(error, match=message):
        kernels.legs_project(state, np.ones((2, 5)))


def test_arguments_that_do_not_fit_are_refused():
    state = np.ones((2, 3))
    state_before = state.copy()
    for inputs in (np.ones(3), np.ones((2, 1)), np.ones(())):
        with pytest.raises(ValueError, match=r"inputs must have shape \(2,\)"):
            kernels.legs_step(state, inputs, 0.5)
    for step_ratio in (np.ones(3), np.ones((2, 1))):
        with pytest.raises(ValueError, match="step_ratio must be a number or have shape"):
            kernels.legs_step(state, np.ones(2), step_ratio)
    for step_ratio in (-0.5, np.nan, np.inf, np.array([0.5, np.nan])):
        with pytest.raises(ValueError, match=r"numbers from 0 to 1e\+30"):
            kernels.legs_step(state, np.ones(2), step_ratio)
    with pytest.raises(ValueError, match=r"inputs must have shape \(2, 5\), got \(3, 5\)"):
        kernels.legs_project(state, np.ones((3, 5)))
    with pytest.raises(ValueError, match="step_ratios must have shape"):
        kernels.legs_project(state, np.ones((2, 5)), 1, step_ratios=np.ones(4))
    with pytest.raises(ValueError, match="not negative"):
        kernels.legs_project(state, np.ones((2, 5)), -1)
    np.testing.assert_array_equal(state, state_before)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, np.nan, np.inf, None, "0.5"])
def test_weights_outside_the_family_are_refused(alpha):
    state = np.ones((2, 3))
    for call in (
        lambda: kernels.legs_step(state, np.ones(2), 0.5, alpha),
        lambda: kernels.legs_step_adjoint(state, 0.5, alpha),
        lambda: kernels.legs_project(state, np.ones((2, 4)), 1, alpha=alpha),
    ):
        with pytest.raises(ValueError, match="alpha must be a number between 0 and 1"):
            call()
    np.testing.assert_array_equal(state, np.ones((2, 3)))


def test_lists_are_served_and_numbers_alone_refused():
    state, expected = np.ones((1, 3)), np.ones((1, 3))
    kernels.legs_project(state, [[1, 2]], 1, step_ratios=[0.5, 0.25])
    kernels.legs_project(expected, np.array([[1.0, 2.0]]), 1, step_ratios=np.array([[0.5, 0.25]]))
    np.testing.assert_array_equal(state, expected)
    for inputs in (1.0, np.ones(()), np.ones(4), [1.0], torch.ones(())):
        with pytest.raises(ValueError, match="inputs must have 2 dimensions, got shape"):
            kernels.legs_project(state, inputs)
    for inputs in ([["a", "b"]], np.ones((1, 2), dtype=complex), None):
        with pytest.raises((TypeError, ValueError), match="inputs must"):
            kernels.legs_project(state, inputs)
    with pytest.raises(ValueError, match="step_ratios must have shape"):
        kernels.legs_project(state, [[1, 2]], 1, step_ratios=0.5)
    with pytest.raises(TypeError, match="step_ratio must hold real numbers"):
        kernels.legs_step(state, [1.0], "half")
    np.testing.assert_array_equal(state, expected)


def test_gradients_are_refused_where_they_would_be_lost():
    plain, learned = torch.ones(2, 3), torch.ones(2, 3, requires_grad=True)
    for call in (
        lambda state: kernels.legs_step(state, torch.ones(2), 0.5),
        lambda state: kernels.legs_step_adjoint(state, 0.5),
        lambda state: kernels.legs_project(state, torch.ones(2, 4)),
        lambda inputs: kernels.legs_project(plain.clone(), inputs),
        lambda inputs: kernels.legs_step(plain.clone(), inputs[:, 0], 0.5),
    ):
        with pytest.raises(ValueError, match=r"requires a gradient.*detach\(\)"):
            call(learned)
        assert torch.equal(learned, torch.ones(2, 3))
        with torch.no_grad():
            call(learned.clone())


def test_empty_shapes_and_read_only_inputs_are_served():
    inputs = np.ones(2)
    inputs.flags.writeable = False
    kernels.legs_step(np.ones((2, 3)), inputs, 0.5)
    kernels.legs_step(np.ones((0, 3)), np.ones(0), 0.5)
    kernels.legs_step(np.ones((2, 0)), inputs, 0.5)
    for dtype in (np.float32, np.float64):
        for shape in ((2, 0), (0, 5), (0, 0)):
            state = np.ones((shape[0], 3), dtype=dtype)
            rows = kernels.legs_project(state, np.ones(shape), step_ratios=np.ones(shape), stride=2)
            assert rows.shape == (shape[0], shape[1] // 2, 3)
    assert kernels.legs_step_adjoint(np.ones((0, 3)), 0.5).shape == (0,)
