import copy
import json
import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from hippo import kernels
from hippo.config import ConfigError
from hippo.data.dataset import Dataset, Part
from hippo.lab.training import evaluation, objectives
from hippo.lab.training import trainer as training
from hippo.lab.training.batches import Batches
from hippo.nn import build_model
from hippo.nn.divergence import Diverged
from hippo_baselines.gru import GRUCell
from tests.lab.recorders import Rows, Stopped
from tests.lab.training.trials import make_trial, separable_dataset


@pytest.fixture
def dataset() -> Dataset:
    return separable_dataset()


def run(dataset, **how) -> tuple[dict, list[dict]]:
    recorder = Rows()
    return training.run(make_trial(**how), dataset, recorder), recorder.rows


@pytest.mark.parametrize("model", ["gru", "legs"])
def test_a_separable_problem_is_learned(dataset, model):
    outcome, rows = run(dataset, epochs=5, model=model)
    assert outcome["status"] == "finished" and len(rows) == outcome["epochs"] == 5
    assert outcome["test_accuracy"] == 1.0 and outcome["validation_accuracy"] == 1.0


def test_the_test_part_is_scored_at_the_best_validation_epoch(dataset):
    outcome, rows = run(dataset, epochs=4, learning_rate=0.01)
    validation = [row["validation_accuracy"] for row in rows]
    best = int(np.argmax(validation))  # the first of equals
    assert outcome["best_epoch"] == best + 1
    assert outcome["test_accuracy"] == rows[best]["test_accuracy"]
    assert outcome["last_test_accuracy"] == rows[-1]["test_accuracy"]


def test_one_seed_gives_one_result_and_another_seed_another(dataset):
    def losses(seed):
        return [row["train_loss"] for row in run(dataset, seed=seed)[1]]

    assert losses(0) == losses(0)
    assert losses(0) != losses(1)


def test_the_first_epoch_is_adam_on_cross_entropy(dataset):
    """The same steps in a plain loop with torch.optim.Adam."""
    initial, order = training.seeds(make_trial(epochs=1))
    torch.manual_seed(initial)
    model = build_model("gru", 1, 2, hidden_size=6)
    optimizer = torch.optim.Adam(copy.copy(list(model.parameters())), lr=0.05)
    inputs, targets = (torch.from_numpy(getattr(dataset.parts["train"], f)) for f in ("inputs", "targets"))
    total = 0.0
    for batch in torch.randperm(64, generator=torch.Generator().manual_seed(order)).split(10):
        optimizer.zero_grad()
        loss = cross_entropy(model(inputs[batch]), targets[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
    _, rows = run(dataset, epochs=1)
    assert rows[0]["train_loss"] == pytest.approx(total / 64, rel=1e-6)


def test_further_parts_are_scored_at_the_best_epoch(dataset):
    """A copy of the test part has its accuracy, also if a later epoch is worse and the trial is interrupted."""
    noise = np.random.default_rng(1).normal(scale=4, size=dataset.parts["test"].inputs.shape).astype(np.float32)
    noisy = Part(dataset.parts["test"].inputs + noise, dataset.parts["test"].targets)  # the epochs then differ
    more = {**dataset.parts, "test": noisy, "speed_2": noisy}
    more["validation"] = Part(dataset.parts["validation"].inputs, 1 - dataset.parts["validation"].targets)
    contrary = replace(dataset, parts=more)  # the better the model, the worse its validation: the first epoch is best
    outcome, rows = run(contrary, epochs=3, learning_rate=0.004)
    assert outcome["best_epoch"] < 3 and outcome["test_accuracy"] != outcome["last_test_accuracy"]
    assert outcome["speed_2_accuracy"] == outcome["test_accuracy"]
    stopped = Rows(stop=24)
    with pytest.raises(Stopped):
        training.run(make_trial(epochs=3, learning_rate=0.004), contrary, stopped)
    assert training.run(make_trial(epochs=3, learning_rate=0.004), contrary, Rows(earlier=stopped)) == outcome


def test_a_solver_failure_is_divergence_with_its_reason(dataset, monkeypatch):
    def fail(*_, **__):
        raise Diverged("underflow in dt at step 3")

    monkeypatch.setattr("hippo_baselines.gru.GRUCell.forward", fail)
    outcome, rows = run(dataset)
    assert outcome["status"] == "diverged" and outcome["epochs"] == 1
    assert outcome["reason"] == "underflow in dt at step 3"
    assert math.isnan(rows[0]["train_loss"])


def test_counters_of_a_cell_are_columns_of_the_epoch(dataset, monkeypatch):
    calls, forward = [], GRUCell.forward

    def counters(_):
        asked = {"calls": len(calls)}
        calls.clear()
        return asked

    monkeypatch.setattr(GRUCell, "forward", lambda self, *a, **k: (calls.append(1), forward(self, *a, **k))[1])
    monkeypatch.setattr(GRUCell, "counters", counters)
    for stop in (math.inf, 4, 9):
        recorder = Rows(stop)
        with suppress(Stopped):
            training.run(make_trial(epochs=2), dataset, recorder)
        if stop != math.inf:
            recorder = Rows(earlier=recorder)
            training.run(make_trial(epochs=2), dataset, recorder)
        assert [row["calls"] for row in recorder.rows] == [9, 9]  # 7 batches, and two held-out parts of one


def test_evaluations_of_a_differential_equation_are_counted_per_epoch(dataset):
    _, rows = run(dataset, epochs=2, model="ode_rnn")
    assert [row["evaluations"] for row in rows] == [9 * 11] * 2  # Euler over 11 intervals, 7 batches and 2 parts


@pytest.mark.parametrize("model", ["ode_rnn", "ncde"])
def test_a_solver_past_its_cap_ends_the_trial_as_diverged(dataset, model):
    outcome, rows = run(dataset, model=model, hyperparameters={"max_evaluations": 9})
    assert outcome["status"] == "diverged" and outcome["epochs"] == len(rows) == 1
    assert "more than 9 evaluations" in outcome["reason"]
    assert outcome["evaluations"] == rows[0]["evaluations"] == 10


@pytest.mark.parametrize("model", ["ode_rnn", "ncde"])
def test_a_solver_whose_step_underflows_ends_the_trial_as_diverged(dataset, model):
    poisoned = copy.deepcopy(dataset)
    poisoned.parts["validation"].inputs[0] = np.nan
    outcome, rows = run(poisoned, model=model, hyperparameters={"solver": "dopri5", "tolerance": 1e-3})
    assert outcome["status"] == "diverged" and outcome["epochs"] == len(rows) == 1
    assert "underflow" in outcome["reason"] and math.isfinite(rows[0]["train_loss"])
    assert outcome["evaluations"] == rows[0]["evaluations"] > 0


def fail_on(monkeypatch, part: str, epoch: int):
    """Let the solver fail on `part`, from its `epoch`-th evaluation on."""
    judge, asked = training.evaluate, []

    def evaluate(model, objective, data, name, *between):
        asked.append(name)
        if name == part and asked.count(part) >= epoch:
            raise Diverged("too stiff")
        return judge(model, objective, data, name, *between)

    monkeypatch.setattr(training, "evaluate", evaluate)


def test_a_solver_failure_on_the_test_part_is_divergence(dataset, monkeypatch):
    fail_on(monkeypatch, "test", epoch=2)
    outcome, rows = run(dataset)
    assert outcome["status"] == "diverged" and outcome["epochs"] == len(rows) == 2
    assert outcome["reason"] == "too stiff" and outcome["best_epoch"] == 1
    assert outcome["test_accuracy"] == rows[0]["test_accuracy"]


def test_a_test_loss_that_is_not_finite_is_divergence(dataset):
    poisoned = copy.deepcopy(dataset)
    poisoned.parts["test"].inputs[0] = np.nan
    outcome, _ = run(poisoned)
    assert outcome["status"] == "diverged" and outcome["reason"] == "the test loss is not finite"
    json.dumps(outcome, allow_nan=False)


def test_a_further_part_with_a_solver_failure_has_a_reason_instead_of_a_number(dataset, monkeypatch):
    parts = {**dataset.parts, "fast": dataset.parts["test"], "slow": dataset.parts["test"]}
    fail_on(monkeypatch, "fast", epoch=1)
    outcome, _ = run(replace(dataset, parts=parts))
    assert outcome["status"] == "finished" and outcome["solver_failures"] == {"fast": "too stiff"}
    assert "fast_accuracy" not in outcome and outcome["slow_accuracy"] == outcome["test_accuracy"]


def test_a_trial_interrupted_while_further_parts_are_scored_ends_the_same(dataset):
    dataset = replace(dataset, parts={**dataset.parts, "fast": dataset.parts["test"]})
    whole = Rows()
    expected = training.run(make_trial(), dataset, whole)
    first = Rows(stop=whole.chances)  # the last call of pause
    with pytest.raises(Stopped):
        training.run(make_trial(), dataset, first)
    assert len(first.rows) == 3
    assert training.run(make_trial(), dataset, Rows(earlier=first)) == expected


def test_divergence_is_an_outcome_with_its_epoch(dataset):
    poisoned = copy.deepcopy(dataset)
    poisoned.parts["train"].inputs[0] = np.inf
    outcome, rows = run(poisoned)
    assert outcome["status"] == "diverged" and outcome["epochs"] == 1
    assert math.isnan(rows[0]["train_loss"])


@pytest.mark.parametrize("diverges", [False, True])
def test_the_progress_bar_is_closed_however_the_training_ends(dataset, monkeypatch, diverges):
    opened, closed = [], []

    class Bar(training.tqdm):
        def __init__(self, **options):
            super().__init__(**options)
            opened.append(self)  # which keeps it from the garbage collection that would close it

        def close(self):
            closed.append(self)
            super().close()

    monkeypatch.setattr(training, "tqdm", Bar)
    if diverges:
        dataset.parts["train"].inputs[0] = np.inf
    outcome, _ = run(dataset, epochs=1)
    assert closed == opened != [] and outcome["status"] == ("diverged" if diverges else "finished")


@pytest.mark.parametrize("model", ["gru", "legs"])
def test_engine_settings_reach_the_model(dataset, model):
    with kernels.use(next(name for name in kernels.runnable() if name.endswith("+emulated"))):
        (plain,), (rounded,), (checkpointed,) = (
            run(dataset, model=model, epochs=1, **engine)[1]
            for engine in ({}, {"precision": "bfloat16"}, {"checkpoint": True})
        )
    model = training.Trainer(make_trial(model=model, precision="bfloat16", checkpoint=True), dataset).model
    assert model.backbone.engine.checkpoint and model.backbone.engine.precision == "bfloat16"
    # Checkpoints repeat the same arithmetic; weight gradients are summed in another order.
    assert checkpointed["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-5)
    # bfloat16 keeps 8 bits: the products' relative error is about 2^-9, and visible in the loss.
    assert rounded["train_loss"] != plain["train_loss"]
    assert rounded["train_loss"] == pytest.approx(plain["train_loss"], rel=2e-2)


def test_a_missing_device_is_refused(dataset):
    with pytest.raises(ConfigError, match="set device to auto or cpu"):
        run(dataset, device="cuda:99")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["gru", "legs"])
def test_learns_on_a_gpu(dataset, model):
    outcome, _ = run(dataset, epochs=5, model=model, device="cuda")
    assert outcome["device"] != "cpu" and outcome["test_accuracy"] == 1.0


def test_evaluation_weighs_every_sample_once(dataset, monkeypatch):
    torch.manual_seed(0)
    model = build_model("gru", 1, 2, hidden_size=6)
    batches = Batches(dataset, "test", torch.device("cpu"))
    objective = objectives.find_objective(dataset)
    whole = evaluation.evaluate(model, objective, batches, "test")
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)  # does not divide 32
    assert evaluation.evaluate(model, objective, batches, "test") == pytest.approx(whole, rel=1e-6)
