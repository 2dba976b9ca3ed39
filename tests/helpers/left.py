"""What stages left, made by hand."""

from brain_teacher.chain.telling.left import Left
from brain_teacher.chain.voxels import Index
from helpers.answers import make_answers

CELL = {"subject": "S1", "roi": "HVC", "trials": 40, "voxels": 30}
VOXELS = Index.model_validate({"dataset": "toy", "simulated": True, "cells": [CELL]})


def left_by_hand(**changes):
    """What a run left of which there are two students a teacher, and nothing in a folder."""
    names = ["none", "semantic", "brain", "table-people"]
    students = {f"{name}_{seed}": make_answers(name, seed) for name in names for seed in (0, 1)}
    given = {
        "dataset": None, "voxels": VOXELS, "decoded": None, "controls": None, "students": students,
        "evidence": {"verdict": "cannot tell"}, "result": None, "notes": [], "classes": None,
        "pretraining": "",
    }  # fmt: skip
    return Left(**given | changes)
