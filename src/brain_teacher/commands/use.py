"""``use``: put a preset of ``params/`` in place as params.yaml."""

import subprocess
from pathlib import Path

import yaml

from brain_teacher.chain.params import load_params
from brain_teacher.errors import BrainTeacherError, UsageError, nearest
from brain_teacher.files import atomic_write

# The sample's settings are params.yaml itself, as git has it: a preset would be their second home.
SAMPLE = "sample"
# The repository's own DVC remote, which lies in git.
STORE = "store"


def use(name, *, target, force=False, say=print):
    """Put a preset in place, or list the presets.

    Parameters
    ----------
    name : str or None
        The file ``params/<name>.yaml`` beside `target`, or ``sample``: the newest params.yaml in
        git whose data set is the sample. None: list them.
    target : path-like
        What is replaced, as a whole or not at all: params.yaml.
    force : bool
        Also if its changes are lost.
    say : callable

    Raises
    ------
    UsageError
        If there is no such preset, or `target` has changes that git does not have.
    BrainTeacherError
        If DVC would push to the repository's sample folder.
    """
    target = Path(target)
    presets = {path.stem: path for path in sorted((target.parent / "params").glob("*.yaml"))}
    if name is None:
        for line in _listed(presets, target):
            say(line)
        return
    if name not in (SAMPLE, *presets):
        raise UsageError(
            f"there is no preset {name!r}{nearest(name, [SAMPLE, *presets])} "
            f"(there is {', '.join([SAMPLE, *presets])})"
        )
    if name == SAMPLE:
        content = _newest_sample(target)
    else:
        load_params(presets[name])
        content = presets[name].read_bytes()
        _check_remote(name, target.parent)
    if not force:
        _check_kept(target, content)
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    say(f"{target} is now that of {name}; `brain-teacher use {SAMPLE}` brings the sample's back")


def _listed(presets, target):
    current = target.read_bytes() if target.exists() else None
    yield f"{SAMPLE}: the sample's, as git last had it"
    for name, path in presets.items():
        content = path.read_bytes()
        first = content.decode("utf-8", "replace").partition("\n")[0].lstrip("# ")
        yield f"{name}: {first}{' (in use)' if content == current else ''}"


def _newest_sample(target):
    """params.yaml of the newest commit in which it names the sample."""
    for commit in (_git(target, "log", "--format=%H", "--", target.name) or b"").decode().split():
        content = _git(target, "show", f"{commit}:./{target.name}")
        try:
            if yaml.safe_load(content)["dataset"]["name"] == SAMPLE:
                return content
        except (yaml.YAMLError, AttributeError, KeyError, TypeError):
            continue  # removed there, or never settings of ours
    raise BrainTeacherError(
        f"git has no {target} of data set {SAMPLE!r}: clone the repository with its history"
    )


def _check_remote(name, root):
    """Refuse while ``dvc push`` would write into the repository itself."""
    if not (root / ".dvc").is_dir():
        return
    from dvc.config import Config, ConfigError

    try:
        config = Config(str(root / ".dvc"))
    except ConfigError as error:
        raise BrainTeacherError(f"{root / '.dvc'}: {' '.join(str(error).split())}") from error
    remote = config["remote"].get(config["core"].get("remote"), {})
    if remote and Path(remote["url"]).resolve() == (root / STORE).resolve():
        raise BrainTeacherError(
            f"`dvc push` would put {name} into {STORE}/, which is in git: type `dvc remote add "
            f"--local --default mine URL` (a folder will do), then `brain-teacher use {name}` again"
        )


def _check_kept(target, content):
    """Refuse if `target` says what neither git nor the new `content` has."""
    if not target.exists() or target.read_bytes() == content:
        return
    blob = _git(target, "hash-object", "--", target.name)
    if blob is None or _git(target, "cat-file", "-e", blob.decode().strip()) is None:
        raise UsageError(
            f"{target} has changes that git does not have: commit them (`git commit {target}`), or "
            "lose them with --force"
        )


def _git(target, *arguments):
    """What git says, in the folder of `target`; None where it fails, or is not there."""
    try:
        return subprocess.run(
            ["git", *arguments], cwd=target.parent, capture_output=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
