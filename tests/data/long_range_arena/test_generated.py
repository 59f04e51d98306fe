"""Generated chunks in the cache: resumed, verified, never half-written."""

import numpy as np
import pytest

from hippo.data.errors import DataError
from hippo.data.long_range_arena.generated import chunks


class Maker:
    """Makers of chunks that count what they make, and fail at the chunk `failing`."""

    def __init__(self, failing: str = ""):
        self.made, self.failing = [], failing

    def makers(self):
        return {name: lambda name=name: self.make(name) for name in ("a", "b", "c")}

    def make(self, name):
        if name == self.failing:
            raise KeyboardInterrupt
        self.made.append(name)
        return {"values": np.full(1000, ord(name)), "label": np.arange(3)}


def run(cache, maker, seed=0):
    return [arrays["values"][0] for arrays in chunks(cache, "letters", {"seed": seed}, maker.makers())]


def files(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_chunks_are_made_once_for_the_same_settings(tmp_path):
    first, again, other = Maker(), Maker(), Maker()
    assert run(tmp_path, first) == run(tmp_path, again) == run(tmp_path, other, seed=1) == [97, 98, 99]
    assert (first.made, again.made, other.made) == (["a", "b", "c"], [], ["a", "b", "c"])


def test_interrupted_generation_resumes_at_the_missing_chunk(tmp_path):
    interrupted, resumed = Maker(failing="b"), Maker()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interrupted)
    assert files(tmp_path) == ["a.npz"]
    assert run(tmp_path, resumed) == [97, 98, 99] and resumed.made == ["b", "c"]


@pytest.mark.parametrize("damage", ["cut", "altered", "empty", "other values"])
def test_damaged_chunk_is_made_again_and_says_so(tmp_path, caplog, damage):
    run(tmp_path, Maker())
    (path,) = tmp_path.rglob("b.npz")
    stored = bytearray(path.read_bytes())
    if damage == "other values":
        np.savez(path, digest="0" * 64, values=np.zeros(1000, int), label=np.arange(3))
    else:
        stored[len(stored) // 2] ^= 0xFF
        path.write_bytes({"cut": stored[:-40], "altered": bytes(stored), "empty": b""}[damage])
    maker = Maker()
    assert run(tmp_path, maker) == [97, 98, 99] and maker.made == ["b"]
    assert str(path) in caplog.text and "generated again" in caplog.text
    assert run(tmp_path, Maker(failing="b")) == [97, 98, 99]


def test_cache_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "generated").write_text("a file")
    with pytest.raises(DataError, match="generated.*cannot be written .*HIPPO_CACHE_DIR"):
        run(tmp_path, Maker())
