"""What scikit-learn's pipelines and searches ask of an estimator of sktime."""

from typing import Any

from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, TransformerTags


class ScikitLearnMixin:
    """Makes an estimator of sktime usable in `Pipeline`, `GridSearchCV` and `clone` of scikit-learn."""

    def __sklearn_tags__(self: Any) -> Tags:
        kind = self.get_tag("object_type")
        return Tags(
            estimator_type=None if kind == "transformer" else kind,
            target_tags=TargetTags(required=kind != "transformer"),
            transformer_tags=TransformerTags() if kind == "transformer" else None,
            classifier_tags=ClassifierTags() if kind == "classifier" else None,
            regressor_tags=RegressorTags() if kind == "regressor" else None,
            input_tags=InputTags(two_d_array=False, three_d_array=True),
        )

    def __sklearn_clone__(self: Any):
        return self.clone()  # keeps the configuration too

    def reset(self: Any):
        """Return to the state after construction, as every estimator of sktime does at the start of `fit`.

        Returns
        -------
        BaseObject
            The estimator itself.
        """
        # What scikit-learn attaches to a step while a pipeline fits it, and removes afterwards.
        attached = {key: value for key, value in vars(self).items() if key == "_parent_callback_ctx"}
        super().reset()  # type: ignore[misc]
        vars(self).update(attached)
        return self
