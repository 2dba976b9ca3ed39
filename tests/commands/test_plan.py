"""``plan``: a pilot's or stated spreads to seeds, images, time and disk."""

import math
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.analysis.power import spread_of, visible_effect
from brain_teacher.analysis.statistics import pair_by_seed, scores_of
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students.cost import bytes_of_weights
from brain_teacher.commands import plan as module
from brain_teacher.commands.plan import plan
from brain_teacher.commands.simulate import DEFAULTS, simulate
from brain_teacher.dataset.bdata import read_bdata
from brain_teacher.dataset.stimuli import name_trials
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.machine import RunTime
from helpers.answers import make_answers, write_answers
from helpers.real_data import ROOT

TEACHERS = ["none", "brain"]
CPU = RunTime(jobs=2, device="cpu")


def settings(folds=None, **distill):
    small = {"teacher": TEACHERS, "precision": "float32"}
    small |= {"seeds": 8, "epochs": 3, "image_size": 12, "shift": 1} | distill
    return load_params(ROOT / "params.yaml", {"distill": small, "decode": {"folds": folds}})


def weights_of(params, n_classes):
    recipe, size = params.distill.recipe(), params.distill.image_size
    return bytes_of_weights(recipe, n_classes=n_classes, image_size=size)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """2 categories with 4 shown and 8 unseen images each, of which 2 validate."""
    folder = tmp_path_factory.mktemp("data") / "toy"
    sizes = {"subjects": 2, "categories": 2, "shown": 4, "unseen": 8, "voxels": 20}
    simulate(**DEFAULTS | sizes | {"out": folder, "image_size": 12}, say=lambda text: None)
    return folder


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "_seconds_per_student", lambda *_: (30.0, "cpu"))


def run(params, data, **options):
    said = []
    plan(params, data=data, run_time=CPU, say=said.append, **options)
    return said[0], " ".join(said[0].split())


def test_stated_spreads_give_the_known_number_of_images(data, quick):
    _, text = run(settings(), data, discordant=0.08, effect=2, images=2000)
    assert "takes with 8 seeds 1,572 test images, or with 2,000 test images 2 seeds." in text
    _, text = run(settings(seeds=5), data, discordant=0.2, seed_sd=0.0, effect=2)
    assert "takes with 5 seeds 3,927 test images" in text


def test_what_is_not_said_is_as_in_params_and_data(data, quick):
    _, text = run(settings(), data, discordant=0.1, seed_sd=1)
    margin = 100 * settings().compare.margin
    assert f"An effect of {margin:g} points at 80% power" in text
    assert "What 8 seeds and 12 test images could not see: anything below " in text


def test_time_and_disk_are_of_all_students(data, quick):
    params = settings()
    _, text = run(params, data, discordant=0.1)
    size = 2 * weights_of(params, 2) / 2**20
    assert text.endswith(
        "Here: 2 teachers x 8 seeds = 16 students, about 30 s each on cpu (2 side by side): 4 min "
        f"in all, 30 s a seed more; about {size:.0f} MiB of disk."
    )
    # 0.70 M parameters (docs) and batch norm's running numbers, 4 bytes each.
    assert weights_of(params, 16) == pytest.approx(4 * 0.70e6, rel=0.02)


def test_seconds_grow_with_epochs(data):
    short, long = settings(epochs=2), settings(epochs=40)
    sizes = module._Sizes(64, 8, 8, 2)
    assert module._seconds_per_student(short, sizes, CPU)[1] == "cpu"
    least = min(module._seconds_per_student(long, sizes, CPU)[0] for _ in range(3))
    most = max(module._seconds_per_student(short, sizes, CPU)[0] for _ in range(3))
    assert least > 4 * most > 0


def test_sizes_are_the_data_sets(data):
    assert module._sizes_of(settings(), data) == module._Sizes(8, 4, 12, 2)
    # 4 of each category: 4 folds, of which one is tested and one validates.
    assert module._sizes_of(settings(split="folds"), data) == module._Sizes(4, 2, 2, 2, folds=4)


def test_folds_are_counted_as_decode_makes_them(data, tmp_path):
    def folds(place=data, **how):
        return module._sizes_of(settings(split="folds", folds=how), place).folds

    assert folds(by="image", count="most") == folds() == 4
    assert folds(by="image", count=2) == 2
    # Leave one picture out: every image is a fold, one is tested, one validates.
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    labels = read_bdata(copy / "bdata/S1.h5")[2]
    ids = np.unique(labels["stimulus_id"])
    names = name_trials(ids, None)
    rows = [
        f"{key},{row.image_id},{row.category},p{n}"
        for n, (key, row) in enumerate(
            zip(map(repr, ids.tolist()), names.itertuples(), strict=True)
        )
    ]
    table = "\n".join(["stimulus_id,image_id,category,picture", *rows])
    (copy / "stimuli.csv").write_text(table)
    assert folds(copy, by="group", group="picture") == 8
    alone = settings(split="folds", folds={"by": "group", "group": "picture"})
    assert module._sizes_of(alone, copy) == module._Sizes(6, 1, 1, 2, folds=8)
    with pytest.raises(BrainTeacherError, match="no group column 'style'"):
        folds(copy, by="group", group="style")
    (copy / "bdata/S1.h5").unlink()
    message = f"subject S1 has no file {copy / 'bdata/S1.h5'}, by which to count folds ("
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}"):
        folds(copy)


def test_folds_of_a_recording_in_rounds_are_its_rounds(tmp_path):
    # By image they would be 8.
    sizes = {"subjects": 1, "categories": 8, "shown": 9, "unseen": 3, "voxels": 20}
    data = tmp_path / "rounds"
    simulate(**DEFAULTS | sizes | {"out": data, "design": "rounds"}, say=lambda text: None)
    assert module._sizes_of(settings(split="folds"), data).folds == 9


def test_images_of_other_categories_are_not_counted(data, tmp_path):
    # GOD's test images are shown, but nobody learns their categories.
    copy = tmp_path / "copy"
    shutil.copytree(data, copy)
    Image.fromarray(np.zeros((12, 12, 3), np.uint8)).save(copy / "images/shown/n99200001_1.png")
    assert module._sizes_of(settings(), copy) == module._Sizes(8, 4, 12, 2)


def write_pilot(folder, *, seeds=6, **options):
    students = {}
    for teacher, skill in (("brain", 1.2), ("none", 1.0), ("semantic", 1.0)):
        for seed in range(seeds):
            student = make_answers(teacher, seed, skill=skill, images=64, **options)
            write_answers(folder, student)
            students.setdefault(teacher, {})[seed] = student
    return students


def in_nats():
    params = settings()
    changed = {"compare": params.compare.model_copy(update={"outcome": "nll"})}
    return params.model_copy(update=changed)


def test_a_pilot_is_measured_by_the_outcome_that_will_be_compared(data, quick, tmp_path):
    students = write_pilot(tmp_path / "pilot")
    _, text = run(in_nats(), data, students=tmp_path / "pilot", images=500)
    brain, none = (
        np.mean([each.nll("validation") for each in students[name].values()])
        for name in ("brain", "none")
    )
    assert "effects and SDs in nats of NLL." in text and "images for 0.04" in text
    assert "An effect of 0.04 nats of NLL at 80% power" in text
    spread = [
        scores_of(students[name], split="validation", outcome=OUTCOMES["nll"])
        for name in ("brain", "none")
    ]
    paired = pair_by_seed(*spread)[1]
    assert paired.mean() == pytest.approx(brain - none, rel=1e-5)
    visible = visible_effect(spread_of(paired), seeds=8, images=500)
    assert f" {visible:.3f} " in text


def test_what_can_be_stated_of_accuracy_cannot_be_of_nats(data, quick):
    with pytest.raises(UsageError) as caught:
        run(in_nats(), data, discordant=0.1)
    assert str(caught.value) == (
        "--discordant and --seed-sd are stated of accuracy, but compare.outcome is nll: name a "
        "pilot with --students FOLDER"
    )


def test_a_pilots_spread_is_of_its_validation_images(data, quick, tmp_path):
    students = write_pilot(tmp_path / "pilot")
    said, text = run(settings(), data, students=tmp_path / "pilot", images=500)
    scores = {name: scores_of(each, split="validation") for name, each in students.items()}
    visible = {
        name: visible_effect(
            spread_of(pair_by_seed(scores["brain"], scores[name])[1]), seeds=8, images=500
        )
        for name in ("none", "semantic")
    }
    worst = max(visible, key=visible.get)
    assert f"Against {worst}, which sees least:" in text
    assert f"could not see: anything below {100 * visible[worst]:.1f} points" in text
    assert "6 seeds, 64 validation images (no test image was looked at); effects" in text
    rows = {line.split()[0]: line.split() for line in said.splitlines() if line}
    assert rows["none"][3] == f"{100 * visible['none']:.1f}" and "a guess" not in text


def test_test_images_are_not_looked_at(data, quick, tmp_path):
    students = write_pilot(tmp_path / "pilot")
    for each in students.values():
        for seed, student in each.items():
            other = student.log_probs | {"test": student.log_probs["test"][::-1].copy()}
            write_answers(tmp_path / "other", replace(student, log_probs=other), None)
            assert seed in each
    one, two = (run(settings(), data, students=tmp_path / name)[0] for name in ("pilot", "other"))
    assert one.replace("pilot", "other") == two.replace("pilot", "other")


def test_of_a_search_the_best_recipe_counts(data, quick, tmp_path):
    write_pilot(tmp_path / "pilot", seeds=2)
    write_pilot(tmp_path / "search", seeds=2)
    for seed in range(2):
        worse = make_answers("brain", seed, skill=-3.0, images=64, temperature=9.0)
        write_answers(tmp_path / "search", worse, f"brain_recipe1_{seed}")
    one, two = (run(settings(), data, students=tmp_path / n)[1] for n in ("pilot", "search"))
    assert one.split("pilot: ")[1] == two.split("search: ")[1]
    assert "So few seeds tell their own spread badly: a guess." in two


def test_a_pilot_of_folds_is_joined(data, quick, tmp_path):
    for fold in (0, 1):
        for teacher in TEACHERS:
            for seed in range(3):
                write_answers(tmp_path / "pilot", make_answers(teacher, seed, fold=fold))
    assert "3 seeds, 80 validation images" in run(settings(), data, students=tmp_path / "pilot")[1]


@pytest.mark.parametrize("options", [{}, {"students": "x", "discordant": 0.1}])
def test_one_source_of_spread_is_needed(options, data):
    with pytest.raises(UsageError, match="^name a pilot with --students FOLDER, or state"):
        run(settings(), data, **options)


def test_a_pilot_tells_its_own_spread(data):
    with pytest.raises(UsageError, match="^--seed-sd goes with --discordant: a pilot tells"):
        run(settings(), data, students="x", seed_sd=1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"discordant": 8}, "plan: discordant is 8; it is a share, above 0 and at most 1 (0.12)"),
        *(
            (
                {"discordant": 0.1, "effect": effect},
                f"plan: the effect is {effect / 100}; it must be above 0, and one that can be seen",
            )
            for effect in (0, 1e-320, 1e308, math.nan, math.inf)
        ),
        *(
            (
                {"discordant": share},
                f"plan: discordant is {share}; it is a share, above 0 and at most 1 (0.12)",
            )
            for share in (1e-320, math.nan, math.inf)
        ),
        (
            {"discordant": 0.1, "power": 0.2},
            "plan: power is 0.2; it must be at least 0.5 and below 1",
        ),
        (
            {"discordant": 0.1, "images": 1},
            "plan: two seeds and two images are needed, not 8 and 1",
        ),
        (
            {"discordant": 0.1, "images": 0},
            "plan: two seeds and two images are needed, not 8 and 0",
        ),
    ],
)
def test_wrong_numbers_are_usage_errors(options, message, data, quick):
    with pytest.raises(UsageError, match=f"^{re.escape(message)}$"):
        run(settings(), data, **options)


def test_a_pilot_needs_the_brain_and_a_control(data, quick, tmp_path):
    write_answers(tmp_path / "pilot", make_answers("none", 0))
    with pytest.raises(BrainTeacherError, match=r"has no students of 'brain' and of a control \("):
        run(settings(), data, students=tmp_path / "pilot")
