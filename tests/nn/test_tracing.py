"""torch.compile, torch.export, torch.func and torch.jit: equal results, or a clear refusal."""

import subprocess
import sys

import pytest
import torch
from torch._dynamo.exc import Unsupported

from hippo import project
from hippo.nn import S4, HiPPOLayer, build_model
from tests.nn.cases import engine_models, options_of

OPTIONS = {"legs": {}, "gru": {}, "lmu": {"theta": 12.0}}


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()


def compiled(module, **options):
    """Without code generation, which takes long and is PyTorch's own."""
    return torch.compile(module, backend="aot_eager", **options)


def model_and_inputs(name):
    torch.manual_seed(0)
    return build_model(name, 3, 5, hidden_size=8, **OPTIONS[name]), torch.randn(4, 20, 3)


def entries(state):
    return [state] if isinstance(state, torch.Tensor) else list(state)


def gradients(loss, model):
    return torch.autograd.grad(loss, list(model.parameters()))


# -- torch.compile ------------------------------------------------------------------------------------------------


def test_compiled_training_is_the_same():
    model, inputs = model_and_inputs("legs")
    got, want = compiled(model)(inputs), model(inputs)
    assert torch.equal(got, want)
    for g, w in zip(gradients(got.square().sum(), model), gradients(want.square().sum(), model), strict=True):
        assert torch.equal(g, w)


@torch.no_grad()
@pytest.mark.parametrize("name", ["legs", "gru"])
def test_a_compiled_layer_is_one_graph_without_gradients(name):
    _, inputs = model_and_inputs(name)
    layer = HiPPOLayer(3, 8, cell=name, batch_first=True)
    program = compiled(layer, fullgraph=True)
    state = found = None
    for part in inputs.split(10, 1):
        (want, state), (got, found) = layer(part, state), program(part, found)
        for a, b in zip((got, *entries(found)), (want, *entries(state)), strict=True):
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def test_one_graph_with_gradients_is_refused_with_the_reason():
    model, inputs = model_and_inputs("gru")
    for module, x in ((model, inputs), (S4(8, 16), torch.randn(4, 20, 8))):
        with pytest.raises(Unsupported, match="faster outside of the compiled program: compile without fullgraph=True"):
            compiled(module, fullgraph=True)(x)


def test_a_compiled_s4_layer_is_the_same():
    layer, inputs = S4(8, 16).eval(), torch.randn(4, 20, 8)
    assert torch.equal(compiled(layer)(inputs), layer(inputs))


@torch.no_grad()
def test_a_compiled_program_refuses_a_batch_of_two_kinds():
    layer, inputs = HiPPOLayer(3, 8, batch_first=True), torch.randn(2, 5, 3)
    hidden, memory, time = layer(inputs)[1]
    program = compiled(layer, fullgraph=True)
    with pytest.raises(ValueError, match="some samples of the batch had inputs before and some had none"):
        program(inputs, (hidden, memory, torch.tensor([[3.0, -1.0]], dtype=torch.float64)))


# -- torch.export -------------------------------------------------------------------------------------------------


def test_an_exported_layer_carries_its_state():
    layer, inputs = HiPPOLayer(3, 8, batch_first=True), torch.randn(4, 20, 3)
    state = layer(inputs)[1]
    program = torch.export.export(layer, (inputs, state)).module()
    for got, want in zip(program(inputs, state)[1], layer(inputs, state)[1], strict=True):
        torch.testing.assert_close(got, want, atol=1e-6, rtol=1e-6)


@pytest.mark.slow
def test_an_exported_layer_runs_in_another_process(tmp_path):
    """Shapes are dynamic, and the state is carried: the other process imports no cell by itself."""
    layer, inputs = HiPPOLayer(3, 8, cell="legs", order=5, batch_first=True), torch.randn(4, 20, 3)
    first, state = layer(inputs)
    second, _ = layer(inputs[:, :7], state)
    batch, steps = torch.export.Dim("batch", min=2), torch.export.Dim("steps", min=3)
    shapes = {"input": {0: batch, 1: steps}, "state": tuple({1: batch} for _ in state)}
    program = torch.export.export(layer, (inputs, state), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "layer.pt2")
    torch.save({"inputs": inputs, "first": first.detach(), "second": second.detach()}, tmp_path / "expected.pt")
    torch.save(layer.initial_state(4), tmp_path / "state.pt")
    code = """
import torch, hippo.nn.engine.operators
program, expected = torch.export.load("layer.pt2").module(), torch.load("expected.pt")
first, state = program(expected["inputs"], torch.load("state.pt"))
second, _ = program(expected["inputs"][:, :7], state)
torch.testing.assert_close(first, expected["first"], atol=1e-6, rtol=1e-6)
torch.testing.assert_close(second, expected["second"], atol=1e-6, rtol=1e-6)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("name", engine_models())
def test_every_cell_of_the_engine_can_be_exported(name):
    model, inputs = build_model(name, 3, 5, **options_of(name).test_options), torch.randn(4, 11, 3)
    program = torch.export.export(model, (inputs,)).module()
    torch.testing.assert_close(program(inputs), model(inputs), atol=1e-6, rtol=1e-6)


def test_an_exported_s4_layer_needs_no_kernels():
    layer, inputs = S4(8, 16).eval(), torch.randn(4, 20, 8)
    program = torch.export.export(layer, (inputs,))
    assert "hippo" not in str(program.graph)
    # The response is computed in another way in float32; its sums of 20 terms of order one round at 1e-7 each.
    torch.testing.assert_close(program.module()(inputs), layer(inputs), atol=1e-5, rtol=1e-5)


def test_what_cannot_be_exported_says_so():
    inputs = torch.randn(2, 5, 3)
    with pytest.raises(RuntimeError, match="NCDECell has no operator for torch.export and torch.func"):
        torch.export.export(build_model("ncde", 3, 5, hidden_size=4), (inputs,))
    with pytest.raises(RuntimeError, match="lengths with a state cannot be compiled or exported"):
        torch.export.export(HiPPOLayer(3, 4, batch_first=True), (inputs,), {"lengths": torch.tensor([5, 2])})


def test_project_says_that_it_needs_values():
    with pytest.raises(TypeError, match="signal is a tensor without values.*use the layers of hippo.nn"):
        torch.func.vmap(lambda signal: project(signal, order=4))(torch.randn(3, 20))


# -- torch.func ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTIONS)
def test_gradients_per_sample(name):
    model, inputs = model_and_inputs(name)
    parameters = {key: value.detach() for key, value in model.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(model, parameters, (x,)).square().sum()

    whole = torch.func.grad(loss)(parameters, inputs)
    each = torch.func.vmap(torch.func.grad(lambda p, x: loss(p, x.unsqueeze(0))), (None, 0))(parameters, inputs)
    want = dict(zip(parameters, gradients(model(inputs).square().sum(), model), strict=True))
    for key, value in want.items():
        torch.testing.assert_close(whole[key], value, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(each[key].sum(0), value, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.func.vmap(lambda x: model(x.unsqueeze(0)).squeeze(0))(inputs), model(inputs))


def test_second_derivatives_are_refused():
    model, inputs = model_and_inputs("gru")
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.func.grad(lambda x: torch.func.grad(lambda y: model(y).sum())(x).sum())(inputs)


# -- torch.jit ----------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("compiler", [torch.jit.script, lambda module: torch.jit.trace(module, torch.randn(2, 5, 8))])
@pytest.mark.parametrize("make", [lambda: build_model("gru", 8, 3), lambda: HiPPOLayer(8, 4), lambda: S4(8, 16)])
def test_jit_is_refused(make, compiler):
    with pytest.raises(RuntimeError, match="cannot be compiled by torch.jit: use torch.export or torch.compile"):
        compiler(make())
