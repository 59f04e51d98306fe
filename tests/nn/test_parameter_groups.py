"""Groups of parameters by declared learning rate and weight decay."""

import pytest
import torch
from torch import nn

from hippo.nn import available_models, build_model
from hippo.nn.parameter_groups import ParameterOptions, parameter_groups


class Layer(nn.Module):
    def __init__(self, options):
        super().__init__()
        self.step, self.weight = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(3))
        self.linear = nn.Linear(2, 2)
        self.options = options

    def parameter_options(self):
        return self.options


def settings(model, *arguments):
    """(learning rate, weight decay) of each parameter by name; fails if a parameter is missing or repeated."""
    groups = parameter_groups(model, *arguments)
    found = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    assert sum(len(group["params"]) for group in groups) == len(found)
    assert len({(group["lr"], group["weight_decay"]) for group in groups}) == len(groups)
    return {name: found.pop(id(parameter)) for name, parameter in model.named_parameters()} | found


def test_declared_options_apply_to_the_modules_own_parameters():
    declared = {
        "step": ParameterOptions(learning_rate=0.001, weight_decay=0.0),
        "weight": ParameterOptions(learning_rate_factor=0.5),
    }
    model = nn.Sequential(Layer(declared), Layer({}))
    plain = (0.01, 0.05)
    expected = dict.fromkeys((name for name, _ in model.named_parameters()), plain)
    expected |= {"0.step": (0.001, 0.0), "0.weight": (0.005, 0.05)}
    assert settings(model, 0.01, 0.05) == expected


def test_a_zero_learning_rate_is_a_learning_rate():
    model = Layer({"step": ParameterOptions(learning_rate=0.0)})
    assert settings(model, 0.01)["step"] == (0.0, 0.0)


def test_a_model_without_declarations_is_one_group_in_the_order_of_its_parameters():
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    (group,) = parameter_groups(model, 0.1)
    assert list(map(id, group["params"])) == list(map(id, model.parameters()))
    assert (group["lr"], group["weight_decay"]) == (0.1, 0.0)


def test_a_shared_parameter_is_grouped_once():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    (group,) = parameter_groups(model, 0.1)
    assert list(map(id, group["params"])) == list(map(id, model.parameters()))


@pytest.mark.parametrize("name", ["stepp", "linear.weight"])
def test_a_declared_name_that_is_no_parameter_of_the_module_is_refused(name):
    with pytest.raises(ValueError, match=rf"^1 \(Layer\): .* '{name}', .* it has step, weight$"):
        parameter_groups(nn.Sequential(nn.Linear(1, 1), Layer({name: ParameterOptions()})), 0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": -1.0}, "learning_rate is -1.0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"learning_rate": 0.1, "learning_rate_factor": 0.1}, "both learning_rate and learning_rate_factor"),
    ],
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ParameterOptions(**options)


def test_in_a_stack_of_cells_every_layer_keeps_its_options():
    model = build_model("exprnn", 1, 2, hidden_size=4, layers=2, bidirectional=True)
    rates = {name: rate for name, (rate, _) in settings(model, 1e-2).items()}
    slow = {name for name, rate in rates.items() if rate != 1e-2}
    assert len(slow) == 4 and all(name.endswith("skew") for name in slow)
    assert {rates[name] for name in slow} == {1e-2 * 0.1}


@pytest.mark.parametrize("name", available_models())
def test_every_registered_model_is_grouped_completely(name):
    from hippo import registry

    model = build_model(name, 2, 2, **registry.find("models", name, "test").test_options)
    assert len(settings(model, 1e-3, 0.1)) == len(list(model.parameters()))
