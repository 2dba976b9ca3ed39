"""``params.yaml`` as strict models: the one home of every setting."""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)

from brain_teacher.analysis.outcomes import OUTCOMES, primary_outcomes
from brain_teacher.dataset.ids import NAME
from brain_teacher.decoding.decoders.table import DECODERS
from brain_teacher.distillation.losses import LOSSES
from brain_teacher.errors import UsageError, nearest
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


def _name_in(table):
    def check(name):
        if name not in table:
            raise ValueError(f"no such name{nearest(name, table)} (known: {', '.join(table)})")
        return name

    return check


def _with_blocks(model, table):
    """The model with a block for each of a table's entries that has settings of its own."""
    blocks = {name: each.settings for name, each in table.items() if each.settings is not None}
    fields = {name: (block, Field(default_factory=block)) for name, block in blocks.items()}
    if twice := blocks.keys() & model.model_fields:
        raise ValueError(f"{min(twice)!r} is a setting already; give the new entry another name")
    return create_model(model.__name__.lstrip("_"), __base__=model, **fields)


class Dataset(Block):
    """Which data set, and how its unseen images are split."""

    name: str
    validation_share: Share

    @field_validator("name")
    @classmethod
    def _name(cls, value):
        if not NAME.fullmatch(value):
            raise ValueError("may hold only letters, digits and '-'")
        return value


class Preprocess(Block):
    """Which recordings are cut into which ROIs."""

    subject: All | Names
    roi: All | Names


class Folds(Block):
    """What stays together on one side of a fold."""

    by: Literal["image", "round", "run", "group"]
    count: Literal["auto", "most"] | Annotated[Whole, Field(ge=2)] = "auto"
    group: str | None = None

    @model_validator(mode="after")
    def _group(self):
        if (self.by == "group") != (self.group is not None):
            raise ValueError("'group' names a column of stimuli.csv, and belongs to 'by: group'")
        if self.by != "image" and self.count != "auto":
            raise ValueError("'count' belongs to 'by: image'; else there are as many as there are")
        return self


class _Decode(Block):
    """How voxels become soft labels; below this a block of settings for each decoder."""

    decoder: Names
    folds: Folds
    nested: Yes
    normalise: Literal["run", "fold", "centre"]
    select: Literal["f-score", "correlation"]
    voxels: Count
    calibrate: Yes

    def settings(self, decoder):
        """Of one decoder: what is common to all, and its own block."""
        common = {"folds", "normalise", "select", "voxels", "calibrate"}
        return self.model_dump(include=common) | {"own": getattr(self, decoder).model_dump()}


Decode = _with_blocks(_Decode, DECODERS)


class Own(Block):
    """What a teacher has of its own: chosen by `brain-teacher search`, then frozen."""

    temperature: Positive | None = None
    alpha: Alpha | None = None
    learning_rate: Positive | None = None
    epochs: Count | None = None


class Search(Block):
    """What `brain-teacher search` tries, for every teacher as many recipes."""

    seeds: Count
    temperature: Annotated[list[Positive], Field(min_length=1)]
    alpha: Annotated[list[Alpha], Field(min_length=1)]
    learning_rate: Annotated[list[Positive], Field(min_length=1)]
    epochs: Annotated[list[Count], Field(min_length=1)]

    @model_validator(mode="after")
    def _budget(self):
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

    subject: All | Names
    roi: Names
    decoder: str
    teacher: All | Names
    similarity: str
    split: Literal["unseen", "folds"]
    loss: Annotated[str, AfterValidator(_name_in(LOSSES))]
    temperature: Positive
    alpha: Alpha
    recipes: dict[str, Own]
    seeds: Count
    epochs: Count
    epoch: Literal["last", "best"]
    network: str
    stem: Literal["auto", "small", "large"]
    width: Count
    weights: str
    image_size: Annotated[Whole, Field(ge=8)]
    batch: Annotated[Whole, Field(ge=2)]
    learning_rate: Positive
    weight_decay: Annotated[Number, Field(ge=0)]
    shift: Annotated[Whole, Field(ge=0)]
    flip: Yes
    precision: Literal["float32", "bfloat16", "auto"]
    device: Literal["auto", "cpu", "cuda"]
    processes: Literal["auto"] | Count
    checkpoint_minutes: Positive

    @model_validator(mode="after")
    def _shift(self):
        if self.shift >= self.image_size:
            raise ValueError("shift must be smaller than image_size (reflection padding)")
        return self

    def recipe(self, teacher=None):
        """How a teacher's students are trained: what is common to all, and its own."""
        own = self.recipes[teacher].model_dump(exclude_none=True) if teacher in self.recipes else {}
        found = self.model_dump(include=set(RECIPE)) | own
        if LOSSES[self.loss].settings is None:
            return found
        return found | {"loss_settings": getattr(self, self.loss).model_dump()}


Distill = _with_blocks(_Distill, LOSSES)


class Explore(Block):
    """How many students each subject and ROI teaches; 0: none."""

    seeds: Annotated[Whole, Field(ge=0)]

    @field_validator("seeds")
    @classmethod
    def _interval(cls, value):
        if value == 1:
            raise ValueError("give 2 or more (an interval is shown with each mean), or 0")
        return value


class Compare(Block):
    """The family of comparisons and the margin, fixed before the result."""

    outcome: Annotated[str, AfterValidator(_name_in(OUTCOMES))]
    family: Names
    margin: Share

    @field_validator("outcome")
    @classmethod
    def _of_images(cls, value):
        known = primary_outcomes()
        if value not in known:
            raise ValueError(
                f"the {OUTCOMES[value].label} is no mean over images, so that it has no interval "
                f"over them; give {' or '.join(known)}"
            )
        return value


class Promote(Block):
    """When the challenger becomes the champion."""

    gate: Annotated[Number, Field(ge=0, lt=1)]


class Params(Block):
    """All of params.yaml, a block a stage."""

    dataset: Dataset
    preprocess: Preprocess
    decode: Decode
    search: Search
    explore: Explore
    distill: Distill
    compare: Compare
    promote: Promote

    def with_distill(self, **changes):
        """The same with other keys of the block ``distill``."""
        return self.model_copy(update={"distill": self.distill.model_copy(update=changes)})

    @property
    def plan(self):
        """What was decided before the result: the primary comparison (DESIGN, rule 9)."""
        brain = {key: getattr(self.distill, key) for key in ("subject", "roi", "decoder")}
        return {"brain": brain, **self.compare.model_dump(), **self.promote.model_dump()}


def load_params(path, overrides=None):
    """Read params.yaml, with the command line's options put over it.

    Parameters
    ----------
    path : path-like
    overrides : dict of str to dict, optional
        Block -> key -> value; None and empty values mean: as in the file.

    Raises
    ------
    UsageError
        For a missing file, a key that is unknown (the nearest is offered), missing or out of range.
    """
    path = Path(path)
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path} is missing; name the settings with --params FILE") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no blocks (dataset, preprocess, decode, ...)")
    for block, values in (overrides or {}).items():
        given = {key: value for key, value in values.items() if value not in (None, "", (), [])}
        if isinstance(content.get(block), dict):
            content[block] |= given
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UsageError(f"{path}: {_first_error(error)}") from None


def _first_error(error):
    # A misspelt key is both an unknown and a missing one: the unknown one says more.
    errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    first = errors[0]
    place = [str(part) for part in first["loc"] if "[" not in str(part) and part != "literal"]
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        model = Params
        for part in place[:-1]:
            model = model.model_fields[part].annotation
        guess = nearest(place[-1], model.model_fields)
        known = "" if guess else f" (there is {', '.join(model.model_fields)})"
        return f"unknown key {where!r}{guess}{known}"
    if first["type"] == "missing":
        return f"{where} is missing"
    value = first["input"]
    shown = f" (it is {value!r})" if isinstance(value, str | int | float) else ""
    if first["type"] == "literal_error" and first["loc"][-1] == "literal['all']":
        example = f"[{value}], say" if isinstance(value, str) else "at least one"
        return f"{where}: give 'all', or a list of names ({example}){shown}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{shown}"
