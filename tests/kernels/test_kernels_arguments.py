"""Arguments of the compiled functions: what does not fit is an error, never an access outside of an array."""

import numpy as np
import pytest
import torch

from hippo import kernels
from hippo.nn import build_model

compiled = kernels.backend().compiled
pytestmark = pytest.mark.skipif(compiled is None, reason="no compiled kernels here")

STEPS, BATCH, HIDDEN = 3, 2, 4


def arguments() -> dict:
    """The forward pass of an LSTM, whose weights are zero."""

    def zeros(*shape):
        return np.zeros(shape, dtype=np.float32)

    return {
        "threads": 1,
        "steps": STEPS,
        "batch_size": BATCH,
        "hidden_size": HIDDEN,
        "bfloat16": False,
        "backward": False,
        "negligible": 0.0,
        "w_rec": zeros(4 * HIDDEN, HIDDEN),
        "h": zeros(BATCH, HIDDEN),
        "c": np.ones((BATCH, HIDDEN), dtype=np.float32),
        "z": zeros(STEPS, BATCH, 4 * HIDDEN),
        "hidden": zeros(STEPS + 1, BATCH, HIDDEN),
        "cell": zeros(STEPS + 1, BATCH, HIDDEN),
    }


def test_complete_arguments_are_computed():
    """Gates of 1/2 and a candidate of 0 halve the cell state at every step."""
    given = arguments()
    compiled.lstm(**given)
    np.testing.assert_allclose(given["c"], 0.5**STEPS, rtol=4 * STEPS * 2.0**-24)  # four roundings at each step
    np.testing.assert_allclose(given["h"], np.tanh(0.5**STEPS) / 2, rtol=4 * (STEPS + 1) * 2.0**-24)


@pytest.mark.parametrize("name", [name for name in arguments() if name != "threads"])
def test_a_missing_argument_is_named(name):
    given = arguments()
    del given[name]
    with pytest.raises(TypeError, match=f"lstm: '{name}' is missing"):
        compiled.lstm(**given)


@pytest.mark.parametrize("name", ["weights", "step_ratio_strides", "passed", "extra", "grad_hidden"])
def test_an_argument_of_no_use_is_named(name):
    """Also where another cell, or the backward pass, has it."""
    with pytest.raises(TypeError, match=f"lstm: '{name}' is not an argument of this cell"):
        compiled.lstm(**arguments(), **{name: np.zeros((2, 2), dtype=np.float32)})


@pytest.mark.parametrize("name", ["w_rec", "h", "c", "z", "hidden", "cell"])
def test_a_misshapen_array_is_named_with_both_shapes(name):
    given = arguments()
    shape = given[name].shape
    for wrong in (np.zeros((*shape[:-1], shape[-1] + 1)), np.zeros(shape[1:]), np.zeros((1, *shape))):
        with pytest.raises(ValueError) as error:
            compiled.lstm(**{**given, name: wrong.astype(np.float32)})
        assert str(error.value) == f"lstm: '{name}' must have shape {shape}, got {wrong.shape}"


@pytest.mark.parametrize("name", ["w_rec", "h", "z"])
def test_an_array_of_another_type_or_layout_is_named(name):
    given = arguments()
    for wrong in (given[name].astype(np.float64), given[name].astype(">f4"), np.asfortranarray(given[name]), "text"):
        with pytest.raises(TypeError, match=f"lstm: '{name}' must be a C-contiguous array of float32"):
            compiled.lstm(**{**given, name: wrong})


def test_an_array_that_is_updated_must_be_writable_and_others_need_not():
    given = arguments()
    given["w_rec"].flags.writeable = False
    compiled.lstm(**given)
    given["cell"].flags.writeable = False
    with pytest.raises(ValueError, match="lstm: 'cell' is updated in place and is read-only"):
        compiled.lstm(**given)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("steps", 3.0, TypeError, "lstm: 'steps' must be an integer"),
        ("steps", -1, ValueError, "lstm: 'steps' must not be negative, got -1"),
        ("backward", 1, TypeError, "lstm: 'backward' must be a bool"),
        ("negligible", "none", TypeError, "lstm: 'negligible' must be a number"),
        ("threads", 0, ValueError, "lstm: 'threads' must be positive"),
    ],
)
def test_a_number_of_another_kind_is_named(name, value, error, message):
    with pytest.raises(error, match=message):
        compiled.lstm(**{**arguments(), name: value})


@pytest.mark.parametrize("name", [name for name in kernels.runnable() if not name.startswith("torch")])
def test_bfloat16_tapes_need_a_policy(name):
    given = arguments()
    tapes = {key: given[key].astype(np.int16) for key in ("z", "hidden", "cell")}
    with kernels.use(name) as chosen:
        with pytest.raises(TypeError, match="must be a C-contiguous array of int16"):
            compiled.lstm(**{**given, "bfloat16": True})
        if chosen.policy:
            compiled.lstm(**{**given, **tapes, "bfloat16": True})
            np.testing.assert_allclose(given["c"], 0.5**STEPS, rtol=4 * STEPS * 2.0**-24)
        else:
            with pytest.raises(ValueError, match=f"lstm: the kernels '{name}' have no bfloat16 products"):
                compiled.lstm(**{**given, **tapes, "bfloat16": True})


# -- layers of state-space systems ------------------------------------------------------------------------------------

FEATURES, STATES, RANK, LENGTH = 3, 2, 1, 5


def zeros(*shape):
    return np.zeros(shape, dtype=np.float32)


def system() -> dict:
    wide = (FEATURES, RANK, STATES, 2)
    one = {"a": zeros(FEATURES, STATES, 2), "p": zeros(*wide), "v": zeros(*wide), "b": zeros(FEATURES, STATES, 2)}
    return {**one, "c": zeros(1, FEATURES, STATES, 2)}


def gradients() -> dict:
    return {f"grad_{name}": array for name, array in system().items()}


IMPULSE, SIGNALS, STATE = (1, LENGTH, FEATURES), (4, LENGTH, FEATURES), (4, FEATURES, STATES, 2)
CALLS = {
    "ssm_kernel": lambda: {**system(), "kernel": zeros(*IMPULSE), "functionals": zeros(RANK, LENGTH, FEATURES)},
    "ssm_kernel_backward": lambda: {
        **system(), "functionals": zeros(RANK, LENGTH, FEATURES), "grad_kernel": zeros(*IMPULSE), **gradients()
    },
    "ssm_kernel_backward_outputs": lambda: {
        **system(), "functionals": zeros(RANK, LENGTH, FEATURES), "grad_kernel": zeros(*IMPULSE),
        "grad_c": zeros(1, FEATURES, STATES, 2),
    },
    "ssm_convolution": lambda: {
        "inputs": zeros(*SIGNALS), "kernel": zeros(*IMPULSE), "skip": zeros(FEATURES), "outputs": zeros(*SIGNALS),
        "activated": zeros(*SIGNALS),
    },
    "ssm_convolution_backward": lambda: {
        "inputs": zeros(*SIGNALS), "kernel": zeros(*IMPULSE), "skip": zeros(FEATURES), "outputs": zeros(*SIGNALS),
        "grad_outputs": zeros(*SIGNALS), "grad_inputs": zeros(*SIGNALS), "grad_kernel": zeros(1, *IMPULSE),
    },
    "ssm_scan": lambda: {
        **system(), "skip": zeros(FEATURES), "before": zeros(*STATE), "after": zeros(*STATE),
        "inputs": zeros(*SIGNALS), "outputs": zeros(*SIGNALS),
    },
    "gated_linear": lambda: {
        "inputs": zeros(7, 4), "weight": zeros(8, 4), "bias": zeros(8), "outputs": zeros(7, 4)
    },
    "gated_linear_backward": lambda: {
        "inputs": zeros(7, 4), "weight": zeros(8, 4), "bias": zeros(8), "grad_outputs": zeros(7, 4),
        "grad_inputs": zeros(7, 4), "grad_weight": zeros(1, 8, 4), "grad_bias": zeros(1, 8),
    },
}  # fmt: skip


@pytest.mark.parametrize(("function", "name"), [(function, name) for function in CALLS for name in CALLS[function]()])
def test_an_array_of_another_shape_is_refused(function, name):
    call, given = getattr(compiled, function), CALLS[function]()
    call(1, **given)
    shape = given[name].shape
    for axis in range(len(shape)):
        for size in (shape[axis] + 1, shape[axis] - 1):
            other = zeros(*shape[:axis], size, *shape[axis + 1 :])
            if name in ("activated", "outputs") and not other.size:
                continue  # an empty array says that there is no activation
            if (function, name, axis, size) == ("ssm_convolution", "kernel", 0, 2):
                continue  # a kernel of two directions
            with pytest.raises(ValueError, match="expected "):
                call(1, **{**given, name: other})


@pytest.mark.parametrize("function", CALLS)
def test_no_thread_is_refused(function):
    given = CALLS[function]()
    for name in ("grad_kernel", "grad_weight", "grad_bias"):
        if function in ("ssm_convolution_backward", "gated_linear_backward") and name in given:
            given[name] = given[name][:0]
    with pytest.raises(ValueError, match="threads must be at least 1"):
        getattr(compiled, function)(0, **given)


def test_an_output_map_without_channels():
    compiled.gated_linear(1, zeros(2, 0), zeros(0, 0), zeros(0), zeros(2, 0))


# -- arguments that have their shapes, but contradict each other ------------------------------------------------------


def test_step_ratios_that_are_too_few_are_refused():
    model = build_model("legs", 2, 3, hidden_size=4).backbone
    calls = record(model, "legs_cell", torch.randn(3, 6, 2), times=torch.arange(6.0).repeat(3, 1))
    given = {**calls[0], "first_step": calls[0]["step_ratio_stride"] - calls[0]["steps"] + 1}
    with pytest.raises(ValueError, match="legs_cell: 'step_ratios' has fewer columns than first_step"):
        compiled.legs_cell(**given)


def test_a_backward_pass_without_a_tape_is_refused():
    model = build_model("ncde", 2, 3, hidden_size=4).backbone
    calls = record(model, "ncde", torch.randn(3, 6, 2), backward=True)
    given = next(call for call in calls if call["backward"])
    compiled.ncde(**given)
    with pytest.raises(ValueError, match="ncde: 'keep' is false, but the backward pass reads"):
        compiled.ncde(**{**given, "keep": False, **{name: given[name][:1] for name in ("states", "inner", "outer")}})


def record(module, function, inputs, backward=False, **options) -> list[dict]:
    """The arguments of every call of a compiled function in a pass of a module."""
    calls, run = [], getattr(compiled, function)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, function, lambda **given: calls.append(given) or run(**given))
        outputs = module(inputs, **options)
        if backward:
            outputs.sum().backward()
    return calls


@pytest.mark.parametrize("bits", [0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000])
@pytest.mark.parametrize(
    "name", [name for name in kernels.runnable() if name.endswith("+emulated") and "torch" not in name]
)
def test_a_nan_rounded_to_bfloat16_stays_one(name, bits):
    """The payload of 0x7fffffff, the NaN of GPUs, would carry into the sign bit."""
    given = {
        **{key: arguments()[key] for key in ("threads", "batch_size", "hidden_size", "backward", "negligible")},
        "steps": 1,
        "bfloat16": True,
        "w_rec": np.full((HIDDEN, HIDDEN), bits, np.uint32).view(np.float32),
        "h": np.ones((BATCH, HIDDEN), np.float32),
        "z": np.zeros((1, BATCH, HIDDEN), np.int16),
        "hidden": np.zeros((2, BATCH, HIDDEN), np.int16),
    }
    with kernels.use(name):
        compiled.rnn(**given)
    assert np.isnan(given["h"]).all()
