"""The kinds of values that settings have: what a block of params.yaml is made of."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from brain_teacher.errors import UsageError, cut, nearest

UNKNOWN = "unknown_key"


def _no_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("give a number")
    return value


def _not_huge(value: float) -> float:
    if abs(value) > 1e30:
        raise ValueError("give no more than 1e30")
    return value


def _not_tiny(value: float) -> float:
    if value < 1e-30:
        raise ValueError("give 1e-30 or more")
    return value


All = Literal["all"]
Names = Annotated[list[str], Field(min_length=1)]
Yes = Annotated[bool, Field(strict=True)]
# Beyond these nobody means it, and arithmetic ends: seeds are of 32 bits, 1e-320 has no inverse.
Whole = Annotated[int, Field(strict=True, ge=-(2**31), lt=2**32)]
# Not strict: YAML 1.1 reads 1e-3 as text.
Number = Annotated[
    float, BeforeValidator(_no_bool), Field(allow_inf_nan=False), AfterValidator(_not_huge)
]
Count = Annotated[Whole, Field(ge=1, le=1_000_000)]
Share = Annotated[Number, Field(gt=0, lt=1)]
Positive = Annotated[Number, Field(gt=0), AfterValidator(_not_tiny)]
Alpha = Annotated[Number, Field(ge=0, le=1)]
Penalties = Annotated[list[Positive], Field(min_length=1, max_length=1000)]


class Block(BaseModel):
    """A block of params.yaml: unknown keys are errors, and whatever changes it is checked."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    # Keys of former versions: which option says now where and how work runs.
    moved: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _known(cls, content: Any) -> Any:
        if not isinstance(content, (dict, cls)):
            raise ValueError(f"give a block of keys ({', '.join(cls.model_fields)})")
        for key in content if isinstance(content, dict) else ():
            if key not in cls.model_fields:
                known = f" (there is {', '.join(cls.model_fields)})"
                guess = nearest(key, cls.model_fields) or known
                if key in cls.moved:
                    guess = f": it is no setting any more, take it out; give {cls.moved[key]}"
                said = {"key": str(key), "guess": guess}
                raise PydanticCustomError(UNKNOWN, "{guess}", said)
        return content

    @classmethod
    def checked(cls, content: Any) -> Self:
        """The block that says `content`; what a person can mend in it is a UsageError."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            raise UsageError(_first_error(error)) from None

    def model_copy(
        self,
        *,
        update: Mapping[str, Any] | None = None,
        deep: bool = False,  # noqa: ARG002 - pydantic's signature; what is checked is new anyway
    ) -> Self:
        """The same with other values: checked, which pydantic's own is not.

        ``model_copy(update={"distill": {"seeds": 3}})`` leaves the block's other keys as they are.
        """
        content = self.model_dump()
        for key, value in (update or {}).items():
            within = isinstance(getattr(self, key, None), Block) and isinstance(value, dict)
            content[key] = content[key] | value if within else value
        return self.checked(content)


def _first_error(error: ValidationError) -> str:
    # A misspelt key may be missing too: the misspelling says more.
    first = min(error.errors(), key=lambda each: each["type"] != UNKNOWN)
    place = [cut(part) for part in first["loc"] if "[" not in str(part) and part != "literal"]
    if first["type"] == UNKNOWN:
        where = ".".join([*place, cut(first["ctx"]["key"])])
        return f"unknown key {where!r}{first['ctx']['guess']}"
    where = ".".join(place)
    if first["type"] == "missing":
        return f"{where} is missing"
    value = first["input"]
    shown = f" (it is {cut(repr(value))})" if isinstance(value, str | int | float) else ""
    if first["type"] == "literal_error" and first["loc"][-1] == "literal['all']":
        example = f"[{value}], say" if isinstance(value, str) else "at least one"
        return f"{where}: give 'all', or a list of names ({example}){shown}"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}{shown}"
