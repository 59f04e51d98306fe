"""Sizes for which a fast Fourier transform is fast."""


def fast_fft_size(least: int) -> int:
    """Return the smallest even size 2^i times 1, 3, 5, 7 or 9 that is at least `least`.

    Parameters
    ----------
    least : int
        Number of values, at least 1.

    Returns
    -------
    int

    Examples
    --------
    >>> fast_fft_size(1000), fast_fft_size(1025)
    (1024, 1152)
    """
    return min(factor << max(1, (-(-least // factor) - 1).bit_length()) for factor in (1, 3, 5, 7, 9))
