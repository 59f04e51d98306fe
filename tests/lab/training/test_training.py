import copy
import json
import math
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from baselines.gru import GRUCell
from hippo import registry
from hippo.config import ConfigError
from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training import evaluation, objectives
from hippo.lab.training import trainer as training
from hippo.lab.training.batches import Batches
from hippo.nn import build_model
from hippo.nn.divergence import Diverged
from tests.lab.recorders import Rows, Stopped


def separable(samples: int, rng: np.random.Generator, length: int = 12) -> Part:
    """Two classes told apart by the sign of a constant under noise."""
    targets = rng.integers(0, 2, samples)
    inputs = (2 * targets - 1)[:, None, None] + 0.3 * rng.standard_normal((samples, length, 1))
    return Part(inputs.astype(np.float32), targets)


@pytest.fixture
def dataset() -> Dataset:
    rng = np.random.default_rng(0)
    parts = {"train": separable(64, rng), "validation": separable(32, rng), "test": separable(32, rng)}
    return Dataset(parts=parts, classes=2, source="made up")


def trial(
    epochs=3, learning_rate=0.05, seed=0, model="gru", hyperparameters=None, task="classification", **training
) -> TrialSpec:
    return TrialSpec(
        experiment="e",
        scale="quick",
        variant="v",
        model=model,
        seed=seed,
        task=task,
        dataset_name="none",
        dataset=DatasetOptions(),
        model_name=model,
        model_options=registry.find("models", model, "test")(hidden_size=6, **(hyperparameters or {})),
        training=TrainingOptions(epochs=epochs, batch_size=10, learning_rate=learning_rate, **training),
        threads=1,
    )


def run(dataset, **how) -> tuple[dict, list[dict]]:
    recorder = Rows()
    return training.run(trial(**how), dataset, recorder), recorder.rows


@pytest.mark.parametrize("model", ["gru", "legs"])
def test_learns_what_can_be_learnt(dataset, model):
    outcome, rows = run(dataset, epochs=5, model=model)
    assert outcome["status"] == "finished" and len(rows) == outcome["epochs"] == 5
    assert outcome["test_accuracy"] == 1.0 and outcome["validation_accuracy"] == 1.0


def test_the_test_part_is_read_at_the_best_validation_epoch(dataset):
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
    """The same steps by hand: torch's own generator gives the order, the model's initial values its seed."""
    initial, order = training.seeds(trial(epochs=1))
    torch.manual_seed(initial)
    model = build_model("gru", 1, 2, hidden_size=6)
    optimiser = torch.optim.Adam(copy.copy(list(model.parameters())), lr=0.05)
    inputs, targets = (torch.from_numpy(getattr(dataset.parts["train"], f)) for f in ("inputs", "targets"))
    total = 0.0
    for batch in torch.randperm(64, generator=torch.Generator().manual_seed(order)).split(10):
        optimiser.zero_grad()
        loss = cross_entropy(model(inputs[batch]), targets[batch])
        loss.backward()
        optimiser.step()
        total += loss.item() * len(batch)
    _, rows = run(dataset, epochs=1)
    assert rows[0]["train_loss"] == pytest.approx(total / 64, rel=1e-6)


@pytest.mark.parametrize("model", ["gru", "legs", "exprnn"])
def test_a_stopped_trial_ends_as_one_that_was_not(dataset, model):
    """Stopped at every possible point: between steps, at the epoch's end, between batches of its evaluation."""
    how = {"model": model, "epochs": 2, "hyperparameters": {"dropout": 0.3}}
    expected, rows = run(dataset, **how)
    stop = 0
    while True:
        stop += 1
        first = Rows(stop)
        try:
            training.run(trial(**how), dataset, first)
        except Stopped:
            second = Rows(earlier=first)
            assert training.run(trial(**how), dataset, second) == expected
            assert _without_seconds(second.rows) == _without_seconds(rows)
        else:
            break
    assert stop == 2 * (7 + 2) + 1  # 64 samples in batches of 10, and two held-out parts of one batch


def _without_seconds(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_further_parts_are_judged_at_the_best_epoch(dataset):
    """A part that is the test part over again has its accuracy, also where a later epoch was worse and one was lost."""
    noise = np.random.default_rng(1).normal(scale=4, size=dataset.parts["test"].inputs.shape).astype(np.float32)
    noisy = Part(dataset.parts["test"].inputs + noise, dataset.parts["test"].targets)  # so that epochs differ
    more = {**dataset.parts, "test": noisy, "speed_2": noisy}
    more["validation"] = Part(dataset.parts["validation"].inputs, 1 - dataset.parts["validation"].targets)
    contrary = replace(dataset, parts=more)  # the better the model, the worse its validation: the first epoch is best
    outcome, rows = run(contrary, epochs=3, learning_rate=0.004)
    assert outcome["best_epoch"] < 3 and outcome["test_accuracy"] != outcome["last_test_accuracy"]
    assert outcome["speed_2_accuracy"] == outcome["test_accuracy"]
    stopped = Rows(stop=24)
    with pytest.raises(Stopped):
        training.run(trial(epochs=3, learning_rate=0.004), contrary, stopped)
    assert training.run(trial(epochs=3, learning_rate=0.004), contrary, Rows(earlier=stopped)) == outcome


def test_a_cell_that_gives_up_is_divergence_with_its_reason(dataset, monkeypatch):
    def give_up(*_, **__):
        raise Diverged("underflow in dt at step 3")

    monkeypatch.setattr("baselines.gru.GRUCell.forward", give_up)
    outcome, rows = run(dataset)
    assert outcome["status"] == "diverged" and outcome["epochs"] == 1
    assert outcome["reason"] == "underflow in dt at step 3"
    assert math.isnan(rows[0]["train_loss"])


def test_what_a_cell_counts_is_a_column_of_its_epoch(dataset, monkeypatch):
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
            training.run(trial(epochs=2), dataset, recorder)
        if stop != math.inf:
            recorder = Rows(earlier=recorder)
            training.run(trial(epochs=2), dataset, recorder)
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


def giving_up(monkeypatch, part: str, epoch: int):
    """Lets the cell give up on `part`, from its `epoch`-th evaluation on."""
    judge, asked = training.evaluate, []

    def evaluate(model, objective, data, name, *between):
        asked.append(name)
        if name == part and asked.count(part) >= epoch:
            raise Diverged("too stiff")
        return judge(model, objective, data, name, *between)

    monkeypatch.setattr(training, "evaluate", evaluate)


def test_a_cell_that_gives_up_on_the_test_part_has_diverged(dataset, monkeypatch):
    giving_up(monkeypatch, "test", epoch=2)
    outcome, rows = run(dataset)
    assert outcome["status"] == "diverged" and outcome["epochs"] == len(rows) == 2
    assert outcome["reason"] == "too stiff" and outcome["best_epoch"] == 1
    assert outcome["test_accuracy"] == rows[0]["test_accuracy"]


def test_a_test_loss_that_is_not_finite_has_diverged(dataset):
    poisoned = copy.deepcopy(dataset)
    poisoned.parts["test"].inputs[0] = np.nan
    outcome, _ = run(poisoned)
    assert outcome["status"] == "diverged" and outcome["reason"] == "the test loss is not finite"
    json.dumps(outcome, allow_nan=False)


def test_another_part_that_the_cell_gives_up_on_has_no_number_and_a_reason(dataset, monkeypatch):
    parts = {**dataset.parts, "fast": dataset.parts["test"], "slow": dataset.parts["test"]}
    giving_up(monkeypatch, "fast", epoch=1)
    outcome, _ = run(replace(dataset, parts=parts))
    assert outcome["status"] == "finished" and outcome["solver_failures"] == {"fast": "too stiff"}
    assert "fast_accuracy" not in outcome and outcome["slow_accuracy"] == outcome["test_accuracy"]


def test_a_trial_stopped_while_it_judges_other_parts_ends_the_same(dataset):
    dataset = replace(dataset, parts={**dataset.parts, "fast": dataset.parts["test"]})
    whole = Rows()
    expected = training.run(trial(), dataset, whole)
    first = Rows(stop=whole.chances)  # the last chance there is
    with pytest.raises(Stopped):
        training.run(trial(), dataset, first)
    assert len(first.rows) == 3
    assert training.run(trial(), dataset, Rows(earlier=first)) == expected


def test_divergence_is_an_outcome_with_its_epoch(dataset):
    poisoned = copy.deepcopy(dataset)
    poisoned.parts["train"].inputs[0] = np.inf
    outcome, rows = run(poisoned)
    assert outcome["status"] == "diverged" and outcome["epochs"] == 1
    assert math.isnan(rows[0]["train_loss"])


@pytest.mark.parametrize("model", ["gru", "legs"])
def test_engine_settings_reach_the_model(dataset, model):
    (plain,), (rounded,), (checkpointed,) = (
        run(dataset, model=model, epochs=1, **engine)[1]
        for engine in ({}, {"precision": "bfloat16"}, {"checkpoint": True})
    )
    model = training.Trainer(trial(model=model, precision="bfloat16", checkpoint=True), dataset).model
    assert model.backbone.engine.checkpoint and model.backbone.engine.precision == "bfloat16"
    # Checkpoints repeat the same arithmetic; weight gradients are summed in another order.
    assert checkpointed["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-5)
    # bfloat16 keeps 8 bits: the products' relative error is about 2^-9, and must be there to be seen.
    assert rounded["train_loss"] != plain["train_loss"]
    assert rounded["train_loss"] == pytest.approx(plain["train_loss"], rel=2e-2)


def test_a_device_that_is_not_there_is_refused(dataset):
    with pytest.raises(ConfigError, match="set device to auto or cpu"):
        run(dataset, device="cuda:99")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("model", ["gru", "legs"])
def test_learns_on_a_gpu(dataset, model):
    outcome, _ = run(dataset, epochs=5, model=model, device="cuda")
    assert outcome["device"] != "cpu" and outcome["test_accuracy"] == 1.0


def test_inputs_are_scaled_in_a_copy(dataset):
    before = dataset.parts["train"].inputs.copy()
    batch = Batches(replace(dataset, scale=0.5), "train", torch.device("cpu"))[torch.arange(64)]
    assert np.array_equal(dataset.parts["train"].inputs, before)
    assert np.array_equal(batch.inputs.numpy(), 0.5 * before)


def test_evaluate_weighs_every_sample_once(dataset, monkeypatch):
    torch.manual_seed(0)
    model = build_model("gru", 1, 2, hidden_size=6)
    batches = Batches(dataset, "test", torch.device("cpu"))
    objective = objectives.find_objective(dataset)
    whole = evaluation.evaluate(model, objective, batches, "test")
    monkeypatch.setattr(evaluation, "BATCH_SIZE", 7)  # does not divide 32
    assert evaluation.evaluate(model, objective, batches, "test") == pytest.approx(whole, rel=1e-6)
