"""The gradient of a weight from a bfloat16 tape: left^T right over all rows, on every policy that computes it."""

import pytest
import torch

from hippo import kernels
from hippo.nn.engine import compiled


def computes_it(name: str) -> bool:
    with kernels.use(name) as chosen:
        return chosen.compiled is not None and chosen.compiled.has_weight_gradient()


POLICIES = [name for name in kernels.runnable() if computes_it(name)]
ROWS_PER_BLOCK = 256  # whose products are added in one register (csrc/products)


def operands(rows: int, m: int, n: int):
    """Random operands whose columns are those of a larger array, as the gates of a tape are."""
    torch.manual_seed(rows)
    return torch.randn(rows, m + 3).bfloat16()[:, :m], torch.randn(rows, n + 5).bfloat16()[:, 5:]


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 12, 32), (255, 13, 33), (256, 64, 16), (1027, 70, 45)], ids=str)
def test_products_are_exact_and_sums_round(name, shape):
    """A product of two bfloat16 numbers is exact in float32. Of each sum of K numbers, in any order, the error is at
    most K 2^-24 times the sum of their magnitudes; each number passes through one block and through the sum of blocks.
    """
    left, right = operands(*shape)
    with kernels.use(name):
        got = compiled.weight_gradient(left, right).double()
    want, magnitude = left.double().t() @ right.double(), left.double().abs().t() @ right.double().abs()
    sums = min(shape[0], ROWS_PER_BLOCK) + shape[0] // ROWS_PER_BLOCK + 1
    assert ((got - want).abs() <= sums * 2**-24 * magnitude).all()


@pytest.mark.parametrize("name", POLICIES)
def test_the_number_of_threads_does_not_matter(name, monkeypatch):
    left, right = operands(300, 70, 45)
    with kernels.use(name):
        one = compiled.weight_gradient(left, right)
        for threads in (2, 3, 100):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            assert torch.equal(compiled.weight_gradient(left, right), one)


@pytest.mark.parametrize("name", POLICIES[:1])
def test_shapes_that_do_not_fit_are_refused(name):
    left, right = operands(4, 3, 2)
    with kernels.use(name), pytest.raises(ValueError, match=r"expected threads >= 1, left \(rows, m\), right \(rows, n\)"):
        compiled.weight_gradient(left, right[:3])


def test_kernels_without_it_refuse():
    with kernels.use("baseline"):
        left, right = operands(4, 32, 32)
        assert not compiled.has_weight_gradient(left, right)
        with pytest.raises(ValueError, match="'baseline' have no such product"):
            compiled.weight_gradient(left, right)
