"""A copy of the workflow in which the commands of the documentation have something to work on."""

import shutil
from pathlib import Path

from hippo.lab.plan.experiment import load_experiment
from tests.lab.outcomes import finish_all
from tests.workspace import Workspace

DOCUMENTED = "pmnist"  # the table that the documentation uses in its examples


def documented_workspace(folder: Path) -> Workspace:
    """A workspace whose scales smoke and quick have made-up outcomes, and a table, of one experiment."""
    workspace = Workspace(folder)
    for scale in ("smoke", "quick"):
        experiment = load_experiment(folder / f"config/experiments/{DOCUMENTED}.yaml", scale)
        finish_all(experiment, folder / "results" / scale / "trials")
        table = f"results/{scale}/tables/{DOCUMENTED}.md"
        trials = f"results/{scale}/trials"
        done = workspace.run("hippo", "table", DOCUMENTED, "--scale", scale, "--trials", trials, "--out", table)
        assert done.returncode == 0, done.stderr
    shutil.copytree(folder / "results", folder.parent / "other-clone/results")
    return workspace
