from typing import ClassVar

import pytest

from hippo.data.availability import missing_files
from hippo.data.dataset import DatasetOptions
from hippo.data.errors import DataError
from hippo.data.places import Mirror
from tests.data.helpers import letter_data


class Letters(DatasetOptions):
    user_supplied: ClassVar[bool] = True

    def fetch(self, sources) -> dict[str, str]:
        found = sources.load(letter_data(Mirror("http://127.0.0.1:9/")))
        return {str(path): found.origin for path in found.paths}


class Downloaded(Letters):
    user_supplied: ClassVar[bool] = False


def test_what_to_do_where_files_are_absent(tmp_path):
    expected = "put letters.bin into a folder and set HIPPO_DATA_DIR to it, or run once with network access"
    assert missing_files(Letters(), tmp_path) == missing_files(Letters()) == expected
    assert missing_files(Downloaded()) == ""


def test_files_are_found_and_not_read(tmp_path, monkeypatch):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters/letters.bin").write_bytes(b"damaged, which the build will say")
    assert missing_files(Letters(), tmp_path) == ""
    monkeypatch.setenv("HIPPO_DATA_DIR", str(tmp_path))
    assert missing_files(Letters()) == ""
    monkeypatch.delenv("HIPPO_DATA_DIR")
    monkeypatch.setenv("HIPPO_CACHE_DIR", str(tmp_path))
    assert missing_files(Letters()) == ""


def test_wrong_folders_are_errors(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        missing_files(Letters(), tmp_path / "absent")
    (tmp_path / "letters.bin").mkdir()
    with pytest.raises(DataError, match="expected a regular file"):
        missing_files(Letters(), tmp_path)
