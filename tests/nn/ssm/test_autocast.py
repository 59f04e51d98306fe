"""S4 layers under `torch.autocast`: all but linear maps is computed in the type of the parameters."""

import pytest
import torch

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
