"""How much of the sample's table is one draw of the voxels' noise: students of eight redraws.

    python studies/redraws.py [--folder DIR] [--write FILE]

The sample's simulated pictures, brains and orders, with the noise of the voxels drawn eight times
anew; each redraw is decoded and teaches four seeds. Minutes on two cores; what is finished is kept.
"""

from pathlib import Path

import click

from brain_teacher.chain.students import folder as student_folder
from dial_draws import (
    decoded,
    draw_params,
    keep_mlflow_runs_in,
    simulated_voxels,
    taught_students,
)
from dial_statistics import between_redraws
from dial_table import BRAIN, put_between_marks

SAMPLE_SEED = 20261124  # of `make sample`
NOISE_SEEDS, SEEDS = (1, 2, 3, 4, 5, 6, 7, 8), 4


def taught_by_redraw(noise_seed, folder, *, seeds, epochs):
    """Test accuracy of the students that one redraw of the noise taught, a seed each."""
    place = folder / f"noise-{noise_seed}"
    params = draw_params(f"redraw-{noise_seed}", teachers=[BRAIN], seeds=seeds, epochs=epochs)
    simulation = {"seed": SAMPLE_SEED, "noise_seed": noise_seed}
    data, voxels = simulated_voxels(place, params, simulation)
    students = taught_students(place, params, data, decoded(place, params, data, voxels))
    return [student_folder.read(students, f"{BRAIN}_{k}").accuracy("test") for k in range(seeds)]


def sentence(accuracy, *, seeds):
    """What the redraws say of a table of so many seeds."""
    found = between_redraws(accuracy, seeds=seeds)
    n_redraws, n_seeds = len(accuracy), len(accuracy[0])
    return (
        f"Simulated sample, the noise of its voxels drawn {n_redraws} times anew, {n_seeds} paired "
        "seeds each: the accuracy of brain-taught students has an SD of "
        f"{100 * found['sd']:.1f} points between redraws, beyond what seeds explain "
        f"(p = {found['p']:.2g}). That is {100 * found['share']:.0f}% [95% interval "
        f"{100 * found['share_low']:.0f}% to {100 * found['share_high']:.0f}%] of what a mean over "
        f"{seeds} seeds varies by from redraw to redraw; the rest is the seeds'. The sample's "
        "table is one such draw: no seed averages this out, and no interval in it holds it."
    )


@click.command(help=__doc__.split("\n")[0])
@click.option(
    "--folder", type=click.Path(path_type=Path), default="runs/redraws", show_default=True
)
@click.option("--redraws", type=click.IntRange(min=2), help="At most so many; only to try it.")
@click.option("--seeds", type=click.IntRange(min=2), help="Students; only to try it.")
@click.option("--epochs", type=click.IntRange(min=1), help="Of students; only to try it.")
@click.option("--write", "file", type=click.Path(path_type=Path), help="Put it there, too.")
def main(folder, redraws, seeds, epochs, file):
    if file and (redraws or seeds or epochs):
        raise click.UsageError("--write is for the full run; leave the other options out")
    keep_mlflow_runs_in(folder)
    accuracy = []
    for noise_seed in NOISE_SEEDS[:redraws]:
        accuracy.append(taught_by_redraw(noise_seed, folder, seeds=seeds or SEEDS, epochs=epochs))
        values = " ".join(f"{100 * value:.1f}" for value in accuracy[-1])
        click.echo(f"noise {noise_seed} (simulated), test accuracy in %: {values}")
    said = sentence(accuracy, seeds=draw_params("any", teachers=[BRAIN]).distill.seeds)
    click.echo(said)
    if file:
        put_between_marks(file, "redraws", said)


if __name__ == "__main__":
    main()
