"""Models in files: what is written is what is read, and no other file is."""

import pickle

import pytest
import torch

from hippo import registry
from hippo.config import ConfigError
from hippo.nn import available_models, build_model, load_model, save_model

BUILDS = {
    "sequence": {},
    "steps": {"return_sequence": True},
    "timestamps": {"timestamps": True},
}


@pytest.mark.parametrize("name", available_models())
def test_a_model_that_is_read_computes_the_same_bits(name, tmp_path):
    model = build_model(name, input_size=2, output_size=3, **registry.find("models", name, "test").test_options).eval()
    save_model(tmp_path / "model.pt", model, name, {"note": "a"})
    before = torch.get_rng_state()
    loaded, metadata = load_model(tmp_path)
    assert torch.equal(torch.get_rng_state(), before) and not loaded.training
    inputs = torch.randn(4, 20, 2)
    with torch.no_grad():
        assert torch.equal(loaded(inputs), model(inputs))
    assert metadata["model"] == name and metadata["output_size"] == 3 and metadata["note"] == "a"


@pytest.mark.parametrize("how", BUILDS)
def test_the_arguments_of_a_model_are_kept(how, tmp_path):
    model = build_model("legs", 2, 3, hidden_size=8, dropout=0.5, engine={"checkpoint": True}, **BUILDS[how])
    save_model(tmp_path / "some.pt", model, "legs", {})
    loaded, _ = load_model(tmp_path / "some.pt")
    assert loaded.options == model.options and loaded.engine == model.engine
    times = torch.arange(20.0).expand(4, 20) if how == "timestamps" else None
    inputs = torch.randn(4, 20, 2)
    with torch.no_grad():
        assert torch.equal(loaded(inputs, times=times), model.eval()(inputs, times=times))


def test_tokens_and_documents_are_kept(tmp_path):
    model = build_model("gru", output_size=2, vocabulary=9, documents=2, hidden_size=8).eval()
    save_model(tmp_path / "model.pt", model, "gru", {})
    loaded, _ = load_model(tmp_path)
    tokens = torch.randint(9, (4, 2, 20))
    assert torch.equal(loaded(tokens), model(tokens))


def test_other_weights_can_be_saved(tmp_path):
    model = build_model("gru", 1, 2, hidden_size=4)
    zeros = {key: torch.zeros_like(value) for key, value in model.state_dict().items()}
    save_model(tmp_path / "model.pt", model, "gru", {}, zeros)
    assert not any(value.any() for value in load_model(tmp_path)[0].state_dict().values())


class Harmful:
    def __reduce__(self):
        return print, ("executed",)


def damaged(path, how):
    content = path.read_bytes()
    if how == "absent":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "text":
        path.write_text("weights")
    elif how == "code":
        torch.save(Harmful(), path)
    elif how == "pickle":
        path.write_bytes(pickle.dumps(Harmful()))
    elif how == "another":
        torch.save({"weights": {}}, path)
    elif how == "value":
        stored = torch.load(path, weights_only=True)
        next(iter(stored["weights"].values())).flatten()[0] += 1
        torch.save(stored, path)


MESSAGES = {
    "absent": "no such file; a trial keeps its model if its experiment file has keep_model: best",
    "another": "expected a model in the format 1",
    "value": "the weights do not match their digest",
}


@pytest.mark.parametrize("how", ["absent", "cut", "empty", "text", "code", "pickle", "another", "value"])
def test_another_file_is_one_message_and_nothing_of_it_is_executed(how, tmp_path, capsys):
    path = tmp_path / "model.pt"
    save_model(path, build_model("gru", 1, 2, hidden_size=4), "gru", {})
    damaged(path, how)
    with pytest.raises(ConfigError) as error:
        load_model(path)
    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)
    assert MESSAGES.get(how, "damaged, or not a model that hippo saved") in str(error.value)
    assert "executed" not in capsys.readouterr().out


def test_a_model_that_is_not_registered_here_is_named(tmp_path):
    save_model(tmp_path / "model.pt", build_model("gru", 1, 2, hidden_size=4), "lstn", {})
    with pytest.raises(ConfigError, match=r"model.pt: model: unknown model 'lstn'; did you mean 'lstm'\?"):
        load_model(tmp_path)


def test_weights_of_another_version_are_refused(tmp_path):
    model = build_model("gru", 1, 2, hidden_size=4)
    weights = {"other": torch.zeros(1)}
    save_model(tmp_path / "model.pt", model, "gru", {}, weights)
    with pytest.raises(ConfigError, match="weights of another version of gru"):
        load_model(tmp_path)
