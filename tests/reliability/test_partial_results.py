"""A workflow in which a trial fails: the others finish, a partial page says what is missing, a rerun completes it."""

import os
import random
import shutil

import pytest

from tests.reliability.laboratory import Laboratory
from tests.reliability.test_checkpoints import damage

pytestmark = pytest.mark.reliability

DAMAGED = "data/smoke/pens/200hz-to-100hz.npz"


def prepare_damaged_data(laboratory) -> None:
    """Prepare all data of the experiment, and damage that of one variant without a new date, as a disk does."""
    names = laboratory.read_experiment("pens")["variants"]
    done = laboratory.snakemake(*(f"data/smoke/pens/{name}.npz" for name in names))
    assert done.returncode == 0, done.stderr
    file = laboratory.folder / DAMAGED
    time = file.stat()
    file.write_bytes(damage(file.read_bytes(), random.Random(2)))
    os.utime(file, ns=(time.st_atime_ns, time.st_mtime_ns))


def test_a_failed_trial_costs_only_its_own_numbers(tmp_path, figure):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=1)
    tables, smoke = laboratory.folder / "results/smoke/tables", ("--config", "scale=smoke", "retries=0")
    prepare_damaged_data(laboratory)
    done = laboratory.snakemake(*smoke)
    assert done.returncode != 0
    assert not (tables / "pens.md").exists()
    whole, missing = (tables / "pens.partial.md").read_text().split("## trained at 200 Hz")
    assert "| 1 " in whole and "0 of" not in whole
    assert "0 of 1 (1 failed)" in missing and "damaged prepared dataset" in " ".join(missing.split())
    assert "damaged prepared dataset" in (laboratory.folder / "results/smoke/report.html").read_text()
    figure("one trial of two failed: the other finished, the partial table says `0 of 1 (1 failed)` and why")

    again = laboratory.snakemake("-n", "results/smoke/tables/pens.md", *smoke)
    assert "train" in again.stdout
    (laboratory.folder / DAMAGED).unlink()
    done = laboratory.snakemake(*smoke)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tables / "pens.md").read_text()
    assert "failed" not in page and "0 of" not in page
    assert not list(tables.glob("*.partial*"))
    shutil.rmtree(laboratory.folder)


@pytest.mark.slow
def test_a_partial_sweep_is_shown_at_another_scale_than_the_configured_one(tmp_path):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=1)
    grid = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.001, 0.01]}
    laboratory.write_experiment("pens", {**laboratory.read_experiment("pens"), "sweep": grid})
    prepare_damaged_data(laboratory)
    done = laboratory.snakemake("results/smoke/sweeps/pens.md", "--config", "retries=0")  # configured is quick
    assert done.returncode != 0
    page = (laboratory.folder / "results/smoke/sweeps/pens.partial.md").read_text()
    whole, missing = page.split("## trained at 200 Hz")
    assert "**" in whole and "**" not in missing
    assert "0 of 1 (1 failed)" in missing and "damaged prepared dataset" in " ".join(missing.split())
