"""The command that brings a data set's pictures."""

import click

from brain_teacher.cli.options import call, data_option, settings, with_settings


@click.command()
@with_settings
@data_option
@click.option("--from", "tree", required=True, metavar="DIR", help="An ImageNet tree; only read.")
@click.option(
    "--unseen",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    help="Pictures of each category that no subject saw, for validation and test together.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Which of them: in the order of SHA-256 of seed and id.",
)
@click.option(
    "--link/--copy",
    default=False,
    help="Link to the tree's files (until `dvc add` copies them), or copy.  [default: copy]",
)
def images(params_file, data, quiet, tree, unseen, seed, link):
    """Bring the shown and the unseen pictures from an ImageNet tree.

    A tree holds folders (n01443537/n01443537_22563.JPEG) or tar files (n01443537.tar), at any
    depth. Each picture is decoded before it counts; what is missing is listed in
    images/missing.csv. What is there already stays, the splits of unseen.csv too: to draw anew,
    remove unseen.csv and images/unseen.

    \b
    Example:
      brain-teacher images --from imagenet/train --unseen 40
    """
    from brain_teacher.commands.images import images as command

    params = settings(params_file)
    call(command, params, data, quiet, tree=tree, unseen=unseen, seed=seed, link=link)
