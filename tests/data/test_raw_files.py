import gzip
import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from hippo.data.character_trajectories import CharacterTrajectories
from hippo.data.errors import DamagedError, DataError
from hippo.data.places import Mirror
from hippo.data.raw_files import content, find_file, find_folder, lines, verified
from hippo.data.sources import Sources
from tests.data.helpers import WHOLE, letter_data

ZEROS = 100_000_000


@pytest.fixture(scope="module")
def bomb(tmp_path_factory) -> Path:
    """A gzip file of 0.1 MB that holds 100 MB."""
    path = tmp_path_factory.mktemp("bomb") / "zeros.gz"
    with gzip.open(path, "wb", compresslevel=9) as packed:
        for _ in range(100):
            packed.write(bytes(ZEROS // 100))
    return path


def test_a_compression_bomb_takes_no_more_memory_than_a_valid_file(bomb):
    limit = 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(DamagedError, match=f"{bomb}: more than 1,000,000 bytes"):
            content(bomb, limit)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # The chunks of the reader, their concatenation, and buffers of less than 1 MB; a hundredth of the content is 1 MB.
    assert peak < 3 * limit + 1_000_000


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(tmp_path, suffix):
    path = tmp_path / f"letters.bin{suffix}"
    path.write_bytes(gzip.compress(WHOLE) if suffix else WHOLE)
    assert content(path, len(WHOLE)) == WHOLE
    with pytest.raises(DamagedError, match="more than"):
        content(path, len(WHOLE) - 1)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_lines_of_a_text_file(tmp_path, suffix):
    path, text = tmp_path / f"letters.tsv{suffix}", b"first\tx\n\nlast without a line feed"
    path.write_bytes(gzip.compress(text) if suffix else text)
    assert list(lines(path, len(text))) == text.split(b"\n")
    with pytest.raises(DamagedError, match=f"{path}: more content, or a longer line"):
        list(lines(path, len(text) - 1))
    if suffix:
        path.write_bytes(path.read_bytes()[:-9])
        with pytest.raises(DamagedError, match=f"{path}: truncated or altered gzip file"):
            list(lines(path, len(text)))


def test_lines_that_are_too_long_are_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("hippo.data.raw_files.LINE_BYTES", 10)
    path = tmp_path / "letters.tsv"
    path.write_bytes(b"0123456789\n")
    with pytest.raises(DamagedError, match="a longer line"):
        list(lines(path, 1000))


def test_verified_file_is_read_as_it_is_stored(tmp_path):
    path = tmp_path / "letters.tar.gz"
    path.write_bytes(WHOLE)
    digest = hashlib.sha256(WHOLE).hexdigest()
    assert verified(path, len(WHOLE), digest, "letters") == WHOLE
    path.write_bytes(WHOLE + b"x")
    with pytest.raises(DamagedError, match=f"{path}: truncated, altered or not letters: .*more than 102,400 bytes"):
        verified(path, len(WHOLE), digest, "letters")


def make(kind: str, path: Path) -> None:
    """Put something that is no regular file at `path`."""
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "broken link":
        path.symlink_to(path.with_name("nowhere"))
    elif kind == "cycle of links":
        path.symlink_to(path)


IRREGULAR = {
    "folder": "this is a folder, expected a regular file",
    "pipe": "this is a named pipe, expected a regular file",
    "device": "this is a character device, expected a regular file",
    "broken link": "symbolic link to .*nowhere, which does not exist",
    "cycle of links": "cannot be read",
}


@pytest.mark.parametrize("kind", IRREGULAR)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_what_is_no_regular_file_in_the_data_folder_is_an_error_that_names_it(site, tmp_path, kind, suffix):
    site.pages["/letters.bin"] = WHOLE
    folder = tmp_path / "user"
    folder.mkdir()
    make(kind, folder / f"letters.bin{suffix}")
    with pytest.raises(DataError, match=f"{folder}/letters.bin{suffix}: {IRREGULAR[kind]}"):
        Sources(folder).load(letter_data(Mirror(site.address)))
    assert not site.requests


@pytest.mark.parametrize("kind", IRREGULAR)
def test_no_substitute_replaces_what_is_no_regular_file(tmp_path, kind):
    make(kind, tmp_path / "mixoutALL_shifted.mat")
    options, sources = CharacterTrajectories(), Sources(tmp_path, offline=True)
    for use in (options.fetch, options.build):
        with pytest.raises(DataError, match=f"mixoutALL_shifted.mat: {IRREGULAR[kind]}"):
            use(sources)


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_regular_file_in_the_cache_is_an_error_that_names_it(site, kind):
    site.pages["/letters.bin"] = WHOLE
    sources = Sources()
    (sources.cache / "letters").mkdir(parents=True)
    make(kind, sources.cache / "letters" / "letters.bin")
    with pytest.raises(DataError, match=f"letters.bin: {IRREGULAR[kind]}"):
        sources.load(letter_data(Mirror(site.address)))


def test_a_broken_link_in_place_of_a_subfolder_is_an_error(tmp_path):
    (tmp_path / "letters").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"{tmp_path}/letters: symbolic link to .*nowhere, which does not exist"):
        Sources(tmp_path, offline=True).load(letter_data())


def test_links_to_files_and_folders_are_followed(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "stored").write_bytes(WHOLE)
    (tmp_path / "kept" / "letters.bin").symlink_to("stored")
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "letters").symlink_to(tmp_path / "kept")
    assert Sources(tmp_path / "user").load(letter_data()).content == WHOLE


def test_plain_file_comes_before_the_gzipped_one(tmp_path):
    assert find_file(tmp_path, "a") is None
    (tmp_path / "a.gz").write_bytes(b"")
    assert find_file(tmp_path, "a") == tmp_path / "a.gz"
    (tmp_path / "a").write_bytes(b"")
    assert find_file(tmp_path, "a") == tmp_path / "a"


def test_a_file_is_no_subfolder(tmp_path):
    (tmp_path / "letters").write_bytes(b"")
    assert find_folder(tmp_path, "letters") is None and find_folder(tmp_path, "letters/raw") is None
    assert find_folder(tmp_path, ".") == tmp_path
