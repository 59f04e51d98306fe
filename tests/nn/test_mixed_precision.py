"""Mixed precision under `torch.autocast`, on the CPU in place of a GPU."""

import pytest
import torch

from hippo.nn import build_model, sequence
from hippo.nn.mixed_precision import uses_autocast

OPTIONS = {
    "s4": {"hidden_size": 8, "state_size": 4, "layers": 2, "bidirectional": True, "norm": "batch"},
    "s4d": {"hidden_size": 8, "state_size": 4, "layers": 2, "residual": False, "norm": None, "embedding_size": 5},
    "transformer": {"hidden_size": 8, "heads": 2, "layers": 1},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("lengths", [None, torch.tensor([70, 3, 20, 50])])
def test_answers_and_gradients_are_float32_and_near_those_in_float32(name, lengths, monkeypatch):
    """bfloat16 has 8 bits: a relative rounding of 2^-9 per product, here through at most six products."""
    torch.manual_seed(0)
    model = build_model(name, output_size=3, vocabulary=11, engine={"precision": "auto"}, **OPTIONS[name])
    inputs = torch.randint(11, (4, 70))
    found = {}
    for mixed in (False, True):
        monkeypatch.setattr(sequence, "uses_autocast", lambda device, mixed=mixed: mixed)
        model.zero_grad()
        answers = model(inputs, lengths=lengths)
        assert answers.dtype == torch.float32
        answers.square().sum().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient.dtype == torch.float32 and gradient.isfinite().all() for gradient in gradients)
        found[mixed] = answers.detach()
    assert not torch.equal(found[True], found[False])
    torch.testing.assert_close(found[True], found[False], atol=0.1, rtol=0.1)


def test_a_cpu_and_cells_of_the_engine_do_not_use_it():
    assert not uses_autocast(torch.device("cpu"))
    assert not build_model("legs", 1, 2, hidden_size=4, engine={"precision": "auto"}).mixed_precision
    assert not build_model("s4", 1, 2, hidden_size=4, state_size=4).mixed_precision
    assert build_model("s4", 1, 2, hidden_size=4, state_size=4, engine={"precision": "auto"}).mixed_precision
