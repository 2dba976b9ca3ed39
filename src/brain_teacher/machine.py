"""What this machine gives a process, and how work is to be spread over it."""

from dataclasses import dataclass


def cores() -> int:
    """How many cores this process may use: by its affinity and by its container's quota."""
    import joblib  # knows both

    return joblib.cpu_count()


@dataclass(frozen=True)
class RunTime:
    """Where and how work runs. Nothing that comes out depends on it."""

    # Cells made side by side; None: on the CPU as many as there are cores, on a GPU one.
    jobs: int | None = None
    device: str = "auto"
    # A student that trains for longer is written down this often.
    checkpoint_minutes: float = 10.0

    def workers(self, device: str = "cpu") -> int:
        """How many processes work side by side on a device."""
        return self.jobs or (cores() if device == "cpu" else 1)


HERE = RunTime()
