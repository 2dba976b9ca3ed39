"""``params.yaml`` as strict models: the one home of every setting.

A file may leave out whatever has a default, as a preset does, or one that is older than a key. The
defaults are what the sample's params.yaml says, which names every key (a test compares).
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, create_model, field_validator, model_validator

from brain_teacher.analysis.outcomes import OUTCOMES, primary_outcomes
from brain_teacher.chain.dataset import choose
from brain_teacher.dataset.ids import NAME
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.distillation.teachers import OWN_TABLE, TEACHERS
from brain_teacher.errors import UsageError, about, nearest
from brain_teacher.reading.text import read_yaml
from brain_teacher.settings import (
    All,
    Alpha,
    Block,
    Count,
    Names,
    Number,
    Positive,
    Share,
    Whole,
    Yes,
)

# What makes a student, whoever teaches it: the fields of ``distillation.engine.Recipe``.
RECIPE = (
    "loss", "temperature", "alpha", "epochs", "epoch", "network", "stem", "width", "weights",
    "batch", "learning_rate", "weight_decay", "shift", "flip", "precision",
)  # fmt: skip

# The controls that the brain is held against.
FAMILY = [
    "none", "smooth-matched", "semantic", "brain-class", "brain-confidence", "permuted-images",
]  # fmt: skip


def _name_in(table: Collection[str]) -> AfterValidator:
    def check(name: str) -> str:
        if name not in table:
            raise ValueError(f"no such name{nearest(name, table)} (known: {', '.join(table)})")
        return name

    return AfterValidator(check)


def _with_blocks(model: type[Block], table: Mapping[str, Any]) -> Any:
    """The model with a block for each of a table's entries that has settings of its own."""
    blocks = {name: each.settings for name, each in table.items() if each.settings is not None}
    if twice := blocks.keys() & model.model_fields:
        raise ValueError(f"{min(twice)!r} is a setting already; give the new entry another name")
    fields: dict[str, Any] = {
        name: (block, Field(default_factory=block)) for name, block in blocks.items()
    }
    return create_model(model.__name__.lstrip("_"), __base__=model, **fields)


class Dataset(Block):
    """Which data set, and how its unseen images are split."""

    name: str
    validation_share: Share = 0.25

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if not NAME.fullmatch(value):
            raise ValueError("may hold only letters, digits and '-'")
        return value


class Preprocess(Block):
    """Which recordings are cut into which ROIs."""

    subject: All | Names = "all"
    roi: All | Names = "all"


class Folds(Block):
    """What stays together on one side of a fold."""

    by: Literal["auto", "image", "round", "run", "group"] = "auto"
    count: Literal["auto", "most"] | Annotated[Whole, Field(ge=2)] = "auto"
    group: str | None = None

    @model_validator(mode="after")
    def _group(self) -> Self:
        if (self.by == "group") != (self.group is not None):
            raise ValueError("'group' names a column of stimuli.csv, and belongs to 'by: group'")
        if self.by not in ("auto", "image") and self.count != "auto":
            raise ValueError("'count' belongs to 'by: image'; else there are as many as there are")
        return self


class _Decode(Block):
    """How voxels become soft labels; below this a block of settings for each decoder."""

    decoder: Names = ["logistic"]
    folds: Folds = Folds()
    nested: Yes = False
    normalise: Literal["run", "fold", "centre"] = "run"
    select: Literal["f-score", "correlation"] = "f-score"
    voxels: Count = 300
    calibrate: Yes = True
    noise_above_chance: Literal["refuse", "allow"] = "refuse"

    def settings(self, decoder: str) -> dict[str, Any]:
        """Of one decoder: what is common to all, and its own block."""
        common = {"folds", "normalise", "select", "voxels", "calibrate"}
        return self.model_dump(include=common) | {"own": getattr(self, decoder).model_dump()}


Decode = _with_blocks(_Decode, DECODERS)


class Own(Block):
    """What a teacher has of its own: chosen by `brain-teacher search`, then frozen.

    In the methods
    --------------
    {% if distill.recipes %}Of their own, chosen on pilot seeds and validation pictures with equal
    budgets, had {% for name, own in distill.recipes|dictsort %}{{ name }} ({% for key, value in
    own|dictsort %}{{ key|replace("_", " ") }} {{ value }}{{ ", " if not loop.last }}{% endfor
    %}){{ ", " if not loop.last }}{% endfor %}.{% endif %}
    """

    temperature: Positive | None = None
    alpha: Alpha | None = None
    learning_rate: Positive | None = None
    epochs: Count | None = None


Tried = Field(min_length=1, max_length=100)


class Search(Block):
    """What `brain-teacher search` tries, for every teacher as many recipes."""

    seeds: Count = 2
    temperature: Annotated[list[Positive], Tried] = [1, 2, 4]
    alpha: Annotated[list[Alpha], Tried] = [0.5, 0.8]
    learning_rate: Annotated[list[Positive], Tried] = [0.001, 0.003, 0.01]
    epochs: Annotated[list[Count], Tried] = [30, 60]

    @model_validator(mode="after")
    def _budget(self) -> Self:
        soft = len(self.temperature) * len(self.alpha)
        hard = len(self.learning_rate) * len(self.epochs)
        if soft != hard:
            raise ValueError(
                f"temperature x alpha gives {soft} recipes, learning_rate x epochs gives {hard}: "
                "every teacher gets the same budget"
            )
        return self


class _Distill(Block):
    """How students are taught; below this a block for each loss that has settings of its own."""

    moved = {
        "device": "--device, or BRAIN_TEACHER_DEVICE",
        "processes": "--jobs, or BRAIN_TEACHER_JOBS",
        "checkpoint_minutes": "--checkpoint-minutes, or BRAIN_TEACHER_CHECKPOINT_MINUTES",
    }

    subject: All | Names = "all"
    roi: Names = ["HVC"]
    decoder: str = "logistic"
    teacher: All | Names = [*FAMILY, "brain"]
    similarity: str = "superclass"
    tables: dict[str, Names] = {}
    split: Literal["unseen", "folds"] = "unseen"
    loss: Annotated[str, _name_in(LOSSES)] = "hinton"
    temperature: Positive = 2
    alpha: Alpha = 0.8
    recipes: dict[str, Own] = {}
    seeds: Count = 8
    epochs: Count = 30
    epoch: Literal["last", "best"] = "last"
    network: str = "resnet18"
    stem: Literal["auto", "small", "large"] = "auto"
    width: Count = 16
    weights: str = "none"
    image_size: Annotated[Whole, Field(ge=8, le=2048)] = 24
    batch: Annotated[Whole, Field(ge=2)] = 32
    learning_rate: Positive = 0.003
    weight_decay: Annotated[Number, Field(ge=0)] = 0.05
    shift: Annotated[Whole, Field(ge=0)] = 2
    flip: Yes = True
    precision: Literal["float32", "bfloat16", "auto"] = "auto"

    @field_validator("tables")
    @classmethod
    def _names(cls, tables: dict[str, list[str]]) -> dict[str, list[str]]:
        for name in tables:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r} may hold only letters, digits and '-'")
        return tables

    @model_validator(mode="after")
    def _teachers(self) -> Self:
        choose(list(self.recipes), self.known, "distill.recipes")
        return self

    @model_validator(mode="after")
    def _shift(self) -> Self:
        if self.shift >= self.image_size:
            raise ValueError("shift must be smaller than image_size (reflection padding)")
        return self

    @property
    def known(self) -> list[str]:
        """Every teacher that there is: the project's, and one a table of the user's own."""
        return [*TEACHERS, *(OWN_TABLE + name for name in self.tables)]

    def recipe(self, teacher: str | None = None) -> dict[str, Any]:
        """How a teacher's students are trained: what is common to all, and its own."""
        own = self.recipes.get(teacher or "", Own()).model_dump(exclude_none=True)
        if LOSSES[self.loss].settings is not None:
            own["loss_settings"] = getattr(self, self.loss).model_dump()
        return self.model_dump(include=set(RECIPE)) | own


Distill = _with_blocks(_Distill, LOSSES)


class Explore(Block):
    """How many students each subject and ROI teaches: an interval is shown with each mean."""

    seeds: Whole = 3

    @field_validator("seeds")
    @classmethod
    def _interval(cls, value: int) -> int:
        if value < 2:
            raise ValueError(
                "give 2 or more (an interval is shown with each mean); 0 switched a stage off that "
                "is none any more: take the line out"
            )
        return value


class Multiverse(Block):
    """Which choices the specification curve varies, and how many specifications are drawn."""

    roi: All | Names = "all"
    decoder: Annotated[list[Annotated[str, _name_in(DECODERS)]], Tried] = ["logistic", "ridge"]
    voxels: Annotated[list[Count], Tried] = [100, 300]
    temperature: Annotated[list[Positive], Tried] = [1, 2, 4]
    alpha: Annotated[list[Alpha], Tried] = [0.5, 0.8]
    loss: Annotated[list[Annotated[str, _name_in(LOSSES)]], Tried] = ["hinton", "dist"]
    family: Names = ["none", "smooth-matched", "brain-class", "permuted-images"]
    most: Count = 24
    seeds: Annotated[Whole, Field(ge=2)] = 3

    @field_validator("family")
    @classmethod
    def _hard_labels(cls, value: list[str]) -> list[str]:
        if "none" not in value:
            raise ValueError("name 'none' too: every verdict begins with hard labels alone")
        return value


class Compare(Block):
    """The family of comparisons and the margin, fixed before the result."""

    outcome: Annotated[str, _name_in(OUTCOMES)] = "accuracy"
    family: Names = FAMILY
    margin: Share = 0.04

    @field_validator("outcome")
    @classmethod
    def _of_images(cls, value: str) -> str:
        known = primary_outcomes()
        if value not in known:
            raise ValueError(
                f"the {OUTCOMES[value].label} is no mean over images, so that it has no interval "
                f"over them; give {' or '.join(known)}"
            )
        return value

    @field_validator("family")
    @classmethod
    def _hard_labels(cls, value: list[str]) -> list[str]:
        if "none" not in value:
            raise ValueError("name 'none' too: every verdict begins with hard labels alone")
        return value


class Promote(Block):
    """When the challenger becomes the champion.

    In the methods
    --------------
    A student is called champion only under that verdict, and if the bound of the interval of brain
    minus hard labels lies beyond the gate of {{ made.gate }}.
    """

    gate: Annotated[Number, Field(ge=0, lt=1)] = 0.02


class Params(Block):
    """All of params.yaml, a block a stage."""

    dataset: Dataset
    preprocess: Preprocess = Preprocess()
    decode: Decode = Decode()  # ty: ignore[invalid-type-form] - made by a function
    search: Search = Search()
    explore: Explore = Explore()
    multiverse: Multiverse = Multiverse()
    distill: Distill = Distill()  # ty: ignore[invalid-type-form] - made by a function
    compare: Compare = Compare()
    promote: Promote = Promote()

    def with_distill(self, **changes: Any) -> Self:
        """The same with other keys of the block ``distill``."""
        return self.model_copy(update={"distill": changes})

    @property
    def plan(self) -> dict[str, dict[str, Any]]:
        """What was decided before the result: all that shapes it (DESIGN, rule 9).

        Left out are teachers beyond the family, decoders that do not teach, and what chooses on
        pilots or is exploratory by its name (``search``, ``explore``, ``multiverse``).
        """
        decoder = self.distill.decoder
        decode = self.decode.settings(decoder) if decoder in DECODERS else {"own": {}}
        return {
            "dataset": self.dataset.model_dump(),
            "preprocess": self.preprocess.model_dump(),
            "decode": decode | {decoder: decode.pop("own")},
            "distill": self.distill.model_dump(exclude={"teacher"}, exclude_none=True),
            "compare": self.compare.model_dump(),
            "promote": self.promote.model_dump(),
        }


def load_params(
    path: str | Path, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Params:
    """Read params.yaml, or a preset, with the command line's options put over it.

    Of these (block -> key -> value) None means: as in the file. What is given of ``distill`` holds
    for every teacher, whatever its own recipe says. A missing file, and a key that is unknown (the
    nearest is offered), twice there, missing or out of range, are UsageErrors.
    """
    path = Path(path)
    try:
        with about(path, UsageError):
            content = read_yaml(path)
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; name the settings with --params FILE") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no blocks (dataset, preprocess, decode, ...)")
    given = {
        block: {key: value for key, value in values.items() if value is not None}
        for block, values in (overrides or {}).items()
    }
    try:
        params = Params.checked(content)
        if asked := given.get("distill"):
            recipes = params.model_dump()["distill"]["recipes"].items()
            asked["recipes"] = {
                teacher: {key: value for key, value in own.items() if key not in asked}
                for teacher, own in recipes
            }
        return params.model_copy(update=given)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None
