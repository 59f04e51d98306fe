"""Time that Snakemake takes to plan one table: `python -m bench.planning --trials 1000 3000 9900`.

Each size is an experiment file of its own in a temporary folder, planned by the commands that a person types. The time
is that of the processor, user and system: what else runs on the machine hardly adds to it.
"""

import argparse
import json
import os
import pstats
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from tabulate import tabulate

from bench.report import processor
from hippo.lab.plan.experiment import load_experiment

ROOT = Path(__file__).parents[1]
NAME = "planning"
SEEDS_OF = 50  # variants times models
SMALL = {"training": {"epochs": 1}}
COMMANDS = {
    "dry run": ("-n", NAME),
    "dry run, every job": ("-n", NAME, "--quiet", "host"),
}
# What a job is in `--run`: bash reads this file first, so that `hippo` only writes the outputs of the rule.
INSTANT = """exec() { "$@"; }
hippo() {
  local command=$1 out=
  while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; shift; done
  case $command in
    train) mkdir -p "$out"; echo '{}' > "$out/metrics.json" ;;
    table) local stem=${out%.csv}; touch "$stem.csv" "${stem}_seeds.csv" "$stem.md" "$stem.tex" "${stem}_pairs.csv" ;;
    times) ;;
    *) echo '{}' > "$out" ;;
  esac
}
"""


def whole_seeds(text: str) -> int:
    """Number of trials that a command line asks for, rounded up to whole seeds of all variants and models."""
    return -(-max(int(text), 1) // SEEDS_OF) * SEEDS_OF


def experiment(trials: int) -> dict:
    """An experiment file with `trials` trials of one table, a multiple of `SEEDS_OF`."""
    content = yaml.safe_load((ROOT / "config/experiments/timescale.yaml").read_text())
    del content["paper"], content["claims"]
    speeds = {f"speed{n}": {"label": f"speed {n}", "dataset": {"eval_hz": n / 10}} for n in range(1, 6)}
    sizes = {
        f"gru{n}": {"label": f"GRU {n}", "model": "gru", "hyperparameters": {"hidden_size": n}} for n in range(1, 11)
    }
    return content | {
        "variants": speeds,
        "models": sizes,
        "seeds": trials // SEEDS_OF,
        "scales": {"quick": SMALL, "smoke": SMALL},
    }


def make_workspace(folder: Path, trials: int) -> Path:
    """Copy the workflow to `folder`, with one experiment of `trials` trials."""
    for name in ("workflow", "profiles"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "Snakefile", folder)
    file = folder / f"config/experiments/{NAME}.yaml"
    file.parent.mkdir(parents=True)
    shutil.copy(ROOT / "config/config.yaml", folder / "config")
    file.write_text(yaml.safe_dump(experiment(trials), sort_keys=False))
    return folder


def finish_trials(folder: Path) -> None:
    """Write an outcome that is up to date for every trial, as a clone with published results has it."""
    for trial in load_experiment(folder / f"config/experiments/{NAME}.yaml", "quick").trials():
        path = folder / "results/quick/trials" / trial.name / "metrics.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"trial": trial.digest, "dataset": {"digest": "0" * 64}}))


def seconds(folder: Path, command: list[str], **environment: str) -> float:
    """Processor time of a command and its children."""
    environment = os.environ | {"PYTHONHASHSEED": "0"} | environment
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{output[-2000:]}")
    return used.ru_utime + used.ru_stime


def snakemake(*arguments: str) -> list[str]:
    """The command line of Snakemake in this environment."""
    return [sys.executable, "-m", "snakemake", *arguments]


def measure(trials: int, run: bool) -> dict[str, str | int]:
    """One line of the table: seconds of each command with so many trials."""
    line: dict[str, str | int] = {"trials": trials}
    with tempfile.TemporaryDirectory() as name:
        folder = make_workspace(Path(name), trials)
        for title, arguments in COMMANDS.items():
            line[title] = f"{seconds(folder, snakemake(*arguments)):.1f}"
        if run:
            (folder / "instant.sh").write_text(INSTANT)
            instant = {"BASH_ENV": str(folder / "instant.sh")}
            taken = seconds(folder, snakemake(NAME, "--cores", "2"), **instant)
            line["run of instant jobs, per job"] = f"{taken / trials:.4f}"
            for made in ("results", "data", "mlruns", "logs", ".snakemake"):
                shutil.rmtree(folder / made)
        finish_trials(folder)
        line["dry run, all trials finished"] = f"{seconds(folder, snakemake(*COMMANDS['dry run'])):.1f}"
    return line


def parts(trials: int) -> dict[str, str]:
    """Fractions of a dry run under Python's profiler."""
    with tempfile.TemporaryDirectory() as name:
        folder = make_workspace(Path(name), trials)
        command = [sys.executable, "-m", "cProfile", "-o", "profile", "-m", *snakemake(*COMMANDS["dry run"])[2:]]
        seconds(folder, command)
        stats = pstats.Stats(str(folder / "profile")).stats
    whole = sum(own for _, _, own, _, _ in stats.values())
    callables = dag = signatures = 0.0
    for (file, _, function), (_, _, _, cumulative, callers) in stats.items():
        if file.startswith(f"{name}/workflow"):  # callables of the rules, as Snakemake calls them
            callables += sum(times[3] for (path, *_), times in callers.items() if path.endswith("snakemake/rules.py"))
        dag += cumulative if function == "_build_dag" else 0
        signatures += cumulative if function == "get_function_params" else 0
    fractions = {
        "callables of the rules: trials, digests, outcomes": callables,
        "Snakemake: signatures of these callables": signatures,
        "Snakemake: the rest of the DAG": dag - callables - signatures,
        "the rest: imports, experiment files, rules, printing": whole - dag,
    }
    return {part: f"{value / whole:.0%}" for part, value in fractions.items()}


def main() -> None:
    """Print seconds for each number of trials, and the parts of a dry run with the largest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=whole_seeds, nargs="+", default=[1000, 3000, 9900])
    parser.add_argument("--run", action="store_true", help="also run jobs that write their outputs at once; minutes")
    asked = parser.parse_args()
    print(f"{processor()}; seconds of one core.\n")
    lines = [measure(trials, asked.run) for trials in asked.trials]
    print(tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True))
    print(f"\nA dry run of {max(asked.trials)} trials under the profiler:\n")
    print(tabulate(parts(max(asked.trials)).items(), headers=("part", "fraction"), tablefmt="github"))


if __name__ == "__main__":
    main()
