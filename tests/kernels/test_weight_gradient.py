"""The gradient of a weight from a tape: left^T right over all rows, on every policy that computes it."""

import pytest
import torch

from hippo import kernels
from hippo.nn.engine import compiled

CASES = [
    (name, dtype)
    for name in kernels.runnable()
    for dtype in (torch.float32, torch.bfloat16)
    if name.partition("+")[0] != "torch" and (dtype == torch.float32 or "+" in name)
]
ROWS_PER_BLOCK = 256  # of a tape, at most, whose products are added in one register (csrc/products/tape_gradient.hpp)


def operands(rows: int, m: int, n: int, dtype=torch.float32):
    """Random operands whose columns are those of a larger array, as the gates of a tape are."""
    torch.manual_seed(rows)
    return torch.randn(rows, m + 3).to(dtype)[:, :m], torch.randn(rows, n + 5).to(dtype)[:, 5:]


@pytest.mark.parametrize(("name", "dtype"), CASES, ids=str)
@pytest.mark.parametrize(
    "shape", [(0, 40, 33), (1, 1, 1), (2, 12, 32), (255, 13, 33), (256, 64, 16), (1027, 70, 45)], ids=str
)
def test_sums_round_and_products_of_bfloat16_are_exact(name, dtype, shape):
    """Of a sum of K numbers, in any order, the error is at most K 2^-24 times the sum of their magnitudes. Each number
    passes through the sum of a block and the sum of blocks. A product of two float32 numbers rounds once more. Tiles of
    32 rows round less often: test_tiles.py.
    """
    left, right = operands(*shape, dtype)
    with kernels.use(name):
        got = compiled.weight_gradient(left, right).double()
    want, magnitude = left.double().t() @ right.double(), left.double().abs().t() @ right.double().abs()
    blocks = -(-shape[0] // (ROWS_PER_BLOCK // 2))  # those of float32 are half as long
    roundings = min(shape[0], ROWS_PER_BLOCK) + blocks + 1
    assert ((got - want).abs() <= roundings * 2**-24 * magnitude).all()


@pytest.mark.parametrize(("name", "dtype"), CASES, ids=str)
def test_the_number_of_threads_does_not_matter(name, dtype, monkeypatch):
    left, right = operands(300, 70, 45, dtype)
    with kernels.use(name):
        one = compiled.weight_gradient(left, right)
        for threads in (2, 3, 100):
            monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
            assert torch.equal(compiled.weight_gradient(left, right), one)


@pytest.mark.parametrize("name", {name for name, _ in CASES[:1]})
def test_operands_that_do_not_fit_are_refused(name):
    left, right = operands(4, 3, 2)
    with kernels.use(name):
        for one, other in ((left, right[:3]), (left, right.bfloat16()), (left.t().contiguous().t(), right)):
            with pytest.raises(ValueError, match=r"expected threads >= 1, left \(rows, m\), right \(rows, n\)"):
                compiled.weight_gradient(one, other)


@pytest.mark.skipif(not CASES, reason="no compiled kernels")
def test_kernels_without_the_product_refuse():
    with kernels.use("baseline"):
        left, right = operands(4, 32, 32, torch.bfloat16)
        assert not compiled.has_weight_gradient(left, right)
        with pytest.raises(ValueError, match="'baseline' have no such product"):
            compiled.weight_gradient(left, right)
