"""Texts as sequences of characters: vocabulary, token ids, and texts that occur twice."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

PADDING, UNKNOWN, END = 0, 1, 2
"""Token ids that are no characters."""
CODE_POINTS = 0x110000


def code_points(text: str) -> np.ndarray:
    """Return the characters of a text as numbers, shape (characters,), uint32."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def count_characters(texts: Iterable[str], limit: int) -> np.ndarray:
    """Count characters.

    Parameters
    ----------
    texts : iterable of str
        The texts.
    limit : int
        Characters of each text that are counted: the first ones.

    Returns
    -------
    ndarray, shape (0x110000,), int64
        Occurrences of each character by its code point.
    """
    counts, pending, size = np.zeros(CODE_POINTS, np.int64), [], 0
    for text in texts:
        pending.append(text[:limit])
        size += len(pending[-1])
        if size > CODE_POINTS:
            counts += np.bincount(code_points("".join(pending)), minlength=CODE_POINTS)
            pending, size = [], 0
    return counts + np.bincount(code_points("".join(pending)), minlength=CODE_POINTS)


class Vocabulary:
    """Token ids of characters. The ids below 3 are padding, unknown character and end of the text.

    Parameters
    ----------
    counts : ndarray, shape (0x110000,)
        Occurrences of each character by its code point.
    min_count : int, default 1
        Occurrences that a character needs to have an id of its own.

    Attributes
    ----------
    characters : list of str
        Characters in the order of their ids, the most frequent first. The id of the first one is 3.
    size : int
        Number of token ids.
    """

    def __init__(self, counts: np.ndarray, min_count: int = 1):
        (known,) = np.nonzero(counts >= min_count)
        known = known[np.argsort(-counts[known], kind="stable")]
        self.characters = [chr(point) for point in known]
        self.size = END + 1 + len(known)
        self.dtype = np.uint8 if self.size <= 256 else np.uint16 if self.size <= 65536 else np.int32
        self._ids = np.full(CODE_POINTS, UNKNOWN, self.dtype)
        self._ids[known] = np.arange(END + 1, self.size)

    def encode(self, text: str, tokens: np.ndarray) -> int:
        """Write the token ids of one text, then the end token, into a padded sequence.

        Parameters
        ----------
        text : str
            The text. It is cut to one character less than the sequence is long.
        tokens : ndarray, shape (length,), integer
            Receives the ids.

        Returns
        -------
        int
            True length, with the end token.
        """
        length = min(len(text), len(tokens) - 1)
        tokens[:length] = self._ids[code_points(text[:length])]
        tokens[length] = END
        tokens[length + 1 :] = PADDING
        return length + 1

    def encode_all(self, texts: Sequence[str], max_length: int) -> tuple[np.ndarray, np.ndarray]:
        """Return token ids (texts, max_length) and true lengths (texts,), int64."""
        tokens = np.zeros((len(texts), max_length), self.dtype)
        lengths = np.array([self.encode(text, row) for text, row in zip(texts, tokens, strict=True)], np.int64)
        return tokens, lengths


def keys(samples: np.ndarray) -> list[bytes]:
    """Return a digest of each sample: equal samples have equal digests, and pairs in either order.

    Parameters
    ----------
    samples : ndarray, shape (samples, length) or (samples, 2, length)
        Texts, or pairs of texts.
    """
    if samples.ndim == 3:
        return [b"".join(sorted(map(_digest, pair))) for pair in samples]
    return [_digest(sample) for sample in samples]


def _digest(text: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(text).data, digest_size=16).digest()


def first_occurrences(samples: np.ndarray, excluded: set[bytes]) -> np.ndarray:
    """Return the samples that are neither excluded nor equal to an earlier sample.

    Parameters
    ----------
    samples : ndarray, shape (samples, ...)
        The samples.
    excluded : set of bytes
        Digests of samples that are left out (`keys`).

    Returns
    -------
    ndarray of int64
        Their numbers, in order.
    """
    seen, kept = set(excluded), []
    for number, key in enumerate(keys(samples)):
        if key not in seen:
            seen.add(key)
            kept.append(number)
    return np.array(kept, np.int64)
