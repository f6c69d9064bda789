"""Writes the npz files beside it, with NumPy: `python make_fixtures.py`."""

import pathlib

import numpy as np

here = pathlib.Path(__file__).parent
features = np.arange(12).reshape(4, 3) / 8 - 0.5
labels = np.array([0, 1, 1, 0])
weight = np.array([[1, 2, 3], [-1, -2, -3]]) / 4
bias = np.array([0.5, -0.5])

np.savez(
    here / "plain.npz",
    features=features.astype("f4"),
    labels=labels,
    weight=weight.astype("f4"),
    bias=bias.astype("f4"),
    class_counts=np.array([20, 2]),
    test_features=features[::-1].astype("f4"),
    test_labels=labels[::-1],
    something_else=np.array(["text"]),
)
# Columns first, double precision, deflated, narrow labels.
np.savez_compressed(
    here / "columns_first.npz",
    features=np.asfortranarray(features),
    labels=labels.astype("u1"),
    weight=np.asfortranarray(weight),
)
# The highest byte first, half precision.
np.savez(here / "big_endian.npz", features=features.astype(">f2"), labels=labels.astype(">i2"))
# Class names as bytes of UTF-8 and as code points, the highest byte first.
names = np.array(["ant", "Käfer"])
np.savez(here / "names.npz", features=features.astype("f4"), labels=labels, class_names=np.char.encode(names, "utf8"))
np.savez(here / "names_big_endian.npz", features=features.astype("f4"), labels=labels, class_names=names.astype(">U5"))
np.savez(here / "names_as_numbers.npz", features=features, labels=labels, class_names=labels[:2])
np.savez(here / "negative_label.npz", features=features, labels=labels - 1)
np.savez(here / "three_dimensions.npz", features=features[None], labels=labels)
np.savez(here / "text.npz", features=np.array([["a"]]), labels=labels)
