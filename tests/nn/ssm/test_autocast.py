"""S4 layers under `torch.autocast`: all but linear maps is computed in the type of the parameters."""

import pytest
import torch
from torch import nn

from hippo import kernels
from hippo.nn import S4

FORMS = sorted({"torch", kernels.backend().name})
bfloat16 = torch.autocast("cpu", torch.bfloat16)


def layer(**options):
    torch.manual_seed(0)
    return S4(4, 8, dt_min=0.01, **options).eval()


def recurrent(model, inputs, lengths=None):
    """Outputs and states of the recurrence, from a state: of a whole sequence and of one step."""
    state = torch.full((3, 4, 4), 0.1 + 0.2j)
    return *model(inputs, lengths, state=state, return_state=True), *model.step(inputs[:, 0], state)


@pytest.mark.parametrize("lengths", [None, [70, 20, 1]])
@pytest.mark.parametrize("with_gradients", [False, True])
@pytest.mark.parametrize("name", FORMS)
def test_the_recurrence_is_not_computed_in_bfloat16(name, with_gradients, lengths):
    model, inputs = layer(measure="legt", output=None), torch.randn(3, 70, 4)
    with kernels.use(name), torch.set_grad_enabled(with_gradients):
        with bfloat16:
            found = recurrent(model, inputs, lengths)
        wanted = recurrent(model.train().eval(), inputs, lengths)
    assert all(torch.equal(got, want) for got, want in zip(found, wanted, strict=True))


def test_the_system_that_is_kept_is_not_computed_in_bfloat16():
    model = layer(measure="legt")
    with torch.no_grad():
        with bfloat16:
            kept = model.system.discretize()
        assert model.system.discretize() is kept
        wanted = model.train().eval().system.discretize()
    assert all(torch.equal(got, want) for got, want in zip(kept, wanted, strict=True))


@pytest.mark.parametrize("call", ["forward", "last", "step"])
@pytest.mark.parametrize("name", FORMS)
def test_inputs_in_bfloat16_are_converted(name, call):
    model, inputs = layer(output=None), torch.randn(3, 70, 4).bfloat16()
    arguments = {"forward": (inputs,), "last": (inputs,), "step": (inputs[:, 0], torch.full((3, 4, 4), 0.1 + 0.2j))}

    def outputs(first, *others):
        found = getattr(model, call)(first, *others)
        return found[0] if isinstance(found, tuple) else found

    first, *others = arguments[call]
    with kernels.use(name), torch.no_grad():
        wanted = outputs(first.float(), *others)
        with bfloat16:
            assert torch.equal(outputs(first, *others), wanted)
        with pytest.raises(ValueError, match="inputs are torch.bfloat16, the parameters torch.float32"):
            outputs(first, *others)


@pytest.mark.parametrize("name", FORMS)
def test_layers_of_pytorch_and_s4_layers_in_any_order(name):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), S4(4, 8), S4(4, 8, output="linear"), S4(4, 8), nn.Linear(4, 2))
    with kernels.use(name), bfloat16:
        model(torch.randn(3, 70, 4)).float().square().sum().backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


def test_steps_in_bfloat16_keep_the_compiled_step():
    model, state = layer(), torch.full((3, 4, 4), 0.1 + 0.2j)
    with torch.no_grad(), bfloat16:
        kept = []
        for _ in range(2):
            model.step(torch.randn(3, 4).bfloat16(), state)
            kept.append(model._step)
    assert kept[0] is kept[1]
