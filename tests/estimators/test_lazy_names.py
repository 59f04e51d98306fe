"""Names of hippo.estimators are imported on first use, each with what it needs."""

import subprocess
import sys

import pytest

import hippo.estimators

BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Block(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError("not installed", name=name)

sys.meta_path.insert(0, Block())
"""


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_every_name_is_there_and_described():
    assert set(hippo.estimators.__all__) <= set(dir(hippo.estimators))
    for name in hippo.estimators.__all__:
        if name != "HiPPOStreamTransformer":  # needs an extra
            assert getattr(hippo.estimators, name).__doc__
    with pytest.raises(AttributeError, match="has no attribute 'LegSFeatures'; it has HiPPOClassifier"):
        hippo.estimators.LegSFeatures  # noqa: B018


def test_the_scikit_learn_transformer_imports_no_other_framework():
    code = (
        "import sys, hippo.estimators; assert 'sklearn' not in sys.modules; hippo.estimators.HiPPOFeatures; "
        "print({'torch', 'sktime', 'river'} & set(sys.modules))"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    "name, package, extra",
    [
        ("HiPPOFeatures", "sklearn", "sklearn"),
        ("HiPPOTransformer", "sktime", "sktime"),
        ("HiPPOStreamTransformer", "river", "river"),
        ("SequenceClassifier", "torch", "lab"),
    ],
)
def test_a_missing_package_is_named_with_the_extra_that_installs_it(name, package, extra):
    done = run(BLOCK.format(package=package) + f"from hippo.estimators import {name}")
    assert done.returncode == 1 and f"{name} needs {package}: pip install 'hippo-lab[{extra}]'" in done.stderr
