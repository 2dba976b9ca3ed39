"""The study of losses, on next to nothing: it walks from voxels to its table."""

import pytest
from click.testing import CliRunner

import losses

SMALL = {
    "subjects": 2, "categories": 4, "shown": 4, "unseen": 8, "voxels": 60, "image_size": 16,
}  # fmt: skip


@pytest.mark.full
def test_every_truth_is_compared_and_the_table_stands_between_its_marks(tmp_path, monkeypatch):
    for name in ("DVC_ROOT", "MLFLOW_TRACKING_URI"):  # which the study sets
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(tmp_path)
    small = {truth: SMALL | more for truth, more in losses.TRUTHS.items()}
    monkeypatch.setattr(losses, "TRUTHS", small)
    chosen = ("--channel", "relational, voxels", "--seeds", "2", "--epochs", "1")
    done = CliRunner().invoke(losses.main, ("--folder", "runs", *chosen), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    table = [line for line in done.output.splitlines() if line.startswith("| ")]
    assert len(table) == 1 + len(losses.TRUTHS)
    assert all("relational, voxels" in line and "[" in line for line in table[1:])


def test_what_is_only_tried_is_not_written():
    done = CliRunner().invoke(losses.main, ("--seeds", "2", "--write", "x.md"))
    assert done.exit_code == 2 and "--write is for the full run" in done.output


@pytest.mark.parametrize("channel", losses.CHANNELS)
def test_every_channel_is_one_of_the_settings(channel):
    params = losses.draw_params("any", teachers=["brain"]).with_distill(**losses.CHANNELS[channel])
    assert params.distill.recipe("brain")["loss"] in channel
