"""The methods text: every option that shapes a result is said, beside the code that does it."""

import re

import pytest

from brain_teacher.analysis.outcomes import primary_outcomes
from brain_teacher.chain.params import load_params
from brain_teacher.chain.telling import methods as order
from brain_teacher.chain.telling.made import made_of, settings_of_run
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.teachers import TEACHERS
from brain_teacher.report.methods import as_html, as_markdown, cited, sentences
from brain_teacher.report.references import REFERENCES, references_bib
from brain_teacher.tracking import flat
from helpers.left import left_by_hand
from helpers.real_data import ROOT

PARAMS = load_params(ROOT / "params.yaml")
LEFT = left_by_hand()
# Where an option counts only beside another; else as params.yaml has it.
USED = {
    "decode.folds.count": {"decode.folds.by": "image"},
    "decode.folds.group": {"decode.folds.by": "group"},
} | {
    f"distill.{loss}.{key}": {"distill.loss": loss}
    for loss, entry in LOSSES.items()
    if entry.settings is not None
    for key in entry.settings.model_fields
}
for key in ("network", "weights"):
    USED[f"distill.attention.{key}"] |= {"distill.attention.of": "layer1"}
OTHER = {
    "decode.folds.by": "run", "decode.folds.count": 3, "decode.folds.group": "style",
    "decode.normalise": "fold", "decode.select": "correlation", "preprocess.subject": ["S1"],
    "preprocess.roi": ["V1"], "distill.subject": ["S2"], "distill.roi": ["LOC"],
    "distill.similarity": "alike.csv", "distill.split": "folds",
    "distill.loss": "dkd", "distill.epoch": "best", "distill.network": "vgg11",
    "distill.stem": "large", "distill.weights": "IMAGENET1K_V1", "distill.precision": "float32",
    "distill.standardised.of": "soft-cross-entropy", "compare.outcome": "nll",
    "compare.family": ["none"], "dataset.name": "other", "decode.noise_above_chance": "allow",
}  # fmt: skip


def with_decoder(decoder):
    return PARAMS.with_distill(decoder=decoder).plan


def leaves():
    """Every option of the plan: of the sample's, and of each decoder's own block."""
    # Of the decoder's name its own block hangs: a test of its own.
    yield from (place for place in flat_plan(PARAMS.plan) if place != "distill.decoder")
    yield "decode.noise_above_chance"
    yield from ("distill.tables.people", "distill.recipes.brain.temperature")
    for decoder in DECODERS:
        yield from (
            p for p in flat_plan(with_decoder(decoder)) if p.startswith(f"decode.{decoder}")
        )


def flat_plan(plan):
    return [place for name, block in plan.items() for place in flat(block, name)]


def put(blocks, place, value):
    *path, key = place.split(".")
    for name in path:
        blocks = blocks.setdefault(name, {})
    blocks[key] = value


def text_of(changes, decoder="logistic"):
    blocks = settings_of_run(LEFT, PARAMS.with_distill(decoder=decoder))
    for place, value in changes.items():
        put(blocks, place, value)
    made = made_of(LEFT, blocks) | {"decoded": True, "folds": "8 folds"}
    return as_markdown(order.methods_of(blocks, made))


def changed(place, before):
    """Another value of an option."""
    if place in OTHER:
        return OTHER[place]
    if place.endswith("features.source"):
        return "file"
    if isinstance(before, bool):
        return not before
    if isinstance(before, int | float):
        return before + 1
    return [*before, before[-1] * 2] if isinstance(before, list) else f"other-{before}"


def value_of(blocks, place):
    for name in place.split("."):
        blocks = blocks.get(name) if isinstance(blocks, dict) else None
    return blocks


@pytest.mark.parametrize("place", sorted({*leaves()}))
def test_every_option_that_shapes_a_result_is_said(place):
    parts = place.split(".")
    decoder = parts[1] if parts[0] == "decode" and parts[1] in DECODERS else "logistic"
    beside = USED.get(place, {})
    before = value_of(PARAMS.with_distill(decoder=decoder).plan, place)
    if before is None:
        before = "refuse" if place == "decode.noise_above_chance" else 1.0
    after = ["people.npz"] if place.startswith("distill.tables") else changed(place, before)
    assert text_of(beside, decoder) != text_of(beside | {place: after}, decoder)


def test_the_decoder_that_taught_is_said():
    assert len({text_of({}, decoder) for decoder in DECODERS}) == len(DECODERS)


def test_that_this_can_fail():
    # Of another loss the weight is not said: nothing was made with it.
    assert text_of({}) == text_of({"distill.dkd.beta": 99})


def test_values_stand_there_as_they_were_given():
    text = text_of({"distill.temperature": 3.5, "distill.alpha": 0.25, "decode.voxels": 77})
    for words in (
        "softened by T = 3.5, and alpha = 0.25",
        "the 77 voxels",
        "margin of interest of",
    ):
        assert words in text
    assert "{{" not in text and "{%" not in text and "undefined" not in text.lower()


def test_sentences_are_conditional():
    assert "fitted on predictions inside the fold" in text_of({})
    assert "left uncalibrated" in text_of({"decode.calibrate": False})
    text = text_of({"distill.split": "folds"})
    assert "no subject saw" not in text and "in the scanner" in text


ENTRIES = [
    *(each.decode for each in DECODERS.values()),
    *(each.teach for each in TEACHERS.values()),
    *(each.of for each in LOSSES.values()),
    *(each.of for each in primary_outcomes().values()),
]


@pytest.mark.parametrize("thing", ENTRIES, ids=lambda thing: thing.__name__)
def test_every_entry_of_a_table_says_what_it_does(thing):
    assert "In the methods\n" in (thing.__doc__ or "")


PLACES = [
    place
    for each in vars(order).values()
    if isinstance(each, list)
    for place in each
    if isinstance(place, str)
]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_named_is_there_and_says_something(place):
    from brain_teacher.report.methods import _template

    assert _template(place)


def test_what_has_nothing_to_say_is_left_out():
    assert sentences(text_of, {}) == ""


def test_all_that_is_cited_is_known_and_all_that_is_known_is_cited_somewhere():
    said = "".join(thing.__doc__ or "" for thing in ENTRIES)
    sources = [file.read_text("utf-8") for file in (ROOT / "src").rglob("*.py")]
    said += "".join(sources) + "".join(f"[@{key}]" for key in order.PACKAGES.values() if key)
    keys = {key for match in re.findall(r"\[((?:@[a-z]+\d{4}(?:; )?)+)\]", said)
            for key in match.replace("@", "").split("; ")}  # fmt: skip
    assert keys == REFERENCES.keys()


def test_the_bib_is_what_bibtex_reads():
    database = pytest.importorskip("pybtex.database")
    read = database.parse_string(references_bib(REFERENCES), "bibtex")
    assert sorted(read.entries) == sorted(REFERENCES)
    for key, entry in read.entries.items():
        assert entry.fields["year"] == str(REFERENCES[key].year)
        assert entry.persons["author"] and entry.type == REFERENCES[key].kind
        names = REFERENCES[key].authors.split(" and ")
        assert len(entry.persons["author"]) == len(names)


def test_the_bib_holds_what_the_text_cites():
    blocks = settings_of_run(LEFT, PARAMS)
    parts = order.methods_of(blocks, made_of(LEFT, blocks))
    keys = cited(parts)
    assert "hinton2015" in keys and "zhao2022" not in keys
    bib = references_bib(keys)
    assert bib.count("\n@") + 1 == len(keys) and all(f"{{{key},\n" in bib for key in keys)
    # Balanced, whatever reads it.
    assert bib.count("{") == bib.count("}")


def test_the_page_escapes_and_links():
    html = as_html("`a<b` of <script> [@holm1979; @hinton2015], [@nobody2020]")
    assert html == (
        '<code>a&lt;b</code> of &lt;script&gt; (<a href="#ref-holm1979">Holm 1979</a>; '
        '<a href="#ref-hinton2015">Hinton et al. 2015</a>), [@nobody2020]'
    )
