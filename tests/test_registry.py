import doctest
from importlib.metadata import EntryPoint

import pytest

from hippo import registry
from hippo.classifiers import ClassifierOptions
from hippo.config import ConfigError, Options


@pytest.mark.parametrize("group", ["models", "classifiers", "datasets"])
def test_options_are_registered_as_classes(group):
    assert registry.names(group) == sorted(registry.names(group)) != []
    for name in registry.names(group):
        assert issubclass(registry.find(group, name, "test"), Options)


def test_tasks_are_registered_as_instances():
    from hippo.lab.plan.task import Task

    assert {"classification", "regression", "reconstruction"} <= set(registry.names("tasks"))
    assert all(isinstance(registry.find("tasks", name, "test"), Task) for name in registry.names("tasks"))


def test_classifiers_describe_classifiers():
    for name in registry.names("classifiers"):
        assert issubclass(registry.find("classifiers", name, "test"), ClassifierOptions)


def test_names_of_other_packages_are_found(monkeypatch):
    entry = EntryPoint("other", "hippo.config:Options", "hippo.figures")
    monkeypatch.setattr(registry, "_registered", lambda group: {"other": entry} if group == "figures" else {})
    assert registry.names("figures") == ["other"]
    assert registry.find("figures", "other", "test") is Options


def test_errors_name_the_place_and_the_nearest_name():
    with pytest.raises(ConfigError, match="file.yaml: unknown model 'lags'; did you mean '(lagt|legs)'"):
        registry.find("models", "lags", "file.yaml")
    with pytest.raises(ValueError, match="unknown group 'model'; did you mean 'models'"):
        registry.names("model")
    with pytest.raises(ValueError, match="unknown group"):
        registry.find("modell", "legs", "test")


def test_examples():
    result = doctest.testmod(registry)
    assert result.attempted > 0 and result.failed == 0
