"""A served student: what it takes, how it prepares pictures, what it says and what it refuses."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from brain_teacher.cells.source import modules_of
from brain_teacher.dataset.images import load_images
from brain_teacher.tracking import servable
from helpers.served_models import SIZE, picture, save_model, text

KINDS = [
    ("PNG", "RGB"), ("JPEG", "RGB"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("JPEG", "CMYK"),
    ("GIF", "P"), ("WEBP", "RGB"),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("served") / "model"


@pytest.fixture(scope="module")
def network(folder):
    return save_model(folder)


@pytest.fixture(scope="module")
def student(folder, network):
    import mlflow.pyfunc

    return mlflow.pyfunc.load_model(str(folder))


def answers_of(network, pixels):
    """What the network says of prepared pictures, (n, size, size, 3)."""
    import torch

    with torch.inference_mode():
        ready = torch.from_numpy(pixels.transpose(0, 3, 1, 2).astype(np.float32))
        return network(ready).numpy()


def log_probs(answer):
    """The answers as an array, classes in the order of their ids."""
    return np.array(
        [[each["log_prob"] for each in sorted(row, key=lambda e: e["class_id"])] for row in answer]
    )


@pytest.mark.parametrize("side", [(40, 30), (30, 40), (12, 12), (7, 5), (300, 220)])
def test_pictures_of_any_kind_and_size_are_prepared_as_for_training(
    side, student, network, tmp_path
):
    contents = [picture(n, side, *kind) for n, kind in enumerate(KINDS)]
    files = []
    for n, content in enumerate(contents):
        files.append(tmp_path / f"{n}.png")
        files[-1].write_bytes(content)
    expected = answers_of(network, load_images(files, SIZE))
    found = student.predict([text(content) for content in contents])
    np.testing.assert_allclose(log_probs(found), expected, atol=2e-6)


def test_bytes_base64_arrays_and_a_table_are_the_same_picture(student):
    import io

    from PIL import Image

    content = picture(3)
    values = np.asarray(Image.open(io.BytesIO(content)))
    written = f"data:image/png;base64,{text(content)}"
    in_lines = "\n".join(written[start : start + 76] for start in range(0, len(written), 76))
    pictures = [content, text(content), written, in_lines, values, values.tolist()]
    answer = student.predict(pictures)
    assert all(each == answer[0] for each in answer)
    assert student.predict(pd.DataFrame({"image": pictures[:2]})) == answer[:2]
    assert student.predict(np.stack([values, values]).astype(float)) == answer[:2]


def test_it_says_id_name_and_log_probability_the_most_probable_first(student):
    (answer,) = student.predict([picture()])
    assert {each["class_id"]: each["name"] for each in answer} == {
        "a": "disc, plain", "b": "square", "c": "c",
    }  # fmt: skip
    order = [each["log_prob"] for each in answer]
    assert order == sorted(order, reverse=True)
    assert np.exp(order).sum() == pytest.approx(1, abs=1e-5)
    assert student.predict([picture()], params={"top": 2}) == [answer[:2]]
    assert student.predict([picture()], params={"top": 99}) == [answer]


def test_many_pictures_are_answered_one_by_one(student):
    many = [picture(seed, (20, 20)) for seed in range(70)]  # more than a batch
    together = student.predict(many)
    np.testing.assert_allclose(
        log_probs(together), log_probs([student.predict([each])[0] for each in many]), atol=2e-6
    )


SHAPE = "give (height, width, 3) or (height, width) numbers from 0 to 255"


@pytest.mark.parametrize(
    ("pictures", "said"),
    [
        (["a picture of a cat"], "inputs[0] is text, but not base64 of a picture's file"),
        ([""], "inputs[0] cannot be read: not a JPEG, PNG, GIF, BMP, TIFF or WebP picture"),
        ([picture()[:200]], "inputs[0] cannot be read: image file is truncated"),
        ([picture(), None], "inputs[1] is null: give base64 of a picture's file, or its pixels"),
        ([{"b64": ""}], "inputs[0] is an object: give base64 of a picture's file, or its pixels"),
        ([True], "inputs[0] is true or false: give base64 of a picture's file, or its pixels"),
        ([[[1, 2], [3]]], f"inputs[0] has rows of different lengths: {SHAPE}"),
        ([[["a"]]], f"inputs[0] is no array of numbers: {SHAPE}"),
        ([[]], f"inputs[0] is no array of numbers: {SHAPE}"),
        ([[[[[1]]]]], f"inputs[0] is a list of more than 3 levels: {SHAPE}"),
        ([np.zeros((3, 8, 8))], f"inputs[0] has the shape (3, 8, 8): {SHAPE}"),
        ([np.full((4, 4), np.nan)], f"inputs[0] has values that are not from 0 to 255: {SHAPE}"),
        ([np.full((4, 4), np.inf)], f"inputs[0] has values that are not from 0 to 255: {SHAPE}"),
        ([[[256]]], f"inputs[0] has values that are not from 0 to 255: {SHAPE}"),
        ([[[10**30]]], f"inputs[0] is no array of numbers: {SHAPE}"),
        (
            [np.full((4, 4), 0.7)],
            f"inputs[0] has values from 0 to 1, which would be taken for black: {SHAPE}",
        ),
        ([], "inputs holds 0 pictures: give 1 to 1,000"),
        ([""] * 1001, "inputs holds 1001 pictures: give 1 to 1,000"),
        ("text", "inputs is text: give a list of pictures"),
        ({"image": []}, "inputs is an object: give a list of pictures"),
        (3, "inputs is a number: give a list of pictures"),
        (np.zeros((2, 2)), "an array of 2 dimensions: give a list of pictures"),
        (
            pd.DataFrame({"a": [1], "b": [2]}),
            "a table of 2 columns: give one, with a picture in each row",
        ),
    ],
)
def test_what_is_no_picture_is_said_in_a_line(pictures, said, student):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException) as caught:
        student.predict(pictures)
    assert caught.value.message == said
    assert caught.value.get_http_status_code() == 400


@pytest.mark.parametrize("top", [0, -1])
def test_top_is_a_number_of_classes(top, student):
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="^params.top is how many"):
        student.predict([picture()], params={"top": top})


def test_a_model_carries_all_that_its_code_imports(folder, network):
    needed = (*modules_of("brain_teacher.served"), "brain_teacher.machine")
    files = {name.removeprefix("brain_teacher.").replace(".", "/") + ".py" for name in needed}
    assert set(servable.CARRIED) == files - {"dataset.py"}
    assert not [file for file in folder.rglob("*") if file.suffix in (".pkl", ".pickle")]


ALONE = """
import sys
sys.modules["brain_teacher"] = None  # as where it is not installed
sys.modules["joblib"] = None
import mlflow.pyfunc
student = mlflow.pyfunc.load_model(sys.argv[1])
print(student.predict(student.input_example))
assert not [name for name in sys.modules if name.startswith("brain_teacher.")]
"""


def test_it_works_where_brain_teacher_is_not_installed(folder, student):
    done = subprocess.run(
        [sys.executable, "-c", ALONE, folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(student.predict(student.input_example))


def test_its_container_is_described_as_the_page_says(folder, network, tmp_path):
    from click.testing import CliRunner
    from mlflow.models.cli import commands

    out = tmp_path / "container"
    asked = ["generate-dockerfile", "-m", str(folder), "-d", str(out), "--env-manager", "local"]
    result = CliRunner().invoke(commands, asked)
    assert result.exit_code == 0, result.output
    assert "COPY model_dir/model /opt/ml/model\n" in (out / "Dockerfile").read_text()
    carried = out / "model_dir" / "model"
    wanted = {"torch", "numpy", "pillow", "mlflow"}
    listed = (carried / "requirements.txt").read_text().splitlines()
    assert {line.partition("==")[0] for line in listed} == wanted
    assert (carried / "data" / "model.pt2").is_file() and (carried / "code").is_dir()
