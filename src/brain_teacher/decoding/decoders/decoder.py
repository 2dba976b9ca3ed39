"""What a decoder is to those who set it up, call it and tell of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from brain_teacher.settings import Block


@dataclass(frozen=True)
class Decoder:
    """An entry of ``DECODERS``; reading it loads neither numpy nor torch.

    Attributes
    ----------
    label : str
        What it is, for people.
    decode : callable
        See `brain_teacher.decoding.decoders.table`; imports what it computes with when called.
    settings : type of Block
        Its own settings with their defaults: the block ``decode.<name>``.
    needs : mapping of str to type of Block
        What it is given besides, by keyword; and the part of its settings that says how that is
        had, which it is not given itself.
    torch : bool
        Whether it computes with torch, perhaps on a GPU.
    identify : callable, optional
        ``(voxels, plan, *, normalise, select, n_voxels, ...)``: what it tells of categories that
        it was never trained on.
    """

    label: str
    decode: Callable
    settings: type[Block]
    needs: Mapping[str, type[Block]] = field(default_factory=dict)
    torch: bool = False
    identify: Callable | None = None

    def arguments(self, own, given):
        """What `decode` takes of its own.

        Parameters
        ----------
        own : dict
            Values of its settings.
        given : dict of str to object
            Holds what it needs at least.
        """
        kept = {key for block in self.needs.values() for key in block.model_fields}
        taken = {key: value for key, value in own.items() if key not in kept}
        return taken | {name: given[name] for name in self.needs}
