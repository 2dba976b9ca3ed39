"""The kinds of values that settings have: what a block of params.yaml is made of."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _no_bool(value):
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


All = Literal["all"]
Names = Annotated[list[str], Field(min_length=1)]
Yes = Annotated[bool, Field(strict=True)]
Whole = Annotated[int, Field(strict=True)]
# Not strict: YAML 1.1 reads 1e-3 as text.
Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Count = Annotated[Whole, Field(ge=1)]
Share = Annotated[Number, Field(gt=0, lt=1)]
Positive = Annotated[Number, Field(gt=0)]
Alpha = Annotated[Number, Field(ge=0, le=1)]
Penalties = Annotated[list[Positive], Field(min_length=1)]


class Block(BaseModel):
    """A block of params.yaml: unknown keys are errors, nothing has a second default."""

    model_config = ConfigDict(extra="forbid", frozen=True)
