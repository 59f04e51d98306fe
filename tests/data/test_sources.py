import gzip
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from hippo.data.errors import DataError, NoSourceError
from hippo.data.mnist import MNIST, SequentialMNIST
from hippo.data.places import Mirror
from hippo.data.sources import Sources
from tests.data.helpers import WHOLE, letter_data


@pytest.fixture
def user_folder(tmp_path) -> Path:
    folder = tmp_path / "user" / "letters"
    folder.mkdir(parents=True)
    return folder


def cached(sources: Sources) -> list[str]:
    """Everything in the cache except the lock."""
    return sorted(str(path.relative_to(sources.cache)) for path in sources.cache.rglob("*") if path.name != ".lock")


def test_users_folder_comes_before_cache_and_cache_before_network(site, user_folder):
    site.pages["/letters.bin"] = WHOLE
    form = letter_data(Mirror(site.address))
    assert Sources().load(form).origin == site.address
    assert Sources().load(form).origin.startswith("cache")
    (user_folder / "letters.bin").write_bytes(WHOLE)
    assert Sources(user_folder.parent).load(form).origin.startswith("data folder")
    assert len(site.requests) == 1


def test_environment_names_the_data_folder_and_an_argument_overrides_it(user_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HIPPO_DATA_DIR", str(user_folder))
    assert Sources().data_dir == user_folder
    assert Sources(tmp_path).data_dir == tmp_path


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("subfolder", ["letters", "."])
def test_files_are_found_plain_or_gzipped_in_known_subfolders(user_folder, suffix, subfolder):
    root = user_folder.parent
    path = root / subfolder / f"letters.bin{suffix}"
    path.write_bytes(gzip.compress(WHOLE) if suffix else WHOLE)
    found = Sources(root).load(letter_data())
    assert found.content == WHOLE and found.paths == (path,)


@pytest.mark.parametrize("fault", ["does not exist", "is not a folder"])
def test_data_folder_that_is_no_folder_is_an_error(tmp_path, fault):
    folder = tmp_path / "nowhere"
    if fault == "is not a folder":
        folder.write_text("")
    with pytest.raises(DataError, match=f"{folder}: the data folder given by data_dir {fault}"):
        Sources(folder)


def test_folder_without_the_file_falls_through_and_says_so(site, user_folder, caplog):
    site.pages["/letters.bin"] = WHOLE
    assert Sources(user_folder).load(letter_data(Mirror(site.address))).origin == site.address
    assert f"data folder {user_folder} does not hold Letters (letters.bin)" in caplog.text


@pytest.mark.parametrize("damaged", [WHOLE[:-7], b"x" + WHOLE[1:], b""], ids=["cut", "altered", "empty"])
def test_damaged_file_of_the_user_is_an_error_with_both_digests(site, user_folder, damaged):
    site.pages["/letters.bin"] = WHOLE
    path = user_folder / "letters.bin"
    path.write_bytes(damaged)
    with pytest.raises(DataError, match=f"{path}: expected sha256 .*, found .*replace it by a complete copy"):
        Sources(user_folder).load(letter_data(Mirror(site.address)))
    assert path.read_bytes() == damaged and not site.requests


def test_truncated_gzip_of_the_user_is_an_error(user_folder):
    path = user_folder / "letters.bin.gz"
    path.write_bytes(gzip.compress(WHOLE)[:-9])
    with pytest.raises(DataError, match=f"{path}: truncated or altered gzip file"):
        Sources(user_folder).load(letter_data())


@pytest.mark.parametrize("damaged", [WHOLE[:-7], b"x" + WHOLE[1:], b""], ids=["cut", "altered", "empty"])
def test_damaged_cache_is_fetched_again_and_says_so(site, damaged, caplog):
    site.pages["/letters.bin"] = WHOLE
    form = letter_data(Mirror(site.address))
    (path,) = Sources().load(form).paths
    path.write_bytes(damaged)
    assert Sources().load(form).content == WHOLE
    assert f"{path}: expected sha256" in caplog.text and "removed from the cache" in caplog.text
    assert path.read_bytes() == WHOLE


def test_damaged_cache_offline_is_an_error_naming_the_file(site):
    site.pages["/letters.bin"] = WHOLE
    form = letter_data(Mirror(site.address))
    (path,) = Sources().load(form).paths
    path.write_bytes(WHOLE[:5])
    with pytest.raises(NoSourceError, match=rf"cache: {path}: expected sha256[^\0]*not used .offline"):
        Sources(offline=True).load(form)


def test_offline_never_asks_the_network(site):
    site.pages["/letters.bin"] = WHOLE
    with pytest.raises(NoSourceError, match="Put letters.bin into a folder and set HIPPO_DATA_DIR to it"):
        Sources(offline=True).load(letter_data(Mirror(site.address)))
    assert not site.requests


@pytest.mark.parametrize("fault", ["cut", "altered", "absent"])
def test_bad_mirror_leaves_nothing_and_the_next_one_serves(site, fault, caplog):
    site.pages.update({"/bad/letters.bin": b"x" + WHOLE[1:], "/good/letters.bin": WHOLE})
    if fault == "cut":
        site.cut.add("/bad/letters.bin")
    if fault == "absent":
        del site.pages["/bad/letters.bin"]
    bad, good = Mirror(f"{site.address}bad/"), Mirror(f"{site.address}good/")
    sources = Sources()
    with pytest.raises(NoSourceError, match=str(bad)):
        sources.load(letter_data(bad))
    assert cached(sources) == ["letters"]
    assert sources.load(letter_data(bad, good)).origin == str(good)
    assert cached(sources) == ["letters", "letters/letters.bin"]
    assert f"Letters was downloaded from {good} after these failures" in caplog.text


FETCH = """
import sys
from hippo.data.places import Mirror
from hippo.data.sources import Sources
from tests.data.helpers import letter_data
Sources(cache=sys.argv[1]).load(letter_data(Mirror(sys.argv[2])))
"""


def start_fetching(cache: Path, address: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", FETCH, str(cache), address], cwd=Path(__file__).parents[2])


def test_killed_download_leaves_nothing_under_the_final_name(site):
    site.pages["/letters.bin"] = WHOLE
    site.held.add("/letters.bin")
    sources = Sources()
    fetching = start_fetching(sources.cache, site.address)
    assert site.halfway.wait(60)
    fetching.kill()
    fetching.wait()
    assert not (sources.cache / "letters" / "letters.bin").exists()
    site.held.clear()
    assert sources.load(letter_data(Mirror(site.address))).content == WHOLE
    assert cached(sources) == ["letters", "letters/letters.bin"]


def test_parallel_fetches_download_once(site, tmp_path):
    site.pages["/letters.bin"] = WHOLE
    site.held.add("/letters.bin")
    first = start_fetching(tmp_path, site.address)
    assert site.halfway.wait(60)  # the first holds the lock while the others start
    others = [start_fetching(tmp_path, site.address) for _ in range(2)]
    time.sleep(0.5)
    site.released.set()
    assert [worker.wait() for worker in (first, *others)] == [0, 0, 0]
    assert site.requests == ["/letters.bin"]


def test_second_form_in_the_folder_comes_before_the_first_on_the_network(site, user_folder):
    site.pages["/letters.bin"] = WHOLE
    (user_folder / "other.bin").write_bytes(WHOLE)
    first = letter_data(Mirror(site.address))
    second = replace(first, files={"other.bin": len(WHOLE)}, places=())
    assert Sources(user_folder).load(first, second).paths == (user_folder / "other.bin",)
    assert not site.requests


def test_cache_that_cannot_be_written_is_one_clear_error(site, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("not a folder")
    with pytest.raises(DataError, match=f"{blocked}/letters: cannot be written .*set HIPPO_CACHE_DIR"):
        Sources(cache=blocked).load(letter_data(Mirror(site.address)))


def test_without_a_network_every_place_is_named(no_network):
    start = time.monotonic()
    with pytest.raises(NoSourceError) as caught:
        SequentialMNIST().fetch(Sources())
    for place in MNIST.places:
        assert str(place) in str(caught.value)
    assert time.monotonic() - start < 30  # the limit that users are told: CONNECT_SECONDS per address, and pip


def test_importing_the_configuration_classes_stays_light():
    heavy = "torch scipy sklearn sktime pandas pooch requests filelock".split()
    modules = "hippo.data.mnist, hippo.data.character_trajectories, hippo.data.white_noise"
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
