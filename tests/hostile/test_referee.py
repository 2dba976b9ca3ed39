"""What lies beside the students, changed by hand or broken: rows that can be said, or one line."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brain_teacher.chain.students.held_out import BETWEEN, read_between_subjects
from brain_teacher.errors import BrainTeacherError
from brain_teacher.report.beside_verdict import between_sentence

ROW = {
    "decoder": "ridge", "roi": "V1", "mean": 0.5, "low": 0.4, "high": 0.6, "p": 0.001,
    "subjects": 2, "images": 9,
}  # fmt: skip
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
values = st.recursive(leaves, lambda each: st.lists(each) | st.dictionaries(st.text(), each))
# Whole rows, too, of which one value is another.
rows = st.builds(lambda key, value: [ROW | {key: value}], st.sampled_from([*ROW]), leaves)


def said(folder, text):
    (folder / BETWEEN).write_text(text, "utf-8")
    try:
        return between_sentence(read_between_subjects(folder))
    except BrainTeacherError as error:
        assert "\n" not in str(error) and str(folder / BETWEEN) in str(error)
        return None


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(values | rows | st.just([ROW]))
def test_whatever_json_lies_there_is_rows_or_one_line(tmp_path, content):
    text = said(tmp_path, json.dumps(content))
    assert text is None or text.startswith("Between subjects")
    assert (text is not None) or content != [ROW]


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"roi": "V1"}', '[{"roi": "V1"}]', "null"])
def test_a_broken_file_is_one_line(tmp_path, text):
    assert said(tmp_path, text) is None
