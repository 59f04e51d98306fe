"""The compiled cells against the same engine in float64, which test_engine.py compares with the reference form."""

import math

import pytest
import torch

from hippo import kernels
from hippo.kernels import backend
from hippo.nn import HiPPOLayer, build_model
from tests.nn.cases import compiled_models

pytestmark = pytest.mark.skipif(backend().compiled is None, reason=f"no compiled kernels: {backend().reason}")

COMPILED = [name for name in kernels.runnable() if not name.startswith("torch")]
EMULATED = [name for name in COMPILED if "+" in name]  # those with bfloat16 products, in units or emulated
needs_bfloat16 = pytest.mark.skipif(not EMULATED, reason="no bfloat16 products here")
STEPS = 40

# Sizes around the widths that the kernels pad to: vectors of 4, 8 and 16, tiles of 16 and 32.
HIPPO = [
    {"hidden_size": 37},
    {"hidden_size": 64, "order": 32},
    {"hidden_size": 5, "order": 1},
    {"hidden_size": 16, "order": 21, "memory_size": 3},
    {"hidden_size": 33, "order": 20, "gated": False},
    {"hidden_size": 40, "discretization": "backward"},
]
DENSE = [
    ("legt", {"hidden_size": 37, "theta": 30.0}),
    ("legt", {"hidden_size": 5, "order": 1, "theta": 30.0}),
    ("lagt", {"hidden_size": 16, "order": 21, "memory_size": 3, "step": 0.2}),
    ("fout", {"hidden_size": 64, "order": 32, "theta": 30.0, "gated": False}),
    ("rand", {"hidden_size": 33, "order": 20, "step": 0.05}),
    ("lmu", {"hidden_size": 37, "theta": 30.0}),
    ("lmu", {"hidden_size": 16, "order": 21, "memory_size": 3, "theta": 30.0}),
    ("lmu", {"hidden_size": 5, "order": 64, "theta": 30.0}),
]
PLAIN = [*((name, {}) for name in compiled_models()), ("gru", {"reset_gate": False})]
CASES = [
    *[("legs", {**options, "timestamps": timestamps}) for options in HIPPO for timestamps in (False, True)],
    *DENSE,
    *[(name, {**options, "hidden_size": hidden}) for name, options in PLAIN for hidden in (5, 37, 64)],
]
ONE_EACH = [
    ("legs", {"hidden_size": 37}),
    DENSE[2],
    DENSE[6],
    *[(name, {**options, "hidden_size": 37}) for name, options in PLAIN],
]


def exponential(upper):
    return torch.linalg.matrix_exp(upper - upper.T)


def prepare(cell, name, kinks=True):
    """Change weights that would hide an error."""
    if name == "lmu":
        # Its encoders and weights of the hidden state start at zero, which would hide a wrong product.
        for weight in (cell.encode_hidden, cell.encode_memory, cell.weight_input, cell.weight_hidden):
            torch.nn.init.normal_(weight, std=0.1)
    if name == "exprnn":
        # Zero biases would leave ModReLU the identity; positive ones make it jump at zero, where rounding decides.
        torch.nn.init.uniform_(cell.bias, -0.1, 0) if kinks else torch.nn.init.zeros_(cell.bias)
        # Its recurrent matrix exactly: torch's matrix exponential in float32 is good to 1e-4 only.
        cell.orthogonal = lambda: exponential(cell.skew.double().triu(1)).to(cell.skew.dtype)
    return cell


def run(case, batch=19, precision="float32", dtype=torch.float32, sequence=True, checkpoint=False, kinks=True):
    """Hidden states, and all gradients in one vector."""
    torch.manual_seed(0)
    name, options = case
    engine = {"precision": precision, "checkpoint": checkpoint}
    cell = prepare(build_model(name, 2, 3, engine=engine, **options).backbone, name, kinks).to(dtype)
    inputs = torch.randn(batch, STEPS, 2).to(dtype).requires_grad_()
    times = torch.rand(batch, STEPS).sort(1).values.to(dtype) if options.get("timestamps") else None
    hidden = cell(inputs, times=times, sequence=sequence)
    weights = torch.randn(batch, STEPS, options["hidden_size"]).to(dtype)
    grads = torch.autograd.grad(
        (hidden * (weights if sequence else weights[:, -1])).sum(), [inputs, *cell.parameters()]
    )
    return hidden.detach().double(), torch.cat([grad.double().flatten() for grad in grads])


def distance(got, want):
    return ((got - want).norm() / want.norm()).item()


def float32_bound(case, steps=STEPS):
    """Relative error in norm of hidden states in float32; that of a gradient is sqrt(2) times as large.

    A pre-activation is a sum of K products, and its activation amounts to at most 16 more roundings (an exponential
    and a reciprocal). A rounding changes its operand by at most u = 2^-24, by u / sqrt(3) in the mean square, and
    independent roundings add in the mean square. No cell amplifies what an earlier step has left in its state, so T
    steps have at most T (K + 16) such roundings. A gradient has those of the forward and of the backward pass.
    """
    w_in, w_rec, *_ = build_model(case[0], 2, 3, **case[1]).backbone.weights()
    return 2**-24 * math.sqrt(steps * (w_in.shape[1] + w_rec.shape[1] + 16) / 3)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("batch", [1, 19, 33])
def test_float32_is_float64_up_to_rounding(case, batch):
    want = run(case, batch, dtype=torch.float64)
    got = run(case, batch)
    assert distance(got[0], want[0]) < float32_bound(case)
    assert distance(got[1], want[1]) < math.sqrt(2) * float32_bound(case)


@needs_bfloat16
@pytest.mark.parametrize("case", CASES, ids=str)
def test_bfloat16_rounds_its_operands_only(case):
    """bfloat16 rounds by at most u = 2^-8, by u / sqrt(6) in the mean square over a binade.

    A step rounds three times: weight, operand and activation. Cells with a gate or a tanh damp what an earlier step has
    left by 1 / sqrt(2) or more, so all steps together amount to at most sqrt(2) sqrt(3) u / sqrt(6) = u, and to 2 u in
    a gradient, to which the backward pass adds as much. ExpRNN damps nothing: the rounding of its orthogonal matrix
    turns the state by u / sqrt(6) more at each step, by T u / sqrt(6) after T, which is 1 / sqrt(3) of that in the mean
    square over the steps. Its gradient is tested with zero biases, because it is discontinuous at the kinks elsewhere.
    """
    unit, turning = 2**-8, case[0] == "exprnn"
    bound = unit * (STEPS / math.sqrt(18) if turning else 1)
    with kernels.use(EMULATED[-1]):
        got = run(case, precision="bfloat16")
        gradient = run(case, precision="bfloat16", kinks=False)[1] if turning else got[1]
    want = run(case, dtype=torch.float64)
    exact_gradient = run(case, dtype=torch.float64, kinks=False)[1] if turning else want[1]
    assert distance(got[0], want[0]) < bound and distance(gradient, exact_gradient) < 2 * bound
    assert distance(got[0], want[0]) > 10 * float32_bound(case)  # it is not float32 by mistake


@pytest.mark.parametrize("name", [name for name in COMPILED if "+" not in name])
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_every_instruction_set(case, name):
    want = run(case, dtype=torch.float64)
    with kernels.use(name):
        got = run(case)
    assert distance(got[0], want[0]) < float32_bound(case)
    assert distance(got[1], want[1]) < math.sqrt(2) * float32_bound(case)


def two_steps(case, precision, rounded_weights=False):
    """Hidden state after two steps, of which only the first has an input, and the gradient of that input."""
    torch.manual_seed(0)
    name, options = case
    cell = prepare(build_model(name, 2, 3, engine={"precision": precision}, **options).backbone, name)
    if rounded_weights:
        weights = list(cell.weights())
        for i in [1, 2] if name in ("mgu", "gru_d") else [1]:  # those that the step's products have
            weights[i] = weights[i].bfloat16().float()
        cell.weights = lambda: tuple(weights)
    inputs = torch.randn(200, 2, 2)
    inputs[:, 1] = 0
    inputs.requires_grad_()
    hidden = cell(inputs, sequence=True)[:, 1]
    (grad,) = torch.autograd.grad((hidden * torch.randn_like(hidden)).sum(), [inputs])
    return hidden.detach().double(), grad[:, 0].double()


@needs_bfloat16
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_bfloat16_rounds_alike_on_every_instruction_set(case):
    """Whether products run on units for bfloat16 or in float32: weights and operands are rounded to the same numbers.

    Sums of K products in another order differ by about sqrt(K / 3) 2^-24, for these cells less than 2^-21. A number
    that differs by d rounds to the other neighbor with a probability of at most d / 2^-8, here 2^-13, which changes it
    by at most 2^-7: 2^-7 sqrt(2^-13) = 9e-5 in the mean square over all numbers that are rounded. The recurrence would
    feed this back and enlarge it at every step, in the end to the size of the roundings themselves, hence two steps
    only. Products of weights that are not rounded differ by 1.6e-3, and results by `unrounded`: less than half of that
    passes.
    """
    exact, rounded = two_steps(case, "float32"), two_steps(case, "float32", rounded_weights=True)
    want = None
    for name in EMULATED:
        with kernels.use(name):
            got = two_steps(case, "bfloat16")
        want = want or got
        for i in range(2):
            unrounded = distance(rounded[i], exact[i])
            assert unrounded > 1e-4  # else the test would see nothing
            assert distance(got[i], want[i]) < unrounded / 2


def test_bfloat16_is_float32_where_there_is_no_unit():
    case = ("legs", {"hidden_size": 37})
    with kernels.use("baseline"):
        one, other = run(case), run(case, precision="bfloat16")
    assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
@pytest.mark.parametrize("sequence", [False, True])
def test_checkpoints_change_rounding_only(case, sequence):
    """The weights' sums have other brackets, and libraries may round the input products of fewer steps otherwise."""
    plain, stored = run(case, sequence=sequence), run(case, sequence=sequence, checkpoint=True)
    assert distance(stored[0], plain[0]) < float32_bound(case)
    assert distance(stored[1], plain[1]) < math.sqrt(2) * float32_bound(case)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_padding_is_not_seen(case):
    name, options = case
    cell = build_model(name, 2, 3, **options).backbone
    inputs, lengths = torch.randn(3, 12, 2), torch.tensor([12, 1, 7])
    hidden = cell(inputs, lengths=lengths)
    for got, x, length in zip(hidden, inputs, lengths, strict=True):
        bound = float32_bound(case, steps=12)
        torch.testing.assert_close(got, cell(x[None, :length])[0], atol=bound, rtol=bound)


@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_padding_gives_no_gradient(case):
    name, options = case
    cell, inputs = build_model(name, 2, 3, **options).backbone, torch.randn(2, 12, 2)
    inputs[1, 5:] = torch.nan
    cell(inputs, lengths=[12, 5]).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in cell.parameters())


@pytest.mark.parametrize("lengths", [[0, 12], [12], [12.0, 3.0], [12, 13], torch.tensor([True, True])])
def test_wrong_lengths_are_refused(lengths):
    cell = build_model("legs", 2, 3, hidden_size=4).backbone
    with pytest.raises(ValueError, match="lengths (span|have shape|are)"):
        cell(torch.randn(2, 12, 2), lengths=lengths)


def test_times_that_require_a_gradient_are_refused():
    times = torch.arange(12.0).repeat(2, 1).requires_grad_()
    layer = HiPPOLayer(2, 4, batch_first=True)
    for module in (layer, layer.cells[0]):
        with pytest.raises(ValueError, match="times require a gradient, which cells do not compute"):
            module(torch.randn(2, 12, 2), times=times)
        with torch.no_grad():
            module(torch.randn(2, 12, 2), times=times)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("case", ONE_EACH, ids=str)
def test_the_number_of_threads_does_not_matter(case, precision, monkeypatch):
    if precision == "bfloat16":
        monkeypatch.setenv("HIPPO_KERNELS", EMULATED[-1])
        backend.cache_clear()
    one = run(case, 5, precision)
    again = run(case, 5, precision)
    assert torch.equal(one[0], again[0]) and torch.equal(one[1], again[1])
    for threads in (2, 3, 8):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        many = run(case, 5, precision)
        assert torch.equal(one[0], many[0])
        # In a cell with a memory, each thread sums up the small weights' gradients over its samples. A sum over all
        # samples and steps in other brackets has other roundings, of which each is 2^-24 / sqrt(3) in the mean square.
        bound = 2**-24 * math.sqrt(2 * 5 * STEPS / 3)
        assert distance(many[1], one[1]) < bound if case[0] not in compiled_models() else torch.equal(many[1], one[1])


@pytest.mark.parametrize(
    "case", [case for case in ONE_EACH if case[0] != "gru_d"], ids=str
)  # to which NaN is a missing value
def test_nan_propagates(case):
    name, options = case
    cell = build_model(name, 2, 3, **options).backbone
    inputs = torch.randn(3, 12, 2)
    inputs[1, 5] = torch.nan
    hidden = cell(inputs, sequence=True)
    hidden[:, -1].sum().backward()
    broken = hidden.isnan().all(2)
    assert broken[1, 5:].all() and not broken[1, :5].any() and not broken[[0, 2]].any()
    assert any(parameter.grad.isnan().any() for parameter in cell.parameters())


def test_serves_what_it_can_compute_only():
    def of(name, dtype, **options):
        model = build_model(name, 1, 2, hidden_size=4, **options).to(dtype)
        make = model.backbone.recurrence(None)
        return make(4, dtype, *model.backbone.weights()).is_compiled

    assert of("legs", torch.float32)
    assert of("lstm", torch.float32)
    assert not of("legs", torch.float64)
    assert not of("lstm", torch.float64)
    assert of("lagt", torch.float32)


@pytest.mark.parametrize("name", ["legs", "lstm"])
@pytest.mark.parametrize("magnitude", [1e-30, 1e-3, 1.0, 30.0, 1e4])
def test_saturated_and_tiny_pre_activations(name, magnitude):
    # The activations are the kernel's own polynomials: near zero and far out they must be as good as in between.
    torch.manual_seed(0)
    cell = build_model(name, 1, 2, hidden_size=50).backbone
    scaled = (cell.candidate.weight, cell.gate.weight) if name == "legs" else (cell.weight_ih, cell.weight_hh)
    with torch.no_grad():
        for parameter in cell.parameters():
            if parameter.ndim == 1:
                parameter.zero_()
        for weight in scaled:
            weight.normal_().mul_(magnitude)
    # One step of the LSTM: with weights this large its state, fed back, is chaotic.
    inputs = torch.randn(7, 5, 1) if name == "legs" else torch.randn(35, 1, 1)
    hidden = cell(inputs, sequence=True)
    want = cell.double()(inputs.double(), sequence=True)
    assert hidden.isfinite().all()
    # At most four activations follow each other, with four roundings each (exponential, sum, reciprocal and its
    # correction). For arguments near zero these are the same in all units, so they add up in full. Pre-activations have
    # roundings in proportion to their size, which the slope of tanh cannot enlarge; beyond 100 nearly all saturate.
    assert distance(hidden.double(), want) < 16 * 2**-24 * max(1.0, min(magnitude, 1e2))
