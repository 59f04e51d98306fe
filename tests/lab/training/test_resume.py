"""A trial that is interrupted after any step, and resumed, ends with the weights and numbers of one that was not."""

from dataclasses import replace

import pytest
import torch

from hippo.data.adding import Adding
from hippo.lab.training.trainer import Trainer, run
from tests.lab.recorders import Rows, Stopped
from tests.lab.training.trials import make_trial, separable_dataset, without_seconds

EVERYTHING = {
    "optimizer": "adamw",
    "weight_decay": 0.1,
    "schedule": "cosine",
    "warmup_steps": 3,
    "gradient_clip": 0.5,
    "early_stopping": 2,
}
STEPS = 7 + 2  # 64 samples in batches of 10, and two held-out parts of one batch


def train(trial, dataset, recorder) -> tuple[dict, dict]:
    """The outcome and the final state of a training."""
    trainer = Trainer(trial, dataset)
    if saved := recorder.resume():
        trainer.load_state_dict(saved)
    outcome = trainer.run(recorder)
    return outcome, trainer.state_dict()


def assert_equal(one, other, path="state"):
    """Bit for bit, tensors included; time is left out."""
    assert type(one) is type(other), path
    if isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one.keys() - {"seconds"}:
            assert_equal(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), path
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f"{path}[{index}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    else:
        assert one == other, path


@pytest.mark.parametrize("model", ["gru", "legs", "exprnn"])
@pytest.mark.parametrize("training", [{}, EVERYTHING], ids=["defaults", "everything"])
def test_a_trial_interrupted_after_any_step_ends_with_equal_bits(model, training):
    dataset = separable_dataset()
    trial = make_trial(epochs=2, model=model, hyperparameters={"dropout": 0.3}, **training)
    whole = Rows()
    expected, weights = train(trial, dataset, whole)
    assert whole.chances == 2 * STEPS
    for stop in range(1, whole.chances + 1):
        first = Rows(stop)
        with pytest.raises(Stopped):
            run(trial, dataset, first)
        second = Rows(earlier=first)
        outcome, resumed = train(trial, dataset, second)
        assert outcome == expected
        assert without_seconds(second.rows) == without_seconds(whole.rows)
        assert_equal(resumed, weights)


def test_the_seconds_of_an_epoch_are_those_of_all_attempts():
    dataset, trial, first = separable_dataset(), make_trial(epochs=2), Rows(stop=4)
    with pytest.raises(Stopped):
        run(trial, dataset, first)
    assert 0 < first.saved["state"]["seconds"] < 1000
    first.saved["state"]["seconds"] = 1000.0
    second = Rows(earlier=first)
    run(trial, dataset, second)
    assert second.rows[0]["seconds"] > 1000 > second.rows[1]["seconds"] > 0


def test_a_trial_interrupted_again_and_again_ends_with_equal_bits():
    dataset, trial = separable_dataset(), make_trial(epochs=2, **EVERYTHING)
    whole = Rows()
    expected, weights = train(trial, dataset, whole)
    recorder, attempts = Rows(stop=2), 0
    while True:
        try:
            outcome, resumed = train(trial, dataset, recorder)
            break
        except Stopped:
            attempts += 1
            recorder = Rows(stop=2, earlier=recorder) if attempts < 7 else Rows(earlier=recorder)
    assert attempts == 7 and outcome == expected
    assert_equal(resumed, weights)


def test_a_trial_that_ended_early_ends_again_without_a_step_if_it_is_resumed():
    """Interrupted while a further part is scored, after the last epoch: early stopping still holds."""
    dataset = separable_dataset()
    dataset = replace(dataset, parts={**dataset.parts, "other": dataset.parts["test"]})
    trial = make_trial(epochs=50, early_stopping=2)
    whole = Rows()
    expected, weights = train(trial, dataset, whole)
    assert expected["epochs"] < 50
    first = Rows(stop=whole.chances)
    with pytest.raises(Stopped):
        run(trial, dataset, first)
    second = Rows(earlier=first)
    outcome, resumed = train(trial, dataset, second)
    assert second.chances == 1 and outcome == expected
    assert_equal(resumed, weights)


def test_a_trial_with_new_sequences_in_every_epoch_resumes_with_equal_bits():
    options = Adding(length=8, train_samples=10, eval_samples=10, fresh_samples=20)
    trial = replace(make_trial(epochs=3, task="regression"), dataset_name="adding", dataset=options)
    dataset, whole = options.build(), Rows()
    expected, weights = train(trial, dataset, whole)
    losses = [row["train_loss"] for row in whole.rows]
    assert whole.chances == 3 * (2 + 2) and len(set(losses)) == 3
    for stop in range(1, whole.chances + 1):
        first = Rows(stop)
        with pytest.raises(Stopped):
            run(trial, dataset, first)
        resumed = Rows(earlier=first)
        outcome, found = train(trial, dataset, resumed)
        assert outcome == expected and without_seconds(resumed.rows) == without_seconds(whole.rows)
        assert_equal(found, weights)
    fixed = replace(trial, dataset=Adding(length=8, train_samples=20, eval_samples=10))
    assert fixed.digest != trial.digest
