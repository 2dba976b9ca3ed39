"""The command that chooses the settings."""

import click

from brain_teacher.cli.options import common, say_unless


@click.command()
@common
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--force", is_flag=True, help="Lose changes of params.yaml that git does not have.")
def use(quiet, name, force):
    """Put a preset (params/NAME.yaml) in place as params.yaml; without a name, list them.

    \b
    Examples:
      brain-teacher use god
      brain-teacher use sample
    """
    from brain_teacher.commands.use import use as command

    command(name, force=force, say=say_unless(quiet))
