"""What this machine gives a process, and how work is to be spread over it."""

from dataclasses import dataclass


def cores() -> int:
    """How many cores this process may use: by its affinity and by its container's quota."""
    import joblib  # knows both

    return joblib.cpu_count()


@dataclass(frozen=True)
class RunTime:
    """Where and how work runs. Nothing that comes out depends on it."""

    # Cells made side by side; None: on the CPU a core each, on GPUs a card each.
    jobs: int | None = None
    device: str = "auto"
    # Of `cells.cluster.CLUSTERS`, or the address of a scheduler; None: processes of this one.
    cluster: str | None = None
    # A student that trains for longer is written down this often.
    checkpoint_minutes: float = 10.0

    @property
    def elsewhere(self) -> bool:
        """Whether cells are made on other machines, whose cores and cards are not known here."""
        return self.cluster not in (None, "local")

    def workers(self, cards: int = 0) -> int:
        """How many processes work side by side, on the CPU or on so many cards."""
        return self.jobs or cards or cores()


def see_only(card: str) -> dict[str, str]:
    """What the environment says to a process, before it loads torch, that is to see one card."""
    # By default CUDA counts from the fastest, other tools from the first slot.
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": card}


HERE = RunTime()
