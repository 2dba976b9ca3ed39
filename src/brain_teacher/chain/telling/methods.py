"""Which sentences make the methods of a run, and in which order."""

from collections.abc import Mapping
from importlib.metadata import version
from platform import python_version_tuple
from typing import Any

from brain_teacher import __version__
from brain_teacher.analysis.outcomes import OUTCOMES
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.teachers import OWN_TABLE, TEACHERS
from brain_teacher.report.kinds import called
from brain_teacher.report.methods import Part, paragraph, sentences

DATA = ["dataset.description:read_description", "chain.voxels:RecordingCell"]
FOLDS = [
    "decoding.out_of_fold:plan_for",
    "decoding.voxel_scaling:scaled_sides",
    "decoding.voxel_scaling:best_voxels",
]
AFTER_DECODING = ["decoding.calibration:fit_temperature", "decoding.noise:decode_noise"]
MEASURED = ["decoding.quality:quality", "analysis.reliability:between_subjects"]
BESIDE = ["chain.students.material:similarity_of", "chain.students.soft_labels:read_own_table"]
TESTED = ["chain.students.material:gather", "dataset.images:split_unseen"]
TRAINED = [
    "chain.params:Own",
    "distillation.engine:train_student",
    "networks.classifiers:build_network",
    "distillation.augmentation:to_batch",
    "chain.students.precision:settle",
]
COMPARED = [
    "analysis.differences:mean_difference",
    "analysis.statistics:compare_to_controls",
    "analysis.sign_flips:sign_flip_p",
    "analysis.equivalence:equivalence_p",
    "analysis.verdict:decide",
    "chain.params:Promote",
]
# What computes; with the work to cite, where there is one.
PACKAGES = {
    "numpy": "", "scipy": "", "scikit-learn": "pedregosa2011", "statsmodels": "",
    "torch": "paszke2019", "torchvision": "", "bdpy": "", "dvc": "", "mlflow": "",
}  # fmt: skip


def methods_of(settings: Mapping[str, Any], made: Mapping[str, Any]) -> list[Part]:
    """Headings and paragraphs, of a plan's blocks (`Params.plan`) and of what was made by it.

    `made` says what a sentence cannot know from the settings: see `brain_teacher.chain.telling`.
    """
    decoder = settings["distill"]["decoder"]
    known = {**settings, "made": made, "own": settings["decode"].get(decoder, {})}
    parts: list[Part] = [("Data", [paragraph(DATA, known)])]
    if made["decoded"]:
        how = [*FOLDS, DECODERS[decoder].decode, *AFTER_DECODING]
        parts.append(("Decoding", [paragraph(how, known), paragraph(MEASURED, known)]))
    if made["teachers"]:
        loss = [LOSSES[settings["distill"]["loss"]].of, *TRAINED]
        taught = [paragraph(["decoding.combining:combine"], known) + " " + _teachers(known)]
        taught += [paragraph(each, known) for each in (BESIDE, TESTED, loss)]
        parts.append(("Teaching", taught))
    if made["compared"]:
        outcome = OUTCOMES[settings["compare"]["outcome"]].of
        parts.append(("Statistics", [paragraph([outcome, *COMPARED], known)]))
    parts.append(("Software", [_software()]))
    kind = made["kind"]
    return [(heading, [called(each, kind) for each in texts if each]) for heading, texts in parts]


def _teachers(known: Mapping[str, Any]) -> str:
    """What each teacher of the students gave, by its own sentence or, failing that, its label."""
    said = []
    for name in known["made"]["teachers"]:
        if name.startswith(OWN_TABLE):
            said.append(f"`{name}` gave that table, softened.")
        else:
            entry = TEACHERS[name]
            said.append(sentences(entry.teach, known) or f"`{name}` gave {entry.label}.")
    return f"Students differ in what they were taught with alone. {' '.join(said)}"


def versions() -> dict[str, str]:
    """What computed, and its version; builds of one version compute alike here."""
    python = ".".join(python_version_tuple()[:2])
    own = {"brain-teacher": __version__, "Python": python}
    return own | {name: version(name).partition("+")[0] for name in PACKAGES}


def _software() -> str:
    told = [
        f"{name} {number}" + (f" [@{PACKAGES[name]}]" if PACKAGES.get(name) else "")
        for name, number in versions().items()
    ]
    return f"Everything was computed by {', '.join(told[:-1])} and {told[-1]}."
