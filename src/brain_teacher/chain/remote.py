"""Where DVC pushes results: to a remote of the data set's name, and only the sample's is in git."""

from pathlib import Path

from brain_teacher.errors import BrainTeacherError

# The data set whose remote, `STORE`, is a folder of the repository.
SAMPLE, STORE = "sample", "store"


def check_remote(dataset: str, *, root: Path = Path(), again: str) -> None:
    """Refuse where DVC has no remote for the results of a data set, or one that lies in git.

    ``dvc.yaml`` names the remote after the data set, and there is no default one: so ``dvc push``
    refuses too. `again` is what to type once there is one. Without DVC nothing is asked.
    """
    if not (root / ".dvc").is_dir():
        return
    from dvc.config import Config, ConfigError

    try:
        remote = Config(str(root / ".dvc"))["remote"].get(dataset)
    except ConfigError as error:
        raise BrainTeacherError(f"{root / '.dvc'}: {' '.join(str(error).split())}") from error
    if remote is None:
        wrong, force = f"DVC has no remote {dataset!r}", ""
    elif dataset != SAMPLE and Path(remote["url"]).resolve() == (root / STORE).resolve():
        wrong, force = f"DVC's remote {dataset!r} is {STORE}/, which is in git", "--force "
    else:
        return
    raise BrainTeacherError(
        f"{wrong}, and `dvc push` takes results there: type `dvc remote add --local --default "
        f"{force}{dataset} URL` (a folder outside will do), then `{again}` again"
    )
