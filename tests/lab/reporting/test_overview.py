import pytest

from hippo.lab.reporting.notes import table_notes
from hippo.lab.reporting.overview import format_overview
from hippo.lab.reporting.report import write_report
from hippo.lab.reporting.tables import write_table
from hippo.lab.results.results import collect_results
from tests.lab.outcomes import finish, finish_all, write_experiment

VARIANTS = {
    "a": {"label": "variant A"},
    "b": {"label": "variant B", "dataset": {"permutation": "none"}},
    "c": {"label": "variant C", "dataset": {"name": "copying"}, "training": {"epochs": 2}},
}
PAPER = {
    "source": "Someone 2020",
    "values": {
        "a": {"legs": {"test_accuracy": 90.0}, "gru": {"test_accuracy": 50.0}},
        "b": {"legs": {"test_accuracy": 80.5}, "gru": {"test_accuracy": 41.0}},
        "c": {"legs": {"test_accuracy": 70.0}},
    },
}


@pytest.fixture
def experiment(tmp_path):
    models = {"legs": {"label": "LegS"}, "gru": {"label": "GRU"}, "lstm": {"label": "LSTM"}}
    return write_experiment(tmp_path, variants=VARIANTS, models=models, paper=PAPER, overview=True)


def texts(experiment, tmp_path) -> list[dict[str, list[str]]]:
    """Cells of each overview by the label of the model; the headers by "model"."""
    sections = format_overview(collect_results(experiment, tmp_path / "trials"))
    return [{cells[0]: cells[1:] for cells in ([h for h, _ in s.headers], *s.texts)} for s in sections]


def test_all_variants_side_by_side_with_their_mean(experiment, tmp_path):
    for model, scores in {"legs": (0.9, 0.6, 0.3), "gru": (0.5, 0.4, 0.1), "lstm": (0.7, 0.7, 0.7)}.items():
        for variant, score in zip("abc", scores, strict=True):
            for seed in range(3):
                change = (0, 0.01, 0.02)[seed]
                finish(experiment, tmp_path / "trials", model, seed, variant, test_accuracy=score + change)
    ours, paper = texts(experiment, tmp_path)
    assert ours["model"] == ["variant A", "variant B", "variant C", "mean over variants", "n"]
    assert ours["LegS"] == ["91.0 ± 1.0", "61.0 ± 1.0", "31.0 ± 1.0", "61.0", "9"]
    assert ours["GRU"] == ["51.0 ± 1.0", "41.0 ± 1.0", "11.0 ± 1.0", "34.3", "9"]
    # the paper has no value of GRU in variant C, and none of LSTM
    assert paper["model"] == ["variant A", "variant B", "variant C", "mean over 2 of 3", "n"]
    assert paper["LegS"] == ["90.0", "80.5", "70.0", "85.2", ""] and paper["GRU"] == ["50.0", "41.0", "—", "45.5", ""]
    assert "LSTM" not in paper


def test_the_mean_is_over_the_variants_that_every_model_has(experiment, tmp_path):
    for variant in "ab":
        for model in ("legs", "gru"):
            finish(experiment, tmp_path / "trials", model, 0, variant, test_accuracy=0.8)
    finish(experiment, tmp_path / "trials", "legs", 0, "c", test_accuracy=0.2)
    ours, _ = texts(experiment, tmp_path)
    assert ours["model"][3] == "mean over 2 of 3"
    assert ours["LegS"] == ["80.0", "80.0", "20.0", "80.0", "3/9"] and ours["LSTM"] == ["—", "—", "—", "—", "0/9"]


def test_without_any_number(experiment, tmp_path):
    ours, _ = texts(experiment, tmp_path)
    assert ours["LegS"] == ["—", "—", "—", "—", "0/9"] and ours["model"][3] == "mean over 0 of 3"


def test_a_table_has_an_overview_only_if_it_asks_for_one(tmp_path):
    assert format_overview(collect_results(write_experiment(tmp_path), tmp_path / "trials")) == []


def test_it_is_on_every_page(experiment, tmp_path):
    finish_all(experiment, tmp_path / "trials")
    results = collect_results(experiment, tmp_path / "trials")
    write_table(results, tmp_path / "demo.md")
    write_report([results], "quick", tmp_path, tmp_path / "report.html")
    for page in ("demo.md", "demo.tex", "report.html"):
        text = (tmp_path / page).read_text()
        assert text.count("All variants: test, ") == 1 and text.count("mean over variants") == 1
        assert text.index("All variants") < text.rindex("variant A")


def test_settings_of_a_variant_are_noted(experiment, tmp_path):
    notes = table_notes(collect_results(experiment, tmp_path / "trials"))
    assert any("unless overridden per variant or model" in note for note in notes)


def test_data_that_the_user_must_supply_is_named_until_there_is_a_trial(experiment, tmp_path, monkeypatch):
    monkeypatch.delenv("HIPPO_DATA_DIR", raising=False)
    monkeypatch.setenv("HIPPO_CACHE_DIR", str(tmp_path / "empty"))
    variants = {"b": {"label": "variant B"}}
    experiment = write_experiment(tmp_path, variants=variants, dataset={"name": "spoken_digits"}, paper=None)
    note = "variant B: data not available: put free-spoken-digit-dataset.zip or the folder recordings with its 3000 wav"
    notes = table_notes(collect_results(experiment, tmp_path / "trials"))
    assert any(found.startswith(note) and found.endswith("(hippo fetch spoken_digits).") for found in notes)
    scores = {"half_rate_accuracy": 0.5, "double_rate_accuracy": 0.5}
    finish(experiment, tmp_path / "trials", "gru", 0, "b", **scores)
    assert "data not available" not in " ".join(table_notes(collect_results(experiment, tmp_path / "trials")))
