"""``params.yaml``: strict, and with messages that help."""

import copy
from pathlib import Path
from typing import get_args

import pytest
import yaml

from brain_teacher.chain.params import Params, load_params
from brain_teacher.errors import UsageError
from brain_teacher.settings import Block

ROOT = Path(__file__).parents[2]
CONTENT = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
DELETE = object()


@pytest.fixture
def write(tmp_path):
    """Write the repository's params.yaml with some changes: ``{"distill.epochs": 3}``."""
    path = tmp_path / "params.yaml"

    def write(changes=()):
        content = copy.deepcopy(CONTENT)
        for place, value in dict(changes).items():
            *blocks, key = place.split(".")
            block = content
            for name in blocks:
                block = block[name]
            if value is DELETE:
                del block[key]
            else:
                block[key] = value
        path.write_text(yaml.safe_dump(content), "utf-8")
        return path

    return write


def test_the_repositorys_file_is_right_and_read_as_it_stands():
    params = load_params(ROOT / "params.yaml")
    read = params.model_dump()
    assert read["decode"]["folds"].pop("group") is None
    assert read == CONTENT


def test_it_has_a_block_a_stage_and_every_key_that_there_is():
    assert list(CONTENT) == [
        *("dataset", "preprocess", "decode", "search", "explore", "multiverse"),
        *("distill", "compare", "promote"),
    ]
    params = load_params(ROOT / "params.yaml")
    assert [*places(params.model_dump(exclude_none=True))] == [*places(CONTENT)]


def test_what_a_file_leaves_out_is_as_in_the_samples(tmp_path):
    # As text: a default of 10 that stays a 10 is no 10.0, and gives a cell another fingerprint.
    path = tmp_path / "params.yaml"
    path.write_text("dataset: {name: sample}")
    for params in (load_params(path), Params.checked({"dataset": {"name": "sample"}})):
        assert repr(params) == repr(load_params(ROOT / "params.yaml"))


def places(content, above=""):
    """The names of all keys, blocks too: ``decode``, ``decode.folds``, ``decode.folds.by``."""
    for key, value in content.items():
        yield f"{above}{key}"
        if isinstance(value, dict):
            yield from places(value, f"{above}{key}.")


@pytest.mark.parametrize("place", list(places(CONTENT)))
def test_a_file_older_than_a_key_can_still_be_read(place, write):
    path = write({place: DELETE})
    if place in ("dataset", "dataset.name"):
        with pytest.raises(UsageError) as caught:
            load_params(path)
        assert str(caught.value) == f"{path}: {place} is missing"
    else:
        assert load_params(path) == load_params(ROOT / "params.yaml")


# Every key of the schema, those of which params.yaml has no example included.
FULL = copy.deepcopy(CONTENT)
FULL["decode"]["folds"] = {"by": "group", "count": "auto", "group": "style"}
FULL["distill"]["recipes"] = {
    "brain": {"temperature": 2, "alpha": 0.5, "learning_rate": 0.1, "epochs": 3}
}


def test_the_example_below_has_every_key(write):
    def blocks(kind):
        yield kind
        for field in kind.model_fields.values():
            for part in (field.annotation, *get_args(field.annotation)):
                if isinstance(part, type) and issubclass(part, Block):
                    yield from blocks(part)

    keys = [place.rpartition(".")[2] for place in places(FULL) if place != "distill.recipes.brain"]
    assert sorted(keys) == sorted(key for kind in blocks(Params) for key in kind.model_fields)


@pytest.mark.parametrize("place", list(places(FULL)))
def test_a_misspelt_key_is_one_line_with_the_right_one(place, write):
    *above, key = place.split(".")
    wrong = key.lower() + key[-1]  # temperaturee; cC
    content = copy.deepcopy(FULL)
    block = content
    for name in above:
        block = block[name]
    block[wrong] = block.pop(key)
    path = write(content)
    with pytest.raises(UsageError) as caught:
        load_params(path)
    said, where = str(caught.value), ".".join(above)
    assert "\n" not in said
    if where == "distill.recipes":  # whose keys are teachers
        assert said.startswith(f"{path}: {where}: there is no {wrong!r}; did you mean {key!r}? (")
    else:
        named = ".".join([*above, wrong])
        assert said == f"{path}: unknown key {named!r}; did you mean {key!r}?"


MESSAGES = [
    ({"distill.epohcs": 3}, "unknown key 'distill.epohcs'; did you mean 'epochs'?"),
    ({"decode.folds.bye": 1}, "unknown key 'decode.folds.bye'; did you mean 'by'?"),
    ({"dcode": {}}, "unknown key 'dcode'; did you mean 'decode'?"),
    ({"promote.zzz": 3}, "unknown key 'promote.zzz' (there is gate)"),
    (
        # A misspelt key is missing too: the misspelling says more.
        {"distill.seeds": DELETE, "distill.seed": 3},
        "unknown key 'distill.seed'; did you mean 'seeds'?",
    ),
    (
        {"dataset.name": DELETE, "dataset.nmae": "mine"},
        "unknown key 'dataset.nmae'; did you mean 'name'?",
    ),
    ({"dataset.name": DELETE}, "dataset.name is missing"),
    ({"dataset": DELETE}, "dataset is missing"),
    ({"distill.1": 3}, f"unknown key 'distill.1' (there is {', '.join(CONTENT['distill'])})"),
    ({"promote": 0.02}, "promote: give a block of keys (gate) (it is 0.02)"),
    ({"promote": None}, "promote: give a block of keys (gate)"),
    (
        {"distill.recipes": {"brain": 3}},
        "distill.recipes.brain: give a block of keys (temperature, alpha, learning_rate, epochs) "
        "(it is 3)",
    ),
    (
        {"distill.recipes": {"brain": {"temprature": 3}}},
        "unknown key 'distill.recipes.brain.temprature'; did you mean 'temperature'?",
    ),
    (
        {"distill.epochs": 0},
        "distill.epochs: Input should be greater than or equal to 1 (it is 0)",
    ),
    ({"distill.alpha": 1.5}, "distill.alpha: Input should be less than or equal to 1 (it is 1.5)"),
    ({"distill.temperature": 0}, "distill.temperature: Input should be greater than 0 (it is 0)"),
    ({"distill.batch": 1}, "distill.batch: Input should be greater than or equal to 2 (it is 1)"),
    (
        {"dataset.validation_share": 1.0},
        "dataset.validation_share: Input should be less than 1 (it is 1.0)",
    ),
    (
        {"distill.epochs": "many"},
        "distill.epochs: Input should be a valid integer (it is 'many')",
    ),
    (
        {"distill.epochs": 2.5},
        "distill.epochs: Input should be a valid integer (it is 2.5)",
    ),
    (
        {"decode.calibrate": "maybe"},
        "decode.calibrate: Input should be a valid boolean (it is 'maybe')",
    ),
    ({"distill.roi": "HVC"}, "distill.roi: Input should be a valid list (it is 'HVC')"),
    ({"distill.roi": None}, "distill.roi: Input should be a valid list"),
    (
        {"distill.precision": "float16"},
        "distill.precision: Input should be 'float32', 'bfloat16' or 'auto' (it is 'float16')",
    ),
    (
        {"distill.loss": "hintn"},
        "distill.loss: no such name; did you mean 'hinton'? (known: hinton, soft-cross-entropy, "
        "dkd, dist, standardised, relational, attention) (it is 'hintn')",
    ),
    (
        {"compare.outcome": "accurcy"},
        "compare.outcome: no such name; did you mean 'accuracy'? (known: accuracy, nll, top5, "
        "ece) (it is 'accurcy')",
    ),
    (
        {"compare.outcome": "ece"},
        "compare.outcome: the ECE is no mean over images, so that it has no interval over them; "
        "give accuracy or nll or top5 (it is 'ece')",
    ),
    (
        {"decode.resnet1d.widht": 8},
        "unknown key 'decode.resnet1d.widht'; did you mean 'width'?",
    ),
    (
        {"decode.normalise": "trial"},
        "decode.normalise: Input should be 'run', 'fold' or 'centre' (it is 'trial')",
    ),
    (
        {"dataset.name": "a/b"},
        "dataset.name: may hold only letters, digits and '-' (it is 'a/b')",
    ),
    (
        {"distill.shift": 24},
        "distill: shift must be smaller than image_size (reflection padding)",
    ),
    (
        {"decode.folds": {"by": "group"}},
        "decode.folds: 'group' names a column of stimuli.csv, and belongs to 'by: group'",
    ),
    (
        {"decode.folds": {"by": "image", "group": "style"}},
        "decode.folds: 'group' names a column of stimuli.csv, and belongs to 'by: group'",
    ),
]


@pytest.mark.parametrize(("changes", "message"), MESSAGES, ids=[m for _, m in MESSAGES])
def test_a_wrong_setting_is_named(changes, message, write):
    path = write(changes)
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == f"{path}: {message}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        # YAML 1.1 reads a number without a dot or sign as text.
        ({"distill.learning_rate": "1e-3"}, ("distill", "learning_rate", 0.001)),
        ({"distill.subject": ["S1", "S2"]}, ("distill", "subject", ["S1", "S2"])),
        ({"decode.folds": {"by": "group", "group": "style"}}, ("decode", "folds", None)),
        ({"distill.weight_decay": 0}, ("distill", "weight_decay", 0.0)),
    ],
)
def test_what_may_be_set(changes, read, write):
    block, key, value = read
    found = getattr(getattr(load_params(write(changes)), block), key)
    if value is None:
        assert (found.by, found.group) == ("group", "style")
    else:
        assert found == value


def test_options_lie_over_the_file(write):
    overrides = {"distill": {"teacher": ["brain"], "alpha": 0.0, "epochs": 3}}
    params = load_params(write(), overrides)
    assert params.distill.teacher == ["brain"]
    assert params.distill.alpha == 0.0 and params.distill.epochs == 3
    expected = CONTENT["distill"] | overrides["distill"]
    assert params.distill.model_dump() == expected
    assert params.decode.model_dump(exclude_none=True) == CONTENT["decode"]


def test_an_option_that_is_not_given_means_as_in_the_file(write):
    overrides = {"distill": dict.fromkeys(["teacher", "alpha", "epochs", "roi"])}
    assert load_params(write(), overrides) == load_params(write())


def test_an_option_holds_for_teachers_with_recipes_of_their_own(write):
    own = {"brain": {"temperature": 4, "alpha": 0.5}, "none": {"epochs": 60}}
    path = write({"distill.recipes": own})
    params = load_params(path, {"distill": {"temperature": 3.0, "epochs": 1}})
    for teacher, alpha in (("brain", 0.5), ("none", 0.8)):
        found = params.distill.recipe(teacher)
        assert (found["temperature"], found["epochs"], found["alpha"]) == (3.0, 1, alpha)
    kept = load_params(path, {"distill": {"seeds": 2}})
    assert kept.distill.recipes == load_params(path).distill.recipes
    assert kept.distill.recipe("none")["epochs"] == 60


def test_an_option_of_a_block_that_the_file_leaves_out_counts(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("dataset: {name: mine}")
    assert load_params(path, {"search": {"seeds": 7}}).search.seeds == 7


def test_a_wrong_option_is_named_as_its_setting_is(write):
    path = write()
    with pytest.raises(UsageError) as caught:
        load_params(path, {"distill": {"stem": "tiny"}})
    assert str(caught.value) == (
        f"{path}: distill.stem: Input should be 'auto', 'small' or 'large' (it is 'tiny')"
    )


def test_a_missing_file_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == f"{path} is missing; name the settings with --params FILE"
    assert caught.value.exit_code == 2


def test_what_is_no_yaml_is_named_in_one_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("dataset:\n  name: [a\ndecode: {}\n")
    with pytest.raises(UsageError) as caught:
        load_params(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: is not YAML: while parsing a flow sequence ")
    assert "line 2" in said and "\n" not in said


def test_bytes_that_are_no_text_are_not_yaml(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"dataset: \xff\n")
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == f"{path}: byte 9 is not UTF-8: save it in UTF-8"


@pytest.mark.parametrize("text", ["", "just text", "- a\n- b\n"])
def test_a_file_without_blocks_is_named(text, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == f"{path} holds no blocks (dataset, preprocess, decode, ...)"


def test_yaml_may_not_make_objects(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("dataset: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UsageError, match=r"line 1: tag '.+' is not read; put text in quotes$"):
        load_params(path)


def test_settings_cannot_be_changed_afterwards(write):
    params = load_params(write())
    with pytest.raises(ValueError, match="frozen"):
        params.distill.epochs = 3


@pytest.mark.parametrize(
    "change",
    [
        lambda params: params.with_distill(epochs=-1),
        lambda params: params.model_copy(update={"distill": {"epochs": -1}}),
        lambda params: params.model_copy(
            update={"distill": params.distill.model_dump() | {"epochs": -1}}
        ),
    ],
)
def test_what_code_changes_is_checked_as_the_file_is(change, write):
    params = load_params(write())
    with pytest.raises(UsageError) as caught:
        change(params)
    assert str(caught.value) == (
        "distill.epochs: Input should be greater than or equal to 1 (it is -1)"
    )


def test_no_key_is_made_up_by_code(write):
    params = load_params(write())
    for change, said in (
        (lambda: params.with_distill(epohcs=3), "'distill.epohcs'; did you mean 'epochs'?"),
        (lambda: params.model_copy(update={"sarch": {}}), "'sarch'; did you mean 'search'?"),
        (lambda: params.distill.model_copy(update={"sede": 3}), "'sede'; did you mean 'seeds'?"),
    ):
        with pytest.raises(UsageError) as caught:
            change()
        assert str(caught.value) == f"unknown key {said}"
    # Two settings that do not go together.
    with pytest.raises(UsageError, match=r"^distill: shift must be smaller than image_size"):
        params.with_distill(image_size=8, shift=8)


def test_what_code_changes_changes_nothing_else(write):
    params = load_params(write())
    changed = params.with_distill(epochs=3, recipes={"brain": {"alpha": 0.1}})
    assert changed.distill.recipe("brain")["alpha"] == 0.1
    back = changed.with_distill(epochs=params.distill.epochs, recipes={})
    assert back == params != changed
    folds = params.decode.model_copy(update={"folds": {"count": 5}}).folds
    assert (folds.by, folds.count) == ("auto", 5)
    # A block as pydantic has it, whole.
    assert params.model_copy(update={"decode": params.decode}) == params.model_copy() == params


def test_the_plan_is_what_was_decided_before_the_result(write):
    plan = load_params(write()).plan
    assert plan["compare"] == CONTENT["compare"] and plan["decode"]["logistic"] == {
        "C": CONTENT["decode"]["logistic"]["C"]
    }
    for changes in (
        {"promote.gate": 0.0},
        {"compare.margin": 0.1},
        {"compare.family": ["none"]},
        {"distill.roi": ["V1"]},
        {"distill.seeds": 3},
        {"distill.epochs": 2},
        {"distill.recipes": {"brain": {"alpha": 0.1}}},
        {"distill.split": "folds"},
        {"dataset.validation_share": 0.5},
        {"decode.voxels": 7},
        {"decode.logistic": {"C": [1]}},
        {"preprocess.subject": ["S1"]},
    ):
        assert load_params(write(changes)).plan != plan, changes


def test_what_cannot_change_the_result_is_no_part_of_the_plan(write):
    plan = load_params(write()).plan
    for changes in (
        {"distill.teacher": ["none", "brain"]},
        {"decode.decoder": ["logistic", "ridge"]},
        {"decode.ridge": {"penalty": [1]}},
        {"explore.seeds": 5},
        {"multiverse.most": 5},
        {"search.seeds": 5},
    ):
        assert load_params(write(changes)).plan == plan, changes


def test_the_plan_of_a_table_of_others_has_no_decoder(write):
    plan = load_params(write({"distill.decoder": "people"})).plan
    assert plan["decode"] == {"people": {}} and plan["distill"]["decoder"] == "people"


@pytest.mark.parametrize(
    ("place", "option"),
    [
        ("distill.device", "--device"),
        ("distill.processes", "--jobs"),
        ("distill.checkpoint_minutes", "--checkpoint-minutes"),
        ("decode.resnet1d.device", "--device"),
    ],
)
def test_a_key_that_has_moved_is_told_where_to(place, option, write):
    path = write({place: "auto"})
    variable = f"BRAIN_TEACHER{option.replace('-', '_').upper()[1:]}"
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == (
        f"{path}: unknown key '{place}': it is no setting any more, take it out; give {option}, "
        f"or {variable}"
    )
