"""What students are trained in: everything that ``distill`` and ``search`` read beforehand."""

from dataclasses import dataclass, replace
from pathlib import Path

from brain_teacher.cells.cell import FileInput
from brain_teacher.chain.dataset import DataSet, choose
from brain_teacher.chain.params import Params
from brain_teacher.chain.students.cells import Material
from brain_teacher.chain.students.material import gather, similarity_of
from brain_teacher.chain.students.planning import plan_students
from brain_teacher.chain.students.precision import settle
from brain_teacher.chain.students.rivals import LIVE, live_weights, read_table
from brain_teacher.chain.students.soft_labels import origin_of, read_brain
from brain_teacher.distillation.teachers import PERMUTED_TRIALS, TEACHERS
from brain_teacher.errors import BrainTeacherError, UsageError
from brain_teacher.networks.image_features import UNTRAINED
from brain_teacher.report.words import BY_WAY_OF, WITHOUT_PICTURE


@dataclass(frozen=True, eq=False)
class Setting:
    """Images, brain, teachers and recipes; `settled` completes it.

    Attributes
    ----------
    params : Params
    dataset : DataSet
    controls, rivals : Path
    teachers : list of str
    origin : dict
        What the brain is.
    material : Material
    parts : list of Part
    similarity : DataFrame or None
    recipes : dict of str to dict
        By teacher; empty before `settled`.
    live : FileInput or None
        The weights of the network that a teacher lets look at batches.
    """

    params: Params
    dataset: DataSet
    controls: Path
    rivals: Path
    teachers: list
    origin: dict
    material: Material
    parts: list
    similarity: object
    recipes: dict
    live: FileInput | None = None

    def settled(self, out, run_time, say):
        """With device, precision, recipes and networks, as ``auto`` and the teachers ask for."""
        settings = self.params.distill
        base, device = settle(self.params, settings.recipe(), out, run_time, say)
        precision = {"precision": base["precision"]}
        seconds = 60 * run_time.checkpoint_minutes
        return replace(
            self,
            recipes={name: settings.recipe(name) | precision for name in self.teachers},
            material=replace(self.material, device=device, checkpoint_s=seconds),
            live=FileInput.of(live_weights(self.rivals)) if LIVE in self.teachers else None,
        )

    def students(self, teachers, seeds, *, parts=None, recipes=None, origin=None, table=None):
        """`plan_students` of this setting; what is not given is the setting's own."""
        return plan_students(
            self.material,
            parts or self.parts,
            teachers,
            recipes=recipes or self.recipes,
            seeds=seeds,
            origin=origin or self.origin,
            similarity=self.similarity,
            table=table or self.table,
            live=self.live,
        )

    def table(self, name, seed, part):
        """The SoftLabels that a teacher reads beside the brain's."""
        if part.fold is not None:
            raise BrainTeacherError(
                f"the table {name!r} is made for unseen test images only (distill.split: unseen)"
            )
        if name == PERMUTED_TRIALS:
            return read_brain(self.origin, self.dataset, self.controls, f"_{name}_{seed}")
        return read_table(self.rivals)


def open_setting(params, *, dataset, soft_labels, controls, rivals, limit=None):
    """Read a data set and its soft labels, and check what is asked for.

    Parameters
    ----------
    params : Params
    dataset : DataSet
    soft_labels, controls, rivals : path-like
        Of the last two only what a teacher needs must be there.
    limit : int, optional
        About so many images of each split.

    Returns
    -------
    Setting
    """
    if not dataset.description.pictures:
        raise BrainTeacherError(
            f"data set {dataset.name} has no pictures (dataset.yaml: pictures: false): voxels "
            "can be decoded, but there is nothing that a student could look at"
        )
    settings = params.distill
    teachers = choose(settings.teacher, list(TEACHERS), "distill.teacher")
    _check_network(settings)
    origin = origin_of(params, dataset)
    material, parts = gather(params, dataset, Path(soft_labels), origin, limit)
    return Setting(
        params=params,
        dataset=dataset,
        controls=Path(controls),
        rivals=Path(rivals),
        teachers=teachers,
        origin=origin | _notable(parts[0].brain) | ({} if limit is None else {"limit": limit}),
        material=material,
        parts=parts,
        similarity=similarity_of(params, dataset.description.superclasses, material.class_id),
        recipes={},
    )


def _notable(brain):
    """What every table of these students says of the brain: its lost pictures, a network's help."""
    notable = {key: brain.meta[key] for key in (WITHOUT_PICTURE,) if key in brain.meta}
    features = brain.meta.get("features")
    if features is not None and features.get("weights") != UNTRAINED:
        keys = ("source", "network", "layer", "weights")
        notable[BY_WAY_OF] = ", ".join(features[key] for key in keys if key in features)
    return notable


def _check_network(settings):
    from brain_teacher.networks.classifiers import check_network

    try:
        check_network(
            settings.network, width=settings.width, stem=settings.stem, weights=settings.weights
        )
    except ValueError as error:
        raise UsageError(f"distill.network: {error}") from error
