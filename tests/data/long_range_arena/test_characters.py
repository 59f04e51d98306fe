"""Token ids of characters."""

import numpy as np
import pytest

from hippo.data.long_range_arena.characters import CODE_POINTS, END, PADDING, UNKNOWN, Vocabulary


def counts(text: str) -> np.ndarray:
    return np.bincount([ord(character) for character in text], minlength=CODE_POINTS)


def test_ids_are_in_the_order_of_the_counts_and_rare_characters_are_unknown():
    vocabulary = Vocabulary(counts("aabbbccd"), min_count=2)
    assert vocabulary.characters == ["b", "a", "c"] and vocabulary.size == 6
    tokens = np.full(8, 99)
    assert vocabulary.encode("cdab", tokens) == 5
    assert tokens.tolist() == [5, UNKNOWN, 4, 3, END, PADDING, PADDING, PADDING]
    assert vocabulary.encode("aaaaaaaaa", tokens) == 8 and tokens.tolist() == [4] * 7 + [END]


@pytest.mark.parametrize(
    ("characters", "dtype"), [(253, np.uint8), (254, np.uint16), (65533, np.uint16), (65534, np.int32)]
)
def test_the_type_of_the_tokens_holds_every_id(characters, dtype):
    occurrences = np.zeros(CODE_POINTS, np.int64)
    occurrences[0x20000 : 0x20000 + characters] = 1
    vocabulary = Vocabulary(occurrences)
    tokens, lengths = vocabulary.encode_all([vocabulary.characters[-1]], 3)
    assert tokens.dtype == dtype and tokens.tolist() == [[characters + 2, END, PADDING]] and lengths.tolist() == [2]
