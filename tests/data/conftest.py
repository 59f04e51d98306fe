import os
from pathlib import Path

import pytest

from tests.data.helpers import Site

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
NAMED_DATA_DIR = os.environ.get("HIPPO_DATA_DIR")


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch, tmp_path):
    """Each test has its own data folder, cache and proxy settings."""
    for name in ("HIPPO_DATA_DIR", *PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HIPPO_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def no_network(monkeypatch):
    """Every proxy and package index is a closed port of this machine."""
    closed = "http://127.0.0.1:9"
    for name in PROXIES:
        monkeypatch.setenv(name, closed)
    monkeypatch.setenv("PIP_INDEX_URL", f"{closed}/simple")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture(scope="session")
def recordings_file() -> Path:
    """The real CharacterTrajectories, from the folder in HIPPO_DATA_DIR."""
    if not NAMED_DATA_DIR:
        pytest.skip("HIPPO_DATA_DIR is not set: no real CharacterTrajectories here")
    for folder in ("character_trajectories", "CharacterTrajectories", "."):
        path = Path(NAMED_DATA_DIR) / folder / "mixoutALL_shifted.mat"
        if path.is_file():
            return path
    pytest.skip("HIPPO_DATA_DIR holds no mixoutALL_shifted.mat")


@pytest.fixture
def site():
    running = Site()
    yield running
    running.released.set()
    running.server.shutdown()
    running.server.server_close()
