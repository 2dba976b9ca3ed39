"""``compare`` on students made by hand: what is checked, joined, said and written."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import yaml

from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import plan_of
from brain_teacher.commands.compare import compare
from brain_teacher.decoding.soft_labels import SoftLabels
from brain_teacher.distillation.students import read_student
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import write_npz
from helpers.answers import make_answers, write_answers
from helpers.real_data import ROOT
from helpers.stores import make_store

FAMILY = [
    "none",
    "smooth-matched",
    "permuted-classes",
    "semantic",
    "brain-class",
    "permuted-images",
]
SKILL = {"brain": 2.5}
PLAN = {"compare": {"family": FAMILY, "margin": 0.04}, "distill": {"seeds": 4}}


@pytest.fixture
def params(monkeypatch, tmp_path):
    # Nothing listens on port 9: nothing is tracked, the work goes on.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return load_params(ROOT / "params.yaml", PLAN)


def make_students(folder, params, *, seeds=4, folds=(None,), skill=SKILL, images=64, **own):
    """Students of all teachers; `own` are a teacher's own settings, its name with _ for -."""
    for teacher in ["brain", *params.compare.family]:
        for seed in range(seeds):
            for fold in folds:
                student = make_answers(
                    teacher,
                    seed,
                    skill=skill.get(teacher, 1.0),
                    images=images,
                    fold=fold,
                    plan=plan_of(params),
                    **own.get(teacher.replace("-", "_"), {}),
                )
                write_answers(folder, student)
    return folder


def run(params, students, out):
    said = []
    compare(params, students=students, out=out, say=said.append)
    content = json.loads((out / "metrics.json").read_text("utf-8"), parse_constant=pytest.fail)
    return " ".join(said[-1].split()), content


def numbers(content):
    """Whether it holds nothing but dictionaries and numbers."""
    if isinstance(content, dict):
        return all(map(numbers, content.values()))
    return isinstance(content, float)


def test_metrics_hold_all_that_was_found(params, tmp_path):
    students = make_students(tmp_path / "students", params)
    text, content = run(params, students, tmp_path / "out")
    assert set(content) == {
        "accuracy", "agreement", "between_subjects", "brain_minus", "compare", "dataset",
        "differences",
        "diverged", "exploratory", "exploratory_outcomes", "kind", "ladder",
        "plan", "sentences", "simulated", "students", "teachers", "verdict",
    }  # fmt: skip
    assert [each["b"] for each in content["differences"]] == FAMILY
    for each in content["differences"]:
        # Of 4 seeds 1/8 is the smallest; Holm of six.
        assert each["p_sign_flip"] >= 0.125 and each["p_sign_flip_corrected"] == 0.75
        assert each["p_equivalence"] > 0.05
    outcomes = content["exploratory_outcomes"]
    assert set(outcomes) == {"nll", "top5", "ece"} and numbers(outcomes)
    assert outcomes["nll"]["mean"]["brain"] < outcomes["nll"]["mean"]["none"]
    assert set(outcomes["ece"]["brain_minus"]) == set(FAMILY)
    assert (
        "Exploratory, not corrected, brain minus each in brackets: NLL" in text
        and content["exploratory"] is False
    )
    assert "with 4 seeds" not in text  # no plan beside a result
    short = (tmp_path / "out" / "tables" / "short.md").read_text("utf-8")
    assert short.endswith(f"\n\nVerdict: {content['verdict']}.\n")
    rungs = ["smooth-matched", "semantic", "brain-class", "brain"]
    assert [each["upper"] for each in content["ladder"]] == rungs
    total = sum(each["mean"] for each in content["ladder"])
    assert total == pytest.approx(content["brain_minus"]["none"])
    assert f"Ladder: of {100 * total:+.1f} points: " in text and content["diverged"] == []
    assert "] class structure that superclasses know, " in text  # as params.yaml says
    none = content["differences"][0]
    low, high = (f"{100 * none[key]:+.1f}" for key in ("low_classes", "high_classes"))
    assert f"{low} to {high} with classes random as well; 4 seeds, 64 images of 8 classes" in text
    assert f"With classes random as well, for others like them: none {low} to {high}, " in text
    assert content["agreement"] == content["between_subjects"] == []
    assert "how well they agree about single images was not measured; `decode` measures" in text
    assert (
        "Learnt of single images: not measured, since every shown image taught; `decode --nested "
        "true` and `distill --split folds` hold some back."
    ) in text


def test_a_diverged_control_is_told_and_changes_no_verdict(params, tmp_path):
    students = make_students(tmp_path / "students", params)
    for teacher in ("none", "semantic"):
        (students / f"{teacher}_3" / "student.npz").unlink()
        (students / f"{teacher}_3").rmdir()
        lost = make_answers(teacher, 3, diverged=True, plan=plan_of(params))
        write_answers(students, lost)
    text, content = run(params, students, tmp_path / "out")
    assert content["verdict"] == "taught by the brain's view of each image"
    assert content["diverged"] == ["none seed 3", "semantic seed 3"]
    assert (
        ". None seed 3 and semantic seed 3 diverged and are left out; as long as they are," in text
    )


def test_two_controls_without_a_seed_in_common_end_no_comparison(params, tmp_path):
    students = make_students(tmp_path / "s", params)
    lost = dict.fromkeys(("none", "smooth-matched"), (2, 3))
    lost |= dict.fromkeys(("semantic", "brain-class"), (0, 1))
    for teacher, seeds in lost.items():
        for seed in seeds:
            shutil.rmtree(students / f"{teacher}_{seed}")
            write_answers(
                students, make_answers(teacher, seed, diverged=True, plan=plan_of(params))
            )
    text, content = run(params, students, tmp_path / "out")
    assert [each["b"] for each in content["differences"]] == FAMILY
    assert (
        "No two seeds are common to brain, none and semantic or brain-class: whether half of the "
        "effect is reached there is open." in text
    )
    assert "whether half of that is reached by " in text
    assert (
        "No rung of the ladder, for want of two seeds in common with the one below: semantic or "
        "brain-class." in text
    )
    assert [step["upper"] for step in content["ladder"]] == ["smooth-matched", "brain"]
    assert (tmp_path / "out/figures/ladder.png").is_file()


def test_the_first_student_of_all_may_have_diverged(params, tmp_path):
    students = make_students(tmp_path / "students", params)
    (students / "brain-class_0" / "student.npz").unlink()
    (students / "brain-class_0").rmdir()
    write_answers(students, make_answers("brain-class", 0, diverged=True, plan=plan_of(params)))
    assert run(params, students, tmp_path / "out")[1]["diverged"] == ["brain-class seed 0"]


def test_whose_words_semantic_knows_is_said(params, tmp_path):
    changes = {"compare": {"family": FAMILY}, "distill": {"similarity": "people.csv"}}
    params = load_params(ROOT / "params.yaml", changes)
    text, _ = run(params, make_students(tmp_path / "s", params), tmp_path / "out")
    assert "] class structure that words do not know, " in text


def test_it_says_that_four_seeds_cannot_pass_holm(params, tmp_path):
    text, _ = run(params, make_students(tmp_path / "s", params), tmp_path / "out")
    assert (
        "The sign-flip test cannot reach p < 0.05 for any of them here: the smallest p of 4 seeds "
        "is 0.125, and Holm's correction for 6 comparisons begins at 0.75; it takes 8 seeds."
    ) in text


def test_it_does_not_say_so_of_eight(params, tmp_path):
    text, content = run(params, make_students(tmp_path / "s", params, seeds=8), tmp_path / "out")
    assert "cannot reach" not in text
    assert content["differences"][0]["p_sign_flip_corrected"] == pytest.approx(6 / 128)


def test_beside_a_null_result_stands_what_it_would_have_taken(params, tmp_path):
    students = make_students(tmp_path / "s", params, skill={})
    text, content = run(params, students, tmp_path / "out")
    assert content["verdict"] == "cannot tell"
    assert re.search(
        r"Plan, against none: An effect of 4 points at 80% power \(p < 0.05, uncorrected\) takes "
        r"with 4 seeds [\d,]+ test images, or with 64 test images \w",
        text,
    )
    assert "the smallest effect that these seeds and images could have seen" in text
    assert "could not see" not in text  # which would say the same again, a little differently


def test_beside_no_effect_stands_what_could_not_be_seen(params, tmp_path):
    params = params.model_copy(
        update={"compare": params.compare.model_copy(update={"margin": 0.2})}
    )
    text, content = run(params, make_students(tmp_path / "s", params, skill={}), tmp_path / "out")
    assert content["verdict"] == "no effect as large as 20 points"
    assert "Plan, against none: An effect of 20 points at 80% power" in text
    assert "What 4 seeds and 64 test images could not see: anything below " in text


@pytest.fixture
def of(params):
    """The same plan about another outcome."""
    return lambda outcome: load_params(
        ROOT / "params.yaml", PLAN | {"compare": PLAN["compare"] | {"outcome": outcome}}
    )


def test_the_outcome_is_the_plans(of, tmp_path):
    students = make_students(tmp_path / "s", of("nll"))
    text, content = run(of("nll"), students, tmp_path / "out")
    assert (content["unit"], content["more_is_better"]) == ("nats", False)
    assert "accuracy" not in content and set(content["nll"]) == {"brain", *FAMILY}
    assert set(content["exploratory_outcomes"]) == {"accuracy", "top5", "ece"}
    assert content["exploratory"] is False
    by_hand = {}
    for path in sorted(students.glob("*/student.npz")):
        student = read_student(path)
        by_hand.setdefault(student.meta["teacher"], []).append(student.nll("test"))
    for each in content["differences"]:
        # Less is better, and the difference is as it is: below 0.
        expected = np.mean(by_hand["brain"]) - np.mean(by_hand[each["b"]])
        assert each["mean"] == pytest.approx(expected, rel=1e-5) and each["high"] < 0
        assert content["brain_minus"][each["b"]] == each["mean"]
    assert content["verdict"] == "taught by the brain's view of each image"
    assert "? Test NLL, 4 seeds, 64 unseen images" in text
    assert "NLL in nats; less is better; SD and differences in nats." in text
    assert "as large as the margin of 0.04 nats" in text
    assert "it is better than none, smooth-matched, permuted-classes, semantic," in text
    assert "brain minus each in brackets: accuracy (a fraction): brain" in text
    header = (tmp_path / "out/tables/comparison.csv").read_text().splitlines()[0]
    assert header.startswith("teacher,seeds,NLL (nats),SD of seeds (nats),brain minus this (nats),")
    points = (tmp_path / "out/figures/points.csv").read_text().splitlines()[0]
    assert points == "teacher,seed,NLL,dataset,simulated,kind"


def test_top5_is_in_points(of, tmp_path):
    students = make_students(tmp_path / "s", of("top5"))
    text, content = run(of("top5"), students, tmp_path / "out")
    assert "unit" not in content and content["top5"]["brain"] > content["top5"]["none"] > 0.5
    assert re.search(r"brain minus none is \+\d+\.\d points of top-5 accuracy \(95% interval", text)


def test_an_outcome_that_cannot_be_had_is_an_error(of, tmp_path):
    students = tmp_path / "s"
    for teacher in ("brain", *FAMILY):
        for seed in (0, 1):
            write_answers(students, make_answers(teacher, seed, classes=5))
    message = f"{students}: brain seed 0: top-5 accuracy takes 6 classes at least; there are 5"
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}$"):
        run(of("top5"), students, tmp_path / "out")


def test_a_null_result_in_nats_says_what_it_would_have_taken(of, tmp_path):
    students = make_students(tmp_path / "s", of("nll"), skill={})
    text, content = run(of("nll"), students, tmp_path / "out")
    assert content["verdict"] == "cannot tell"
    assert "Plan, against none: An effect of 0.04 nats of NLL at 80% power" in text


def test_teachers_may_have_recipes_of_their_own(params, tmp_path):
    own = {"none": {"learning_rate": 0.01, "epochs": 9}, "semantic": {"temperature": 4.0}}
    text, _ = run(params, make_students(tmp_path / "s", params, **own), tmp_path / "out")
    rows = {}
    for line in (tmp_path / "out/tables/comparison.txt").read_text().splitlines():
        if line.split():  # the table comes before sentences that may begin with a teacher's name
            rows.setdefault(line.split()[0], line.split())
    assert rows["semantic"][-2:] == ["4", "0.8"] and rows["brain"][-2:] == ["2", "0.8"]
    assert rows["none"][-1] != "0.8"
    assert (
        "Teachers' own recipes, chosen on validation images: brain, smooth-matched, "
        "permuted-classes, semantic, brain-class, permuted-images: learning rate 0.003, 3 epochs; "
        "none: learning rate 0.01, 9 epochs."
    ) in text


def test_the_same_recipe_for_all_has_no_column(params, tmp_path):
    run(params, make_students(tmp_path / "s", params), tmp_path / "out")
    header = (tmp_path / "out/tables/comparison.csv").read_text().splitlines()[0]
    assert "alpha" not in header and header.endswith("p (equivalence),dataset,simulated,kind")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 32}, "settings (width 32, not 16)"),
        ({"temperature": 4.0}, "settings (temperature 4.0, not 2.0)"),
        ({"roi": "V1"}, "roi (V1, not HVC)"),
        ({"device": "cuda"}, "device (cuda, not cpu)"),
        ({"card": "NVIDIA H100"}, "card (NVIDIA H100, not None)"),
        ({"soft_labels": "d2"}, "soft labels (d2, not d1)"),
        ({"pictures": "p2"}, "pictures (p2, not p1)"),
    ],
)
def test_seeds_of_a_teacher_must_be_alike(changes, message, params, tmp_path):
    students = make_students(tmp_path / "s", params)
    (students / "brain_1" / "student.npz").unlink()
    (students / "brain_1").rmdir()
    write_answers(students, make_answers("brain", 1, images=64, **changes))
    message = f"student brain_1 differs from the others in {message}: distill into a folder of its "
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}own, or take away what a"):
        run(params, students, tmp_path / "out")


def test_teachers_must_share_all_other_settings(params, tmp_path):
    students = make_students(tmp_path / "s", params, semantic={"width": 32})
    with pytest.raises(BrainTeacherError, match="^students semantic_0, semantic_1, semantic_2,"):
        run(params, students, tmp_path / "out")


def test_folds_are_one_row_of_scores_over_all_images(params, tmp_path):
    students = make_students(tmp_path / "s", params, folds=(0, 1, 2), images=40)
    text, content = run(params, students, tmp_path / "out")
    assert "4 seeds, 120 shown images, each out of fold" in text
    assert len(content["students"]) == 7 * 4 * 3
    assert {each["fold"] for each in content["students"]} == {0, 1, 2}
    brain = [each["test"] for each in content["students"] if each["teacher"] == "brain"]
    assert content["accuracy"]["brain"] == pytest.approx(np.mean(brain))
    (students / "none_2_fold1" / "student.npz").unlink()
    message = f"{students}: none seed 2 has no student of fold 1"
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}$"):
        run(params, students, tmp_path / "again")


def test_where_every_subject_taught_no_other_brain_is_left(params, tmp_path):
    students = make_students(tmp_path / "s", params, folds=(0, 1), images=40)
    student = make_answers("brain", 0, images=40, fold=0)
    images = [f"tf{fold}-{number:03d}" for fold in (0, 1) for number in range(40)]
    log_probs = np.tile(student.log_probs["test"], (2, 1))
    fold = np.zeros(80, dtype=int)
    table = SoftLabels(log_probs, np.array(images), student.class_id, fold, {"format": 1})
    write_npz(students / "held_out" / "brain.npz", **table.arrays())
    text, content = run(params, students, tmp_path / "out")
    (taught,) = content["agreement"]
    assert (taught["with"], taught["seeds"], taught["images"]) == ("taught", 4, 80)
    assert text.count("; no subject is left who did not teach.") == 1
    mean, low, high = taught["control"]
    assert f"none {mean:+.3f} [{low:+.3f}, {high:+.3f}], difference " in text
    short = table.take(table.image_id[1:])
    write_npz(students / "held_out" / "brain.npz", **short.arrays())
    message = f"{students / 'held_out'}: has no row for image 'tf0-000' (1 are missing)"
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}$"):
        run(params, students, tmp_path / "again")


def test_a_control_without_students_or_seeds_is_an_error(params, tmp_path):
    students = make_students(tmp_path / "s", params)
    (students / "semantic_3" / "student.npz").unlink()
    message = f"{students}: teacher 'semantic' has seeds [0, 1, 2], 'brain' has [0, 1, 2, 3]; "
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}"):
        run(params, students, tmp_path / "out")


def test_the_same_students_give_the_same_bytes(params, tmp_path):
    students = make_students(tmp_path / "s", params)
    for name in ("one", "two"):
        run(params, students, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    kept = [path for path in files if path.parts[0] in ("tables", "figures", "metrics.json")]
    assert len(kept) == 16
    for path in kept:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_students_of_former_soft_labels_are_named_and_refused(params, tmp_path):
    # `distill --seeds 2` of another decoder into a folder of 4.
    students = make_students(tmp_path / "s", params, seeds=2)
    for teacher in ("brain", *FAMILY):
        for seed in (2, 3):
            old = make_answers(teacher, seed, images=64, soft_labels="d0", plan=plan_of(params))
            write_answers(students, old)
    message = (
        "students brain-class_2, brain-class_3, brain_2, brain_3, none_2, none_3, "
        "permuted-classes_2, permuted-classes_3 and 6 more differ from the others in soft labels "
        "(d0, not d1): distill into a folder of its own, or take away what a former run left in "
        "this one"
    )
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}$"):
        run(params, students, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_students_of_a_former_second_table_are_named_and_refused(params, tmp_path):
    # The similarity that `semantic` read was another one for two of its seeds.
    students = make_students(tmp_path / "s", params)
    for seed in (2, 3):
        path = students / f"semantic_{seed}"
        answers = read_student(path / "student.npz")
        shutil.rmtree(path)
        write_answers(students, replace(answers, meta=answers.meta | {"second_table": "s0"}))
    message = (
        "students semantic_2, semantic_3 differ from the others in second table (s0, not None): "
        "distill into a folder of its own, or take away what a former run left in this one"
    )
    with pytest.raises(BrainTeacherError, match=f"^{re.escape(message)}$"):
        run(params, students, tmp_path / "out")


def test_what_was_changed_after_the_students_were_trained_is_named(params, tmp_path):
    students = make_students(tmp_path / "s", params)
    later = load_params(
        ROOT / "params.yaml",
        {**PLAN, "compare": PLAN["compare"] | {"margin": 0.1}, "decode": {"voxels": 200}},
    )
    text, content = run(later, students, tmp_path / "out")
    assert content["exploratory"] is True
    assert (
        "Exploratory: compare.margin was 0.04, is 0.1; decode.voxels was 300, is 200. What was "
        "planned is shown by students that were trained under the plan as it stands, all of them, "
        "in an empty folder."
    ) in text
    short = (tmp_path / "out" / "tables" / "short.md").read_text("utf-8")
    assert short.endswith(f"\n\nExploratory verdict: {content['verdict']}.\n")


def test_looks_are_counted_beside_the_table_and_in_no_file(params, tmp_path, monkeypatch):
    students = make_students(tmp_path / "s", params)
    away, _ = run(params, students, tmp_path / "away")
    assert "Looks at these test images: not counted, since the MLflow store that counts" in away
    make_store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    other = load_params(ROOT / "params.yaml", {**PLAN, "promote": {"gate": 0.0}})
    texts = [run(p, students, tmp_path / "out")[0] for p in (params, params, other)]
    for text, words in zip(
        texts,
        [
            "Looks at these test images: the first that this MLflow store knows of.",
            "Looks at these test images: number 2 in this MLflow store, under 1 plan in all;",
            "Looks at these test images: number 3 in this MLflow store, under 2 plans in all;",
        ],
        strict=True,
    ):
        assert words in text
    for path in (tmp_path / "out").rglob("*.*"):
        assert b"Looks at" not in path.read_bytes()


def test_the_shipped_plan_can_be_passed_by_its_sign_flip():
    from brain_teacher.analysis.sign_flips import seeds_in_reach

    plan = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    assert seeds_in_reach(len(plan["compare"]["family"])) <= plan["distill"]["seeds"]
