"""Optimizer, schedule, clipping and early stopping, against torch.optim and plain loops."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from hippo.config import ConfigError
from hippo.lab.training import trainer
from hippo.nn import build_model
from tests.lab.recorders import Rows
from tests.lab.training.trials import make_trial, separable_dataset


def train(**options) -> tuple[dict, list[dict]]:
    recorder = Rows()
    return trainer.run(make_trial(**options), separable_dataset(), recorder), recorder.rows


def reference(make_optimizer, epochs, rate=lambda step, total: 1.0, clip=None) -> list[float]:
    """Mean train loss of each epoch of a plain PyTorch loop with a LambdaLR schedule."""
    dataset = separable_dataset()
    initial, order = trainer.seeds(make_trial())
    torch.manual_seed(initial)
    model = build_model("gru", 1, 2, hidden_size=6)
    optimizer = make_optimizer(list(model.parameters()))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, epochs * 7))
    inputs, targets = (torch.from_numpy(getattr(dataset.parts["train"], name)) for name in ("inputs", "targets"))
    shuffle, losses = torch.Generator().manual_seed(order), []
    for _ in range(epochs):
        total = 0.0
        for batch in torch.randperm(64, generator=shuffle).split(10):
            optimizer.zero_grad()
            loss = cross_entropy(model(inputs[batch]), targets[batch])
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            schedule.step()
            total += loss.item() * len(batch)
        losses.append(total / 64)
    return losses


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.05)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.3)


def warm_up(step, total):
    return min(1.0, step / 4)


def cosine(step, total):
    return (1 + math.cos(math.pi * step / total)) / 2


def warm_up_and_cosine(step, total):
    return step / 4 if step < 4 else (1 + math.cos(math.pi * (step - 4) / (total - 4))) / 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"make_optimizer": adam}),
        ({"optimizer": "adamw", "weight_decay": 0.3}, {"make_optimizer": adamw}),
        ({"gradient_clip": 0.05}, {"make_optimizer": adam, "clip": 0.05}),
        ({"warmup_steps": 4}, {"make_optimizer": adam, "rate": warm_up}),
        ({"schedule": "cosine"}, {"make_optimizer": adam, "rate": cosine}),
        (
            {"optimizer": "adamw", "weight_decay": 0.3, "gradient_clip": 0.05, "schedule": "cosine", "warmup_steps": 4},
            {"make_optimizer": adamw, "clip": 0.05, "rate": warm_up_and_cosine},
        ),
    ],
)
def test_training_options_take_the_steps_of_torch(options, expected):
    """Rounding only: relative differences of 1e-6 per step grow over 14 steps."""
    _, rows = train(epochs=2, **options)
    assert [row["train_loss"] for row in rows] == pytest.approx(reference(epochs=2, **expected), rel=1e-4)
    if options:
        assert rows[1]["train_loss"] != pytest.approx(reference(adam, 2)[1], rel=1e-3)  # the option has an effect


def test_a_schedule_without_steps_after_its_warm_up_is_refused():
    with pytest.raises(ConfigError, match=r"training\.warmup_steps = 14: this training has 14 steps \(2 epochs of 7\)"):
        train(epochs=2, schedule="cosine", warmup_steps=14)
    assert train(epochs=2, schedule="cosine", warmup_steps=13)[0]["status"] == "finished"
    assert train(epochs=2, warmup_steps=14)[0]["status"] == "finished"


def validation_scores(monkeypatch, scores):
    """Let the validation part have these accuracies, epoch by epoch."""
    evaluate, given = trainer.evaluate, iter(scores)

    def scripted(model, objective, batches, name, *pause):
        found = evaluate(model, objective, batches, name, *pause)
        return {**found, "validation_accuracy": next(given)} if name == "validation" else found

    monkeypatch.setattr(trainer, "evaluate", scripted)


@pytest.mark.parametrize(
    ("patience", "scores", "epochs", "best"),
    [
        (1, [0.5, 0.5, 0.9], 2, 1),  # an equal score is no better one
        (2, [0.5, 0.4, 0.6, 0.6, 0.6, 0.9], 5, 3),
        (3, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 6, 6),
        (2, [0.9, 0.1, 0.1], 3, 1),
        (None, [0.9, 0.1, 0.1, 0.1, 0.1, 0.1], 6, 1),
    ],
)
def test_early_stopping_ends_a_training_without_better_validation(monkeypatch, patience, scores, epochs, best):
    validation_scores(monkeypatch, scores)
    outcome, rows = train(epochs=6, early_stopping=patience)
    assert outcome["status"] == "finished" and outcome["epochs"] == len(rows) == epochs
    assert outcome["best_epoch"] == best and outcome["validation_accuracy"] == scores[best - 1]
    assert outcome["last_validation_accuracy"] == scores[epochs - 1]


def test_early_stopping_changes_no_epoch_that_is_trained():
    _, expected = train(epochs=12)
    outcome, rows = train(epochs=12, early_stopping=2)
    assert outcome["epochs"] == len(rows) < 12
    for row, other in zip(rows, expected, strict=False):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}
