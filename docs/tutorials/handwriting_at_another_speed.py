"""Classify handwriting at another speed.

Letters that are written twice as fast give half as many samples. The LegS coefficients of a letter do not change,
because the memory covers the whole letter whatever its length. A classifier on them is therefore right at speeds that
it was never trained at.
"""

# %%
# ## The recordings
#
# CharacterTrajectories has pen movements of 20 letters. The options `speeds` add test parts as if the letters were
# written faster. If the recordings cannot be obtained, a synthetic substitute is used, and `source` says so.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from hippo.data.character_trajectories import CharacterTrajectories
from hippo.data.sources import Sources
from hippo.estimators import HiPPOFeatures, ridge_classifier

dataset = CharacterTrajectories(train_hz=0.5, eval_hz=0.5, speeds=[0.5, 2.0]).build(Sources())
train = dataset.parts["train"]
print(dataset.source)
for name, part in dataset.parts.items():
    print(f"{name:10} {part.inputs.shape} (samples, length, channels)")

# %%
# ## Two classifiers
#
# Both are ridge regressions. One reads the LegS coefficients of each channel. The other reads the samples themselves,
# padded with zeros or cut to the length of the train part.


def samples(sequences):
    """Samples of every channel, at the length of the train part."""
    length = train.inputs.shape[1]
    padded = np.zeros((len(sequences), length, sequences.shape[2]))
    padded[:, : sequences.shape[1]] = sequences[:, :length]
    return padded.reshape(len(sequences), -1)


classifiers = {
    "LegS coefficients": ridge_classifier(HiPPOFeatures(order=16, layout="channels_last")),
    "samples": make_pipeline(
        FunctionTransformer(samples),
        StandardScaler(),
        RidgeClassifierCV(alphas=np.logspace(-3, 3, 13)),
    ),
}
parts = {"half speed": "speed_0.5", "same speed": "test", "double speed": "speed_2"}
accuracy = {}
for name, classifier in classifiers.items():
    classifier.fit(train.inputs, train.targets)
    accuracy[name] = [
        100 * classifier.score(dataset.parts[part].inputs, dataset.parts[part].targets) for part in parts.values()
    ]
    print(
        f"{name:18}",
        *(f"{speed} {value:.1f} %" for speed, value in zip(parts, accuracy[name], strict=True)),
    )

# %%
figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
positions = np.arange(len(parts))
for shift, color, name in zip((-0.2, 0.2), ("#12406f", "#c8691c"), accuracy, strict=True):
    axis.bar(positions + shift, accuracy[name], width=0.38, color=color, label=name)
axis.set_xticks(positions, parts)
axis.set_ylabel("test accuracy (%)")
figure.legend(loc="outside right center")

# %%
# The [table of the experiments](../results.md) compares trained recurrent networks in the same way.
