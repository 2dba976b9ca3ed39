"""``use``: put a preset of ``params/`` in place as params.yaml."""

import subprocess
from collections.abc import Iterator
from io import BytesIO
from itertools import takewhile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.tokens import CommentToken

from brain_teacher.chain.params import Params, load_params
from brain_teacher.chain.remote import SAMPLE, check_remote
from brain_teacher.commands import Place, Say
from brain_teacher.errors import BrainTeacherError, UsageError, nearest
from brain_teacher.files import atomic_write, regular
from brain_teacher.reading.text import parse_yaml


def use(
    name: str | None, *, target: Place = "params.yaml", force: bool = False, say: Say = print
) -> None:
    """Put a preset in place as `target`; without a name, list the presets.

    A preset, ``params/<name>.yaml`` beside `target`, says what differs from the sample's settings:
    the newest params.yaml in git whose data set is the sample. What is put in place says
    everything: the sample's params.yaml, its comments kept, with the preset's values, comments and
    first lines. With `force` also if changes are lost that git does not have.
    """
    target = Path(target)
    presets = {path.stem: path for path in sorted((target.parent / "params").glob("*.yaml"))}
    if name is None:
        if force:
            raise UsageError("--force belongs to a preset: `brain-teacher use NAME --force`")
        for line in _listed(presets, target):
            say(line)
        return
    known = [SAMPLE, *presets]
    if name not in known:
        raise UsageError(
            f"there is no preset {name!r}{nearest(name, known)} (there is {', '.join(known)})"
        )
    # The sample's settings are params.yaml itself, as git has it: no second home of them.
    sample = content = _newest_sample(target)
    if name != SAMPLE:
        content = _laid_over(sample or b"", presets[name])
        settings = load_params(presets[name])
        again = f"brain-teacher use {name}"
        check_remote(settings.dataset.name, root=target.parent, again=again)
    elif content is None:
        raise BrainTeacherError(
            f"git has no {target} of data set {SAMPLE!r}: clone the repository with its history"
        )
    if not force and not _is_made(target, sample or b"", presets):
        _check_kept(target, content)
    with atomic_write(target) as temporary:
        temporary.write_bytes(content)
    say(f"{target} is now that of {name}; `brain-teacher use {SAMPLE}` brings the sample's back")


def _listed(presets: dict[str, Path], target: Path) -> Iterator[str]:
    current = _settings(target)
    yield f"{SAMPLE}: the sample's, as git last had it"
    for name, path in presets.items():
        used = current is not None and _settings(path) == current
        first, _, _ = regular(path).read_bytes().decode("utf-8", "replace").partition("\n")
        yield f"{name}: {first.lstrip('# ')}{' (in use)' if used else ''}"


def _settings(path: Path) -> Params | None:
    try:
        return load_params(path)
    except UsageError:
        return None  # missing, or wrong: `use NAME` says what


def _newest_sample(target: Path) -> bytes | None:
    """params.yaml of the newest commit in which it names the sample; None where git has none."""
    for commit in (_git(target, "log", "--format=%H", "--", target.name) or b"").decode().split():
        content = _git(target, "show", f"{commit}:./{target.name}")
        try:
            if parse_yaml((content or b"").decode())["dataset"]["name"] == SAMPLE:
                return content
        except (ValueError, KeyError, TypeError):
            continue  # removed there, or never settings of ours
    return None


def _laid_over(base: bytes, path: Path) -> bytes:
    """The text `base` with the settings of the preset `path`, whole."""
    settings = load_params(path).model_dump(exclude_none=True)
    editor, text = YAML(), regular(path).read_text("utf-8")
    editor.width, editor.default_flow_style, editor.allow_duplicate_keys = 4096, None, True
    laid = editor.load(base) or CommentedMap()
    _lay(laid, settings, editor.load(text))
    stream = BytesIO()
    editor.dump(laid, stream)
    head = takewhile(lambda line: line.startswith("#"), text.splitlines(keepends=True))
    return "".join(head).encode() + stream.getvalue()


def _lay(block: CommentedMap, settings: dict, preset: Any) -> None:
    """Make `block` say `settings`: in its own words, but for what the preset says otherwise."""
    for key in [key for key in block if key not in settings]:
        del block[key]
    for place, (key, value) in enumerate(settings.items()):
        said = preset.get(key)
        if key not in block:
            block.insert(place, key, None)
        if isinstance(value, dict) and value:
            if not (isinstance(block[key], dict) and block[key]):
                block[key] = CommentedMap()
                block[key].fa.set_block_style()
            _lay(block[key], value, said or {})
        elif block[key] != value:
            block[key] = said if said == value else value
            if preset and (comment := _behind(preset, key).partition("\n")[0]):
                # The lines below, up to the next key, are a part of it: those stay.
                rest = _behind(block, key).partition("\n")[2]
                token = CommentToken(f"{comment}\n{rest}", preset.ca.items[key][2].start_mark)
                block.ca.items[key] = [None, None, token, None]


def _behind(block: Any, key: str) -> str:
    """The comment behind a value."""
    token = (block.ca.items.get(key) or [None] * 3)[2]
    return token.value if token else ""


def _is_made(target: Path, sample: bytes, presets: dict[str, Path]) -> bool:
    """Whether `target` is what a preset makes: then `use` brings it again, and nothing is lost."""
    now = regular(target).read_bytes() if target.exists() else b""
    for path in presets.values():
        try:
            if _laid_over(sample, path) == now:
                return True
        except UsageError:
            continue  # a preset that is wrong made nothing
    return False


def _check_kept(target: Path, content: bytes) -> None:
    """Refuse if `target` says what neither git nor the new `content` has."""
    if not target.exists() or regular(target).read_bytes() == content:
        return
    blob = _git(target, "hash-object", "--", target.name)
    if blob is None or _git(target, "cat-file", "-e", blob.decode().strip()) is None:
        raise UsageError(
            f"{target} has changes that git does not have: commit them (`git commit {target}`), or "
            "lose them with --force"
        )


def _git(target: Path, *arguments: str) -> bytes | None:
    """What git says, in the folder of `target`; None where it fails, or is not there."""
    call = ["git", *arguments]
    try:
        return subprocess.run(call, cwd=target.parent, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
