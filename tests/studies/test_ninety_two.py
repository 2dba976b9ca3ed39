"""What 92 pictures' neighbours say, against scikit-learn; and the table of what people teach."""

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

import ninety_two
import people
from brain_teacher.reading.text import read_json
from helpers.running import ROOT


def test_neighbours_are_scikit_learns():
    rng = np.random.default_rng(0)
    category = np.repeat(list("ab"), 20)  # of two categories and five neighbours none tie
    answers = rng.standard_normal((40, 6)) + (category == "a")[:, None]
    answers /= np.linalg.norm(answers, axis=1)[:, None]
    finder, right = KNeighborsClassifier(5), 0
    for out in range(40):
        kept = np.arange(40) != out
        right += (
            finder.fit(answers[kept], category[kept]).predict(answers[[out]])[0] == category[out]
        )
    assert ninety_two.named_by_neighbours(answers @ answers.T, category) == right
    assert 20 < right < 40


def test_a_tie_goes_to_the_nearest():
    kernel = np.eye(6)
    kernel[0, 1:] = kernel[1:, 0] = [0.9, 0.8, 0.7, 0.6, 0.5]
    category = np.array(list("xyyxxz"))
    # Of picture 0: y, y, x, x, z, so y, which is wrong; of 3 and 4: x, y, y, x, z, so x.
    assert ninety_two.named_by_neighbours(kernel, category) == 2


def test_the_page_shows_what_the_references_say():
    page = (ROOT / "docs" / "people.md").read_text("utf-8")
    table = page.split("<!-- ninety-two -->")[1].split("<!-- end of ninety-two -->")[0]
    cells = [[cell.strip() for cell in row.split("|")] for row in table.strip().splitlines()[2:]]
    # shared/data's README, by scikit-learn: the five nearest of the published dissimilarities.
    assert [row[2] for row in cells] == ["83/92", "70/92", "59/92", "19/92"]
    assert [row[1] for row in cells] == list(ninety_two.SOURCES)


def test_the_table_of_teachers_is_the_comparisons():
    metrics = read_json(ROOT / "outputs" / "comparison" / "metrics.json")
    rows = [row.split("|")[1:-1] for row in people.as_table(metrics).splitlines()[2:]]
    cells = {name.strip(): [cell.strip() for cell in rest] for name, *rest in rows}
    assert list(cells)[-1] == "brain" and len(cells) == len(metrics["accuracy"])
    nll = metrics["exploratory_outcomes"]["nll"]["mean"]
    assert cells["none"][1] == f"{100 * metrics['accuracy']['none']:.1f}"
    assert cells["brain"][3] == f"{nll['brain']:.3f}"
