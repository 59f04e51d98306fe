"""Steps of S4 layers that keep their compiled call: they see every change, and refuse what cannot be used."""

import copy

import pytest
import torch
from torch import nn

from hippo import kernels
from hippo.nn import S4, S4D
from hippo.nn.divergence import Diverged
from hippo.nn.ssm.gated_linear import GatedLinear
from hippo.nn.ssm.snapshot import Snapshot

COMPILED = [name for name in kernels.runnable() if name != "torch" and "+" not in name]
pytestmark = pytest.mark.skipif(not COMPILED, reason="the kernels are not compiled")


@pytest.fixture(autouse=True)
def no_gradients():
    torch.manual_seed(0)
    with torch.no_grad():
        yield


def stepped(layer=S4, **options):
    """A layer that has computed a step, so that it keeps its compiled call, and inputs and a state for the next."""
    model = layer(8, 4, dt_min=0.01, **options).eval()
    inputs, state = torch.randn(2, 8), torch.randn(2, 8, 2, dtype=torch.complex64)
    model.step(inputs, state)
    assert model._step is not None and model._step.is_of(model, 1.0)
    return model, inputs, state


def check(model, inputs, state, rate=1.0):
    """Compare a step with the recurrence in float64."""
    reference = copy.deepcopy(model).double()
    expected = reference.step(inputs.double(), state.to(torch.complex128), rate)
    found = model.step(inputs, state, rate)
    for tensor, wanted in zip(found, expected, strict=True):
        limit = 1e-5 * max(wanted.abs().max().item(), 1.0)  # tens of roundings of float32
        assert torch.allclose(tensor.to(wanted.dtype), wanted, rtol=0, atol=limit)
    return found


@pytest.mark.parametrize("layer", [S4, S4D])
@pytest.mark.parametrize("output", ["glu", "linear", None])
@pytest.mark.parametrize("name", COMPILED)
def test_steps_are_those_of_the_recurrence(name, output, layer):
    with kernels.use(name):
        for batch in (1, 3, 4, 5):
            model = layer(19, 6, dt_min=0.01, output=output).eval()
            state = model.initial_state(batch)
            for rate in (1.0, 1.0, 2, 2.0):
                before = state.clone()
                _, after = check(model, torch.randn(batch, 19), state, rate)
                assert torch.equal(state, before)
                state = after


@pytest.mark.parametrize("name", ["log_decay", "frequency", "P", "B", "log_step", "C", "D", "weight", "bias"])
def test_a_change_of_a_parameter_is_seen(name):
    model, inputs, state = stepped()
    module = next(module for module in model.modules() if name in module._parameters)
    module._parameters[name].add_(0.1)  # in place
    first = check(model, inputs, state)
    module._parameters[name].data = module._parameters[name].data + 0.1  # other memory
    second = check(model, inputs, state)
    setattr(module, name, nn.Parameter(module._parameters[name] + 0.1))  # another parameter
    third = check(model, inputs, state)
    assert not torch.equal(first[0], second[0]) and not torch.equal(second[0], third[0])


def test_a_change_of_a_frozen_part_is_seen():
    model, inputs, state = stepped(frozen=("A", "D", "step"))
    for buffer in (model.D, model.system.decay, model.system.step):
        buffer.mul_(1.5)
        check(model, inputs, state)


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.load_state_dict(S4(8, 4).state_dict()),
        lambda model: setattr(model, "output", GatedLinear(8)),
        lambda model: setattr(model, "output", nn.Identity()),
        lambda model: setattr(model, "output", nn.Linear(8, 3)),
        lambda model: setattr(model, "system", S4(8, 4).system.eval()),
        lambda model: setattr(model, "activation", False),
        lambda model: setattr(model.output.weight, "data", model.output.weight.t().contiguous().t()),
        lambda model: setattr(model, "D", nn.Parameter(torch.randn(16)[::2])),
        lambda model: model.train(),
        lambda model: nn.utils.parametrize.register_parametrization(model.output, "weight", nn.Tanh()),
        lambda model: nn.utils.parametrize.register_parametrization(model, "D", nn.Tanh()),
    ],
)
def test_a_change_of_the_layer_is_seen(change):
    model, inputs, state = stepped()
    change(model)
    check(model, inputs, state)


@pytest.mark.parametrize("part", ["C", "D"])
@pytest.mark.parametrize("mode", [True, False])
def test_a_change_that_pytorch_does_not_count_is_seen_after_a_change_of_mode(part, mode):
    """Through `.data` and NumPy the version of a tensor stays."""
    model, inputs, state = stepped()
    before = model.step(inputs, state)[0]
    owner = model if part == "D" else model.system
    getattr(owner, part).data.mul_(2)
    getattr(owner, part).detach().numpy()[:] *= 2
    model.train(mode).eval()
    assert not torch.equal(check(model, inputs, state)[0], before)


def test_hooks_of_the_output_map_are_called():
    model, inputs, state = stepped()
    before, calls = model.step(inputs, state)[0], []
    handle = model.output.register_forward_hook(lambda *_: calls.append("after"))
    model.step(inputs, state)
    handle.remove()
    handle = model.output.register_forward_pre_hook(lambda *_: calls.append("before"))
    model.step(inputs, state)
    handle.remove()
    assert calls == ["after", "before"] and torch.equal(model.step(inputs, state)[0], before)


def test_other_kernels_are_used():
    model, inputs, state = stepped()
    kept = model._step
    with kernels.use("torch"):
        assert not kept.is_of(model, 1.0)
        check(model, inputs, state)
    assert kept.is_of(model, 1.0)


def test_gradients_after_a_step_without():
    model, inputs, state = stepped()
    with torch.enable_grad():
        model.step(inputs, state)[0].sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_inference_mode():
    model, inputs, state = stepped()
    expected = model.step(inputs, state)
    with torch.inference_mode():
        found = model.step(inputs, state)
        assert all(tensor.is_inference() for tensor in found)
        check(model, *(tensor.clone() for tensor in found))
        made_here = S4(8, 4).eval()  # its parameters count no changes
        made_here.step(inputs, state)
        made_here.D.add_(1)
        check(made_here, inputs, state)
    assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))


def test_unusual_tensors():
    model, inputs, state = stepped()
    expected = check(model, inputs, state)
    conjugate = state.conj().resolve_conj().conj()  # pending
    negative = torch.complex(torch.zeros(2, 8), -inputs).conj().imag  # pending
    assert conjugate.is_conj() and negative.is_neg()
    columns, states = inputs.t().contiguous().t(), state.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    for u in (inputs, columns, negative, nn.Parameter(inputs), inputs.clone().requires_grad_()):
        for x in (state, conjugate, states):
            found = model.step(u, x)
            assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))


@pytest.mark.parametrize("rate", [True, 0, -1.0, float("nan"), "1.0"])
def test_rates_that_cannot_be_used(rate):
    model, inputs, state = stepped()
    with pytest.raises((ValueError, TypeError), match="rate must be"):
        model.step(inputs, state, rate)


def test_what_cannot_be_used_is_refused():
    model, inputs, state = stepped()
    with pytest.raises(ValueError, match=r"inputs have shape \(2, 7\); expected \(batch, 8\)"):
        model.step(inputs[:, :7], state)
    with pytest.raises(ValueError, match=r"inputs have shape \(8,\); expected \(batch, 8\)"):
        model.step(inputs[0], state)
    with pytest.raises(ValueError, match="inputs are torch.float64, the parameters torch.float32"):
        model.step(inputs.double(), state)
    for wrong in (state[:1], state[:, :, :1], state.to(torch.complex128), state.real):
        with pytest.raises(ValueError, match="the state is .* initial_state"):
            model.step(inputs, wrong)
    for number in (float("nan"), float("inf"), -float("inf")):
        bad = inputs.clone()
        bad[1, 3] = number
        with pytest.raises(ValueError, match=f"inputs contain {number} at sample 1, channel 3"):
            model.step(bad, state)
    large = torch.full((2, 8), 3e38)  # finite, but not their sum
    assert model.step(large, state)[1].isfinite().all()
    for name, value in {"D": nn.Parameter(torch.zeros(3)), "system": S4(7, 4).system.eval()}.items():
        other = copy.deepcopy(model)
        setattr(other, name, value)
        with pytest.raises(ValueError, match="inputs have shape .* skip .* the system"):
            other.step(inputs, state)
    model.system.C[0, 1, 1, 0] = torch.nan
    with pytest.raises(Diverged, match="parameter C .* not finite"):
        model.step(inputs, state)


def test_a_batch_of_another_size():
    model, inputs, state = stepped()
    for batch in (0, 1, 3, 4, 5, 2):
        outputs, after = model.step(torch.randn(batch, 8), model.initial_state(batch))
        assert outputs.shape == (batch, 8) and after.shape == (batch, 8, 2)


def test_a_tensor_without_memory_is_refused():
    model, inputs, state = stepped()
    with pytest.raises(ValueError, match="no memory"):
        model._step.kernel(2, 0, state.data_ptr(), inputs.data_ptr(), state.data_ptr())


def test_snapshots():
    tensors = [torch.zeros(3), torch.ones(2)]
    snapshot = Snapshot.of(tensors)
    assert snapshot.is_of(tensors) and snapshot.is_of([tensors[0].detach(), tensors[1]])
    assert not snapshot.is_of([tensors[0], None]) and not snapshot.is_of([tensors[0], torch.ones(2)])
    tensors[1].fill_(1)
    assert not snapshot.is_of(tensors) and Snapshot.of([tensors[0], None]) is None
    with torch.inference_mode():
        assert Snapshot.of([torch.zeros(3)]) is None
