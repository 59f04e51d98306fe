"""The S4 layer: parameters, parts that are not trained, sampling rate, padding, cache."""

import contextlib
import copy
import math

import numpy as np
import pytest
import torch

from hippo.nn import S4, S4D
from hippo.nn.divergence import Diverged
from hippo.nn.parameter_groups import parameter_groups
from hippo.nn.ssm.system import LEAST_DECAY, StateSpace
from hippo.operators import structured_system

double = torch.float64
PARTS = {"A": {"log_decay", "frequency", "P"}, "B": {"B"}, "C": {"C"}, "step": {"log_step"}, "D": {"D"}}


def layer(hidden_size=4, state_size=8, **options):
    return S4(hidden_size, state_size, **{"dt_min": 0.01, "dt_max": 0.3, "dtype": double, **options})


def inputs(length=90, batch=3, features=4):
    return torch.randn(batch, length, features, dtype=double)


def test_initial_parameters():
    system = StateSpace(4000, 64, dt_min=0.002, dt_max=0.05)
    steps = system.log_step.detach()
    assert math.log(0.002) <= steps.min() and steps.max() <= math.log(0.05)
    # uniform: mean of 4000 values within 5 standard errors of the middle of the range
    width = math.log(0.05 / 0.002)
    assert abs(steps.mean().item() - math.log(0.002 * 0.05) / 2) < 5 * width / math.sqrt(12 * 4000)
    # variance 1 of a complex number is 1/2 per part; 256 000 values have a relative standard error of sqrt(2 / 256000)
    assert abs(system.C.detach().square().mean().item() - 0.5) < 5 * 0.5 * math.sqrt(2 / 256_000)


@pytest.mark.parametrize("measure", ["legt", "fout", "diag_real"])
def test_frozen_dynamics_are_those_of_the_measure(measure):
    """Trained real parts are at most -1e-4 at first; frozen ones are exact, also where they are 0."""
    expected = structured_system(measure, 8)
    system = StateSpace(4, 8, measure, frozen=("A", "B", "step"), dt_min=0.002, dt_max=0.002, dtype=double)
    np.testing.assert_array_equal(system.decay.numpy()[0], -expected.eigenvalues.real)
    np.testing.assert_array_equal(system.frequency.numpy()[0], expected.eigenvalues.imag)
    assert (system.step == 0.002).all() and set(dict(system.named_parameters())) == {"C"}
    trained = StateSpace(4, 8, measure, dtype=double)
    capped = np.maximum(-expected.eigenvalues.real, LEAST_DECAY)
    np.testing.assert_allclose(trained.log_decay.detach().exp().numpy()[0], capped, rtol=1e-14)


def test_copies_of_a_mixture_belong_to_the_features_in_turn():
    system = StateSpace(6, 8, "legt+diag_lin", n_ssm=4, frozen=("A",), dtype=double)
    assert system.P.shape == (4, 2, 4, 2)  # rank 2 of LegT; that of the diagonal system is filled with zeros
    assert (system.P[:2] != 0).any() and (system.P[2:] == 0).all()
    frequencies = {"legt": structured_system("legt", 8), "diag_lin": structured_system("diag_lin", 8)}
    for copy_, name in enumerate(["legt", "legt", "diag_lin", "diag_lin"]):
        np.testing.assert_array_equal(system.frequency[copy_].numpy(), frequencies[name].eigenvalues.imag)
    a = StateSpace(6, 8, "legt+diag_lin", n_ssm=4, dt_min=0.1, dt_max=0.1, dtype=double).discretize().a
    for feature in range(6):
        assert torch.equal(a[feature], a[feature % 4])


@pytest.mark.parametrize("part", list(PARTS))
def test_a_frozen_part_does_not_move(part):
    model = layer(frozen=(part,), measure="legs")
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    others = set().union(*(names for key, names in PARTS.items() if key != part))
    assert {name.removeprefix("system.") for name, _ in model.named_parameters() if "output" not in name} == others
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01))
    model(inputs()).square().sum().backward()
    optimizer.step()
    assert all(torch.equal(value, buffers[name]) for name, value in model.named_buffers())
    assert all(not torch.equal(value, before[name]) for name, value in model.named_parameters())


@pytest.mark.parametrize("frozen", [("A",), ("step",), ("A", "B", "C", "D", "step")])
@pytest.mark.parametrize("measure", ["legs", "fout"])
def test_values_of_trained_parts_load_into_frozen_ones_and_back(measure, frozen):
    trained, fixed, again = (layer(measure=measure, frozen=parts) for parts in ((), frozen, ()))
    u = inputs()
    values = trained.state_dict()
    fixed.load_state_dict(values)
    again.load_state_dict(fixed.state_dict())
    for other in (fixed, again):
        torch.testing.assert_close(other(u), trained(u), atol=1e-10, rtol=0)
    assert values.keys() == trained.state_dict().keys()  # the caller's mapping is not changed


def test_an_exact_decay_of_zero_loads_as_the_least_one():
    model = layer(measure="fout")
    model.load_state_dict(layer(measure="fout", frozen=("A",)).state_dict())
    assert torch.allclose(model.system.log_decay.exp(), torch.full((1, 4), LEAST_DECAY, dtype=double), rtol=1e-12)


def test_parameter_groups():
    model = layer(learning_rate_B=None, learning_rate_step=0.02)
    rates = {}
    for group in parameter_groups(model, learning_rate=0.1, weight_decay=0.3):
        for parameter in group["params"]:
            rates[id(parameter)] = (group["lr"], group["weight_decay"])
    system = model.system
    expected = {
        system.log_decay: (0.001, 0), system.frequency: (0.001, 0), system.P: (0.001, 0), system.B: (0.1, 0),
        system.log_step: (0.02, 0), system.C: (0.1, 0.3), model.D: (0.1, 0.3), model.output.weight: (0.1, 0.3),
    }  # fmt: skip
    assert all(rates[id(parameter)] == value for parameter, value in expected.items())


@pytest.mark.parametrize("length", [5, 70])  # by a product with a matrix, and by an FFT
@pytest.mark.parametrize(
    "options",
    [
        {"measure": "legs", "bidirectional": True},
        {"measure": "legt+fout", "n_ssm": 2, "output": "linear"},
        {"measure": "diag_inv", "discretization": "zoh", "output": None},
    ],
)
def test_gradients_of_all_parameters(options, length):
    model = layer(2, 4, **options)
    names, values = zip(*model.named_parameters(), strict=True)

    def outputs(u, *values):
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)), (u,))[:, ::11]

    u = inputs(length, batch=1, features=2).requires_grad_()
    assert torch.autograd.gradcheck(outputs, (u, *values), fast_mode=length > 5)


def transfer(system, step, omega):
    """y / u of the bilinear recurrence in steady state for u = e^(i omega t), from the continuous system.

    z (1 - h A) X = (1 + h A) X + step B with z = e^(i omega step), h = step / 2, y = C z X.
    """
    A, B, C = system
    z = np.exp(1j * omega * step)
    identity = np.eye(len(A))
    return C @ np.linalg.solve(z * (identity - step / 2 * A) - (identity + step / 2 * A), step * B) * z


@pytest.mark.parametrize("measure", ["legs", "diag_lin"])
def test_rate_two_on_every_second_sample(measure):
    """For a sum of sinusoids both outputs are known exactly; they differ by the change of the transfer function.

    The bound is of order omega step: the bilinear recurrence of the state, read after its input, is early by half a
    step. The systems decay at least as e^(-t / 2), so that their start is forgotten after 80 units of time.
    """
    step, length = 0.05, 2000
    model = layer(1, 8, measure=measure, dt_min=step, dt_max=step, output=None)
    with torch.no_grad():
        model.D.zero_()
    A, B = structured_system(measure, 8).expand()
    C = torch.view_as_complex(model.system.C.detach())[0, 0].numpy()
    system = A, B, np.concatenate([C, C.conj()])
    omegas, amplitudes, times = [0.3, 1.0, 2.0], [1.0, 0.7, 0.5], step * np.arange(length)
    signal = sum(a * np.cos(w * times) for w, a in zip(omegas, amplitudes, strict=True))
    u = torch.from_numpy(signal).view(1, -1, 1)
    with torch.no_grad():
        fine = model(u)[0, ::2, 0].numpy()
        coarse = model(u[:, ::2].contiguous(), rate=2.0)[0, :, 0].numpy()
    late = slice(1600 // 2, None)
    for output, dt in ((fine, step), (coarse, 2 * step)):
        exact = sum(
            a * (transfer(system, dt, w) * np.exp(1j * w * times[::2])).real
            for w, a in zip(omegas, amplitudes, strict=True)
        )
        np.testing.assert_allclose(output[late], exact[late], rtol=0, atol=1e-9)
    bound = sum(
        a * abs(transfer(system, 2 * step, w) - transfer(system, step, w))
        for w, a in zip(omegas, amplitudes, strict=True)
    )
    assert np.abs(coarse - fine)[late].max() <= bound + 1e-9
    assert bound < sum(a * w * step * abs(transfer(system, step, w)) for w, a in zip(omegas, amplitudes, strict=True))


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"measure": "diag_inv", "discretization": "zoh"}])
def test_padding_does_not_matter(options):
    model, u, lengths = layer(**options), inputs(), torch.tensor([90, 17, 1])
    padded = u.clone()
    for sample, length in enumerate(lengths.tolist()):
        padded[sample, length:] = torch.nan
    outputs = model(padded, lengths)
    assert torch.equal(model(padded, lengths.tolist()), outputs)
    for sample, length in enumerate(lengths.tolist()):
        alone = model(u[sample : sample + 1, :length])
        torch.testing.assert_close(outputs[sample : sample + 1, :length], alone, atol=1e-11, rtol=0)


def test_outputs_of_a_bidirectional_layer_depend_on_both_sides():
    model, u = layer(bidirectional=True), inputs(70).requires_grad_()
    (gradient,) = torch.autograd.grad(model(u)[:, 30].sum(), u)
    assert (gradient[:, :30].abs().sum((0, 2)) > 0).all() and (gradient[:, 31:].abs().sum((0, 2)) > 0).all()


def test_output_and_activation():
    u = inputs(20)
    plain = layer(output=None, dropout=0.5)
    torch.testing.assert_close(plain(3 * u), 3 * plain(u))  # linear: no activation and no dropout
    linear = layer(output="linear", activation=None)
    bias = linear.output.bias
    torch.testing.assert_close(linear(3 * u) - bias, 3 * (linear(u) - bias))
    assert layer(output="glu")(u).shape == u.shape


def test_dropout_is_off_in_eval_mode_and_may_be_tied():
    model = layer(dropout=0.5, tie_dropout=True, output="linear")
    model.output.weight.data.copy_(torch.eye(4))
    model.output.bias.data.zero_()
    zero = model(inputs(30)) == 0
    assert (zero == zero[:, :1]).all() and zero.any()
    u = inputs(30)
    assert torch.equal(model.eval()(u), model(u)) and not (model(u) == 0).any()


def test_the_discrete_system_is_kept_until_a_parameter_changes():
    model, u = layer().eval(), inputs(70)
    with torch.no_grad():
        first = model(u)
        kept = model.system.discretize()
        assert model.system.discretize() is kept and model.system.discretize(2.0) is not kept
        model.system.log_step.add_(0.5)
        assert not torch.equal(model(u), first)
        model.load_state_dict(layer().state_dict())
        expected = copy.deepcopy(model).train()(u)
        torch.testing.assert_close(model(u), expected)
    assert model.system.discretize() is not model.system.discretize()  # with gradients nothing is kept


def test_s4d_defaults():
    model = S4D(4, 8)
    assert model.system.measure == "diag_inv" and model.system.discretization == "zoh" and model.system.rank == 0


@pytest.mark.parametrize("name", ["log_step", "frequency", "log_decay", "P", "B", "C"])
def test_a_parameter_that_is_not_finite_is_named(name):
    model = layer()
    with torch.no_grad():
        getattr(model.system, name).flatten()[1] = torch.nan
    with pytest.raises(Diverged, match=f"parameter {name} of an S4 layer .* not finite at index .*learning rate"):
        model(inputs())


def test_a_step_that_overflows_is_named():
    model = layer()
    with torch.no_grad():
        model.system.log_step[2] = 1000.0
    with pytest.raises(Diverged, match=r"parameter log_step .* at index \(2,\)"):
        model.step(inputs()[:, 0], model.initial_state(3))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"dt_min": 0.2, "dt_max": 0.1}, "dt_min = 0.2 is larger than dt_max = 0.1"),
        ({"dt_min": 0.0}, "dt_min must be a positive number"),
        ({"state_size": 7}, "state_size must be even"),
        ({"state_size": 0}, "state_size must be even and at least 2"),
        ({"measure": "legss"}, "measure = 'legss': no system is called 'legss'; did you mean 'legs'"),
        ({"measure": "legs+foud"}, "did you mean 'fout'"),
        ({"measure": "legs+fout", "n_ssm": 3}, "n_ssm = 3: the mixture 'legs.fout' .* multiple of 2"),
        ({"n_ssm": 5}, "5 copies of A and B .* are more than hidden_size = 4"),
        ({"discretization": "zoh"}, "discretization = 'zoh' needs a diagonal system, but 'legs' has a low-rank term"),
        ({"discretization": "euler"}, "discretization = 'euler': an S4 layer has bilinear and zoh"),
        ({"frozen": ("E",)}, "frozen contains 'E'"),
        ({"activation": "relu"}, "activation = 'relu': expected 'gelu' or None"),
        ({"output": "mlp"}, "output = 'mlp': expected 'glu', 'linear' or None"),
    ],
)
def test_settings_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        layer(**options)


@pytest.mark.parametrize("rate", [0, -1.0, math.nan, math.inf])
def test_a_rate_that_is_not_positive(rate):
    with pytest.raises(ValueError, match="rate must be a positive number"):
        layer()(inputs(), rate=rate)


@pytest.mark.parametrize("options", [{"measure": "legs"}, {"measure": "legt"}, {"measure": "diag_inv"}])
def test_a_rate_that_overflows(options):
    model = layer(dtype=torch.float32, **options)
    with pytest.raises(ValueError, match=r"rate = 1e\+42: the discrete system is not finite in torch.float32"):
        model(inputs().float(), rate=1e42)
    for rate in (1e18, 1e36, 1e38):  # refused or computed, but never NaN
        with contextlib.suppress(ValueError):
            assert model(inputs().float(), rate=rate).isfinite().all()


def test_inputs_that_cannot_be_used():
    model = layer()
    u = inputs(10)
    u[1, 4, 2] = math.inf
    with pytest.raises(ValueError, match="inputs contain inf at sample 1, step 4, channel 2"):
        model(u)
    with pytest.raises(ValueError, match=r"inputs have shape \(3, 10, 5\); expected \(batch, length, 4\)"):
        model(inputs(10, features=5))
    with pytest.raises(ValueError, match=r"inputs have shape \(3, 0, 4\)"):
        model(inputs(0))
    with pytest.raises(ValueError, match="inputs are torch.float32, the parameters torch.float64"):
        model(inputs().float())
    with pytest.raises(ValueError, match=r"the state is torch.float64 \(3, 4\); expected torch.complex128 \(3, 4, 4\)"):
        model(inputs(), state=torch.zeros(3, 4, dtype=double))


def test_a_bidirectional_layer_has_no_recurrent_form():
    model = layer(bidirectional=True)
    for call in (
        lambda: model.step(inputs()[:, 0], torch.zeros(3, 4, 4, dtype=torch.complex128)),
        lambda: model.initial_state(3),
        lambda: model(inputs(), return_state=True),
    ):
        with pytest.raises(ValueError, match="a bidirectional layer has no .* pass whole sequences to forward"):
            call()
