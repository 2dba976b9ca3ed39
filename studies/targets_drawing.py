"""What seven teachers say of one picture of the sample (simulated): draws docs/targets.png.

    python studies/targets_drawing.py [--soft-labels outputs/soft_labels] [--out docs/targets.png]

The picture is chosen by a hash of its id, and the targets are those of seed 0 at the temperature of
`params.yaml`.
"""

from pathlib import Path

import click

from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import load_params
from brain_teacher.chain.students.material import similarity_of
from brain_teacher.chain.students.soft_labels import origin_of, read_brain
from brain_teacher.dataset.images import find_shown, load_images
from brain_teacher.distillation.drawing import draw_targets
from brain_teacher.report.cell_guesses import choose_images
from brain_teacher.report.figure_files import save_figure
from brain_teacher.report.layout import BLUE, VERMILION, new_figure, write_caption, write_title

ROOT = Path(__file__).parents[1]
CAPTION = (
    "Bars: what a student is told of this picture, in probabilities; the label's bar has the other "
    "colour. All but none are softened (T = {temperature:g}). The picture was chosen by a hash of "
    "its id, whatever the brain says of it."
)
SAYS = {
    "none": "the label alone",
    "smooth-matched": "as unsure as the brain here",
    "semantic": "classes that words call alike",
    "brain-class": "the brain's mean of the class",
    "brain-confidence": "and this image's confidence",
    "permuted-images": "another image's row",
    "brain": "this image's own row",
}


def targets_of(params, dataset, soft_labels):
    """The chosen image, its class, the classes, and each teacher's row for it."""
    brain = read_brain(origin_of(params, dataset), dataset, soft_labels)
    category = dataset.category_of(brain.image_id)
    (image,) = choose_images(brain.image_id, category, 1)
    similarity = similarity_of(params, dataset.description.superclasses, brain.class_id)
    drawn = {"temperature": params.distill.temperature, "seed": 0, "similarity": similarity}
    own, rows = str(dataset.category_of([image])[0]), {}
    for teacher in SAYS:
        made = draw_targets(teacher, brain, category, **drawn)
        if made is None:
            rows[teacher] = (brain.class_id == own).astype(float)
        else:
            rows[teacher] = made.probs[made.image_id.tolist().index(image)]
    return image, own, brain.class_id.tolist(), rows


def targets_figure(pixels, own, classes, rows, *, title, names, temperature):
    """A panel of bars for each teacher, and the picture after the last."""
    figure = new_figure(9.6, 6.6)
    *axes, last = figure.subplots(2, 4).ravel()
    last.imshow(pixels)
    last.set_axis_off()
    last.set_title(names[own], fontsize=9, fontweight="bold")
    order = sorted(range(len(classes)), key=lambda column: names[classes[column]])
    colours = [VERMILION if classes[column] == own else BLUE for column in order]
    for ax, (teacher, row) in zip(axes, rows.items(), strict=True):
        ax.barh(range(len(order)), row[order], color=colours, height=0.8)
        ax.set(xlim=(0, 1), ylim=(len(order) - 0.4, -0.6), xticks=(0, 0.5, 1))
        ax.set_title(f"{teacher}\n", fontsize=10, fontweight="bold")
        ax.text(0.5, 1.02, SAYS[teacher], transform=ax.transAxes, ha="center", fontsize=8)
        ax.set_yticks(range(len(order)), [names[classes[column]] for column in order], fontsize=7.5)
        ax.tick_params(axis="y", length=0, labelleft=ax.get_subplotspec().is_first_col())
        ax.tick_params(axis="x", labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    write_title(figure, title)
    write_caption(figure, CAPTION.format(temperature=temperature))
    return figure


@click.command()
@click.option("--soft-labels", default=ROOT / "outputs" / "soft_labels", type=Path)
@click.option("--out", default=ROOT / "docs" / "targets.png", type=Path)
def main(soft_labels, out):
    """Draw docs/targets.png."""
    params = load_params(ROOT / "params.yaml")
    dataset = open_dataset(ROOT / "data" / params.dataset.name)
    image, own, classes, rows = targets_of(params, dataset, soft_labels)
    (pixels,) = load_images([find_shown(dataset.folder)[image]], params.distill.image_size)
    figure = targets_figure(
        pixels, own, classes, rows,
        title=f"{params.dataset.name} (simulated): what seven teachers say of one picture",
        names=dataset.description.categories, temperature=params.distill.temperature,
    )  # fmt: skip
    save_figure(out, figure, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main()
