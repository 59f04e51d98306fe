"""SQLite is refused on network disks, whatever is mounted where."""

from collections import namedtuple

import psutil
import pytest

from hippo.config import ConfigError
from hippo.lab.tracking import store
from hippo.lab.tracking.network_disk import network_disk

Disk = namedtuple("Disk", "mountpoint fstype")


@pytest.fixture
def mounted(monkeypatch):
    def mount(*disks):
        monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Disk(str(place), kind) for place, kind in disks])

    return mount


def test_the_deepest_and_last_mount_decides(mounted, tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    mounted(("/", "ext4"), (tmp_path, "nfs4"))
    assert network_disk(tmp_path / "new/mlflow.db") == "nfs4"
    mounted(("/", "nfs4"), (tmp_path, "ext4"), (inner, "lustre"))
    assert network_disk(tmp_path / "mlflow.db") is None
    assert network_disk(inner / "mlflow.db") == "lustre"
    mounted(("/", "ext4"), (tmp_path, "ext4"), (tmp_path, "beegfs"))
    assert network_disk(tmp_path / "mlflow.db") == "beegfs"


def test_a_link_is_followed(mounted, tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far")
    mounted(("/", "ext4"), (tmp_path / "far", "cifs"))
    assert network_disk(tmp_path / "link/mlflow.db") == "cifs"


def test_sqlite_on_a_network_disk_is_refused(mounted, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mounted(("/", "ext4"), (tmp_path, "nfs4"))
    with pytest.raises(ConfigError, match=r"on a network disk \(nfs4\).*set MLFLOW_TRACKING_URI"):
        store.connect()
    assert not (tmp_path / "mlflow.db").exists()


def test_the_disk_of_this_test_is_local(tmp_path):
    assert network_disk(tmp_path) is None
