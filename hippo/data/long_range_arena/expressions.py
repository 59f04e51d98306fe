"""Generator of ListOps expressions from the published grammar.

References
----------
Nangia, Bowman 2018, ListOps: a diagnostic dataset for latent tree learning; Tay et al. 2021, Long Range Arena, section
2.2 and `lra_benchmarks/data/listops.py` in google-research/long-range-arena.
"""

import random
from typing import NamedTuple

import numpy as np
from numba import njit

from hippo.data.errors import DataError

FIRST_OPERATOR, CLOSING, ZERO = 3, 7, 8
"""Token ids of MIN, the closing bracket and the digit 0 (`hippo.data.long_range_arena.listops.TOKENS`)."""

OPERATOR_PROBABILITY = 0.25
BATCH_TOKENS = 2_000_000
BATCH_ATTEMPTS = 2_000_000
"""Expressions begun in one batch, at most."""
LEAST_NEW = 1e-5
"""Fraction of begun expressions that must be accepted and new."""


class Expressions(NamedTuple):
    """Expressions one after another.

    Attributes
    ----------
    tokens : ndarray
        Token ids of all expressions, shape (tokens,), uint8.
    lengths : ndarray
        Number of tokens of each expression, shape (expressions,), int64.
    values : ndarray
        Value of each expression, 0 to 9, shape (expressions,), int64.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    values: np.ndarray


def generate(
    count: int, min_length: int, max_length: int, max_depth: int, max_arguments: int, seed: int
) -> Expressions:
    """Generate different expressions.

    Parameters
    ----------
    count : int
        Number of expressions.
    min_length, max_length : int
        An expression has more than `min_length` and fewer than `max_length` tokens, brackets included.
    max_depth : int
        Depth of the deepest digit; the first operator has depth 1.
    max_arguments : int
        Arguments of an operator: 2 to this number, all equally likely.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    Expressions
        The same for the same arguments, in the order in which they were generated.

    Raises
    ------
    DataError
        If hardly any expression has such a length, or there are not enough different ones.
    """
    rng = np.random.default_rng(seed)
    seen: set[bytes] = set()
    kept: list[tuple[bytes, int]] = []
    while len(kept) < count:
        tokens, lengths, values, attempts = _batch(rng, min_length, max_length, max_depth, max_arguments)
        ends, before = np.cumsum(lengths), len(kept)
        for end, length, value in zip(ends.tolist(), lengths.tolist(), values.tolist(), strict=True):
            expression = tokens[end - length : end].tobytes()
            if expression not in seen:
                seen.add(expression)
                kept.append((expression, value))
        if len(kept) - before < LEAST_NEW * attempts and len(kept) < count:
            raise DataError(
                f"ListOps: of {attempts:,} generated expressions only {len(kept) - before} were new and had more than "
                f"{min_length} and fewer than {max_length} tokens, and {count - len(kept):,} are still missing; choose "
                "a wider range of lengths, or fewer samples"
            )
    kept = kept[:count]
    lengths = np.array([len(expression) for expression, _ in kept])
    values = np.array([value for _, value in kept])
    return Expressions(np.frombuffer(b"".join(expression for expression, _ in kept), np.uint8), lengths, values)


def _batch(rng, min_length, max_length, max_depth, max_arguments):
    """Tokens, lengths and values of accepted expressions, and how many were begun."""
    tokens = np.zeros(BATCH_TOKENS + max_length + 2, np.uint8)
    most = BATCH_TOKENS // max(min_length, 1) + 1
    lengths, values = np.zeros(most, np.int64), np.zeros(most, np.int64)
    seed = rng.integers(0, 2**32)
    accepted, attempts = _accepted(seed, tokens, lengths, values, min_length, max_length, max_depth, max_arguments)
    return tokens, lengths[:accepted], values[:accepted], attempts


@njit(cache=True)
def _accepted(seed, tokens, lengths, values, min_length, max_length, max_depth, max_arguments):
    """Fill `tokens`, `lengths` and `values` with accepted expressions; their number, and how many were begun."""
    random.seed(seed)
    begun, position, accepted = 0, 0, 0
    # For each open operator: its kind, how many arguments it still lacks, and the values of those before.
    kinds, lacking = np.zeros(max_depth + 1, np.int64), np.zeros(max_depth + 1, np.int64)
    known, arguments = np.zeros(max_depth + 1, np.int64), np.zeros((max_depth + 1, max_arguments), np.int64)
    while begun < BATCH_ATTEMPTS and position < BATCH_TOKENS and accepted < len(lengths):
        begun += 1
        depth, length, value = 0, 0, -1  # depth: number of open operators
        while length < max_length:
            if depth < max_depth - 1 and random.random() < OPERATOR_PROBABILITY:
                kinds[depth] = int(random.random() * 4)
                lacking[depth], known[depth] = 2 + int(random.random() * (max_arguments - 1)), 0
                tokens[position + length] = FIRST_OPERATOR + kinds[depth]
                depth += 1
                length += 1
                continue
            value = int(random.random() * 10)
            tokens[position + length] = ZERO + value
            length += 1
            while depth > 0:  # the value is an argument of the innermost open operator, which it may complete
                inner = depth - 1
                arguments[inner, known[inner]] = value
                known[inner] += 1
                lacking[inner] -= 1
                if lacking[inner] > 0 or length >= max_length:
                    break
                value = _apply(kinds[inner], arguments[inner], known[inner])
                tokens[position + length] = CLOSING
                length += 1
                depth -= 1
            if depth == 0:
                break
        if depth == 0 and min_length < length < max_length:
            lengths[accepted], values[accepted] = length, value
            accepted += 1
            position += length
    return accepted, begun


@njit(cache=True)
def _apply(kind, arguments, count):
    """Minimum, maximum, median rounded down, or sum modulo 10 of the first `count` arguments, which it sorts."""
    total = 0
    for i in range(count):  # insertion sort
        value, j = arguments[i], i
        total += value
        while j > 0 and arguments[j - 1] > value:
            arguments[j] = arguments[j - 1]
            j -= 1
        arguments[j] = value
    if kind == 0:
        return arguments[0]
    if kind == 1:
        return arguments[count - 1]
    if kind == 3:
        return total % 10
    return (arguments[(count - 1) // 2] + arguments[count // 2]) // 2
