"""A workflow in which a trial fails: the others go on, the table says what is missing, and a rerun completes it."""

import os
import random
import shutil

import yaml

from tests.reliability.laboratory import EXPERIMENT, Laboratory
from tests.reliability.test_checkpoints import damage


def broken(laboratory, variant: str) -> None:
    """Prepare all data of the laboratory's experiment, and spoil one variant's without a new date, as a disk does."""
    plan = yaml.safe_load((laboratory.folder / EXPERIMENT).read_text())
    files = {name: laboratory.folder / f"data/smoke/pens/{name}.npz" for name in plan["variants"]}
    done = laboratory.snakemake(*(str(path.relative_to(laboratory.folder)) for path in files.values()))
    assert done.returncode == 0, done.stderr
    time = files[variant].stat()
    files[variant].write_bytes(damage(files[variant].read_bytes(), random.Random(2)))
    os.utime(files[variant], ns=(time.st_atime_ns, time.st_mtime_ns))


def test_a_failed_trial_costs_its_own_cells_alone(tmp_path, figure):
    laboratory, table = Laboratory(tmp_path / "laboratory", epochs=1), "results/smoke/tables/pens.md"
    snakemake = ("--config", "scale=smoke")
    broken(laboratory, "200hz-to-100hz")
    done = laboratory.snakemake(*snakemake)
    assert done.returncode != 0
    page = (laboratory.folder / table).read_text()
    whole, missing = page.split("## trained at 200 Hz")
    assert "| 1 " in whole and "0 of" not in whole
    assert "0 of 1 (1 failed)" in missing and "damaged prepared dataset" in " ".join(missing.split())
    assert "damaged prepared dataset" in (laboratory.folder / "results/smoke/report.html").read_text()
    figure("one trial of two failed: the other finished, the table says `0 of 1 (1 failed)` and why")

    again = laboratory.snakemake("-n", table, *snakemake)  # the page is here, but not whole
    assert "train" in again.stdout
    (laboratory.folder / "data/smoke/pens/200hz-to-100hz.npz").unlink()
    done = laboratory.snakemake(*snakemake)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (laboratory.folder / table).read_text()
    assert "failed" not in page and "0 of" not in page
    shutil.rmtree(laboratory.folder)


def test_half_a_sweep_at_another_scale_than_the_configured_one_is_shown(tmp_path):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=1)
    plan = yaml.safe_load((laboratory.folder / EXPERIMENT).read_text())
    grid = {"block": "training", "key": "learning_rate", "label": "rate", "values": [0.001, 0.01]}
    (laboratory.folder / EXPERIMENT).write_text(yaml.safe_dump({**plan, "sweep": grid}, sort_keys=False))
    broken(laboratory, "200hz-to-100hz")
    done = laboratory.snakemake(
        "results/smoke/sweeps/pens.md", "--config", "retries=0"
    )  # the configured scale is quick
    assert done.returncode != 0
    page = (laboratory.folder / "results/smoke/sweeps/pens.md").read_text()
    whole, missing = page.split("## trained at 200 Hz")
    assert "**" in whole and "**" not in missing
    assert "0 of 1 (1 failed)" in missing and "damaged prepared dataset" in " ".join(missing.split())
