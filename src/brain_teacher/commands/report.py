"""``report``: one page that a reviewer reads, a methods text, its references."""

from pathlib import Path

from brain_teacher.cells.folder import OutputFolder, run_folder
from brain_teacher.chain.dataset import open_dataset
from brain_teacher.chain.params import Params
from brain_teacher.chain.provenance import plan_digest
from brain_teacher.chain.students.answers import digest_of_test_images
from brain_teacher.chain.telling.left import read_left
from brain_teacher.chain.telling.whole import PAGE, told
from brain_teacher.commands import Given, Place, Say
from brain_teacher.files import write_text
from brain_teacher.report.beside_verdict import looks_so_far
from brain_teacher.tracking import Input, tracked


def report(
    params: Params,
    *,
    data: Place,
    voxels: Place,
    soft_labels: Place,
    controls: Place,
    students: Place,
    comparison: Place,
    out: Place | None,
    pictures: bool = True,
    say: Say = print,
) -> Path:
    """Tell what the stages left: ``report.html``, ``methods.md`` and ``references.bib``.

    What is missing is said to be so; only where there is neither a comparison nor soft labels is
    there nothing to report. Without `pictures` the page shows none of the data set's.
    """
    data = Path(data)
    places = {
        "voxels": Path(voxels),
        "soft_labels": Path(soft_labels),
        "controls": Path(controls),
        "students": Path(students),
        "comparison": Path(comparison),
    }
    dataset = open_dataset(data) if data.is_dir() else None
    left = read_left(params, dataset=dataset, **places)
    texts, told_of = told(params, left, {"data": data, **places}, pictures=pictures)
    out = run_folder("report", out)
    tags = {**told_of, "plan": plan_digest(params)}
    read = [Input(place, context) for context, place in places.items() if place.is_dir()]
    given: Given = {"tags": tags, "params": {}, "inputs": read}
    name = f"{told_of['dataset']}: {told_of['verdict']}"
    with OutputFolder(out, say).locked(), tracked("report", name, **given) as tracker:
        for file, text in texts.items():
            write_text(out / file, text)
        tracker.log(artifacts=[out / file for file in texts])
        if left.students:
            looks = tracker.looks(digest_of_test_images(left.students))
    say(f"{told_of['verdict']}: {out / PAGE} ({len(texts[PAGE].encode()) / 1e6:.1f} MB)")
    if left.students:
        say(looks_so_far(looks))
    return out
