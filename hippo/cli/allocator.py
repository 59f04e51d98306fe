"""Memory of large tensors in huge pages."""

import os

VARIABLE = "THP_MEM_ALLOC_ENABLE"  # read by PyTorch's allocator, at the first tensor


def use_huge_pages() -> None:
    """Ask PyTorch to take tensors of more than 2 MB from huge pages, where the system has them.

    The system clears every page of a new tensor when it is first written. With pages of 4 KB this takes up to a third
    of the time of an S4 layer's training step. It has no effect once this process has made a tensor, and a value of the
    environment is kept.
    """
    os.environ.setdefault(VARIABLE, "1")
