"""Commands from students to a verdict and a registered model."""

import click

from brain_teacher.cli.options import (
    Telling,
    folder_option,
    out_option,
    say_unless,
    settings,
    with_settings,
)


@click.command(
    cls=Telling, tables={"Outcomes (compare.outcome)": "analysis.outcomes:primary_outcomes"}
)
@with_settings
@folder_option("students", "outputs/students")
@out_option("metrics.json, tables and figures")
def compare(params_file, quiet, students, out):
    """Hold the brain-taught students against every control; print table and verdict.

    \b
    Example:
      brain-teacher compare --students outputs/students --out runs/again
    """
    from brain_teacher.commands.compare import compare as command

    command(settings(params_file), students=students, out=out, say=say_unless(quiet))


@click.command()
@with_settings
@folder_option("students", "outputs/students")
@folder_option("comparison", "outputs/comparison")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def promote(params_file, quiet, students, comparison, dry_run):
    """Register the best brain-taught student as challenger, or champion.

    \b
    Example:
      brain-teacher promote --dry-run
    """
    from brain_teacher.commands.promote import promote as command

    command(
        settings(params_file),
        students=students,
        comparison=comparison,
        dry_run=dry_run,
        say=say_unless(quiet),
    )
