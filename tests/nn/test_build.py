import doctest
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from hippo.config import ConfigError
from hippo.nn import available_models, build, build_model

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_every_model_of_the_project_is_available():
    declared = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]["hippo.models"]
    assert len(declared) >= 14 and declared.keys() <= set(available_models())
    assert available_models() == sorted(available_models())


def test_the_examples_of_the_docstring_run():
    result = doctest.testmod(build)
    assert result.attempted and not result.failed


def test_the_package_lists_what_it_exports():
    import hippo.nn

    names = {"HiPPOLayer", "S4", "S4D", "SequenceModel", "available_models", "build_model", "load_model", "save_model"}
    names |= {"set_rate"}
    assert names == set(hippo.nn.__all__) <= set(dir(hippo.nn))
    assert all(getattr(hippo.nn, name) for name in hippo.nn.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'build_modle'; it has S4, S4D, HiPPOLayer"):
        getattr(hippo.nn, "build_modle")  # noqa: B009


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("lgs", {}, "unknown model 'lgs'; did you mean 'legs'"),
        ("legs", {"hiden_size": 8}, "model 'legs': unknown key 'hiden_size'; did you mean 'hidden_size'"),
        ("legs", {"hidden_size": 0}, "hidden_size = 0"),
        ("legs", {"discretization": "euler"}, "discretization = 'euler'"),
        ("lmu", {}, "model 'lmu': key 'theta' is missing"),
        ("lmu", {"theta": -1}, "theta = -1"),
        ("gru", {"order": 3}, "unknown key 'order'"),
    ],
)
def test_the_message_names_the_wrong_name_or_value(name, options, message):
    with pytest.raises(ConfigError) as error:
        build_model(name, 1, 2, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"input_size": 1, "output_size": 0}, "output_size is 0; expected a positive integer"),
        ({"input_size": 1}, "output_size is None; expected a positive integer"),
        ({"input_size": 1.0, "output_size": 2}, "input_size is 1.0; expected a positive integer"),
        ({"output_size": 2}, "input_size is None; expected a positive integer"),
        ({"output_size": 2, "vocabulary": 0}, "vocabulary is 0; expected a positive integer"),
        ({"input_size": 3, "output_size": 2, "vocabulary": 5}, "input_size is 3; leave it out with a vocabulary"),
    ],
)
def test_sizes_are_checked(sizes, message):
    with pytest.raises(ConfigError, match=message):
        build_model("legs", **sizes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 5),), r"inputs have shape \(2, 5\); expected \(batch, length, 3\)"),
        ((torch.zeros(2, 5, 1),), r"expected \(batch, length, 3\)"),
        ((torch.zeros(2, 0, 3),), "expected"),
        ((torch.zeros(2, 5, 3), torch.zeros(2, 5)), "times given to a model without timestamps"),
        ((torch.zeros(2, 5, 3), None, torch.tensor([5])), r"lengths have shape \(1,\); expected \(2,\)"),
        ((torch.zeros(2, 5, 3), None, torch.tensor([5, 6])), "lengths span 5 to 6; expected 1 to 5"),
        ((torch.zeros(2, 5, 3), None, torch.tensor([5.0, 4.0])), "lengths are torch.float32; expected integers"),
        ((torch.zeros(2, 5, 3).double(),), "inputs are torch.float64, the weights torch.float32"),
    ],
)
def test_wrong_shapes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        build_model("legs", 3, 2, hidden_size=4)(*arguments)


def test_missing_or_misshapen_times_are_refused():
    model = build_model("legs", 3, 2, hidden_size=4, timestamps=True)
    with pytest.raises(ValueError, match="times missing"):
        model(torch.zeros(2, 5, 3))
    with pytest.raises(ValueError, match=r"times have shape \(2, 4\); expected \(2, 5\)"):
        model(torch.zeros(2, 5, 3), torch.zeros(2, 4))


def test_times_are_a_channel_of_models_that_do_not_use_them():
    assert build_model("legs", 3, 2, hidden_size=4, timestamps=True).backbone.input_size == 3
    assert build_model("gru", 3, 2, hidden_size=4, timestamps=True).backbone.input_size == 4
    assert build_model("gru", 3, 2, hidden_size=4).backbone.input_size == 3


def test_options_are_validated_without_torch():
    code = """
import sys
from hippo import registry
from hippo.config import parse
from hippo.nn import available_models
for name in available_models():
    options = registry.find("models", name, "test")
    parse(options, options.test_options, "test")
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_dropout_acts_in_training_mode_only():
    torch.manual_seed(0)
    model = build_model("gru", 1, 2, hidden_size=400, dropout=0.5)
    inputs = torch.randn(1, 3, 1)
    assert not torch.equal(model(inputs), model(inputs))
    model.eval()
    assert torch.equal(model(inputs), model.decoder(model.backbone(inputs)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_models_are_refused(dtype):
    model = build_model("exprnn", 3, 2, hidden_size=4).to(dtype)
    with pytest.raises(ValueError, match="expected both float32 or both float64"):
        model(torch.zeros(2, 5, 3, dtype=dtype))


def test_times_that_require_a_gradient_are_refused():
    model = build_model("legs", 3, 2, hidden_size=4, timestamps=True)
    times = torch.arange(5.0).repeat(2, 1).requires_grad_()
    with pytest.raises(ValueError, match=r"pass times.detach\(\)"):
        model(torch.zeros(2, 5, 3), times)
    with torch.no_grad():
        model(torch.zeros(2, 5, 3), times)


def test_an_empty_batch_has_no_answers():
    lengths = torch.zeros(0, dtype=torch.long)
    assert build_model("gru", 3, 2, hidden_size=4)(torch.zeros(0, 5, 3), lengths=lengths).shape == (0, 2)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16, torch.int8, torch.int32, torch.int64])
def test_lengths_may_be_of_any_integer_type(dtype):
    model = build_model("ode_rnn", 1, 2, hidden_size=4)  # its cell selects the last step itself
    inputs, lengths = torch.randn(4, 4, 1), torch.tensor([4, 3, 3, 2])
    assert torch.equal(model(inputs, lengths=lengths.to(dtype)), model(inputs, lengths=lengths))
    with pytest.raises(ValueError, match="lengths are torch.bool; expected integers"):
        model(inputs, lengths=lengths > 2)


@pytest.mark.parametrize("times", [[0.0, float("nan"), 1.0], [5.0, 3.0, 1.0], [-1.0, 0.0, 1.0]])
@pytest.mark.parametrize("name", ["gru", "legs", "gru_d"])
def test_decreasing_times_are_refused_by_every_model(name, times):
    model = build_model(name, 1, 2, hidden_size=4, timestamps=True)
    with pytest.raises(ValueError, match="times are negative, decrease or are not finite"):
        model(torch.randn(1, 3, 1), times=torch.tensor([times]))


@pytest.mark.parametrize("name", ["legs", "gru_d"])
def test_decreasing_unsigned_times_are_refused(name):
    model = build_model(name, 1, 2, hidden_size=4, timestamps=True)
    with pytest.raises(ValueError, match="decrease"):
        model(torch.randn(1, 4, 1), times=torch.tensor([[0, 2, 1, 3]], dtype=torch.uint8))
