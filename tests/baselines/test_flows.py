"""The fixed-step form of ODE-RNN and NCDE against their reference form, which torchdiffeq and torchcde compute."""

import math

import pytest
import torch

from hippo import kernels
from hippo.nn import build_model
from hippo.nn.cells.padding import last, true_steps
from hippo.nn.divergence import Diverged
from hippo.nn.engine import tape
from hippo_baselines.flows import compiled_form

double = torch.float64
NAMES = ["ode_rnn", "ncde"]
SOLVERS = ["euler", "midpoint", "rk4"]
COMPILED = [name for name in kernels.runnable() if not name.startswith("torch")]
needs_kernels = pytest.mark.skipif(not COMPILED, reason="no compiled kernels here")
# Sizes around the widths that the kernels pad to, and field sizes below and above the hidden size.
SIZES = [(5, 3), (37, 21), (64, 96)]


def build(name, dtype=double, **options):
    """A cell whose weights and biases are all away from zero."""
    torch.manual_seed(0)
    cell = build_model(name, 3, 2, **{"hidden_size": 6, "field_size": 4, "time_unit": 2.0, **options}).backbone
    for parameter in cell.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return cell.to(dtype)


def sequences(batch=5, length=7, dtype=double):
    """Inputs and timestamps that require gradients, and true lengths."""
    torch.manual_seed(1)
    inputs, times = torch.randn(batch, length, 3), torch.rand(batch, length).cumsum(1)
    return inputs.to(dtype).requires_grad_(), times.to(dtype).requires_grad_(), torch.randint(1, length + 1, (batch,))


def gradients(hidden, variables):
    torch.manual_seed(2)
    weights = torch.randn(hidden.shape).to(hidden.dtype)
    return torch.autograd.grad((hidden * weights).sum(), variables, allow_unused=True, materialize_grads=True)


def close(got, want, tolerance=1e-12):
    """Relative to the largest entry: an entry may cancel."""
    assert (got - want).abs().max() <= tolerance * want.abs().max()


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", NAMES)
def test_float64_is_the_reference_form(name, solver, steps):
    """Values, gradients of inputs, timestamps and weights, and the evaluations."""
    cell, (inputs, times, lengths) = build(name, solver=solver, steps=steps), sequences()
    variables = [inputs, times, *cell.parameters()]
    for true_lengths in (None, lengths):
        for every_step in (True, False):
            read = inputs if true_lengths is None else inputs.where(true_steps(true_lengths, 7).unsqueeze(2), 0)
            expected = cell.reference(read, times, true_lengths)
            evaluations = cell.counters()
            want = expected if every_step else last(expected, true_lengths)
            got = cell(inputs, times=times, lengths=true_lengths, sequence=every_step)
            assert cell.counters() == evaluations
            close(got, want)
            for g, w in zip(gradients(got, variables), gradients(want, variables), strict=True):
                close(g, w)


@pytest.mark.parametrize("dtype", [double, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_without_timestamps_and_for_one_input(name, dtype):
    for length in (1, 4):
        cell, (inputs, _, _) = build(name, dtype), sequences(length=length, dtype=dtype)
        got, want = cell(inputs, sequence=True), cell.reference(inputs)
        close(got, want, 16 * torch.finfo(dtype).eps)
        variables = [inputs, *cell.parameters()]
        for g, w in zip(gradients(got, variables), gradients(want, variables), strict=True):
            close(g, w, 64 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("name", NAMES)
def test_gradcheck_of_every_entry(name):
    cell = build(name, hidden_size=2, field_size=2, solver="rk4", steps=2)
    names, parameters = zip(*cell.named_parameters(), strict=True)
    inputs, times, _ = sequences(batch=2, length=3)

    def run(inputs, times, *values):
        return torch.func.functional_call(
            cell, dict(zip(names, values, strict=True)), (inputs,), {"times": times, "sequence": True}
        )

    assert torch.autograd.gradcheck(run, (inputs, times, *parameters))


def distance(got, want):
    return ((got.double() - want).norm() / want.norm()).item()


def values_and_gradients(cell, run, inputs, times):
    """Hidden states, and all gradients, each as one vector."""
    hidden = run(cell)(inputs, times)
    grads = gradients(hidden, [inputs, times, *cell.parameters()])
    return hidden.detach().flatten(), torch.cat([grad.flatten() for grad in grads])


@needs_kernels
@pytest.mark.parametrize("kernel", COMPILED)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize(("name", "solver"), [("ode_rnn", "euler"), ("ode_rnn", "midpoint"), ("ncde", "rk4")])
def test_compiled_float32_rounds_as_the_reference_form_does(name, solver, sizes, kernel):
    """Both have the same number of roundings, one more or less per sum. Their errors differ by chance, hence the 3."""
    options = {"hidden_size": sizes[0], "field_size": sizes[1], "solver": solver, "steps": 2}
    for batch in (1, 19, 33):
        exact_inputs = sequences(batch, 20, double)[:2]
        inputs = sequences(batch, 20, torch.float32)[:2]
        want = values_and_gradients(build(name, double, **options), lambda cell: cell.reference, *exact_inputs)
        reference = values_and_gradients(build(name, torch.float32, **options), lambda cell: cell.reference, *inputs)
        with kernels.use(kernel):
            cell = build(name, torch.float32, **options)
            got = values_and_gradients(cell, lambda cell: lambda x, t: cell(x, times=t, sequence=True), *inputs)
        for g, r, w in zip(got, reference, want, strict=True):
            assert distance(g, w) < 3 * distance(r, w) + 2 * torch.finfo(torch.float32).eps


@needs_kernels
@pytest.mark.parametrize("name", NAMES)
def test_threads_divide_the_batch(name):
    """Each thread sums the gradients of the weights over its own samples; more threads than samples are idle."""
    cell, (inputs, times, _) = build(name, torch.float32), sequences(dtype=torch.float32)
    variables, threads = [inputs, times, *cell.parameters()], torch.get_num_threads()
    found = []
    try:
        for count in (1, 2, 8):
            torch.set_num_threads(count)
            hidden = cell(inputs, times=times)
            found.append([hidden, *gradients(hidden, variables)])
    finally:
        torch.set_num_threads(threads)
    for many in found[1:]:
        for g, w in zip(many, found[0], strict=True):
            close(g, w, 8 * torch.finfo(torch.float32).eps)


@pytest.mark.parametrize("dtype", [double, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_a_second_backward_pass_gives_the_same(name, dtype):
    """Its tape has gone to another sequence in between."""
    cell, (inputs, times, _) = build(name, dtype), sequences(dtype=dtype)
    variables, hidden = [inputs, times, *cell.parameters()], cell(inputs, times=times)
    first = torch.autograd.grad(hidden.sum(), variables, retain_graph=True)
    cell(2 * inputs, times=times).sum().backward()
    for g, w in zip(torch.autograd.grad(hidden.sum(), variables), first, strict=True):
        assert torch.equal(g, w)


@needs_kernels
@pytest.mark.parametrize("name", NAMES)
def test_evaluation_keeps_one_step_of_the_tape(name, monkeypatch):
    kept = []

    def acquire(layout, device):
        kept.append(layout["states"][0][0])
        return tape.acquire(layout, device)

    monkeypatch.setattr(compiled_form, "acquire", acquire)
    cell, (inputs, times, _) = build(name, torch.float32), sequences(dtype=torch.float32)
    with torch.no_grad():
        without = cell(inputs, times=times, sequence=True)
    assert torch.equal(without, cell(inputs, times=times, sequence=True))
    assert kept == [1, 6 * {"ode_rnn": 1, "ncde": 4}[name]]
    assert len(tape.spare_tapes) <= tape.TAPES_KEPT


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_changed_before_the_backward_pass_is_an_error(name):
    cell, (inputs, times, _) = build(name, torch.float32), sequences(dtype=torch.float32)
    hidden = cell(inputs, times=times)
    with torch.no_grad():
        next(cell.field.parameters()).add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        hidden.sum().backward()


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", NAMES)
def test_the_limit_of_evaluations_is_that_of_the_reference_form(name, solver):
    inputs = sequences()[0].detach()
    cell = build(name, solver=solver, steps=2)
    cell.reference(inputs)
    needed = cell.counters()["evaluations"]
    for limit in (needed, needed - 1, 3):
        found = []
        cell = build(name, solver=solver, steps=2, max_evaluations=limit)
        for run in (cell, cell.reference):
            try:
                run(inputs)
                run(inputs)  # the limit applies to each pass
                found.append((None, cell.counters()))
            except Diverged as error:
                found.append((str(error), cell.counters()))
        assert found[0] == found[1]
        assert (found[0][0] is None) == (limit >= needed)


@pytest.mark.parametrize("dtype", [double, torch.float32])
@pytest.mark.parametrize("name", NAMES)
def test_a_nan_reaches_the_result(name, dtype):
    cell, (inputs, _, _) = build(name, dtype, hidden_size=20, field_size=40), sequences(dtype=dtype)
    poisoned = inputs.detach().clone()
    poisoned[1, 3, 0] = math.nan
    got, want = cell(poisoned, sequence=True), cell.reference(poisoned)
    assert torch.equal(got.isfinite(), want.isfinite()) and got[0].isfinite().all()


@pytest.mark.parametrize("setting", [{"precision": "bfloat16"}, {"checkpoint": True}])
@pytest.mark.parametrize("name", NAMES)
def test_settings_of_the_engine_are_refused(name, setting):
    with pytest.raises(ValueError, match="not run by the engine"):
        build_model(name, 3, 2, hidden_size=4, engine=setting)
