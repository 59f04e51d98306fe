"""sktime's own checks of every sktime estimator, and that a sktime user finds them."""

import warnings

import pytest
from skbase.lookup import all_objects
from sktime.base import BaseObject
from sktime.utils.estimator_checks import check_estimator

from hippo import estimators

NAMES = [
    "HiPPOClassifier",
    "HiPPOForecaster",
    "HiPPORegressor",
    "HiPPOTransformer",
    "SequenceClassifier",
    "SequenceRegressor",
]
# Checks that find most faults in little time; they run on the first test parameters of each estimator.
QUICK = [
    "test_constructor",
    "test_doctest_examples",
    "test_fit_does_not_overwrite_hyper_params",
    "test_get_test_params",
    "test_methods_have_no_side_effects",
    "test_persistence_via_pickle",
    "test_set_params_sklearn",
    "test_valid_object_class_tags",
]


def failures(estimator, least, **options):
    """Checks that an estimator does not pass, with their errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # sktime's tests warn of sktime's own deprecations
        results = check_estimator(estimator, verbose=False, **options)
    assert len(results) >= least
    return {check: error for check, error in results.items() if error != "PASSED"}


@pytest.mark.parametrize("name", NAMES)
def test_quick_checks(name):
    estimator = getattr(estimators, name).create_test_instance()
    assert failures(estimator, len(QUICK), tests_to_run=QUICK) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_all_checks(name):
    assert failures(getattr(estimators, name), 100) == {}


def test_a_sktime_user_finds_every_estimator():
    found = dict(all_objects(object_types=BaseObject, package_name="hippo.estimators"))
    assert sorted(found) == NAMES
