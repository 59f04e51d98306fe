"""A workflow in which a trial fails: the others go on, the table says what is missing, and a rerun completes it."""

import os
import random
import shutil

import yaml

from tests.reliability.laboratory import EXPERIMENT, Laboratory
from tests.reliability.test_checkpoints import damage

TABLE = "results/smoke/tables/pens.md"


def test_a_failed_trial_costs_its_own_cells_alone(tmp_path, figure):
    laboratory = Laboratory(tmp_path / "laboratory", epochs=1)
    plan = yaml.safe_load((laboratory.folder / EXPERIMENT).read_text())
    files = {variant: laboratory.folder / f"data/smoke/pens/{variant}.npz" for variant in plan["variants"]}
    snakemake = ("--config", "scale=smoke")
    done = laboratory.snakemake(*(str(path.relative_to(laboratory.folder)) for path in files.values()), *snakemake)
    assert done.returncode == 0, done.stderr
    broken = files["200hz-to-100hz"]
    time = broken.stat()
    broken.write_bytes(damage(broken.read_bytes(), random.Random(2)))
    os.utime(broken, ns=(time.st_atime_ns, time.st_mtime_ns))  # as a disk does it

    done = laboratory.snakemake(*snakemake)
    assert done.returncode != 0
    page = (laboratory.folder / TABLE).read_text()
    whole, missing = page.split("## trained at 200 Hz")
    assert "| 1 " in whole and "0 of" not in whole
    assert "0 of 1 (1 failed)" in missing and "damaged prepared dataset" in " ".join(missing.split())
    figure("one trial of two failed: the other finished, the table says `0 of 1 (1 failed)` and why")

    again = laboratory.snakemake("-n", TABLE, *snakemake)  # the page is here, but not whole
    assert "train" in again.stdout
    broken.unlink()
    done = laboratory.snakemake(*snakemake)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (laboratory.folder / TABLE).read_text()
    assert "failed" not in page and "0 of" not in page
    shutil.rmtree(laboratory.folder)
