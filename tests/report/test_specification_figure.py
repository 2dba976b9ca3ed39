"""The specification curve: in order, every choice below its effect, the plan marked."""

import numpy as np
import pandas as pd

from brain_teacher.report.specification_figure import specification_figure

TABLE = pd.DataFrame(
    {
        "roi": ["HVC", "V1", "HVC", "V1"],
        "voxels": [100, 100, 300, 300],
        "mean": [0.10, 0.01, 0.06, -0.02],
        "low": [0.05, -0.03, 0.02, -0.06],
        "high": [0.15, 0.05, 0.10, 0.02],
        "verdict": ["taught", "cannot tell", "taught", "cannot tell"],
    }
)


def test_effects_are_in_order_and_choices_stand_below_them():
    title = "made up (simulated)"
    figure = specification_figure(TABLE, ("roi", "voxels"), planned=0, title=title)
    top, below = figure.axes
    points = {
        int(x): y for bars in top.containers for x, y in zip(*bars.lines[0].get_data(), strict=True)
    }
    np.testing.assert_allclose([points[place] for place in range(4)], [-2, 1, 6, 10])
    legend = [text.get_text() for text in top.get_legend().get_texts()]
    assert sorted(legend) == ["cannot tell (2)", "taught (2)"]
    names = [label.get_text() for label in below.get_yticklabels()]
    assert names == ["roi HVC", "roi V1", "voxels 100", "voxels 300"]
    made = [line.get_xdata().tolist() for line in below.lines if line.get_gid() == "choice"]
    assert made == [[2, 3], [0, 1], [1, 3], [0, 2]]
    plan = [line.get_xdata()[0] for line in top.lines if line.get_gid() == "planned"]
    assert plan == [3]
    assert "Exploratory" in figure.get_supxlabel() and "(simulated)" in figure.get_suptitle()
