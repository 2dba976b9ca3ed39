"""The ``brain-teacher`` command: parses, calls one function of ``commands``, gives exit codes.

Nothing heavy is imported here: ``--help`` answers at once.
"""

import click

from brain_teacher import __version__
from brain_teacher.cli import brains, data, students
from brain_teacher.cli.options import Command, Group


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="brain-teacher")
def main() -> None:
    """Can a human brain teach a neural network?

    \b
    The chain, from BData files to a promoted student:
      preprocess -> decode -> distill -> compare -> report -> promote

    \b
    Examples:
      dvc repro                                the whole chain, as params.yaml says
      brain-teacher decode --roi HVC           one ROI, into runs/decode-<UTC time>
      brain-teacher controls                   what the decoder gives without a brain
      brain-teacher rivals --teacher all       the ResNet34 of ordinary distillation
      brain-teacher distill --teacher none,brain --seeds 2 --epochs 5
      brain-teacher plan --discordant 0.12 --seed-sd 1 --effect 2
      brain-teacher promote --dry-run
    """  # noqa: D400 - the project's question


for room in (data, brains, students):
    for command in vars(room).values():
        if isinstance(command, Command):
            main.add_command(command)
