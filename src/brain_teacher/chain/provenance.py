"""Where results come from: the plan they were made under, the version of what was read."""

import hashlib
import json
from pathlib import Path

import yaml

from brain_teacher.chain.params import Params


def plan_digest(params: Params) -> str:
    """A short digest of what was decided before the result (DESIGN, rule 9)."""
    text = json.dumps(params.plan, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def dvc_hash(output: str | Path) -> str | None:
    """DVC's hash of a stage output, from ``dvc.lock``; None where it is not tracked."""
    try:
        lock = yaml.safe_load(Path("dvc.lock").read_text("utf-8"))
    except (OSError, yaml.YAMLError):
        return None
    for stage in (lock or {}).get("stages", {}).values():
        for out in stage.get("outs", []):
            if out.get("path") == str(output):
                return out.get("md5")
    return None
