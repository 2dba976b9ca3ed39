"""``fetch``: published recordings, as data sets."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from brain_teacher.cells.folder import STATE, OutputFolder
from brain_teacher.chain.dataset import choose, open_dataset
from brain_teacher.commands import Place, Say
from brain_teacher.dataset.description import FILE
from brain_teacher.errors import BrainTeacherError, UsageError, about, nearest
from brain_teacher.files import atomic_folder
from brain_teacher.sources.recordings import god
from brain_teacher.sources.recordings.catalogue import GOD, SOURCES
from brain_teacher.sources.recordings.source import Recording
from brain_teacher.sources.transport.download import CHECKSUMS, download, forget
from brain_teacher.sources.transport.transfer import DownloadError, RemoteFile

IMAGES = (
    "the 1,200 shown pictures are ImageNet's: `brain-teacher images --data {} --from IMAGENET_DIR`"
)


def fetch(
    name: str,
    *,
    out: Place | None = None,
    subjects: Sequence[str] | None = None,
    features: bool = False,
    base_url: str | None = None,
    files: Place | None = None,
    say: Say = print,
    quiet: bool = False,
) -> Path:
    """Download one of the `SOURCES` and make it a data set folder; without `out`, ``data/<name>``.

    Of GOD only some `subjects` may be wanted, and its ``ImageFeatures.h5`` besides. `base_url` is a
    mirror that holds the files by their names, `files` a folder that they lie in already.
    """
    if name not in SOURCES:
        raise UsageError(
            f"there is no {name!r}{nearest(name, SOURCES)} (known: {', '.join(SOURCES)})"
        )
    if name != GOD and (subjects or features):
        raise UsageError(f"--subjects and --features are for {GOD}")
    if base_url is not None and not base_url.startswith(("http://", "https://")):
        raise UsageError(
            f"--base-url: {base_url!r} is no address; give one that begins with http:// or https://"
        )
    if files is not None and (name == GOD or base_url is not None):
        raise UsageError(f"--from is not for {GOD}, and takes the place of --base-url")
    out = Path(out or Path("data") / name)
    if name == GOD:
        subjects = choose(subjects or "all", list(god.SUBJECTS), "--subjects")
        _fetch_god(out, subjects, features, base_url, say, quiet)
    else:
        _fetch_small(name, out, base_url, files, say, quiet)
    return out


def _fetch_small(
    name: str, out: Path, base_url: str | None, source: Place | None, say: Say, quiet: bool
) -> None:
    """Files that are brought, or lie in `source`, made into a data set."""
    recording = SOURCES[name].recording
    say(recording.terms)
    if (out / FILE).exists():
        raise UsageError(f"{out} is there already; remove it to make it anew, or choose --out")
    if source is None and not recording.files:
        raise UsageError(
            f"{name} comes by DataLad, as said above; then say where it lies: --from DIR"
        )
    if source is not None:
        _make(recording, Path(source), out)
    else:
        # Beside the data set, not in it: DVC need not keep what can be had again.
        raw = out.parent / STATE / "fetch" / name
        files = [
            replace(f, url=f"{base_url.rstrip('/')}/{f.path}") if base_url else f
            for f in recording.files
        ]
        with OutputFolder(raw, say).locked():
            _download(files, raw, quiet)
            _make(recording, raw, out)
    description = open_dataset(out).description
    has = f"{len(description.subjects)} subjects, ROIs {', '.join(description.roi)}"
    say(f"{out}: {name}, {has if description.subjects else 'pictures and a table that teaches'}")
    runs, given, call = f"runs/{name}", f"--params params/{name}.yaml", "  brain-teacher"
    on = given if out == Path("data") / name else f"{given} --data {shlex.quote(str(out))}"
    say("next:")
    taught = ""
    if SOURCES[name].ends_with == "images":
        say(f"{call} images --data {shlex.quote(str(out))} --from IMAGENET_DIR")
    if description.subjects:
        say(f"{call} preprocess {on} --out {runs}/voxels")
        say(f"{call} decode {on} --voxels {runs}/voxels --out {runs}/soft_labels")
        taught = f" --soft-labels {runs}/soft_labels"
    if SOURCES[name].ends_with == "plan":
        say(f"{call} plan {on} --discordant 0.15 --seed-sd 2")
        say("(which says why so few pictures carry no students)")
    if SOURCES[name].ends_with in ("images", "compare"):
        say(f"{call} distill {on}{taught} --out {runs}/students")
        say(f"{call} compare {given} --students {runs}/students --out {runs}/comparison")


def _make(recording: Recording, raw: Path, out: Path) -> None:
    if not raw.is_dir():
        raise UsageError(f"--from: {raw} is no folder")
    with about(raw), atomic_folder(out) as folder:
        recording.build(raw, folder)


def _fetch_god(
    out: Path, subjects: list[str], features: bool, base_url: str | None, say: Say, quiet: bool
) -> None:
    """GOD's files as they are, and ``dataset.yaml``."""
    say(god.TERMS)
    with OutputFolder(out, say).locked():
        _download(_god_files(out, subjects, features, base_url, say), out, quiet)
        problems, refused = [], []
        for subject, path in god.bdata_paths(subjects).items():
            facts, wrong, cautions = god.examine(out / path)
            problems += [f"{out / path}: {text}" for text in wrong]
            refused += [path] * bool(wrong)
            for text in cautions:
                say(f"caution: {out / path}: {text}")
            if facts:
                say(f"{subject}: {facts}")
        if problems:
            forget(out, refused)  # else the right file would be refused for the wrong one
            raise BrainTeacherError(
                f"what came to {out} is not as published (a file that is removed is fetched "
                "again):",
                problems,
            )
        _describe(out, subjects)
    say(f"{out}: {len(subjects)} subjects")
    say("next:")
    say(f"  {IMAGES.format(shlex.quote(str(out)))} (without them: soft labels, but no students)")
    say("  brain-teacher use god")
    say(f"  dvc add {shlex.quote(str(out))} && dvc repro")


def _god_files(
    out: Path, subjects: list[str], features: bool, base_url: str | None, say: Say
) -> list[RemoteFile]:
    """GOD's files; where they cannot be listed, those that are there, if none is missing."""
    try:
        return god.list_files(subjects=subjects, features=features, base_url=base_url)
    except DownloadError as error:
        files = [RemoteFile(path, url="") for path in god.paths(subjects, features)]
        if not all((out / file.path).exists() for file in files):
            raise BrainTeacherError(str(error)) from error
        say(f"caution: {error}. What is there is checked against {CHECKSUMS} alone")
        return files


def _describe(out: Path, subjects: list[str]) -> None:
    """Write ``dataset.yaml``, or add subjects to it; everything else in it stays."""
    new = god.describe(subjects)
    if (out / FILE).exists():
        before = open_dataset(out).description
        everyone = before.subjects | new.subjects
        if everyone == before.subjects:
            return
        new = before.model_copy(update={"subjects": dict(sorted(everyone.items()))})
    new.write(out)


def _download(files: list[RemoteFile], folder: Path, quiet: bool) -> None:
    try:
        download(files, folder, quiet=quiet)
    except DownloadError as error:
        raise BrainTeacherError(str(error)) from error
