"""What students are trained in: everything that ``distill`` and ``search`` read beforehand."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from brain_teacher.cells.cell import FileInput
from brain_teacher.chain.dataset import DataSet, choose
from brain_teacher.chain.device import card_for
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.cells import TRAINING, Material, StudentCell
from brain_teacher.chain.students.maps import by_way_of, read_maps
from brain_teacher.chain.students.material import Part, digest_of_inputs, gather, similarity_of
from brain_teacher.chain.students.precision import settle
from brain_teacher.chain.students.relations import compares_images, read_relations
from brain_teacher.chain.students.rivals import LIVE, live_weights, read_table
from brain_teacher.chain.students.soft_labels import (
    SOFT_LABELS,
    check_different,
    check_no_zeros,
    digest_of_labels,
    origin_of,
    read_brain,
    read_own_table,
)
from brain_teacher.decoding.soft_labels import IMPORTED, PEOPLE, WORDS, SoftLabels
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.distillation.lessons import NotApplicable
from brain_teacher.distillation.targets import Live, Relations
from brain_teacher.distillation.teachers import (
    OWN_TABLE,
    PERMUTED_TRIALS,
    TEACHERS,
    table_of,
)
from brain_teacher.errors import BrainTeacherError, UsageError, about
from brain_teacher.files import file_digest, fingerprint
from brain_teacher.machine import RunTime
from brain_teacher.networks.image_features import UNTRAINED
from brain_teacher.report.kinds import BRAIN, BY_WAY_OF
from brain_teacher.report.words import CATEGORIES, WITHOUT_PICTURE

# From a name, a seed and the part: what a teacher reads beside the brain's soft labels.
Table = Callable[[str, int, Part], SoftLabels]


@dataclass(frozen=True, eq=False)
class Setting:
    """Images, brain, teachers and recipes; `settled` completes it."""

    params: Params
    dataset: DataSet
    controls: Path
    rivals: Path
    teachers: list[str]
    origin: dict[str, Any]  # what the brain is
    material: Material
    parts: list[Part]
    similarity: pd.DataFrame | None
    tables: dict[str, SoftLabels]  # the user's own that a teacher reads, by the teacher's name
    relations: Relations | None  # what says how alike images are, where no soft labels do
    recipes: dict[str, dict[str, Any]]  # by teacher; empty before `settled`
    # Of the pictures of each part, and of what a teacher reads beside its brain, once read.
    digests: dict[str, str] = field(default_factory=dict)
    live: FileInput | None = None  # weights of the network that a teacher lets look at batches

    def settled(self, out: Path, run_time: RunTime, say: Callable[[str], None]) -> Self:
        """With device, precision, recipes and networks, as ``auto`` and the teachers ask for."""
        settings = self.params.distill
        base, device = settle(self.params, settings.recipe(), out, run_time, say)
        precision = {"precision": base["precision"]}
        seconds = 60 * run_time.checkpoint_minutes
        return replace(
            self,
            recipes={name: settings.recipe(name) | precision for name in self.teachers},
            material=replace(
                self.material,
                device=device,
                card=card_for(run_time, device),
                checkpoint_s=seconds,
            ),
            live=FileInput.of(live_weights(self.rivals)) if LIVE in self.teachers else None,
        )

    def students(
        self,
        teachers: Sequence[str],
        seeds: Iterable[int],
        *,
        parts: Sequence[Part] = (),
        recipes: dict[str, dict[str, Any]] | None = None,
        origin: dict[str, Any] | None = None,
        table: Table | None = None,
    ) -> tuple[list[StudentCell], dict[str, str]]:
        """A cell a student, and the teachers that say nothing beside this brain, and why.

        What is not given is the setting's own.
        """
        cells: list[StudentCell] = []
        skipped: dict[str, str] = {}
        parts, recipes = parts or self.parts, recipes or self.recipes
        for part in parts:
            rows = {split: self.material.rows(ids) for split, ids in part.image_id.items()}
            known = fingerprint(*(each for split in rows.items() for each in split))
            if known not in self.digests:
                self.digests[known] = digest_of_inputs(self.material, rows)
            ending = "" if part.fold is None else f"_fold{part.fold}"
            for teacher, seed in product(teachers, seeds):
                if teacher in skipped:
                    continue
                try:
                    taught = self._taught(
                        teacher, seed, part, recipes[teacher], table or self.table
                    )
                    if (second := f"{known} {teacher}") not in self.digests:
                        self.digests[second] = self._second(teacher, part, table or self.table)
                except NotApplicable as reason:
                    skipped[teacher] = str(reason)
                    continue
                except ValueError as error:
                    raise BrainTeacherError(f"teacher {teacher}: {error}") from error
                cells.append(
                    StudentCell(
                        name=f"{teacher}_{seed}{ending}",
                        teacher=teacher,
                        seed=seed,
                        recipe=recipes[teacher],
                        inputs=_begun_with(self.digests[known], recipes[teacher]["weights"]),
                        origin=origin or self.origin,
                        rows=rows,
                        fold=part.fold,
                        folds=len(parts),
                        second=self.digests[second],
                        **taught,
                    )
                )
        return cells, skipped

    def _taught(
        self, teacher: str, seed: int, part: Part, recipe: dict[str, Any], table: Table
    ) -> dict[str, Any]:
        """What a teacher says to a student, as fields of its cell."""
        name, material = table_of(teacher), self.material
        category = material.class_id[material.labels[material.rows(part.brain.image_id)]]
        targets = draw_targets(
            teacher,
            part.brain,
            category,
            temperature=recipe["temperature"],
            seed=seed,
            similarity=self.similarity,
            tables={} if name is None else {name: table(name, seed, part)},
            likeness=compares_images(self.params),
            relations=self.relations,
        )
        if isinstance(targets, Live):
            return {"live": self.live, "network": targets.network}
        return {"targets": targets and targets.join(part.image_id[TRAINING], material.class_id)}

    def _second(self, teacher: str, part: Part, table: Table) -> str:
        """Digest of what a teacher reads beside the brain's rows; empty where it reads nothing.

        The first seed's table stands for those that are drawn anew for each: they are made
        together, and students of two seeds can be compared by it.
        """
        name, brain = table_of(teacher), part.brain
        if teacher == LIVE and self.live is not None:
            return self.live.sha256[:12]
        if name is not None:
            return digest_of_labels([table(name, 0, part).take(brain.image_id).sorted()])
        if TEACHERS[teacher].words and self.similarity is not None:
            classes = sorted(brain.class_id)
            return fingerprint(classes, self.similarity.loc[classes, classes].to_numpy())[:12]
        return ""

    def table(self, name: str, seed: int, part: Part) -> SoftLabels:
        """The SoftLabels that a teacher reads beside the brain's."""
        own = self.tables.get(name)
        if part.fold is not None and (own is None or own.kind not in (PEOPLE, WORDS)):
            raise BrainTeacherError(
                f"the table {name!r} is made for unseen test images only (distill.split: unseen)"
            )
        if own is not None:
            return own
        if name == PERMUTED_TRIALS:
            return read_brain(self.origin, self.dataset, self.controls, f"_{name}_{seed}")
        return read_table(self.rivals)


def open_setting(
    params: Params,
    *,
    dataset: DataSet,
    soft_labels: str | Path,
    controls: str | Path,
    rivals: str | Path,
    voxels: str | Path | None = None,
    limit: int | None = None,
) -> Setting:
    """Read a data set and its soft labels, and check what is asked for.

    Of `controls`, `rivals` and `voxels` only what a teacher needs must be there; `limit` means
    about so many images of each split.
    """
    from brain_teacher.networks.classifiers import build_network, check_network

    if not dataset.description.pictures:
        raise BrainTeacherError(
            f"data set {dataset.name} has no pictures (dataset.yaml: pictures: false): voxels "
            "can be decoded, but there is nothing that a student could look at"
        )
    settings = params.distill
    teachers = choose(settings.teacher, settings.known, "distill.teacher")
    with about("distill.network", UsageError):
        check_network(
            settings.network, width=settings.width, stem=settings.stem, weights=settings.weights
        )
    if Path(settings.weights).is_file():  # now, and not when everything else was made for it
        with about("distill.weights", UsageError):
            build_network(
                n_classes=2, image_size=settings.image_size, seed=0, network=settings.network,
                width=settings.width, stem=settings.stem, weights=settings.weights,
            )  # fmt: skip
    origin = origin_of(params, dataset)
    material, parts = gather(params, dataset, Path(soft_labels), origin, limit)
    tables = {
        OWN_TABLE + name: read_own_table(name, files, dataset)
        for name, files in settings.tables.items()
        if OWN_TABLE + name in teachers
    }
    check_different({BRAIN: parts[0].brain, **tables})
    said = any(each.meta.get("simulated") for each in (parts[0].brain, *tables.values()))
    dataset = dataset.with_said(simulated=said)
    check_no_zeros({BRAIN: parts[0].brain, **tables}, settings.loss)
    taught = np.unique(np.concatenate([part.brain.image_id for part in parts]))
    folder = None if voxels is None else Path(voxels)
    relations = read_maps(params, dataset, origin, taught, folder) or read_relations(
        params, origin, taught, folder
    )
    return Setting(
        params=params,
        dataset=dataset,
        controls=Path(controls),
        rivals=Path(rivals),
        teachers=teachers,
        origin=origin
        | dataset.origin
        | {SOFT_LABELS: digest_of_labels((part.brain for part in parts), relations)}
        | _notable(parts[0].brain)
        | by_way_of(params)
        | ({} if limit is None else {"limit": limit}),
        material=material,
        parts=parts,
        similarity=similarity_of(params, dataset.description.superclasses, material.class_id),
        tables=tables,
        relations=relations,
        recipes={},
    )


def _begun_with(inputs: str, weights: str) -> str:
    """The digest of a student's inputs; with the content of a file of weights, if it has one."""
    return fingerprint(inputs, file_digest(weights)) if Path(weights).is_file() else inputs


def _notable(brain: SoftLabels) -> dict[str, Any]:
    """What every table of these students says of the brain: what it is, and what is odd of it."""
    notable = {"kind": brain.kind}
    notable |= {key: brain.meta[key] for key in (WITHOUT_PICTURE,) if key in brain.meta}
    notable |= {CATEGORIES: brain.categories} if brain.categories else {}
    if brain.meta.get(IMPORTED):
        notable[IMPORTED] = True
    features = brain.meta.get("features")
    if features is not None and features.get("weights") != UNTRAINED:
        keys = ("source", "network", "layer", "weights")
        notable[BY_WAY_OF] = ", ".join(features[key] for key in keys if key in features)
    return notable
