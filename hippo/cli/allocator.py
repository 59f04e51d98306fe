"""The C library's allocator, which by default returns large tensors to the system as soon as they are freed."""

import ctypes

TRIM_THRESHOLD, TOP_PAD, MMAP_MAX = -1, -2, -4  # parameters of mallopt, in glibc's malloc.h
LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory in this process for the next tensor, instead of returning it to the system.

    By default glibc maps every array of more than 32 MB anew, and the system fills its pages with zeros when they are
    first written: up to half of the time of an S4 layer's training step. A C library without `mallopt` is left as it
    is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(MMAP_MAX, 0)
    mallopt(TRIM_THRESHOLD, LARGEST)
    mallopt(TOP_PAD, 2**26)
