import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from hippo import registry
from hippo.config import ConfigError
from hippo.data.dataset import NOT_ASKED, Dataset, Part
from hippo.data.errors import DataError
from hippo.lab.analysis import fitted
from hippo.lab.training import trainer
from hippo.lab.training.batches import Batches
from hippo.lab.training.evaluation import evaluate
from hippo.lab.training.objectives import find_objective
from hippo.nn import build_model
from tests.lab.recorders import Rows
from tests.lab.training.trials import make_trial

CPU = torch.device("cpu")


def all_parts(part: Part, **about) -> Dataset:
    return Dataset(parts={"train": part, "validation": part, "test": part}, source="invented", **about)


def pixels() -> Dataset:
    rng = np.random.default_rng(0)
    part = Part(rng.integers(0, 256, (23, 5, 2), dtype=np.uint8), rng.integers(0, 3, 23))
    return all_parts(part, classes=3, scale=1 / 255)


def tokens(dtype=np.uint16, lengths=True) -> Dataset:
    rng = np.random.default_rng(1)
    true = rng.integers(1, 9, 23) if lengths else None
    return all_parts(Part(rng.integers(0, 300, (23, 8)).astype(dtype), rng.integers(0, 2, 23), None, true),
                     classes=2, vocabulary=300)  # fmt: skip


def test_bytes_are_converted_and_scaled_as_the_whole_part_would_be():
    dataset = pixels()
    before = dataset.parts["train"].inputs.copy()
    whole = torch.from_numpy(before).to(torch.float32) * dataset.scale
    for samples in (torch.arange(23), torch.randperm(23), torch.tensor([4]), torch.tensor([3, 3])):
        batch = Batches(dataset, "train", CPU)[samples]
        assert batch.inputs.dtype == torch.float32 and torch.equal(batch.inputs, whole[samples])
        assert torch.equal(batch.targets, torch.from_numpy(dataset.parts["train"].targets)[samples])
        assert batch.times is None and batch.lengths is None
    assert np.array_equal(dataset.parts["train"].inputs, before)


def test_a_part_is_not_copied():
    dataset = pixels()
    batches = Batches(dataset, "train", CPU)
    assert len(batches) == 23
    dataset.parts["train"].inputs[:] = 255  # seen by the batches: they read the array of the dataset
    assert (batches[torch.arange(2)].inputs == 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64])
def test_tokens_are_int64_and_have_their_lengths(dtype):
    dataset = tokens(np.uint16)
    part = dataset.parts["train"]
    part = replace(part, inputs=np.minimum(part.inputs, 100).astype(dtype))
    batch = Batches(all_parts(part, classes=2, vocabulary=300), "train", CPU)[torch.tensor([5, 2])]
    longest = part.lengths[[5, 2]].max()
    assert batch.inputs.dtype == torch.int64 and batch.inputs.tolist() == part.inputs[[5, 2], :longest].tolist()
    assert batch.lengths.dtype == torch.int64 and batch.lengths.tolist() == part.lengths[[5, 2]].tolist()


def test_a_batch_ends_at_its_longest_true_length():
    rng = np.random.default_rng(3)
    lengths = np.array([2, 5, 3, 8])
    signals, times = rng.normal(size=(4, 8, 3)).astype(np.float32), np.arange(32, dtype=np.float32).reshape(4, 8)
    per_step = rng.normal(size=(4, 8, 2)).astype(np.float32)
    whole = Part(signals, per_step, times, lengths)
    batches = Batches(all_parts(whole, classes=None), "train", CPU)
    batch = batches[torch.tensor([2, 1])]
    assert batches.steps == 8
    for found, stored in ((batch.inputs, signals), (batch.targets, per_step), (batch.times, times)):
        assert np.array_equal(found.numpy(), stored[[2, 1], :5])
    # as many numbers per sequence as steps are not taken for numbers per step
    numbers = Batches(all_parts(replace(whole, targets=per_step[:, :, 0]), classes=None), "train", CPU)
    assert np.array_equal(numbers[torch.tensor([0])].targets.numpy(), per_step[:1, :, 0])
    classes = Batches(all_parts(replace(whole, targets=rng.integers(0, 2, (4, 8))), classes=2), "train", CPU)
    assert classes[torch.tensor([0])].targets.shape == (1, 2)

    pairs = rng.integers(0, 9, (4, 2, 8))
    part = Part(pairs, np.arange(4) % 2, None, np.stack([lengths, np.array([1, 6, 1, 1])], axis=1))
    batches = Batches(all_parts(part, classes=2, vocabulary=9), "train", CPU)
    assert batches.steps == 16
    assert np.array_equal(batches[torch.tensor([1, 2])].inputs.numpy(), pairs[[1, 2], :, :6])


def test_long_sequences_are_evaluated_in_smaller_batches(monkeypatch):
    """The number of sequences at once changes no score."""
    dataset = tokens()
    model = build_model("gru", output_size=2, vocabulary=300, hidden_size=4)
    arguments = (model, find_objective(dataset), Batches(dataset, "train", CPU), "test")
    whole = evaluate(*arguments)
    sizes = []
    model.register_forward_hook(lambda module, inputs, outputs: sizes.append(len(outputs)))
    monkeypatch.setattr("hippo.lab.training.evaluation.BATCH_STEPS", 40)
    few = evaluate(*arguments)
    assert sizes == [5, 5, 5, 5, 3]  # of 8 steps each
    assert few["test_accuracy"] == whole["test_accuracy"] and few["test_loss"] == pytest.approx(whole["test_loss"])


@pytest.mark.parametrize("name", ["s4", "gru"])
def test_a_model_of_pairs_of_documents_learns(name):
    """Each document repeats one token. The class is whether both have the same: no document by itself tells it."""
    rng = np.random.default_rng(4)
    tokens, lengths = rng.integers(0, 2, (60, 2, 1)), rng.integers(3, 7, (60, 2))
    same = (tokens[:, 0, 0] == tokens[:, 1, 0]).astype(np.int64)
    dataset = all_parts(Part(tokens.repeat(6, axis=2), same, None, lengths), classes=2, vocabulary=2)
    sizes = {"gru": {}, "s4": {"state_size": 4, "layers": 1}}[name]
    outcome = trainer.run(make_trial(epochs=20, learning_rate=0.02, model=name, hyperparameters=sizes), dataset, Rows())
    assert outcome["status"] == "finished" and outcome["test_accuracy"] > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dataset", [pixels(), tokens()], ids=["pixels", "tokens"])
def test_batches_on_a_gpu_have_the_values_of_those_on_the_cpu(dataset):
    samples = torch.randperm(23)
    here, there = (Batches(dataset, "train", device)[samples] for device in (CPU, torch.device("cuda")))
    for name, value in vars(here).items():
        other = getattr(there, name)
        assert (value is None and other is None) or (other.is_cuda and torch.equal(value, other.cpu()))


@pytest.mark.parametrize("model", ["gru", "legs"])
def test_a_model_of_tokens_learns(model):
    """The class is the first token: 0 or 1, followed by noise."""
    rng = np.random.default_rng(2)
    inputs = rng.integers(0, 4, (64, 6)).astype(np.uint8)
    dataset = all_parts(Part(inputs, (inputs[:, 0] > 1).astype(np.int64)), classes=2, vocabulary=4)
    outcome = trainer.run(make_trial(epochs=25, model=model), dataset, Rows())
    assert outcome["status"] == "finished" and outcome["test_accuracy"] > 0.9


def test_padding_changes_no_number():
    """Sequences of 8 steps, and the same sequences padded with other values to 12 steps."""
    dataset = tokens()
    part = dataset.parts["train"]
    padding = np.random.default_rng(3).integers(0, 300, (23, 4)).astype(np.uint16)
    longer = all_parts(replace(part, inputs=np.concatenate([part.inputs, padding], axis=1)), classes=2, vocabulary=300)
    rows, padded = Rows(), Rows()
    for data, recorder in ((dataset, rows), (longer, padded)):
        trainer.run(make_trial(epochs=2), data, recorder)
    for row, other in zip(rows.rows, padded.rows, strict=True):
        assert other == pytest.approx({**row, "seconds": other["seconds"]}, rel=1e-5)
    read_padding = Rows()
    trainer.run(make_trial(epochs=2), tokens(lengths=False), read_padding)
    assert rows.rows[0]["test_loss"] != pytest.approx(read_padding.rows[0]["test_loss"], rel=1e-3)


def per_step(kind: str, lengths: np.ndarray) -> Dataset:
    rng = np.random.default_rng(4)
    inputs = rng.standard_normal((6, 5, 1)).astype(np.float32)
    if kind == "classes":
        targets = rng.integers(0, 3, (6, 5))
        targets[0, 0] = NOT_ASKED
        return all_parts(Part(inputs, targets, None, lengths), classes=3)
    targets = rng.standard_normal((6, 5, 2)).astype(np.float32)
    return all_parts(Part(inputs, targets, None, lengths), classes=None)


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_answers_in_the_padding_do_not_count(kind):
    lengths = np.array([5, 1, 2, 3, 4, 5])
    dataset = per_step(kind, lengths)
    objective = find_objective(dataset)
    torch.manual_seed(0)
    model = build_model("gru", 1, objective.outputs, hidden_size=4, return_sequence=True)
    found = evaluate(model, objective, Batches(dataset, "test", CPU), "test")
    part = dataset.parts["test"]
    with torch.no_grad():
        answers = model(torch.from_numpy(part.inputs))
    true = torch.from_numpy(np.arange(5) < lengths[:, None])
    answers, targets = answers[true], torch.from_numpy(part.targets)[true]
    if kind == "classes":
        asked = targets != NOT_ASKED
        assert found["test_loss"] == pytest.approx(cross_entropy(answers[asked], targets[asked]).item(), rel=1e-6)
        right = (answers[asked].argmax(-1) == targets[asked]).float().mean().item()
        assert found["test_accuracy"] == pytest.approx(right)
    else:
        loss = mse_loss(answers, targets).item()
        assert found["test_loss"] == pytest.approx(loss, rel=1e-6)
        assert found["test_nrmse"] == pytest.approx(math.sqrt(loss) / float(targets.numpy().std()), rel=1e-6)


def test_a_classifier_refuses_token_ids():
    with pytest.raises(ConfigError, match="cannot read token ids"):
        fitted.run(replace(make_trial(), model_name="legs_ridge"), tokens(), Rows())


def test_a_classifier_does_not_read_the_padding():
    """The same sequences, padded by zeros and by noise."""
    rng = np.random.default_rng(0)
    inputs, targets, lengths = (
        rng.normal(size=(40, 30, 1)).astype(np.float32),
        np.arange(40) % 2,
        rng.integers(9, 31, 40),
    )
    options = registry.find("classifiers", "legs_ridge", "test")(order=8)
    trial = replace(make_trial(), model_name="legs_ridge", model_options=options)
    outcomes = []
    for padding in (0.0, rng.normal(size=inputs.shape)):
        inside = (np.arange(30) < lengths[:, None])[:, :, None]
        padded = np.where(inside, inputs, padding).astype(np.float32)
        outcomes.append(fitted.run(trial, all_parts(Part(padded, targets, None, lengths), classes=2), Rows()))
    assert outcomes[0] == outcomes[1] and outcomes[0]["train_accuracy"] > 0.5


def test_a_classifier_reads_timestamps_as_the_last_channel():
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(40, 30, 1)).astype(np.float32), np.arange(40) % 2
    times = rng.uniform(0, 1, (40, 30)).astype(np.float32).cumsum(axis=1)
    options = registry.find("classifiers", "legs_ridge", "test")(order=8)
    trial = replace(make_trial(), model_name="legs_ridge", model_options=options)
    outcome = fitted.run(trial, all_parts(Part(inputs, targets, times), classes=2, scale=0.5), Rows())
    read = np.stack([inputs[:, :, 0] / 2, times], axis=2)
    expected = options.classifier(seed=trial.entropy % 2**32, timestamps=True).fit(read, targets).predict(read)
    assert outcome["train_accuracy"] == np.mean(expected == targets)


@pytest.mark.parametrize("lengths", [None, np.array([2, 1, 2, 2, 1, 2])])
def test_numbers_without_spread_are_refused(lengths):
    """Their padding, which differs, does not count."""
    targets = np.full((6, 5, 2), 0.5, np.float32)
    if lengths is not None:
        targets[:, 2:] = 7
    part = Part(np.zeros((6, 5, 1), np.float32), targets, None, lengths)
    with pytest.raises(DataError, match="'train': the standard deviation of the targets is 0.0, expected a positive"):
        find_objective(all_parts(part, classes=None))
