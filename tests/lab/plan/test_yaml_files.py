import pytest

from hippo.config import ConfigError
from hippo.lab.plan.yaml_files import merge, read_yaml


@pytest.mark.parametrize(
    ("content", "answer"),
    [
        (5000 * "[", "nested too deeply"),
        ("a: " + 5000 * "{a: " + "1" + 5000 * "}", "nested too deeply"),
        ("a: 1\nb: 2\na: 3\n", "key 'a' is repeated"),
        ("a: [", "not valid YAML"),
        ("a: !!python/object/apply:os.system [id]", "not valid YAML"),
        ("- a\n- b\n", "expected a mapping of keys, found list"),
        ("", "expected a mapping of keys, found NoneType"),
        (b"\xff\xfe\x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused_in_one_line(tmp_path, content, answer):
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as error:
        read_yaml(path)
    (line,) = str(error.value).splitlines()
    assert line.startswith(f"{path}: ") and answer in line


def test_merge_keys_of_yaml_may_repeat_a_key(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: &a {b: 1}\nc:\n  <<: *a\n  b: 2\n")
    assert read_yaml(path)["c"] == {"b": 2}


def test_merge_goes_into_mappings_replaces_values_and_removes_mappings_by_null():
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3, "e": None, "i": {"j": 7}}
    override = {"a": {"c": [4], "f": 5}, "d": None, "g": {"h": 6}, "i": None}
    assert merge(base, override) == {"a": {"b": 1, "c": [4], "f": 5}, "d": None, "e": None, "g": {"h": 6}}
    assert base == {"a": {"b": 1, "c": [1, 2]}, "d": 3, "e": None, "i": {"j": 7}}


def test_a_null_that_base_and_override_state_is_null():
    """Also where a mapping contains it, which the base has or not."""
    settings = {"hyperparameters": {"rate": None}}
    for base in (settings, {"hyperparameters": {}}, {}):
        assert merge(base, settings) == settings
