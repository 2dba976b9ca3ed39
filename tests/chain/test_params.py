"""``params.yaml``: strict, and with messages that help."""

import copy
from pathlib import Path

import pytest
import yaml

from brain_teacher.chain.params import load_params
from brain_teacher.errors import UsageError

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


def test_it_has_a_block_a_stage_and_nothing_has_a_second_default(write):
    assert list(CONTENT) == [
        *("dataset", "preprocess", "decode", "search", "explore", "distill", "compare", "promote")
    ]
    for block, keys in CONTENT.items():
        for key in keys:
            with pytest.raises(UsageError) as caught:
                load_params(write({f"{block}.{key}": DELETE}))
            assert str(caught.value).endswith(f"params.yaml: {block}.{key} is missing")


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
    ({"distill.alpha": DELETE}, "distill.alpha is missing"),
    ({"decode.folds.by": DELETE}, "decode.folds.by is missing"),
    ({"compare": DELETE}, "compare is missing"),
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


@pytest.mark.parametrize("empty", [None, "", (), []])
def test_an_empty_option_means_as_in_the_file(empty, write):
    overrides = {"distill": dict.fromkeys(["teacher", "alpha", "epochs", "roi"], empty)}
    assert load_params(write(), overrides) == load_params(write())


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
    assert str(caught.value) == (
        f'{path} is not YAML: while parsing a flow sequence in "<unicode string>", line 2, '
        "column 9: name: [a ^ expected ',' or ']', but got ':' in \"<unicode string>\", line 3, "
        "column 7: decode: {} ^"
    )


def test_bytes_that_are_no_text_are_not_yaml(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(b"dataset: \xff\n")
    with pytest.raises(UsageError) as caught:
        load_params(path)
    assert str(caught.value) == (
        f"{path} is not YAML: 'utf-8' codec can't decode byte 0xff in position 9: invalid start "
        "byte"
    )


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
    with pytest.raises(UsageError, match="could not determine a constructor for the tag"):
        load_params(path)


def test_settings_cannot_be_changed_afterwards(write):
    params = load_params(write())
    with pytest.raises(ValueError, match="frozen"):
        params.distill.epochs = 3


def test_the_plan_is_what_was_decided_before_the_result(write):
    plan = load_params(write()).plan
    assert plan == {
        "brain": {key: CONTENT["distill"][key] for key in ("subject", "roi", "decoder")},
        **CONTENT["compare"],
        **CONTENT["promote"],
    }
    same = load_params(write({"distill.seeds": 3, "distill.epochs": 2})).plan
    assert same == plan
    for changes in ({"promote.gate": 0.0}, {"compare.margin": 0.1}, {"distill.roi": ["V1"]}):
        assert load_params(write(changes)).plan != plan
