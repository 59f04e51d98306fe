"""Arguments of the compiled cells: one that is missing, unknown, or of another type or shape is named in the error."""

import numpy as np
import pytest

from hippo import kernels

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
