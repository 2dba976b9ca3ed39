"""The plan that stood before the result, and what is said where it was changed."""

import pytest

from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import dvc_hash, plan_digest, plan_of, why_exploratory
from helpers.real_data import ROOT

LOCK = """
stages:
  preprocess:
    deps: [{path: data/sample, md5: aa.dir}, {path: outputs/x, md5: old}]
    outs: [{path: outputs/x, md5: new}]
"""


@pytest.fixture
def params(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    return changed({})


def changed(blocks):
    return load_params(ROOT / "params.yaml", {"distill": {"seeds": 2}} | blocks)


def metas(plan, teachers=("none", "brain"), seeds=(0, 1), **more):
    return [{"teacher": t, "seed": s, "plan": plan} | more for t in teachers for s in seeds]


def test_under_the_plan_as_it_stands_nothing_is_exploratory(params):
    assert why_exploratory(params, metas(plan_of(params))) == []
    assert plan_of(params)["decode.logistic.C"] == [0.003, 0.01, 0.03, 0.1, 0.3]


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ({"distill": {"seeds": 2, "epochs": 9}}, "distill.epochs was 30, is 9"),
        ({"distill": {"seeds": 1}}, "distill.seeds was 2, is 1"),
        ({"distill": {"seeds": 2, "roi": ["V1", "V2"]}}, "distill.roi was [HVC], is [V1, V2]"),
        ({"promote": {"gate": 0.5}}, "promote.gate was 0.02, is 0.5"),
        ({"preprocess": {"roi": ["HVC"]}}, "preprocess.roi was all, is [HVC]"),
    ],
)
def test_what_was_changed_is_named_and_changes_the_digest(blocks, reason, params):
    assert why_exploratory(changed(blocks), metas(plan_of(params))) == [reason]
    assert plan_digest(changed(blocks)) != plan_digest(params)


def test_a_recipe_is_a_change_to_its_own_teacher(params):
    own = params.with_distill(recipes={"brain": {"alpha": 0.5}})
    reasons = why_exploratory(own, metas(plan_of(params)))
    assert reasons == ["distill.recipes.brain.alpha was not given, is 0.5 (of brain)"]
    # `none` was kept from before, and the brain's students were trained under the plan.
    kept = metas(plan_of(params), ["none"]) + metas(plan_of(own), ["brain"])
    assert why_exploratory(own, kept) == []


def test_a_loss_that_teaches_nobody_is_no_part_of_a_plan(params):
    assert not any(key.startswith("distill.dkd.") for key in plan_of(params))
    before = plan_of(params) | {"distill.dkd.beta": 99.0}  # of a version that kept all blocks
    assert why_exploratory(params, metas(before)) == []
    taught = params.with_distill(loss="dkd")
    assert plan_of(taught)["distill.dkd.beta"] == taught.distill.dkd.beta
    reasons = why_exploratory(taught, metas(plan_of(taught) | {"distill.dkd.beta": 99.0}))
    assert reasons == [f"distill.dkd.beta was 99.0, is {taught.distill.dkd.beta}"]


def test_many_changes_are_cut_short(params):
    reasons = why_exploratory(params, metas({}))
    assert len(reasons) == 9 and reasons[-1].endswith(" more of the kind")


def test_seeds_that_were_added_or_left_out_are_noticed(params):
    assert why_exploratory(params, metas(plan_of(params), seeds=(1,))) == [
        "1 seeds from 1 to 1 are compared, and distill.seeds is 2"
    ]


def test_a_plan_that_was_not_kept_is_said(params):
    assert why_exploratory(params, metas("0123456789ab")) == [
        "trained by an earlier version, which kept a digest of its plan alone"
    ]


def test_smoke_runs_and_experiments_are_exploratory(params, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "quick")
    reasons = why_exploratory(params, metas(plan_of(params), limit=8))
    assert reasons == ["a smoke run (--limit)", "a DVC experiment"]


def test_the_version_of_the_data_is_part_of_the_plan(params, tmp_path):
    untracked = plan_of(params)
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert plan_of(params)["data"] == "aa.dir" and plan_of(params, "data/mine")["data"] is None
    # What DVC did not know cannot be told from what it knows.
    assert why_exploratory(params, metas(untracked)) == []
    before = metas(plan_of(params))
    (tmp_path / "dvc.lock").write_text(LOCK.replace("aa", "bb"))
    assert why_exploratory(params, before) == ["data was aa.dir, is bb.dir"]


def test_of_what_one_stage_writes_and_another_read_the_written_counts(params, tmp_path):
    (tmp_path / "dvc.lock").write_text(LOCK)
    assert dvc_hash("outputs/x") == "new" and dvc_hash("elsewhere") is None
