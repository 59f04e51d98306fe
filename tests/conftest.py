import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: results must not depend on the core count


@pytest.fixture
def workspace(tmp_path):
    from tests.workspace import Workspace

    return Workspace(tmp_path / "workspace")


@pytest.fixture
def figure(record_property):
    """Says a figure of the suite's summary, which docs/reliability.md quotes."""
    return lambda words: record_property("figure", words)


def pytest_terminal_summary(terminalreporter):
    """Print what tests measured (`record_property("figure", …)`): docs/reliability.md quotes it."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ())]
    figures = [text for report in reports for key, text in report.user_properties if key == "figure"]
    if figures:
        terminalreporter.section("figures")
        for text in figures:
            terminalreporter.line(text)
