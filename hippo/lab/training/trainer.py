"""Training of a model by gradient descent, resumable between any two steps.

The test part is scored at the epoch of the best validation score.
"""

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from hippo import registry
from hippo.data.dataset import Dataset
from hippo.kernels import product_precision
from hippo.lab.plan.task import Task
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.lab.training.batches import Batch, Batches
from hippo.lab.training.evaluation import evaluate, sampling_rate
from hippo.lab.training.kept_model import keep_model
from hippo.lab.training.objectives import Tally, find_objective
from hippo.lab.training.optimization import Optimization
from hippo.lab.trials.status import Status
from hippo.nn.backbone import engine_options
from hippo.nn.device import resolve_device
from hippo.nn.divergence import Diverged
from hippo.nn.mixed_precision import uses_autocast
from hippo.nn.sequence import SequenceModel

HELD_OUT = ("validation", "test")


def run(trial: TrialSpec, dataset: Dataset, recorder) -> dict:
    """Train the model of a trial, from its last checkpoint if there is one.

    Parameters
    ----------
    trial : TrialSpec
        A trial with training options.
    dataset : Dataset
        Its prepared dataset.
    recorder : Recorder
        Takes each epoch's numbers and the states that the training can be resumed from.

    Returns
    -------
    dict
        The outcome: status, parameters, device, epochs, best_epoch, and the scores. `test_…` is read at the epoch of
        the best validation score, `last_test_…` at the last epoch. Parts other than train, validation and test are
        scored once, at the end, with the weights of the best epoch. A loss that is not finite, or a cell that raises
        `Diverged`, ends the trial with the status `diverged` and the counters of that epoch. A finished trial with
        ``keep_model: best`` also writes model.pt.
    """
    trainer = Trainer(trial, dataset)
    if saved := recorder.resume():
        trainer.load_state_dict(saved)
    outcome = trainer.run(recorder)
    if trainer.keeps_model and outcome["status"] == Status.FINISHED:
        keep_model(recorder.folder, trial, dataset, trainer.model, trainer.best_weights, outcome)
    return outcome


class Trainer:
    """A model in training. `state_dict`, between any two steps, is all that a resumed training needs for equal bits.

    Parameters
    ----------
    trial : TrialSpec
        A trial with training options.
    dataset : Dataset
        Its prepared dataset. The part test may be missing; there are then no scores of it.
    progress : bool, optional
        Whether to show a progress bar; default: if the standard error is a terminal.
    """

    def __init__(self, trial: TrialSpec, dataset: Dataset, progress: bool | None = None):
        self.name, self.training, self.progress = trial.name, trial.training, progress
        self.keeps_model = trial.keep_model == "best"
        self.task: Task = registry.find("tasks", trial.task, trial.name)
        self.device = resolve_device(self.training.device)
        initial, order = seeds(trial)
        torch.manual_seed(initial)
        self.shuffle = torch.Generator().manual_seed(order)
        self.objective = find_objective(dataset)
        self.dataset, self.epoch_part = dataset, trial.dataset.epoch_part
        self.batches = {name: Batches(dataset, name, self.device) for name in dataset.parts}
        self.epoch, self.best = 1, -math.inf
        self.best_weights: dict[str, Tensor] | None = None
        self._load_epoch()
        self.ratios = trial.dataset.sampling_ratios() if getattr(trial.model_options, "known_rate", False) else None
        self.held_out = tuple(part for part in HELD_OUT if part in dataset.parts)
        self.others = sorted(self.batches.keys() - {"train", *HELD_OUT})
        self.model = self._build_model(trial, dataset).to(self.device)
        self.optimization = Optimization(self.model, self.training, len(self.batches["train"]))
        self.outcome = {
            "status": Status.FINISHED.value,  # checkpoints hold no objects
            "parameters": sum(p.numel() for p in self.model.parameters()),
            "device": torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu",
        }
        self._begin_epoch()

    def _build_model(self, trial: TrialSpec, dataset: Dataset) -> SequenceModel:
        """The model with initial weights."""
        train, tokens = dataset.parts["train"], dataset.vocabulary is not None
        return SequenceModel(
            trial.model_options,
            input_size=1 if tokens else train.inputs.shape[-1],
            output_size=self.objective.outputs,
            vocabulary=dataset.vocabulary,
            timestamps=train.times is not None,
            return_sequence=self.objective.sequence,
            documents=train.inputs.shape[1] if tokens and train.inputs.ndim == 3 else 1,
            engine=trial.training.engine,
        )

    def run(self, recorder) -> dict:
        """Train to the end and return the outcome."""
        epochs = self.training.epochs
        hidden = None if self.progress is None else not self.progress
        with tqdm(initial=self.epoch - 1, total=epochs, desc=self.name, unit="epoch", disable=hidden) as progress:
            while self.epoch <= epochs and not self._stops_early():
                row = self._run_epoch(recorder)
                recorder.epoch(row)
                losses = {part: row.get(f"{part}_loss", math.nan) for part in ("train", *self.held_out)}
                if not_finite := [part for part, loss in losses.items() if not math.isfinite(loss)]:
                    reason = {"reason": f"the {not_finite[0]} loss is not finite", "precision": self.precision}
                    return {**reason, **self.outcome, **self.counts, "status": Status.DIVERGED, "epochs": self.epoch}
                progress.update()
                progress.set_postfix(loss=f"{row['train_loss']:.3f}", refresh=False)
                self._select(row)
                self.epoch += 1
                if self.epoch <= epochs:
                    self._load_epoch()
                self._begin_epoch()
                recorder.save(self.state_dict())
        scores = self._score_others(recorder)
        return {**self.outcome, **scores, "precision": self.precision, "epochs": self.epoch - 1}

    @property
    def precision(self) -> str:
        """The precision of matrix products, which may be another than the one asked for."""
        if self.model.mixed_precision and uses_autocast(self.device):
            return "bfloat16"
        requested = {engine.precision for engine in engine_options(self.model)} or {"float32"}
        return product_precision(requested.pop(), self.device)

    def _stops_early(self) -> bool:
        """Whether the validation score has not improved for as many epochs as early stopping allows."""
        allowed = self.training.early_stopping
        return allowed is not None and self.epoch - 1 - self.outcome.get("best_epoch", 0) >= allowed

    def _load_epoch(self) -> None:
        """Take the train part of the epoch, if the dataset has another one in every epoch."""
        if part := self.epoch_part(self.epoch):
            epoch = replace(self.dataset, parts={"train": part})
            self.batches["train"] = Batches(epoch, "train", self.device)

    def _begin_epoch(self) -> None:
        """Choose the order of samples, and set the sums of the epoch to 0."""
        self.order = torch.randperm(len(self.batches["train"]), generator=self.shuffle)
        self.done, self.seconds, self.counts, self.tally = 0, 0.0, {}, Tally(self.objective)

    def _run_epoch(self, recorder) -> dict:
        """Run the rest of the current epoch, then evaluate on both held-out parts; return its row of numbers."""
        row = {"epoch": self.epoch}
        self._clock = time.perf_counter()
        try:
            row |= self._train(lambda: recorder.pause(self.state_dict))
            counts = dict(self._update_counts())  # an evaluation that is interrupted is repeated, and counted, in full

            def pause():
                recorder.pause(lambda: {**self.state_dict(), "counts": counts})

            if math.isfinite(row["train_loss"]):
                for part in self.held_out:
                    row |= self._evaluate(part, pause)
        except Diverged as error:
            row.setdefault("train_loss", math.nan)
            self.outcome["reason"] = str(error)
        return {**row, **self._update_counts(), "seconds": self.seconds + time.perf_counter() - self._clock}

    def _train(self, pause) -> dict:
        """Run the remaining steps of the epoch; return mean loss and score, or a loss of NaN if one is not finite."""
        self.model.train()
        batch_size, steps_before = self.training.batch_size, (self.epoch - 1) * self.optimization.steps_per_epoch
        following = self._batch(self.done)
        for start in range(self.done, len(self.order), batch_size):
            batch = following
            self.optimization.zero_grad()
            answers = self.model(batch.inputs, times=batch.times, lengths=batch.lengths)
            answers, targets = self.objective.select(answers, batch.targets, batch.lengths)
            loss = self.objective.loss(answers, targets)
            following = self._batch(start + batch_size)  # is copied to a GPU while it computes
            value = loss.item()
            if not math.isfinite(value):
                return {"train_loss": math.nan}
            loss.backward()
            self.optimization.step(steps_before + start // batch_size)
            self.tally.add(value, answers, targets)
            self.done += len(batch.inputs)
            pause()
        return self.tally.scores("train")

    def _batch(self, start: int) -> Batch | None:
        """The train batch that begins at a place in the order of the epoch; None after the last one."""
        samples = self.order[start : start + self.training.batch_size]
        return self.batches["train"][samples] if len(samples) else None

    def _evaluate(self, part: str, pause: Callable[[], None]) -> dict[str, float]:
        """The loss and score of one part, at its sampling rate if the model knows it."""
        with sampling_rate(self.model, None if self.ratios is None else self.ratios.get(part, 1.0)):
            return evaluate(self.model, self.objective, self.batches[part], part, pause)

    def _update_counts(self) -> dict[str, int]:
        """The counters of the model in this epoch, such as evaluations of its differential equation."""
        for key, value in self.model.counters().items():
            self.counts[key] = self.counts.get(key, 0) + value
        return self.counts

    def _select(self, row: dict) -> None:
        """Update the outcome: numbers of the epoch with the best validation score so far, and of the last epoch."""
        score = row[self.task.selection] if self.task.higher_is_better else -row[self.task.selection]
        held_out = {key: value for key, value in row.items() if key.startswith(("validation_", "test_"))}
        if score > self.best:
            self.best = score
            self.outcome |= {"best_epoch": self.epoch, **held_out}
            if self.others or self.keeps_model:
                self.best_weights = {key: value.clone() for key, value in self.model.state_dict().items()}
        self.outcome |= {f"last_{key}": value for key, value in held_out.items()}

    def _score_others(self, recorder) -> dict:
        """The scores of the other parts at the best epoch; `solver_failures` says on which there is none, and why."""
        if not self.others:
            return {}
        self.model.load_state_dict(self.best_weights)
        scores, failures = {}, {}
        for name in self.others:
            try:
                found = self._evaluate(name, lambda: recorder.pause(self.state_dict))
                scores |= {key: value for key, value in found.items() if key.endswith(self.objective.score)}
            except Diverged as error:
                failures[name] = str(error)
        return scores | ({"solver_failures": failures} if failures else {})

    def state_dict(self) -> dict:
        """Return everything that the rest of the training depends on."""
        attributes = ("epoch", "done", "best", "best_weights", "outcome", "order")
        return {key: getattr(self, key) for key in attributes} | {
            "model": self.model.state_dict(),
            "optimizer": self.optimization.optimizer.state_dict(),
            "shuffle": self.shuffle.get_state(),
            "random": torch.get_rng_state(),
            "cuda_random": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "tally": self.tally.sums,
            "seconds": self.seconds + time.perf_counter() - self._clock if self.done else 0.0,
            "counts": dict(self._update_counts()),
        }

    def load_state_dict(self, saved: dict) -> None:
        """Restore what `state_dict` returned."""
        for key in ("epoch", "done", "best", "best_weights", "outcome", "order", "seconds", "counts"):
            setattr(self, key, saved[key])
        self._load_epoch()
        self.model.load_state_dict(saved["model"])
        self.optimization.optimizer.load_state_dict(saved["optimizer"])
        self.shuffle.set_state(saved["shuffle"])
        torch.set_rng_state(saved["random"])
        if saved["cuda_random"] is not None and self.device.type == "cuda":
            torch.cuda.set_rng_state(saved["cuda_random"], self.device)
        self.tally.sums = saved["tally"]


def seeds(trial: TrialSpec) -> tuple[int, int]:
    """Return two independent seeds of a trial: of the initial weights, and of the order of samples."""
    weights, order = np.random.SeedSequence(trial.entropy).spawn(2)
    return tuple(int(s.generate_state(1, np.uint64)[0] >> np.uint64(1)) for s in (weights, order))
