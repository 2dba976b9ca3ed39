"""What is no brain is not called one, whatever is said of it."""

import pytest

from brain_teacher.report.kinds import by_called, called, kind_notes, not_ours, whose


@pytest.mark.parametrize(
    ("text", "people", "words", "model"),
    [
        ("brain minus none", "people minus none", "words minus none", "model minus none"),
        ("the brain's view", "people's view", "words' view", "the model's view"),
        ("The brain's view", "People's view", "Words' view", "The model's view"),
        (
            "that only the brain knows",
            "that only people know",
            "that only words know",
            "that only the model knows",
        ),
        ("the brain is above", "people are above", "words are above", "the model is above"),
        ("brain-class", "people-class", "words-class", "model-class"),
        ("brain_minus", "people_minus", "words_minus", "model_minus"),
        ("the brain, then", "people, then", "words, then", "the model, then"),
    ],
)
def test_each_kind_has_its_words(text, people, words, model):
    assert called(text, "brain") == text
    assert [called(text, kind) for kind in ("people", "words", "model")] == [people, words, model]


@pytest.mark.parametrize(
    "text", ["`brain-teacher plan`", "brain-taught", "brain_teacher", "real brains", "migraine"]
)
def test_other_words_stay(text):
    assert called(text, "people") == text


def test_what_is_held_by_name_is_held_by_the_other_name():
    held = {"brain": {0: "a"}, "none": {"brain": 1.0}}
    assert by_called(held, "people") == {"people": {0: "a"}, "none": {"people": 1.0}}
    assert by_called(held, "brain") == held


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({}, "S1's HVC"),
        ({"subject": "S1+S2"}, "2 subjects' HVC"),
        ({"kind": "words"}, "a table of words (S1, HVC)"),
        ({"kind": "model", "subject": "S1+S2"}, "2 tables of a model (S1+S2, HVC)"),
    ],
)
def test_whose_table_it_was(meta, words):
    assert whose({"subject": "S1", "roi": "HVC"} | meta) == words


def test_no_name_is_markup():
    meta = {"subject": "S1|+<script>", "roi": "[x](http://y)\n# z", "kind": "brain"}
    said = r"2 subjects' \x5bx\x5d(http://y)\x0a\x23 z"
    assert whose(meta) == said
    assert whose(meta | {"subject": "<b>"}).startswith(r"\x3cb\x3e's ")


def test_a_brain_and_nothing_else_is_not_spoken_of():
    meta = {"subject": "S1", "roi": "HVC", "kind": "brain"}
    assert kind_notes(meta) == [] and not_ours(meta) is None
    assert kind_notes(meta | {"kind": "people"}) == [
        "Not brains: a table of people (S1, HVC) taught these students, by the name of people."
    ]
    assert kind_notes(meta | {"imported": True}) == [
        "Imported: that these soft labels are out of fold is their authors' word."
    ]
    (text,) = kind_notes(meta | {"features_of": "network, resnet18"})
    assert text.startswith("Image features: the brain was decoded by way of network, resnet18. ")
