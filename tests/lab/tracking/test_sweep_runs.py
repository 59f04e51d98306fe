from mlflow import MlflowClient

from hippo.lab.plan.experiment import load_experiment
from hippo.lab.reporting.figures.sweep import plot_sweep
from hippo.lab.reporting.sweep_page import write_sweep
from hippo.lab.results.results import collect_results
from hippo.lab.tracking import address, store, sweep_runs
from hippo.lab.tracking import run as tracking
from hippo.lab.tracking.sweep_runs import record_sweep
from tests.lab.swept import SWEEP, finish_all, write


def test_trials_of_a_sweep_are_nested_under_one_run(tmp_path, monkeypatch):
    experiment = load_experiment(write(tmp_path, "window", SWEEP), "quick")
    monkeypatch.chdir(tmp_path)
    # MLflow keeps one store per address.
    embedded = f"sqlite:///{tmp_path}/mlruns/mlflow.db"
    for module in (address, store, sweep_runs):
        monkeypatch.setattr(module, "EMBEDDED", embedded)
    data = {"digest": "0" * 64, "source": "MNIST", "substitute": False}
    parents = {}
    for number, entry in enumerate(("legt.theta-20", "legt.theta-200", "narrow.theta-20")):
        run = tracking.TrackedRun(experiment.trial("a", entry, 0), data, f"i{number}", tmp_path)
        run.start(resumed=False)
        parents[entry] = MlflowClient(embedded).get_run(run.id).data.tags["mlflow.parentRunId"]
    assert parents["legt.theta-20"] == parents["legt.theta-200"] != parents["narrow.theta-20"]
    finish_all(experiment, tmp_path / "trials")
    results = collect_results(experiment, tmp_path / "trials")
    write_sweep(results, tmp_path / "out.md")
    plot_sweep(results, tmp_path / "out.md")
    for _ in range(2):  # a second time, nothing is logged twice
        record_sweep(experiment, results.curve, tmp_path / "out.md")
    client = MlflowClient(embedded)
    parent = client.get_run(parents["legt.theta-20"])
    assert parent.data.tags["chosen"] == "200" and parent.data.tags["values"] == "20, 200, 784"
    curve = client.get_metric_history(parent.info.run_id, "validation_accuracy")
    assert [(point.step, point.value) for point in curve] == [(0, 0.5), (1, 0.8), (2, 0.7)]
    assert {file.path for file in client.list_artifacts(parent.info.run_id)} == {"out.png", "out.csv"}
