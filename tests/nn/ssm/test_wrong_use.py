"""Wrong and unusual use of S4 layers and of their compiled functions."""

import copy
import pickle
import threading

import pytest
import torch

from hippo import kernels
from hippo.nn.ssm import compiled_convolution, compiled_scan, inputs
from hippo.nn.ssm.gated_linear import GatedLinear
from hippo.nn.ssm.last_output import last_output
from hippo.nn.ssm.layer import S4

needs_kernels = pytest.mark.skipif(kernels.backend().compiled is None, reason="the kernels are not compiled")


def layer(**options):
    torch.manual_seed(0)
    return S4(8, 4, dt_min=0.01, **options)


@pytest.mark.parametrize("inputs", [torch.zeros(3, 15), torch.zeros(4, 4000), torch.zeros(3, 16).double()])
def test_the_output_map_refuses_inputs_that_do_not_fit(inputs):
    with pytest.raises(RuntimeError, match="mat1|dtype|shape"):
        GatedLinear(16)(inputs)


def test_the_output_map_of_one_vector():
    gated = GatedLinear(16)
    inputs = torch.randn(16)
    assert torch.allclose(gated(inputs), gated(inputs.unsqueeze(0))[0], atol=1e-6)


def test_the_output_map_of_other_weights():
    """As after the pruning of channels: the compiled form, which has as many outputs as inputs, does not serve."""
    gated, inputs = GatedLinear(16), torch.randn(3, 16)
    gated.weight, gated.bias = (torch.nn.Parameter(torch.randn(4, *shape)) for shape in ((16,), ()))
    expected = torch.nn.functional.glu(inputs @ gated.weight.T + gated.bias)
    assert torch.allclose(gated(inputs), expected, atol=1e-5)
    gated.bias = None
    assert gated(inputs).shape == (3, 2)


@needs_kernels
def test_compiled_functions_refuse_what_does_not_fit():
    system = layer().system.discretize()
    skip, inputs = torch.zeros(8), torch.zeros(4, 5, 8)
    with pytest.raises(ValueError, match="the state is"):
        compiled_scan.scan(inputs, torch.zeros(1, 8, 1, dtype=torch.complex64), system, skip)
    with pytest.raises(ValueError, match="rank 3 and 1 channels"):
        wide = system._replace(p=system.p.expand(8, 3, 2), v=system.v.expand(8, 3, 2))
        compiled_convolution.convolve(inputs, wide, skip)
    with pytest.raises(ValueError, match="rank 1 and 3 channels"):
        compiled_convolution.convolve(inputs, system._replace(c=system.c.expand(3, 8, 2)), skip)
    with pytest.raises(ValueError, match="skip torch.float64"):
        compiled_convolution.convolve(inputs, system, skip.double())


def test_a_sample_without_inputs_keeps_its_state():
    model = layer().eval()
    inputs = torch.randn(2, 20, 8)
    _, state = model(inputs, return_state=True)
    _, after = model(inputs, lengths=torch.tensor([20, 0]), state=state, return_state=True)
    assert torch.equal(after[1], state[1]) and not torch.equal(after[0], state[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_parameters_in_half_precision_are_refused(dtype):
    model, inputs = layer().to(dtype), torch.zeros(2, 20, 8, dtype=dtype)
    state = torch.zeros(2, 8, 2, dtype=torch.complex64)
    for call in (lambda: model(inputs), lambda: model.last(inputs), lambda: model.step(inputs[:, 0], state)):
        with pytest.raises(ValueError, match=f"the parameters are {dtype}; expected .*float32 .* torch.autocast"):
            call()


@pytest.mark.parametrize("lengths", [[], torch.tensor([]), torch.tensor([], dtype=torch.int64)])
def test_lengths_of_an_empty_batch(lengths):
    assert layer()(torch.zeros(0, 20, 8), lengths=lengths).shape == (0, 20, 8)


@pytest.mark.parametrize("batch", [-1, 1.5, "2", None])
def test_a_number_of_samples_that_cannot_be_used(batch):
    with pytest.raises((ValueError, TypeError), match="batch must be"):
        layer().initial_state(batch)


@pytest.mark.parametrize("lengths", [[20, 25], [-1, 3], [20.0, 20.0], [20], [[20, 20]], 20])
def test_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="lengths"):
        layer()(torch.zeros(2, 20, 8), lengths=torch.tensor(lengths))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"measure": "legt"}])
def test_one_step_has_gradients_in_the_pytorch_form(options):
    model, inputs = layer(**options), torch.randn(2, 1, 8)
    gradients = []
    for name in ("torch", kernels.backend().name):
        model.zero_grad()
        with kernels.use(name):
            model(inputs).square().sum().backward()
        gradients.append([0 if p.grad is None else p.grad.clone() for p in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        assert torch.allclose(torch.as_tensor(one), torch.as_tensor(other), atol=1e-4)


@pytest.mark.parametrize(("batch", "threads"), [(1, 4), (1, 16), (3, 16)])
def test_the_memory_of_a_convolution_grows_with_its_threads(monkeypatch, batch, threads):
    """Outputs and gradients; and six arrays of a cache line for each step of the padded signal and each thread."""
    asked = []
    monkeypatch.setattr(inputs, "check_allocation", lambda what, size: asked.append(size))
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    inputs.check_memory(torch.zeros(batch, 600, 8))
    assert asked == [2 * batch * 600 * 8 * 4 + min(threads, 8 * batch) * 6 * 64 * 2048]


@pytest.mark.parametrize("form", sorted({"torch", kernels.backend().name}))
def test_a_length_beyond_memory_is_refused_at_once(form):
    model, inputs, message = layer(), torch.zeros(1, 1, 8).expand(1, 10**13, 8), "10,000,000,000,000 steps"
    with kernels.use(form), torch.no_grad():
        for call in (model, model.last, lambda inputs: last_output(inputs, model.system.discretize(), model.D)):
            with pytest.raises(MemoryError, match=message):
                call(inputs)


def test_memory_is_that_of_the_device(monkeypatch):
    class OnGpu:
        shape, device = (2, 1000, 8), torch.device("cuda", 1)

        def element_size(self):
            return 4

        def is_complex(self):
            return False

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 4 * 2 * 2 * 1000 * 8))
    inputs.check_memory(OnGpu())
    inputs.check_response(8, 1000, OnGpu())
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 4 * 8 * 1000 - 1))
    with pytest.raises(MemoryError, match="2 sequences of 1,000 steps .* cuda:1 has 31,999 bytes"):
        inputs.check_memory(OnGpu())
    with pytest.raises(MemoryError, match="array of 8 impulse responses of 1,000 steps .* cuda:1 has"):
        inputs.check_response(8, 1000, OnGpu())


def test_a_step_refuses_nan():
    model = layer().eval()
    with torch.no_grad(), pytest.raises(ValueError, match="nan at sample 0, channel 3"):
        model.step(torch.tensor([[0, 0, 0, float("nan"), 0, 0, 0, 0]]), model.initial_state(1))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), complex(0, float("nan"))])
@pytest.mark.parametrize("form", sorted({"torch", kernels.backend().name}))
def test_a_state_that_is_not_finite_is_refused(form, number):
    model, inputs = layer().eval(), torch.ones(2, 70, 8)
    state = model.initial_state(2)
    with kernels.use(form), torch.no_grad():
        state[1, 3, 1] = number
        for call in (
            lambda: model.step(inputs[:, 0], state),
            lambda: model(inputs, state=state),
            lambda: model(inputs, lengths=[70, 3], state=state, return_state=True),
        ):
            with pytest.raises(ValueError, match="the state contains .* at sample 1, channel 3, pair 1"):
                call()
        model.step(inputs[:, 0], model.initial_state(2))
        if model._step is not None:  # it does not check the state, whose numbers all reach the outputs
            assert not model.step(inputs[:, 0].contiguous(), state)[0][1].isfinite().any()


def test_copies_of_a_used_layer():
    model = layer().eval()
    inputs = torch.randn(2, 8)
    with torch.no_grad():
        expected = model.step(inputs, model.initial_state(2))[0]
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert other._step is None and other.system._cache is None
            assert torch.equal(other.step(inputs, other.initial_state(2))[0], expected)
        double = copy.deepcopy(model).double()
        again = double.step(inputs.double(), double.initial_state(2))[0]
    assert torch.allclose(again.float(), expected, atol=1e-5)


def test_another_default_type_changes_nothing():
    model, inputs = layer().eval(), torch.randn(2, 70, 8)
    with torch.no_grad():
        expected = model(inputs), model.step(inputs[:, 0], model.initial_state(2))[0]
        torch.set_default_dtype(torch.float64)
        try:
            found = model(inputs), model.step(inputs[:, 0], model.initial_state(2))[0]
        finally:
            torch.set_default_dtype(torch.float32)
    assert all(torch.equal(f, e) for f, e in zip(found, expected, strict=True))


def test_dropout_that_is_left_on_is_applied_in_steps():
    model = layer(dropout=0.5).eval()
    model.dropout.train()
    with torch.no_grad():
        outputs = [model.step(torch.ones(1, 8), model.initial_state(1))[0] for _ in range(8)]
    assert any(not torch.equal(outputs[0], other) for other in outputs[1:])


def test_threads_with_different_rates():
    model, inputs = layer().eval(), torch.randn(1, 8)
    with torch.no_grad():
        expected = {rate: model.step(inputs, model.initial_state(1), rate)[0] for rate in (1.0, 2.0)}
    wrong = []

    def run(rate):
        with torch.no_grad():
            for _ in range(300):
                if not torch.equal(model.step(inputs, model.initial_state(1), rate)[0], expected[rate]):
                    wrong.append(rate)

    threads = [threading.Thread(target=run, args=(rate,)) for rate in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dropout": 1.5}, "dropout = 1.5"),
        ({"dropout": float("nan")}, "dropout = nan"),
        ({"dtype": torch.float16}, "dtype = torch.float16"),
        ({"dropout": "0.1"}, "dropout = '0.1'"),
        ({"frozen": "step"}, "frozen = 'step'"),
        ({"frozen": None}, "frozen = None: expected a collection of names"),
        ({"learning_rate_A": -1.0}, "learning_rate_A = -1.0"),
        ({"learning_rate_step": "0.1"}, "learning_rate_step = '0.1'"),
        ({"learning_rate_B": float("nan")}, "learning_rate_B = nan"),
        ({"measure": "LegS"}, "did you mean 'legs'"),
    ],
)
def test_settings_that_cannot_be_used(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        layer(**options)
