import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from hippo.config import ConfigError
from hippo.lab.plan.experiment import load_experiment, scales_of
from hippo.lab.plan.sweep_points import SweepPoint
from hippo.lab.plan.training_options import TrainingOptions
from hippo.lab.plan.trial_spec import TrialSpec
from hippo.nn.options import ModelOptions
from tests.lab.plan.files import EXPERIMENTS, load

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "results/paper/trials/timescale/100hz-to-200hz/legs/seed0"

FIRST_RELEASE = """\
experiment: timescale
scale: paper
variant: 100hz-to-200hz
row: legs
seed: 0
task: classification
dataset:
  name: character_trajectories
  train_hz: 0.5
  eval_hz: 1.0
  uniform: true
  timestamps: false
  train_ts: 1.0
  eval_ts: 1.0
  split_seed: 0
  samples: null
  speeds: [0.25, 0.3333333333333333, 0.5, 0.6666666666666666, 1.0, 1.5, 2.0, 3.0, 4.0]
model:
  name: legs
  hidden_size: 256
  dropout: 0.0
  embedding_size: null
  order: null
  memory_size: 1
  gated: true
  discretization: bilinear
training: {precision: float32, checkpoint: false, epochs: 100, batch_size: 100, learning_rate: 0.001, device: auto}
threads: 1
sweep: null
"""


def timescale() -> TrialSpec:
    return load_experiment(ROOT / "config/experiments/timescale.yaml", "paper").trial("100hz-to-200hz", "legs", 0)


def shipped_trials() -> list[TrialSpec]:
    return [t for path in EXPERIMENTS for scale in scales_of(path) for t in load_experiment(path, scale).trials()]


def test_the_published_outcome_has_the_settings_of_the_experiment_file():
    metrics = json.loads((PUBLISHED / "metrics.json").read_text())
    assert metrics["trial"] == timescale().digest == "69277a182f40700f"


def test_the_published_specification_is_in_the_form_of_today():
    text = (PUBLISHED / "trial.yaml").read_text()
    assert text == timescale().to_yaml()
    assert TrialSpec.from_mapping(yaml.safe_load(text), "trial.yaml") == timescale()


def test_a_trial_of_the_first_release_is_read():
    assert TrialSpec.from_mapping(yaml.safe_load(FIRST_RELEASE), "trial.yaml") == timescale()


def test_a_trial_of_a_sweep_of_the_first_release_is_read():
    content = yaml.safe_load(FIRST_RELEASE) | {"sweep": {"of": "legs", "key": "learning_rate", "value": 0.001}}
    expected = replace(timescale(), sweep=SweepPoint("legs", "learning_rate", 0.001))
    assert TrialSpec.from_mapping(content, "trial.yaml") == expected


def test_every_shipped_trial_survives_its_file():
    trials = shipped_trials()
    assert len({trial.task for trial in trials}) == 7 and any(trial.sweep for trial in trials)
    for trial in trials:
        read = TrialSpec.from_mapping(yaml.safe_load(trial.to_yaml()), "trial.yaml")
        assert read == trial and read.digest == trial.digest


def test_trials_of_different_names_or_scales_have_different_digests():
    trials = shipped_trials()
    assert (
        len({trial.digest for trial in trials}) == len({(trial.scale, trial.name) for trial in trials}) == len(trials)
    )


def test_the_digest_changes_with_every_setting_and_with_nothing_else(tmp_path):
    trial = load(tmp_path).trial("a", "legs", 0)
    assert load(tmp_path, title="another").trial("a", "legs", 0).digest == trial.digest
    others = [
        replace(trial, seed=1),
        replace(trial, dataset=trial.dataset.model_copy(update={"split_seed": 1})),
        *(replace(trial, training=trial.training.model_copy(update=update)) for update in OTHER_TRAINING),
        *(replace(trial, model_options=trial.model_options.model_copy(update=update)) for update in OTHER_MODEL),
    ]
    digests = [trial.digest, *(other.digest for other in others)]
    assert len(set(digests)) == len(digests)


OTHER_TRAINING = [
    {"epochs": 4},
    {"precision": "bfloat16"},
    {"optimizer": "adamw"},
    {"schedule": "cosine"},
    {"warmup_steps": 1},
    {"gradient_clip": 1.0},
    {"early_stopping": 1},
    {"optimizer": "adamw", "weight_decay": 0.1},
]
OTHER_MODEL = [{"hidden_size": 9}, {"pooling": "mean"}, {"layers": 2}]


def test_options_of_later_versions_are_not_hashed_while_they_have_their_defaults():
    """The keys of the first release, and no other: published digests were computed from them."""
    first = {"precision", "checkpoint", "epochs", "batch_size", "learning_rate", "device"}
    assert TrainingOptions().digest_content().keys() == first
    assert ModelOptions().digest_content().keys() == {"hidden_size", "dropout", "embedding_size"}
    changed = TrainingOptions(early_stopping=3).digest_content()
    assert changed.keys() == {*first, "early_stopping"}


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"seed": ...}, "key 'seed' is missing"),
        ({"sead": 0}, "unknown key 'sead'; did you mean 'seed'"),
        ({"scale": "papre"}, "scale = 'papre': Input should be 'smoke', 'quick', 'hour' or 'paper'"),
        ({"task": "clasification"}, "unknown task 'clasification'; did you mean 'classification'"),
        ({"dataset": {}}, "dataset: expected a mapping with a name, got {}"),
        ({"dataset": {"name": "mnits"}}, "unknown dataset 'mnits'; did you mean 'mnist'"),
        ({"model_options": None}, "model_options = None: Input should be a valid dictionary"),
        ({"model_options": {"name": "legs", "ordre": 3}}, "model_options: unknown key 'ordre'; did you mean 'order'"),
        ({"training": {"epochs": -1}}, "training: epochs = -1"),
        ({"training": None}, "training"),
        ({"sweep": {"of": "legs"}}, "sweep"),
        ({"sweep": 3}, "sweep"),
        ({"seed": "x"}, "seed"),
        ({"threads": None}, "threads"),
        ({"experiment": 3}, "experiment"),
        ({"scale": []}, "scale"),
        ({"task": []}, "task"),
    ],
)
def test_a_damaged_specification_is_refused_with_its_place(change, answer):
    content = timescale().to_mapping() | change
    content = {key: value for key, value in content.items() if value is not ...}
    with pytest.raises(ConfigError, match=re.escape("trial.yaml: ")) as error:
        TrialSpec.from_mapping(content, "trial.yaml")
    assert answer in str(error.value)
