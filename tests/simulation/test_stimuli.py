"""Stimuli: which pictures there are, what is imagined, and what BData say of them."""

import numpy as np

from brain_teacher.simulation.pictures import N_CATEGORIES, category_name
from brain_teacher.simulation.stimuli import category_id, draw_stimuli, imagine, label_columns


def test_ids_and_mixtures_of_a_set_agree():
    stimuli = draw_stimuli(categories=5, shown=2, unseen=3, size=12, seed=1)
    assert {name: len(ids) for name, (ids, _, _) in stimuli.items()} == {
        "shown": 10, "test": 4, "unseen": 15,
    }  # fmt: skip
    number_of = {category_id(c): c for c in range(N_CATEGORIES)}
    for ids, pictures, mixtures in stimuli.values():
        assert pictures.shape == (len(ids), 12, 12, 3)
        named = [number_of[image_id.split("_")[0]] for image_id in ids]
        assert (mixtures[np.arange(len(ids)), named] >= 0.35).all()
    every = [image_id for ids, _, _ in stimuli.values() for image_id in ids]
    assert len(set(every)) == 29


def test_what_is_imagined_is_a_test_category_and_nothing_else():
    stimuli = draw_stimuli(categories=5, shown=2, unseen=2, size=12, seed=1)
    ids, pictures, mixtures = imagine(stimuli["test"])
    assert ids == [image_id.split("_")[0] for image_id in stimuli["test"][0]]
    assert pictures.shape == (4, 12, 12, 3) and not pictures.any()
    assert [category_name(c).split(",")[0] for c in mixtures.argmax(axis=1)] == ["ring"] * 4
    np.testing.assert_array_equal(mixtures, np.eye(N_CATEGORIES)[[16, 17, 18, 19]])


def test_labels_count_the_sorted_ids_of_each_data_type():
    labels = label_columns(
        ["n99000003_2", "n99000001_9", "n99000003_1"], ["n99100002", "n99100001"]
    )
    assert {name: column.tolist() for name, column in labels.items()} == {
        "stimulus_id": [99000003.000002, 99000001.000009, 99000003.000001, 99100002, 99100001],
        "category_index": [2, 1, 2, 2, 1],
        "image_index": [3, 1, 2, 2, 1],
    }
