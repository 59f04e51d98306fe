"""Predictions of a kept model for a CSV file, and the one message that a bad file gives."""

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from hippo.cli.commands import hippo
from hippo.config import ConfigError
from hippo.lab.prediction import predict, read_sequences
from hippo.lab.training.trainer import run
from hippo.nn import build_model, load_model, save_model
from tests.lab.recorders import Rows
from tests.lab.training.trials import make_trial, separable_dataset

DEFAULTS = {"classes": None, "input_scale": 1.0, "missing_values": False}


def make(tmp_path, name="gru", output_size=2, metadata=None, **arguments):
    """A kept model with random weights, and its metadata."""
    torch.manual_seed(0)
    model = build_model(name, output_size=output_size, hidden_size=6, **arguments)
    save_model(tmp_path / "model.pt", model, name, {**DEFAULTS, **(metadata or {})})
    return load_model(tmp_path)


def write(tmp_path, text):
    (tmp_path / "data.csv").write_text(text)
    return tmp_path / "data.csv"


def to_csv(inputs: np.ndarray) -> str:
    """Sequences (samples, length, channels) as a CSV file."""
    names = [f"c{i}" for i in range(inputs.shape[2])]
    frames = [pd.DataFrame(one, columns=names).assign(sample=f"s{i}") for i, one in enumerate(inputs)]
    return pd.concat(frames).to_csv(index=False)


def test_the_command_gives_the_accuracy_of_the_outcome(tmp_path, monkeypatch):
    dataset, folder = separable_dataset(), tmp_path / "results/quick/trials/e/v/gru/seed0"
    outcome = run(make_trial_that_keeps(), dataset, Rows(folder=folder))
    test = dataset.parts["test"]
    monkeypatch.chdir(tmp_path)
    write(tmp_path, to_csv(test.inputs))
    for trial in ("e/v/gru/seed0", str(folder)):
        arguments = ["predict", trial, "data.csv", "--out", "answers.csv"]
        assert CliRunner().invoke(hippo, arguments, catch_exceptions=False).output == "answers.csv\n"
        answers = pd.read_csv("answers.csv")
        assert list(answers) == ["sample", "class", "probability_0", "probability_1"]
        assert np.mean(answers["class"] == test.targets) == outcome["test_accuracy"]
        assert np.allclose(answers[["probability_0", "probability_1"]].sum(axis=1), 1, atol=1e-5)


def make_trial_that_keeps():
    from dataclasses import replace

    return replace(make_trial(), keep_model="best")


def test_predictions_are_printed_without_a_file(tmp_path, monkeypatch):
    make(tmp_path, input_size=1)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "value\n1\n2\n")
    printed = CliRunner().invoke(hippo, ["predict", str(tmp_path), "data.csv"], catch_exceptions=False).output
    assert printed.splitlines()[0] == "sample,value_0,value_1" and printed.splitlines()[1].startswith("data,")


def test_a_trial_that_does_not_exist_is_one_message(tmp_path, monkeypatch):
    kept = tmp_path / "results/quick/trials/e/v/gru/seed0"
    make(kept, input_size=1)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "value\n1\n")
    result = CliRunner().invoke(hippo, ["predict", "e/v/gru/seed1", "data.csv"])
    assert result.exit_code == 1 and "did you mean 'e/v/gru/seed0'?" in result.output
    result = CliRunner().invoke(hippo, ["predict", str(kept), "absent.csv"])
    assert result.exit_code == 1 and "absent.csv: No such file" in result.output
    (kept / "model.pt").unlink()
    result = CliRunner().invoke(hippo, ["predict", "e/v/gru/seed0", "data.csv"])
    assert result.exit_code == 1 and "a trial keeps its model if its experiment file has keep_model" in result.output


@pytest.mark.parametrize("name", ["gru", "legs", "s4"])
def test_sequences_of_different_lengths_are_answered_as_if_alone(name, tmp_path):
    model, metadata = make(tmp_path, name, input_size=2, metadata={"input_scale": 0.25})
    rng = np.random.default_rng(0)
    lengths = [5, 9, 2, 9]
    inputs = [rng.standard_normal((length, 2)).astype(np.float32) for length in lengths]
    lines = [f"s{i},{a!r},{b!r}" for i, one in enumerate(inputs) for a, b in one.tolist()]
    rng.shuffle(order := np.repeat(range(4), lengths))  # steps of the samples between each other
    steps = {i: iter([line for line in lines if line.startswith(f"s{i},")]) for i in range(4)}
    path = write(tmp_path, "sample,a,b\n" + "\n".join(next(steps[i]) for i in order))
    answers = predict(model, metadata, read_sequences(path, metadata)).set_index("sample")
    for i, one in enumerate(inputs):
        with torch.no_grad():
            alone = model(0.25 * torch.from_numpy(one)[None]).numpy()[0]
        np.testing.assert_allclose(answers.loc[f"s{i}"], alone, rtol=1e-4, atol=1e-5)


def test_an_answer_at_every_step_is_a_line_for_every_step(tmp_path):
    model, metadata = make(tmp_path, input_size=1, metadata={"classes": 2}, return_sequence=True)
    path = write(tmp_path, "sample,x\na,1\na,2\nb,3\n")
    answers = predict(model, metadata, read_sequences(path, metadata))
    assert answers["sample"].tolist() == ["a", "a", "b"] and answers["step"].tolist() == [0, 1, 0]
    with torch.no_grad():
        expected = model(torch.tensor([[[1.0], [2.0]]])).softmax(2)[0]
    np.testing.assert_allclose(answers.loc[:1, ["probability_0", "probability_1"]], expected, rtol=0, atol=1e-6)


def test_times_tokens_and_missing_values_are_read(tmp_path):
    model, metadata = make(tmp_path, "gru_d", input_size=2, metadata={"missing_values": True}, timestamps=True)
    read = read_sequences(write(tmp_path, "b,time,a\n1,0.5,2\n,1.5,nan\n"), metadata)
    assert np.isnan(read.inputs[0][1]).all() and read.times[0].tolist() == [0.5, 1.5]
    assert np.isfinite(predict(model, metadata, read).iloc[0, 1:].astype(float)).all()
    model, metadata = make(tmp_path, "gru", vocabulary=5)
    read = read_sequences(write(tmp_path, "token\n4\n0\n"), metadata)
    assert read.inputs[0].tolist() == [4, 0] and len(predict(model, metadata, read)) == 1


BAD = {
    "empty": ("", "expected a line with the names of the columns and a line for each step"),
    "only a header": ("a,b\n", "expected a line with the names of the columns and a line for each step"),
    "no header": ("1,2\n3,4\n", "line 1: expected the names of the columns, got 1, 2"),
    "a column too few": ("a\n1\n", "the model reads 2 channels, and there are 1 columns"),
    "a column too many": ("a,b,c\n1,2,3\n", "the model reads 2 channels, and there are 3 columns"),
    "the same name": ("a,a\n1,2\n", "two columns have the name 'a'"),
    "a short line": ("a,b\n1,2\n3\n", "line 3: 1 values for 2 columns"),
    "a long line": ("a,b\n1,2,3\n", "line 2: 3 values for 2 columns"),
    "a word": ("a,b\n1,2\n3,four\n", "line 3, column b: 'four' is not a number"),
    "a missing value": ("a,b\n1,\n", "line 2, column b: the value is missing or NaN; the model reads finite numbers"),
    "infinity": ("a,b\n1,inf\n", "line 2, column b: the value is infinite"),
    "times": ("a,b,time\n1,2,3\n", "the column 'time' is of no use: the model reads none"),
    "bytes": (b"\xff\xfe\x00a", "not a CSV file in UTF-8"),
    "an open quote": ('a,b\n1,"2\n', "not a CSV file in UTF-8"),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_file_is_one_message(how, tmp_path):
    text, message = BAD[how]
    _, metadata = make(tmp_path, input_size=2)
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as error:
        read_sequences(path, metadata)
    assert str(error.value).startswith(str(path)) and message in str(error.value) and "\n" not in str(error.value)


def test_bad_times_and_tokens_are_one_message(tmp_path):
    _, metadata = make(tmp_path, input_size=1, timestamps=True)
    with pytest.raises(ConfigError, match="the column 'time' is missing: the model reads timestamps"):
        read_sequences(write(tmp_path, "a\n1\n"), metadata)
    with pytest.raises(ConfigError, match="line 5, column time: 1 is negative or before the previous time of sample y"):
        read_sequences(write(tmp_path, "sample,time,a\ny,0,1\nx,3,1\ny,2,1\ny,1,1\n"), metadata)
    _, metadata = make(tmp_path, vocabulary=5)
    with pytest.raises(ConfigError, match="line 3, column token: 5 is not a token from 0 to 4"):
        read_sequences(write(tmp_path, "token\n4\n5\n"), metadata)
    _, metadata = make(tmp_path, vocabulary=5, documents=2)
    with pytest.raises(ConfigError, match="two documents per sample"):
        read_sequences(write(tmp_path, "token\n4\n"), metadata)
