"""Train a model by Adam, with checkpoints to go on from; the test part is read at the best validation epoch."""

import math
import time

import numpy as np
import torch
from tqdm import tqdm

from hippo import registry
from hippo.data.dataset import Dataset, Part
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training import fitted
from hippo.lab.training.objectives import Tally, objective
from hippo.nn import build_model
from hippo.nn.optimizers import Adam
from hippo.nn.device import resolve_device
from hippo.nn.divergence import Diverged
from hippo.nn.engine.options import EngineOptions

EVALUATION_BATCH = 500


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Train `trial`, or go on with it, and return its outcome: status, scores, epochs, parameters.

    `test_…` is read at the epoch of the best validation score, `last_test_…` at the last epoch; parts other than train,
    validation and test are judged once, at the end, with the weights of the best epoch. A loss that is not
    finite, or a cell that gives up (`Diverged`), ends the trial with status `diverged`, and with what the cell counted
    in that epoch.
    """
    if trial.model["name"] in registry.names("classifiers"):
        return fitted.run(trial, dataset, recorder)
    trainer = Trainer(trial, dataset)
    if saved := recorder.resume():
        trainer.load_state_dict(saved)
    return trainer.run(recorder)


class Trainer:
    """A model under training; `state_dict` between any two steps is all that it takes to go on, bit for bit."""

    def __init__(self, trial: TrialSpec, dataset: Dataset):
        self.name, self.training = trial.name, TrainingOptions(**trial.training)
        self.device = resolve_device(self.training.device)
        initial, order = (int(s.generate_state(1, np.uint64)[0] >> np.uint64(1)) for s in streams(trial))
        torch.manual_seed(initial)
        self.shuffle = torch.Generator().manual_seed(order)
        self.objective = objective(dataset)
        self.parts = {name: tensors(part, dataset.scale, self.device) for name, part in dataset.parts.items()}
        self.others = sorted(self.parts.keys() - {"train", "validation", "test"})
        self.model = self._model(trial, dataset).to(self.device)
        self.optimiser = Adam(self.model.parameter_groups(self.training.learning_rate))
        self.epoch, self.best, self.best_weights = 1, -math.inf, None
        self.outcome = {
            "status": "finished",
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
        }
        self._begin_epoch()

    def _model(self, trial: TrialSpec, dataset: Dataset) -> torch.nn.Module:
        hyperparameters = {key: value for key, value in trial.model.items() if key != "name"}
        train = dataset.parts["train"]
        return build_model(
            trial.model["name"],
            input_size=train.inputs.shape[-1],
            output_size=self.objective.outputs,
            timestamps=train.times is not None,
            return_sequence=self.objective.sequence,
            engine=self.training.model_dump(include=EngineOptions.model_fields.keys()),
            **hyperparameters,
        )

    def run(self, recorder) -> dict:
        """Train to the end; the outcome."""
        epochs = self.training.epochs
        progress = tqdm(initial=self.epoch - 1, total=epochs, desc=self.name, unit="epoch", disable=None)
        while self.epoch <= epochs:
            row = self._epoch(recorder)
            recorder.epoch(row)
            losses = {part: row.get(f"{part}_loss", math.nan) for part in ("train", "validation", "test")}
            if broken := [part for part, loss in losses.items() if not math.isfinite(loss)]:
                reason = {"reason": f"the {broken[0]} loss is not finite"} | self.outcome
                return {**reason, **self.counts, "status": "diverged", "epochs": self.epoch}
            progress.update()
            progress.set_postfix(loss=f"{row['train_loss']:.3f}", refresh=False)
            self._judge(row)
            self.epoch += 1
            self._begin_epoch()
            recorder.save(self.state_dict())
        return {**self.outcome, **self._judge_others(recorder), "epochs": epochs}

    def _begin_epoch(self) -> None:
        self.order = torch.randperm(len(self.parts["train"][1]), generator=self.shuffle)
        self.done, self.seconds, self.counts, self.tally = 0, 0.0, {}, Tally(self.objective)

    def _epoch(self, recorder) -> dict:
        """Finish the epoch at hand: the rest of its steps, then both held-out parts; its row of numbers."""
        row = {"epoch": self.epoch}
        self._clock = time.perf_counter()
        try:
            row |= self._train(lambda: recorder.pause(self.state_dict))
            counts = dict(self._counted())  # an evaluation that is broken off is done, and counted, from its beginning

            def pause():
                recorder.pause(lambda: {**self.state_dict(), "counts": counts})

            if math.isfinite(row["train_loss"]):
                for part in ("validation", "test"):
                    row |= evaluate(self.model, self.objective, self.parts[part], part, pause)
        except Diverged as error:
            row.setdefault("train_loss", math.nan)
            self.outcome["reason"] = str(error)
        return {**row, **self._counted(), "seconds": self.seconds + time.perf_counter() - self._clock}

    def _train(self, pause) -> dict:
        """What is left of one pass in random order; mean loss and score, or a loss of NaN where one is not finite."""
        inputs, targets, times = self.parts["train"]
        self.model.train()
        for start in range(self.done, len(self.order), self.training.batch_size):
            batch = self.order[start : start + self.training.batch_size]
            self.optimiser.zero_grad()
            answers = self.model(inputs[batch], times=None if times is None else times[batch])
            loss = self.objective.loss(answers, targets[batch])
            value = loss.item()
            if not math.isfinite(value):
                return {"train_loss": math.nan}
            loss.backward()
            self.optimiser.step()
            self.tally.add(value, answers, targets[batch])
            self.done += len(batch)
            pause()
        return self.tally.scores("train")

    def _counted(self) -> dict[str, int]:
        """What the cell has counted in this epoch, such as evaluations of its differential equation."""
        for key, value in self.model.cell.counters().items():
            self.counts[key] = self.counts.get(key, 0) + value
        return self.counts

    def _judge(self, row: dict) -> None:
        """The outcome so far: the best epoch's numbers, by validation, and the last one's."""
        score = self.objective.score
        held_out = {key: value for key, value in row.items() if key.startswith(("validation_", "test_"))}
        if self.objective.sign * row[f"validation_{score}"] > self.best:
            self.best = self.objective.sign * row[f"validation_{score}"]
            self.outcome |= {"best_epoch": self.epoch, **held_out}
            if self.others:
                self.best_weights = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.outcome |= {f"last_{key}": value for key, value in held_out.items()}

    def _judge_others(self, recorder) -> dict:
        """The scores of the other parts at the best epoch; `gave_up` says on which there is none, and why."""
        if not self.others:
            return {}
        self.model.load_state_dict(self.best_weights)
        scores, gave_up = {}, {}
        for name in self.others:
            try:
                judged = evaluate(
                    self.model, self.objective, self.parts[name], name, lambda: recorder.pause(self.state_dict)
                )
                scores |= {key: value for key, value in judged.items() if key.endswith(self.objective.score)}
            except Diverged as error:
                gave_up[name] = str(error)
        return scores | ({"gave_up": gave_up} if gave_up else {})

    def state_dict(self) -> dict:
        """Everything that the rest of the training depends on."""
        counted = {key: getattr(self, key) for key in ("epoch", "done", "best", "best_weights", "outcome", "order")}
        return counted | {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "shuffle": self.shuffle.get_state(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "tally": self.tally.sums,
            "seconds": self.seconds + time.perf_counter() - self._clock if self.done else 0.0,
            "counts": dict(self._counted()),
        }

    def load_state_dict(self, saved: dict) -> None:
        """Go on from `saved`."""
        for key in ("epoch", "done", "best", "best_weights", "outcome", "order", "seconds", "counts"):
            setattr(self, key, saved[key])
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.shuffle.set_state(saved["shuffle"])
        torch.set_rng_state(saved["random"])
        if saved["cuda_random"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_random"], self.device)
        self.tally.sums = saved["tally"]


def streams(trial: TrialSpec) -> list[np.random.SeedSequence]:
    """The trial's independent sources of randomness: initial values, and the order of samples."""
    return np.random.SeedSequence(trial.entropy).spawn(2)


def tensors(part: Part, scale: float, device: torch.device) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Inputs, targets and times of a part, on the device."""
    inputs = torch.from_numpy(part.inputs).to(device, torch.float32) * scale
    times = None if part.times is None else torch.from_numpy(part.times).to(device)
    return inputs, torch.from_numpy(part.targets).to(device), times


@torch.no_grad()
def evaluate(model: torch.nn.Module, objective, part, name: str, between=lambda: None) -> dict[str, float]:
    """Mean loss and score of `model` over a part (inputs, targets, times), named after it; `between` batches."""
    inputs, targets, times = part
    model.eval()
    tally = Tally(objective)
    for batch in torch.arange(len(targets)).split(EVALUATION_BATCH):
        answers = model(inputs[batch], times=None if times is None else times[batch])
        tally.add(objective.loss(answers, targets[batch]).item(), answers, targets[batch])
        between()
    return tally.scores(name)
