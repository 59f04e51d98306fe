"""Models that know at which rate a part is sampled."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hippo.data.character_trajectories import CharacterTrajectories
from hippo.data.dataset import Dataset, DatasetOptions, Part
from hippo.lab.plan.experiment import load_experiment
from hippo.lab.training.evaluation import evaluate
from hippo.lab.training.trainer import Trainer
from hippo.nn.ssm.backbone import S4Backbone, set_rate
from tests.lab.recorders import Rows
from tests.lab.training.trials import make_trial, separable_dataset
from tests.workspace import ROOT


class Resampled(DatasetOptions):
    """A dataset whose held-out parts, and one more, are sampled at other rates than its train part."""

    def sampling_ratios(self) -> dict[str, float]:
        return {"validation": 2.0, "test": 2.0, "slow": 0.5}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    parts = separable_dataset().parts
    halved = {name: Part(part.inputs[:, ::2], part.targets) for name, part in parts.items() if name != "train"}
    slow = Part(np.repeat(parts["test"].inputs, 2, axis=1), parts["test"].targets)
    return Dataset({"train": parts["train"], **halved, "slow": slow}, classes=2, source="invented")


def trainer_of(dataset: Dataset, **hyperparameters) -> Trainer:
    options = {"hidden_size": 8, "layers": 1, "state_size": 4, "pooling": "last", "dt_max": 0.5, **hyperparameters}
    trial = make_trial(model="s4")
    options = type(trial.model_options)(**options)
    return Trainer(replace(trial, dataset=Resampled(), model_options=options), dataset)


def losses(trainer: Trainer) -> dict[str, float]:
    return {name: trainer._evaluate(name, lambda: None)[f"{name}_loss"] for name in trainer.batches}


def loss_at(trainer: Trainer, name: str, rate: float) -> float:
    set_rate(trainer.model, rate)
    found = evaluate(trainer.model, trainer.objective, trainer.batches[name], name)[f"{name}_loss"]
    set_rate(trainer.model, 1.0)
    return found


def test_a_part_is_scored_at_its_rate_if_the_model_knows_it(dataset):
    known, unknown = trainer_of(dataset, known_rate=True), trainer_of(dataset)
    ratios = {"train": 1.0, "validation": 2.0, "test": 2.0, "slow": 0.5}
    for part, loss in losses(known).items():
        assert loss == loss_at(known, part, ratios[part])
        assert loss_at(known, part, 1.0) == losses(unknown)[part]
        assert (loss == loss_at(known, part, 1.0)) == (part == "train")
    rates = {module.rate for module in known.model.modules() if isinstance(module, S4Backbone)}
    assert rates == {1.0}  # again, so that training is at the train part's rate


def test_training_does_not_depend_on_it(dataset):
    known, unknown = (trainer_of(dataset, known_rate=known) for known in (True, False))
    known.run(Rows()), unknown.run(Rows())
    for one, other in zip(known.model.parameters(), unknown.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_rate_is_reset_after_an_interruption(dataset):
    trainer = trainer_of(dataset, known_rate=True)

    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trainer._evaluate("test", interrupt)
    assert {module.rate for module in trainer.model.modules() if isinstance(module, S4Backbone)} == {1.0}


def test_ratios_of_character_trajectories():
    """At half the sampling rate, samples are twice as far apart; a pen twice as fast covers twice the path."""
    halved = CharacterTrajectories(train_hz=1.0, eval_hz=0.5, speeds=[0.5, 3])
    assert halved.sampling_ratios() == {"validation": 2.0, "test": 2.0, "speed_0.5": 0.5, "speed_3": 3.0}
    doubled = CharacterTrajectories(train_hz=0.5, eval_hz=1.0)
    assert doubled.sampling_ratios()["test"] == 0.5
    assert DatasetOptions().sampling_ratios() == {}


@pytest.mark.parametrize("name", ["reconstruct", "delay"])
def test_smoke_trials_of_trained_noise_tasks_improve_on_their_first_step(name):
    experiment = load_experiment(ROOT / f"config/experiments/{name}.yaml", "smoke")
    dataset = experiment.datasets["equal"].build()
    for trial in experiment.trials():
        trainer = Trainer(trial, dataset)
        before = trainer._evaluate("test", lambda: None)["test_loss"]
        outcome = trainer.run(Rows())
        assert outcome["status"] == "finished" and outcome["test_loss"] < before
        trained = {name.rpartition(".")[2] for name, _ in trainer.model.backbone.layer.system.named_parameters()}
        assert trained >= {"C", "log_step"} and ("B" in trained) == ("B" not in trial.model_options.frozen)
