"""Commands from recordings to soft labels."""

import click

from brain_teacher.cli.options import (
    Telling,
    call,
    data_option,
    folder_option,
    names,
    out_option,
    repeatable,
    run_time_options,
    settings,
    with_settings,
)


@click.command()
@with_settings
@data_option
@out_option("voxels")
@repeatable("subject", "A subject")
@repeatable("roi", "An ROI")
@run_time_options("jobs")
def preprocess(params_file, quiet, data, out, subject, roi, run_time):
    """Cut BData files into voxels, one file per subject and ROI.

    \b
    Example:
      brain-teacher preprocess --roi HVC --out runs/hvc
    """
    from brain_teacher.commands.preprocess import preprocess as command

    params = settings(params_file, preprocess={"subject": subject, "roi": roi})
    call(command, params, data, quiet, out=out, run_time=run_time)


@click.command(cls=Telling, tables={"Decoders": "decoding.decoders.table:DECODERS"})
@with_settings
@data_option
@folder_option("voxels", "outputs/voxels")
@out_option("soft labels, metrics.json and figures")
@repeatable("subject", "A subject", "all there are")
@repeatable("roi", "An ROI", "all there are")
@repeatable("decoder", "A decoder", callback=names)
@click.option("--nested", type=bool, metavar="true|false", help="Also nested soft labels.")
@run_time_options("jobs", "device")
def decode(params_file, quiet, data, voxels, out, subject, roi, decoder, nested, run_time):
    """Decode voxels into out-of-fold soft labels.

    \b
    Example:
      brain-teacher decode --subject S1 --roi V1 --roi HVC --decoder logistic,ridge
    """
    from brain_teacher.commands.decode import decode as command

    params = settings(params_file, decode={"decoder": decoder, "nested": nested})
    given = {"subject": subject, "roi": roi, "run_time": run_time}
    call(command, params, data, quiet, voxels=voxels, out=out, **given)


@click.command()
@with_settings
@data_option
@folder_option("voxels", "outputs/voxels")
@out_option("the controls' soft labels and metrics.json")
@click.option("--seeds", type=int, help="How many draws.  [default: as distill.seeds]")
@run_time_options("jobs", "device")
def controls(params_file, quiet, data, voxels, out, seeds, run_time):
    """Decode exchanged trials, and time alone: what needs no brain.

    The subjects, ROI and decoder are those of distill in the settings.

    \b
    Example:
      brain-teacher controls --seeds 3
    """
    from brain_teacher.commands.controls import controls as command

    params = settings(params_file, distill={"seeds": seeds})
    call(command, params, data, quiet, voxels=voxels, out=out, run_time=run_time)
