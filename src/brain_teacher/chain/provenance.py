"""Where results come from: the plan they were made under, the version of what was read."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from brain_teacher.chain.params import Params
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.errors import about
from brain_teacher.reading.text import Said, read_yaml, validated
from brain_teacher.tracking import flat


class _Tracked(Said):
    path: str
    md5: str | None = None


class _Stage(Said):
    outs: Sequence[_Tracked] = ()
    deps: Sequence[_Tracked] = ()


class _Lock(Said):
    """What is read of ``dvc.lock``."""

    stages: dict[str, _Stage]


# From a place in params.yaml, or ``data``, to what stands there.
Plan = dict[str, Any]

SAID = 8  # of what was changed


def plan_of(params: Params, data: str | Path | None = None) -> Plan:
    """What is decided before the result, and of which data (DESIGN, rule 9).

    `data` is the folder of the data set; None: the one that is named in the settings.
    """
    blocks = [flat(block, name) for name, block in params.plan.items()]
    plan = {key: value for block in blocks for key, value in block.items()}
    return _taught(plan) | {"data": dvc_hash(data or Path("data") / params.dataset.name)}


def _taught(plan: Plan) -> Plan:
    """A plan without the settings of losses that teach nobody: a new loss changes no other plan."""
    idle = tuple(f"distill.{name}." for name in LOSSES if name != plan.get("distill.loss"))
    return {key: value for key, value in plan.items() if not key.startswith(idle)}


def own_plan(plan: Plan, teacher: str) -> Plan:
    """What of a plan shapes one teacher's students: all but the other teachers' own recipes."""
    recipes, own = "distill.recipes.", f"distill.recipes.{teacher}."
    return {k: v for k, v in plan.items() if not k.startswith(recipes) or k.startswith(own)}


def digest_of_plan(plan: Plan) -> str:
    """A short digest of a plan: what tells at a glance whether two are the same."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:12]


def plan_digest(params: Params) -> str:
    """The digest of the plan that stands in the settings now."""
    return digest_of_plan(plan_of(params))


def why_exploratory(params: Params, metas: Iterable[Mapping[str, Any]]) -> list[str]:
    """What makes the result of some students exploratory, given what each says of itself.

    Nothing, if the plan of now was fixed before they were trained (DESIGN, rule 9).
    """
    metas, now = list(metas), plan_of(params)
    everyone = {meta["teacher"] for meta in metas}
    changed: dict[str, set[str]] = {}
    for meta in metas:
        for text in _changes(meta["plan"], own_plan(now, meta["teacher"])):
            changed.setdefault(text, set()).add(meta["teacher"])
    listed = [
        text + (f" (of {', '.join(sorted(who))})" if who < everyone else "")
        for text, who in changed.items()
    ]
    reasons = listed[:SAID]
    if len(listed) > SAID:
        reasons.append(f"{len(listed) - SAID} more of the kind")
    seeds = {meta["seed"] for meta in metas}
    if seeds != set(range(params.distill.seeds)) and "distill.seeds was" not in "".join(changed):
        reasons.append(
            f"{len(seeds)} seeds from {min(seeds)} to {max(seeds)} are compared, and distill.seeds "
            f"is {params.distill.seeds}"
        )
    reasons += ["a smoke run (--limit)"] * any("limit" in meta for meta in metas)
    reasons += ["a DVC experiment"] * ("DVC_EXP_NAME" in os.environ)
    return reasons


def _changes(then: Plan | str, now: Plan) -> list[str]:
    """What of the plan that a student was trained under is another now, in words."""
    if isinstance(then, str):
        return ["trained by an earlier version, which kept a digest of its plan alone"]
    texts, then = [], _taught(then)
    for key in sorted(then.keys() | now.keys()):
        before, after = then.get(key), now.get(key)
        # Data that DVC does not know cannot be told from others.
        if before != after and (key != "data" or (before and after)):
            texts.append(f"{key} was {_said(before)}, is {_said(after)}")
    return texts


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "not given" if value is None else str(value)


def dvc_hash(place: str | Path) -> str | None:
    """DVC's hash of what a stage wrote or read, from ``dvc.lock``; None where it is not tracked."""
    file = Path("dvc.lock")
    if not file.exists():
        return None
    with about(f"{file} (`git checkout {file}` brings it back)"):
        stages = validated(_Lock, read_yaml(file)).stages.values()
    listed = [*(each.outs for each in stages), *(each.deps for each in stages)]
    return next((each.md5 for each in chain(*listed) if each.path == str(place)), None)
