import shutil
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from tests.cluster import server as servers
from tests.cluster import slurm as clusters
from tests.cluster.server import Server
from tests.cluster.slurm import Slurm


@pytest.fixture(scope="session")
def folder():
    """A folder with a short path, since sockets are in it, which every user can enter."""
    path = Path(tempfile.mkdtemp(prefix="hippo-cluster-"))
    path.chmod(0o755)
    yield path
    arguments = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    shutil.rmtree(path, ignore_errors=True)
    left = [line for line in arguments if str(path) in line]
    assert not left, f"processes of the cluster are left: {left}"


@pytest.fixture(scope="session")
def slurm(folder):
    """Two emulated nodes of two processors each."""
    if find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("not installed: snakemake-executor-plugin-slurm")
    if reason := clusters.missing():
        pytest.skip(reason)
    slurm = Slurm(folder / "slurm")
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


@pytest.fixture(scope="session")
def server(folder):
    """An MLflow server on PostgreSQL."""
    if reason := servers.missing():
        pytest.skip(reason)
    server = Server(folder / "server")
    try:
        server.start()
        yield server
    finally:
        server.stop()
