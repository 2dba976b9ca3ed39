"""Students of several folds, joined: each answers for the images of its own fold."""

from dataclasses import replace

import numpy as np

from brain_teacher.distillation.students import Answers


def join_folds(students, *, split="test"):
    """One `Answers` a teacher and seed, over the test images of all folds.

    Parameters
    ----------
    students : sequence of Answers
        In any order. Those of folds have ``meta["fold"]``; those of unseen images have not, and
        come back as they are.
    split : str
        ``validation`` joins those images instead.

    Returns
    -------
    list of Answers
        In the order of teacher and seed. A joined one has the `split`'s images of all folds in the
        order of the folds, no other images, and no ``fold``; it has diverged if one of its folds
        has.

    Raises
    ------
    ValueError
        If a fold is missing or stands twice, if an image is of two folds, or if only some
        of the students have a fold.
    """
    groups, folds = {}, set()
    for student in students:
        teacher, seed, fold = (student.meta.get(key) for key in ("teacher", "seed", "fold"))
        group = groups.setdefault((teacher, seed), {})
        if fold in group:
            what = "" if fold is None else f" fold {fold}"
            raise ValueError(f"{teacher} seed {seed}{what} stands twice")
        group[fold] = student
        folds.add(fold)
    if folds == {None}:
        return [group[None] for _, group in sorted(groups.items())]
    if None in folds:
        raise ValueError("some students were tested on folds, others on unseen images")
    # Folds count from 0, and say how many there are: one which every teacher lacks is missed, too.
    wanted = range(max(student.meta.get("folds", max(folds) + 1) for student in students))
    return [_join(name, group, wanted, split) for name, group in sorted(groups.items())]


def _join(name, group, wanted, split):
    teacher, seed = name
    if missing := [str(fold) for fold in wanted if fold not in group]:
        raise ValueError(f"{teacher} seed {seed} has no student of fold {', '.join(missing)}")
    parts = [group[fold] for fold in wanted]
    first = parts[0]
    if any(not np.array_equal(part.class_id, first.class_id) for part in parts):
        raise ValueError(f"{teacher} seed {seed}: the folds' students know different classes")
    meta = {
        key: value for key, value in first.meta.items() if key not in ("fold", "folds", "curves")
    }
    if any(part.diverged for part in parts):
        return Answers(meta | {"diverged": True}, first.class_id, {}, {}, {})
    images, counts = np.unique(
        np.concatenate([part.image_id[split] for part in parts]), return_counts=True
    )
    if (counts > 1).any():
        image = images[counts > 1][0]
        raise ValueError(f"{teacher} seed {seed}: {split} image '{image}' is of two folds")
    joined = {
        key: {split: np.concatenate([getattr(part, key)[split] for part in parts])}
        for key in ("log_probs", "image_id", "category")
    }
    return replace(first, meta=meta, **joined)
