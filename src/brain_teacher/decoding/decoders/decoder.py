"""What a decoder is to those who set it up, call it and tell of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from brain_teacher.settings import Block


@dataclass(frozen=True)
class Decoder:
    """An entry of ``DECODERS``; reading it loads neither numpy nor torch."""

    label: str  # what it is, for people
    decode: Callable  # see `decoders.table`; imports what it computes with when called
    settings: type[Block]  # its own, with their defaults: the block ``decode.<name>``
    # What it is given besides, by keyword; and the part of its settings that says how that is had,
    # which it is not given itself.
    needs: Mapping[str, type[Block]] = field(default_factory=dict)
    torch: bool = False  # it computes with torch, perhaps on a GPU
    # ``(voxels, plan, *, normalise, select, n_voxels, ...)``: what it tells of categories that it
    # was never trained on.
    identify: Callable | None = None

    def arguments(self, own, given):
        """What `decode` takes of its own: values of its settings, and of `given` what it needs."""
        kept = {key for block in self.needs.values() for key in block.model_fields}
        taken = {key: value for key, value in own.items() if key not in kept}
        return taken | {name: given[name] for name in self.needs}
