import math

import torch

from hippo.nn import build_model
from hippo.nn.parameter_groups import parameter_groups


def test_the_recurrent_matrix_is_orthogonal():
    cell = build_model("exprnn", 1, 2, hidden_size=9).double().backbone
    with torch.no_grad():
        cell.skew.normal_()
    matrix = cell.orthogonal()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(9, dtype=torch.float64), atol=1e-12, rtol=0)


def test_cayley_initialization_rotates_in_planes_by_at_most_a_radian():
    cell = build_model("exprnn", 1, 2, hidden_size=8).double().backbone
    # sqrt((1 - cos s) / (1 + cos s)) = tan(s / 2), at most 1 for s up to pi / 2.
    angles = cell.skew[torch.arange(0, 8, 2), torch.arange(1, 8, 2)]
    assert (angles <= 0).all() and (angles >= -math.tan(math.pi / 4) - 1e-6).all() and angles.unique().numel() == 4
    expected = torch.block_diag(
        *[torch.tensor([[math.cos(a), math.sin(a)], [-math.sin(a), math.cos(a)]]) for a in angles.tolist()]
    )
    torch.testing.assert_close(cell.orthogonal(), expected.double(), atol=1e-6, rtol=0)


def test_the_orthogonal_parameters_have_a_tenth_of_the_learning_rate():
    model = build_model("exprnn", 1, 2, hidden_size=8)
    rates = {id(p): group["lr"] for group in parameter_groups(model, 1e-3) for p in group["params"]}
    assert math.isclose(rates[id(model.backbone.skew)], 1e-4)
    assert math.isclose(rates[id(model.backbone.weight_ih)], 1e-3) and len(rates) == len(list(model.parameters()))
