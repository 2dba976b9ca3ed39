"""One file a command, of one shape: open, plan, make, summarise, say.

What they are told means the same in all of them. `params` are the settings. `data` is a data set
folder; `voxels`, `soft_labels`, `controls`, `rivals`, `students` and `comparison` are what the
commands before wrote. `out` is the folder that is written, and given back; None:
``runs/<command>-<UTC time>``. `run_time` says where and how work runs; nothing that comes out
depends on it. `say` is called with lines of text; `quiet` shows no progress bar.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

# What several calls are given alike.
Given = dict[str, Any]
Place = str | Path
Say = Callable[[str], None]
