"""States of cells that the engine runs: chunks of a stream against one call, and gradients through the states."""

import pytest
import torch

from hippo import kernels
from hippo.nn import build_model
from tests.nn.cases import case_id, cases, engine_models, extreme_cases, options_of, valid_size

double = torch.float64
COMPILED = [name for name in kernels.runnable() if name != "torch" and "+" not in name]


def build(case, dtype=double, hidden_size=6):
    """A cell with weights away from zeros, which would hide a wrong product."""
    name, options = case
    cell = build_model(name, 2, 3, **{**options, "hidden_size": hidden_size}).to(dtype).backbone
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return cell


def timestamps(batch, length, dtype=double):
    times = torch.rand(batch, length, dtype=dtype).sort(1).values
    times[0, 0] = 0
    return times


def chunks(cell, inputs, times=None, ends=(1, 5, 6, 20)):
    """Hidden states and final state of a stream that is cut into chunks."""
    begin, state, hidden = 0, None, []
    for end in ends:
        part = None if times is None else times[:, begin:end]
        found, state = cell.run(inputs[:, begin:end], state, times=part)
        hidden.append(found)
        begin = end
    return torch.cat(hidden, 1), state


def run_steps(cell, inputs, state):
    """The chunk by the reference form of a step, from a state."""
    hidden = []
    for x in inputs.unbind(1):
        state = cell.step(x, state)
        hidden.append(state[0])
    return torch.stack(hidden, 1), state


def random_state(cell, inputs, seen):
    """A state in the middle of a stream, as leaves with gradients."""
    state = []
    for entry in cell.initial_state(inputs):
        state.append(torch.randn_like(entry) if entry.is_floating_point() and entry.ndim > 1 else entry + seen)
    if len(state) == 4:  # GRU-D: the times of the last observations precede that of the last input
        state[2] = state[3].unsqueeze(1) - torch.rand_like(state[2])
    return tuple(entry.requires_grad_(entry.dtype == inputs.dtype and entry.ndim > 1) for entry in state)


@pytest.mark.parametrize("timed", [False, True], ids=["even", "timestamps"])
@pytest.mark.parametrize("dtype", [torch.float32, double])
@pytest.mark.parametrize("case", cases(), ids=case_id)
def test_chunks_equal_one_call(case, dtype, timed):
    cell, inputs = build(case, dtype), torch.randn(3, 20, 2, dtype=dtype)
    times = timestamps(3, 20, dtype) if timed else None
    hidden, state = cell.run(inputs, times=times)
    assert torch.equal(hidden, cell(inputs, times=times, sequence=True))
    found, final = chunks(cell, inputs, times)
    # The same steps. Products of another number of rows may round in another order, once per step.
    tolerance = 200 * torch.finfo(dtype).eps
    for got, want in zip((found, *final), (hidden, *state), strict=True):
        torch.testing.assert_close(got, want, atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize("case", cases(), ids=case_id)
def test_steps_equal_one_call(case):
    cell, inputs = build(case), torch.randn(3, 20, 2, dtype=double)
    hidden, state = cell.run(inputs)
    for got, want in zip(run_steps(cell, inputs, cell.start(inputs)), (hidden, state), strict=True):
        torch.testing.assert_close(got, want, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("case", extreme_cases(), ids=case_id)
def test_gradients_through_both_states_equal_those_of_steps(case, checkpoint):
    cell, inputs = build(case), torch.randn(3, 7, 2, dtype=double, requires_grad=True)
    cell.engine = cell.engine.model_copy(update={"checkpoint": checkpoint})
    state = random_state(cell, inputs, seen=4)
    variables = [inputs, *(entry for entry in state if entry.requires_grad), *cell.parameters()]
    results = []
    for hidden, final in (cell.run(inputs, state), run_steps(cell, inputs, state)):
        outputs = [hidden, *(entry for entry in final if entry.requires_grad)]
        torch.manual_seed(0)
        loss = sum((output * torch.randn(output.shape, dtype=double)).sum() for output in outputs)
        gradients = torch.autograd.grad(loss, variables, allow_unused=True, materialize_grads=True, retain_graph=True)
        results.append([hidden, *final, *gradients])
    for got, want in zip(*results, strict=True):
        torch.testing.assert_close(got, want, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("name", engine_models())
def test_gradcheck_of_states(name):
    cell = build((name, options_of(name).test_options), hidden_size=valid_size(name, 3))
    inputs = torch.randn(2, 3, 2, dtype=double, requires_grad=True)
    state = random_state(cell, inputs, seen=2)
    fixed = [None if entry.requires_grad else entry for entry in state]

    def run(inputs, *free):
        free = iter(free)
        hidden, final = cell.run(inputs, [next(free) if entry is None else entry for entry in fixed])
        return hidden, *(entry for entry, given in zip(final, fixed, strict=True) if given is None)

    assert torch.autograd.gradcheck(run, (inputs, *(entry for entry in state if entry.requires_grad)))


@pytest.mark.skipif(not COMPILED, reason="no compiled kernels")
@pytest.mark.parametrize("case", extreme_cases(), ids=case_id)
def test_compiled_cells_take_and_give_states(case):
    """Values and gradients of the compiled form against those of the PyTorch form in float64."""
    cell = build(case, torch.float32, hidden_size=valid_size(case[0], 37))
    inputs = torch.randn(5, 9, 2)
    state = random_state(cell, inputs, seen=3)
    results = []
    with kernels.use(COMPILED[-1]):
        for dtype in (torch.float32, double):
            cell = cell.to(dtype)
            x = inputs.detach().to(dtype).requires_grad_()
            own = [e.detach().to(dtype).requires_grad_() if e.requires_grad else e.detach() for e in state]
            hidden, final = cell.run(x, own)
            outputs = [hidden, *(e for e, given in zip(final, own, strict=True) if given.requires_grad)]
            torch.manual_seed(0)
            loss = sum((output * torch.randn(output.shape).to(dtype)).sum() for output in outputs)
            variables = [x, *(e for e in own if e.requires_grad), *cell.parameters()]
            gradients = torch.autograd.grad(loss, variables, allow_unused=True, materialize_grads=True)
            results.append([*outputs, *gradients])
    for got, want in zip(*results, strict=True):
        # Nine steps of products of forty terms: some hundred roundings of 6e-8, relative to the norm.
        assert (got.double() - want).norm() <= 1e-4 * want.norm() + 1e-6


@pytest.mark.parametrize("timed", [False, True], ids=["even", "timestamps"])
@pytest.mark.parametrize("case", extreme_cases(), ids=case_id)
def test_padded_samples_end_at_their_true_length(case, timed):
    """Also from a batch in which some samples have had inputs and others have had none."""
    cell, inputs = build(case), torch.randn(4, 9, 2, dtype=double)
    times = timestamps(4, 9) if timed else None
    lengths = [9, 1, 4, 4]
    padded = inputs.clone()
    for sample, length in enumerate(lengths):
        padded[sample, length:] = torch.nan
    hidden, state = cell.run(padded, times=times, lengths=lengths)
    later, after = torch.randn(4, 3, 2, dtype=double), None if times is None else 1 + timestamps(4, 3)
    mixed = tuple(entry.clone() for entry in state)
    for entry, initial in zip(mixed, cell.initial_state(inputs), strict=True):
        entry[2] = initial[2]
    continued, _ = cell.run(later, mixed, times=after)
    for sample, length in enumerate(lengths):
        part = slice(sample, sample + 1)
        alone, end = cell.run(inputs[part, :length], times=None if times is None else times[part, :length])
        torch.testing.assert_close(hidden[part, :length], alone, atol=1e-13, rtol=1e-13)
        assert not hidden[sample, length:].any()
        for got, want in zip(state, end, strict=True):
            torch.testing.assert_close(got[part], want, atol=1e-13, rtol=1e-13)
        last = cell.run(later[part], None if sample == 2 else end, times=None if times is None else after[part])
        torch.testing.assert_close(continued[part], last[0], atol=1e-13, rtol=1e-13)


def test_the_state_of_legs_counts_its_inputs():
    cell, inputs = build(("legs", {})), torch.randn(3, 20, 2, dtype=double)
    assert cell.initial_state(inputs)[2].tolist() == [-1] * 3
    assert cell.run(inputs)[1][2].tolist() == [19] * 3
    assert len(build(("legt", {"theta": 9.0})).initial_state(inputs)) == 2


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (lambda good: good[0], "the state is Tensor; expected a tuple of"),
        (lambda good: good[:2], "expected float64 \\(3, 6\\) on cpu, float64 \\(3, 1, 6\\) on cpu, float64 \\(3,\\)"),
        (lambda good: (good[0][:2], *good[1:]), "the state is float64 \\(2, 6\\)"),
        (lambda good: (good[0].float(), *good[1:]), "the state is float32 \\(3, 6\\)"),
    ],
)
def test_a_wrong_state_is_refused(state, message):
    cell, inputs = build(("legs", {})), torch.randn(3, 20, 2, dtype=double)
    with pytest.raises(ValueError, match=message):
        cell.run(inputs, state(cell.initial_state(inputs)))


def test_times_before_the_state_are_refused():
    cell, inputs = build(("legs", {})), torch.randn(3, 2, 2, dtype=double)
    _, state = cell.run(inputs, times=torch.tensor([[1.0, 2.0]]).expand(3, 2))
    with pytest.raises(ValueError, match="times begin before the last input of the state"):
        cell.run(inputs, state, times=torch.tensor([[1.0, 3.0]]).expand(3, 2))


def test_lengths_may_be_a_list():
    model, inputs = build_model("gru", 2, 3, hidden_size=6), torch.randn(3, 5, 2)
    expected = model(inputs, lengths=torch.tensor([5, 1, 2]))
    assert torch.equal(model(inputs, lengths=[5, 1, 2]), expected)
    cell = model.backbone
    assert torch.equal(cell(inputs, lengths=[5, 1, 2]), cell(inputs, lengths=torch.tensor([5, 1, 2])))
    with pytest.raises(ValueError, match="lengths span 0 to 5; expected 1 to 5"):
        cell.run(inputs, lengths=[5, 0, 2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_names_the_engine_and_autocast(dtype):
    model = build_model("legs", 2, 3, hidden_size=6).to(dtype)
    with pytest.raises(ValueError, match="engine.precision to bfloat16 .*torch.autocast"):
        model(torch.randn(3, 5, 2, dtype=dtype))


def test_autocast_leaves_the_engine_in_float32():
    cell, inputs = build_model("legs", 2, 3, hidden_size=6).backbone, torch.randn(3, 5, 2)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = cell(inputs.bfloat16(), sequence=True)
    assert torch.equal(hidden, cell(inputs.bfloat16().float(), sequence=True))
