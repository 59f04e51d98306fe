"""The model of encoder, backbone, pooling and decoder."""

import pytest
import torch
from torch import nn

from hippo.config import ConfigError, parse
from hippo.nn import SequenceModel, build_model
from hippo.nn.cells.cell import Cell
from hippo.nn.cells.hippo import HiPPOCell
from hippo.nn.cells.memories import LegSMemory
from hippo.nn.engine.options import EngineOptions
from hippo.nn.options import ModelOptions
from hippo_baselines.gru import GRUCell
from hippo_baselines.lstm import LSTMCell

CELLS = {
    "gru": lambda: GRUCell(3, 8),
    "lstm": lambda: LSTMCell(3, 8),
    "legs": lambda: HiPPOCell(3, 8, LegSMemory(8)),
}


@pytest.mark.parametrize("name", CELLS)
def test_with_default_options_a_model_is_a_cell_and_a_linear_map(name):
    """Same parameters, initial values, answers and gradients, bit for bit."""
    torch.manual_seed(3)
    model = build_model(name, 3, 5, hidden_size=8)
    torch.manual_seed(3)
    cell = CELLS[name]()
    decoder = nn.Linear(8, 5)
    expected = {f"backbone.{key}": value for key, value in cell.state_dict().items()}
    expected |= {f"decoder.{key}": value for key, value in decoder.state_dict().items()}
    found = model.state_dict()
    assert list(found) == list(expected) and all(torch.equal(found[key], expected[key]) for key in expected)
    inputs = torch.randn(4, 9, 3)
    answers, reference = model(inputs), decoder(cell(inputs))
    assert torch.equal(answers, reference)
    answers.square().sum().backward()
    reference.square().sum().backward()
    by_hand = [*cell.parameters(), *decoder.parameters()]
    assert all(torch.equal(p.grad, q.grad) for p, q in zip(model.parameters(), by_hand, strict=True))


LENGTHS = torch.tensor([7, 1, 4])


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_pooling_follows_the_true_lengths(pooling):
    model = build_model("gru", 2, 3, hidden_size=4, pooling=pooling).double()
    inputs = torch.randn(3, 7, 2, dtype=torch.float64)
    short = [model(sample[None, :length]) for sample, length in zip(inputs, LENGTHS, strict=True)]
    hidden = model.backbone(inputs, sequence=True)
    pooled = hidden[:1].mean(1) if pooling == "mean" else hidden[:1, -1]
    torch.testing.assert_close(short[0], model.decoder(pooled))
    inputs[1, 1:], inputs[2, 4:] = torch.nan, 1e3
    torch.testing.assert_close(model(inputs, lengths=LENGTHS), torch.cat(short))


def test_a_model_with_one_answer_per_step_does_not_pool():
    model = build_model("gru", 2, 3, hidden_size=4, return_sequence=True)
    inputs = torch.randn(3, 7, 2)
    assert torch.equal(model(inputs), model.decoder(model.backbone(inputs, sequence=True)))
    with pytest.raises(ConfigError, match="pooling = 'mean': a model with one answer per step does not pool"):
        build_model("gru", 2, 3, hidden_size=4, return_sequence=True, pooling="mean")


class Plain(Cell):
    """A cell that is only stepped; the engine does not run it."""

    def step(self, x, state, step_ratio):
        return (state[0] + x,)


class Counting(Plain):
    count = 0

    def forward(self, *arguments, **options):
        self.count += 1
        return super().forward(*arguments, **options)

    def counters(self):
        count, self.count = self.count, 0
        return {"calls": count}


class PlainOptions(ModelOptions):
    def backbone(self, input_size):
        return Plain(input_size, input_size)


class CountingOptions(ModelOptions):
    def backbone(self, input_size):
        return Counting(input_size, input_size)


def of(options_type, engine=None, **values):
    return SequenceModel(parse(options_type, values, "test"), 2, 3, engine=engine)


def test_engine_options_reach_every_cell_that_the_engine_runs():
    engine = EngineOptions(precision="bfloat16", checkpoint=True)
    model = build_model("gru", 2, 3, hidden_size=4, layers=2, bidirectional=True, engine=engine)
    cells = [module for module in model.modules() if isinstance(module, GRUCell)]
    assert len(cells) == 4 and all(cell.engine == engine for cell in cells)


def test_engine_options_are_refused_for_other_cells():
    of(PlainOptions, EngineOptions())
    with pytest.raises(ConfigError, match="Plain is not run by the engine: leave .*bfloat16.* at its defaults"):
        of(PlainOptions, EngineOptions(precision="bfloat16"))


@pytest.mark.parametrize(
    ("options", "calls"), [({}, 1), ({"bidirectional": True}, 2), ({"layers": 3, "bidirectional": True}, 6)]
)
def test_counters_are_summed_and_start_again_at_zero(options, calls):
    model = of(CountingOptions, **options)
    assert model.counters() == {"calls": 0}
    for _ in range(2):
        model(torch.zeros(1, 4, 2))
    assert model.counters() == {"calls": 2 * calls}
    assert model.counters() == {"calls": 0}


def test_a_backbone_without_counters_counts_nothing():
    class Identity(nn.Identity):
        output_size = 2

        def forward(self, inputs, times=None, lengths=None, sequence=False):
            return inputs if sequence else inputs[:, -1]

    class IdentityOptions(ModelOptions):
        def backbone(self, input_size):
            return Identity()

    for layers in (1, 2):
        model = of(IdentityOptions, layers=layers)
        inputs = torch.randn(2, 4, 2)
        assert torch.equal(model(inputs), model.decoder(inputs[:, -1])) and model.counters() == {}
