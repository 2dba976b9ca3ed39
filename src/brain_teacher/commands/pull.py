"""``pull``: what DVC keeps elsewhere, put in place only if it is what git says it is."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from brain_teacher.commands import Say
from brain_teacher.dataset.places import check_relative
from brain_teacher.errors import BrainTeacherError
from brain_teacher.files import atomic_write, regular


def pull(targets: Sequence[str], *, remote: str | None = None, say: Say = print) -> None:
    """Bring what `targets` name (files of DVC, or paths that it tracks) from its remote.

    DVC takes a folder's listing as the remote gives it, even with ``verify = true``: who may write
    there could exchange two subjects, or name files outside the folder. Here listings and files are
    held against their MD5, which git has, before anything is put in place.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            outs = [out for out in repo.index.targets_view(list(targets)).outs if out.use_cache]
            # Of listings that were read before, whatever they were.
            repo.drop_data_index()
            _refuse(line for out in outs for line in _wrong_listing(out, repo, remote))
            repo.fetch(targets=list(targets), remote=remote)
            _refuse(line for out in outs for line in _wrong_files(out, repo.cache.local))
            repo.checkout(targets=list(targets))
    except DvcException as error:
        raise BrainTeacherError(f"{' '.join(str(error).split())} (DVC)") from error
    for out in outs:
        say(f"{out}: as git names it")


def _refuse(wrong: Iterator[str]) -> None:
    if lines := list(wrong):
        raise BrainTeacherError(
            "the remote holds other files than git names, and nothing was put in place; ask who "
            "keeps it, or pull from another:",
            lines,
        )


def _wrong_listing(out: Any, repo: Any, remote: str | None) -> Iterator[str]:
    """Bring the listing of a folder into the cache; what is wrong with it, where something is."""
    digest = str(out.hash_info.value)
    if not digest.endswith(".dir"):
        return
    if _whole(digest, repo.cache.local) is None:
        source = repo.cloud.get_remote_odb(out.remote or remote)
        with source.fs.open(source.oid_to_path(digest), "rb") as stream:
            content = stream.read()
        if hashlib.md5(content).hexdigest() != digest.removesuffix(".dir"):
            yield f"{out}: its listing is not {digest}"
            return
        with atomic_write(repo.cache.local.oid_to_path(digest)) as temporary:
            temporary.write_bytes(content)
    try:
        for name in _listed(digest, repo.cache.local):
            check_relative(name)
    except (ValueError, TypeError, KeyError) as error:
        yield f"{out}: its listing makes no sense ({error})"


def _wrong_files(out: Any, cache: Any) -> Iterator[str]:
    """What the cache does not hold as an output names it."""
    digest = str(out.hash_info.value)
    names = _listed(digest, cache) if digest.endswith(".dir") else {"": digest}
    for name, each in names.items():
        if _whole(each, cache) is None:
            yield f"{Path(str(out), name)}: it is not {each}"


def _listed(digest: str, cache: Any) -> dict[str, str]:
    """The MD5 of each file that a folder's listing names."""
    entries = json.loads(regular(cache.oid_to_path(digest)).read_text("utf-8"))
    return {entry["relpath"]: entry["md5"] for entry in entries}


def _whole(digest: str, cache: Any) -> Path | None:
    """An object of the cache, if it is there and what its name says; another one is removed."""
    path = Path(cache.oid_to_path(digest))
    if not path.is_file():
        return None
    with regular(path).open("rb") as file:
        if hashlib.file_digest(file, "md5").hexdigest() == digest.removesuffix(".dir"):
            return path
    path.unlink()
    return None
