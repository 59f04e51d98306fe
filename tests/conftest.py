import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: results must not depend on the core count


@pytest.fixture
def workspace(tmp_path):
    from tests.workspace import Workspace

    return Workspace(tmp_path / "workspace")
