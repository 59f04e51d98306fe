"""The kernels in use, and the NumPy and PyTorch reference implementations against the dense float64 recurrence."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from hippo import kernels, transition
from hippo.kernels import reference

ORDERS = [1, 2, 7, 16, 33, 64]
CONFIDENCE = 5  # of the bounds below


def dense_step(order, step_ratio, alpha):
    """Abar (N, N), Bbar (N,) of one LegS step, float64."""
    A, B = transition("legs", order)
    left = np.eye(order) - alpha * step_ratio * A
    return np.linalg.solve(left, np.eye(order) + (1 - alpha) * step_ratio * A), np.linalg.solve(left, step_ratio * B)


def rounding_bound(order, alpha, step_ratios, state, inputs, dtype):
    """Bound on the error of a step, or of its adjoint, by roundings in `dtype`.

    A coefficient is c_n - (decay_n c_n + root_n r_n S_n), and the running sum S_n has at most n terms root_k c_k and
    the input; every factor of the sum is at most 1. All terms count in full below, as if none of them cancelled. Every
    index adds at most ten roundings: six of its coefficients, four of its two sums. n independent roundings of unit u
    amount to at most CONFIDENCE sqrt(n) u with a probability of 1 - 2 exp(-CONFIDENCE^2 / 2) (Higham, Mary 2019).
    """
    index = np.arange(1, order + 1)
    root = np.sqrt(2 * index - 1)
    r = np.max(step_ratios) / (1 + alpha * np.max(step_ratios) * index)
    terms = np.abs(inputs).max() + np.cumsum(root * np.abs(state).max(0))
    largest = (np.abs(state).max(0) * (1 + index * r) + root * r * terms).max()
    return CONFIDENCE * np.sqrt(10 * order) * np.finfo(dtype).eps / 2 * largest


def step_ratios_of(kind, batch):
    return {"one": 1 / 7, "first": 1.0, "many": np.random.default_rng(1).uniform(0.01, 1, batch)}[kind]


@pytest.mark.parametrize("backend", ["kernel", "numpy", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["one", "first", "many"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("order", ORDERS)
def test_step_and_adjoint_match_the_dense_recurrence(order, alpha, kind, dtype, backend):
    rng, batch = np.random.default_rng(order), 5
    state, grad = rng.standard_normal((2, batch, order)).astype(dtype)
    inputs = rng.standard_normal(batch).astype(dtype)
    step_ratio = step_ratios_of(kind, batch)
    pairs = [dense_step(order, s, alpha) for s in np.broadcast_to(step_ratio, batch)]
    new = np.stack([A @ c + B * f for (A, B), c, f in zip(pairs, state, inputs, strict=True)])
    old_grad = np.stack([A.T @ g for (A, _), g in zip(pairs, grad, strict=True)])
    input_grad = np.array([B @ g for (_, B), g in zip(pairs, grad, strict=True)])
    bounds = [rounding_bound(order, alpha, step_ratio, c, inputs, dtype) for c in (state, grad)]
    if backend != "reference":
        with kernels.use("numpy") if backend == "numpy" else nullcontext():
            kernels.legs_step(state, inputs, step_ratio, alpha)
            result = kernels.legs_step_adjoint(grad, step_ratio, alpha)
    else:
        tensors = [torch.from_numpy(a) for a in (state, inputs, grad)]
        ratios = torch.as_tensor(step_ratio, dtype=tensors[0].dtype)
        reference.legs_step(tensors[0], tensors[1], ratios, alpha)
        result = reference.legs_step_adjoint(tensors[2], ratios, alpha).numpy()
    assert np.abs(state - new).max() < bounds[0]
    assert np.abs(grad - old_grad).max() < bounds[1]
    assert np.abs(result - input_grad).max() < bounds[1]


@pytest.mark.parametrize("stride", [0, 1, 3, 40])
@pytest.mark.parametrize("first", [0, 1, 5])
def test_project_matches_single_steps(first, stride):
    rng = np.random.default_rng(0)
    state, inputs = rng.standard_normal((2, 9)), rng.standard_normal((2, 40))
    expected, rows = state.copy(), []
    for i in range(40):
        if first + i == 0:
            expected[:] = 0
            expected[:, 0] = inputs[:, 0]
        else:
            pair = dense_step(9, 1 / (first + i), 0.5)
            expected = expected @ pair[0].T + np.outer(inputs[:, i], pair[1])
        rows.append(expected.copy())
    mirrored = torch.from_numpy(state.copy())
    with kernels.use("numpy"):
        numpy_state = state.copy()
        numpy_snapshots = kernels.legs_project(numpy_state, inputs, first, stride=stride)
    np.testing.assert_allclose(numpy_state, expected, rtol=0, atol=1e-12)
    snapshots = kernels.legs_project(state, inputs, first, stride=stride)
    np.testing.assert_allclose(state, expected, rtol=0, atol=1e-12)
    size = 40 // stride if stride else 0
    reference_rows = torch.empty(2, size, 9, dtype=torch.float64)
    reference.legs_project(mirrored, torch.from_numpy(inputs), torch.empty(0), first, 0.5, stride, 0, reference_rows)
    np.testing.assert_allclose(mirrored.numpy(), expected, rtol=0, atol=1e-12)
    if stride:
        np.testing.assert_allclose(snapshots, np.stack(rows[stride - 1 :: stride], axis=1), rtol=0, atol=1e-12)
        np.testing.assert_allclose(reference_rows.numpy(), snapshots, rtol=0, atol=1e-12)
        np.testing.assert_allclose(numpy_snapshots, snapshots, rtol=0, atol=1e-12)


def test_tensors_are_shared_without_copies():
    state = torch.ones(3, 4)
    pointer = state.data_ptr()
    assert kernels.legs_step(state, torch.zeros(3), 0.5) is None
    assert state.data_ptr() == pointer and not torch.equal(state, torch.ones(3, 4))
    grad = kernels.legs_step_adjoint(state, 0.5)
    assert isinstance(grad, torch.Tensor) and grad.dtype == torch.float32 and grad.shape == (3,)


def test_gradcheck_through_step_and_adjoint():
    class Step(torch.autograd.Function):
        @staticmethod
        def forward(ctx, state, inputs):
            new = state.clone()
            kernels.legs_step(new, inputs, 1 / 3)
            return new

        @staticmethod
        def backward(ctx, grad):
            grad = grad.clone()
            inputs = kernels.legs_step_adjoint(grad, 1 / 3)
            return grad, inputs

    torch.manual_seed(0)
    arguments = (torch.randn(3, 17).double().requires_grad_(), torch.randn(3).double().requires_grad_())
    assert torch.autograd.gradcheck(Step.apply, arguments)
