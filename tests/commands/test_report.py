"""``report`` on what the stages left, also where parts are missing, and on what must not be."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
import yaml

from brain_teacher.analysis import verdict
from brain_teacher.chain.params import load_params
from brain_teacher.chain.provenance import plan_of
from brain_teacher.commands.compare import compare
from brain_teacher.commands.decode import decode
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.commands.report import report
from brain_teacher.commands.simulate import simulate
from brain_teacher.errors import BrainTeacherError
from brain_teacher.report.page import MOST_BYTES, Section, Text, page
from brain_teacher.report.verdict_means import MEANS, meaning
from helpers.answers import make_answers, write_answers
from helpers.real_data import ROOT

FAMILY = ["none", "smooth-matched", "brain-class", "permuted-images"]
SECTIONS = [
    "verdict", "tested", "data", "decoders", "soft-labels", "students", "outcomes", "controls",
    "unseen", "plan", "versions", "redo", "checklist",
]  # fmt: skip
VOID = {"meta", "img", "line", "circle", "br", "link"}


class Page(HTMLParser):
    """What a browser and a screen reader would stumble over."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.found, self.words = [], [], [], [], []
        self.text = text
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.found.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given:
            self.ids.append(given["id"])
        if "href" in given:
            self.links.append(given["href"])

    def handle_startendtag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def said(self):
        return " ".join(" ".join(self.words).split())

    def of(self, tag):
        return [given for name, given in self.found if name == tag]

    def check(self):
        assert len(set(self.ids)) == len(self.ids)
        assert {link[1:] for link in self.links} <= set(self.ids)
        assert all(link.startswith("#") for link in self.links)
        assert not self.of("script") and not self.of("link")
        assert not re.search(r"https?://|url\(|@import", self.text.split("</style>")[0])
        for image in self.of("img"):
            assert image["src"].startswith("data:image/png;base64,") and image["alt"]
        assert len(self.of("table")) == len(self.of("caption"))
        assert all(head["scope"] in ("row", "col") for head in self.of("th"))
        assert len(self.of("main")) == len(self.of("h1")) == len(self.of("nav")) == 1
        assert self.of("html") == [{"lang": "en"}]
        assert len(self.text.encode()) < MOST_BYTES
        return self


CHANGES = {"compare": {"family": FAMILY}, "distill": {"seeds": 3}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Students and their comparison, made once: drawing takes most of the time."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        return made_in(folder, patch)


def made_in(folder, patch, **how):
    params = away_from_mlflow(patch, folder)
    make_students(folder / "students", params, **how)
    compare(params, students=folder / "students", out=folder / "comparison", say=lambda _: None)
    return folder


@pytest.fixture
def params(monkeypatch, tmp_path):
    return away_from_mlflow(monkeypatch, tmp_path)


def away_from_mlflow(monkeypatch, tmp_path):
    # Nothing listens on port 9: nothing is tracked, the work goes on.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)
    monkeypatch.chdir(tmp_path)
    return load_params(ROOT / "params.yaml", CHANGES)


def make_students(folder, params, *, diverged=(), skill=2.5, **origin):
    for teacher in ["brain", *FAMILY]:
        for seed in range(3):
            how = {"skill": skill if teacher == "brain" else 1.0, "plan": plan_of(params)}
            lost = (teacher, seed) in diverged
            write_answers(folder, make_answers(teacher, seed, diverged=lost, **how, **origin))
    return folder


def run(params, tmp_path, **places):
    names = ("data", "voxels", "soft_labels", "controls", "students", "comparison")
    given = {name: tmp_path / name for name in names} | places
    said = []
    out = report(params, **given, out=tmp_path / "report", say=said.append)
    assert sorted(p.name for p in out.iterdir() if p.is_file()) == [
        "methods.md", "references.bib", "report.html",
    ]  # fmt: skip
    read = Page((out / "report.html").read_text("utf-8")).check()
    return read, (out / "methods.md").read_text("utf-8"), said


@pytest.fixture
def compared(params, made, tmp_path):
    for name in ("students", "comparison"):
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path


def test_the_page_of_a_comparison(params, compared):
    read, methods, said = run(params, compared)
    assert [each["id"] for each in read.of("section")][: len(SECTIONS)] == SECTIONS
    evidence = json.loads((compared / "comparison" / "metrics.json").read_text("utf-8"))
    assert evidence["sentences"][0] in read.said
    words = evidence["verdict"]
    assert f"The verdict {words[0].upper()}{words[1:]}. " in read.said
    none = evidence["differences"][0]
    assert f"The difference is {100 * none['mean']:+.1f} points." in read.said
    for step in evidence["ladder"]:
        assert step["what"] in read.said
    assert "Simulated data." in read.said and "which is simulated" in methods
    # The figures of compare, each with words for who cannot see it.
    alts = [image["alt"] for image in read.of("img")]
    assert len(alts) == len(set(alts)) == 4
    # What is not there is said to be so.
    assert "No recordings were decoded here" in read.said
    assert "smallest effect that would have been seen (points)" in read.said
    assert "Looks at these test images: not counted" in said[-1]


def test_made_again_it_is_the_same_to_the_byte(params, compared):
    first = run(params, compared)[0].text
    assert run(params, compared)[0].text == first


def test_people_taught_and_a_student_diverged(monkeypatch, params, tmp_path):
    made_in(tmp_path, monkeypatch, diverged={("none", 2)}, kind="people")
    read, methods, _ = run(params, tmp_path)
    assert "Left out, since their training diverged: none seed 2." in read.said
    # What is no brain is not called one.
    assert "Can people teach a neural network?" in read.said
    assert "`people-class`" in methods and "`brain" not in methods


def test_without_figures_there_are_none(params, compared):
    for file in (compared / "comparison" / "figures").iterdir():
        file.unlink()
    read, _, _ = run(params, compared)
    assert not read.of("figure") and read.of("table")


def test_a_committed_comparison_alone_is_enough(params, compared):
    # As a clone has it: metrics.json is in git, the students are not.
    read, methods, _ = run(params, compared, students=compared / "nowhere")
    assert "The students' own files are not here" in read.said
    assert "## Teaching" not in methods and "## Statistics" in methods


def test_a_report_believes_no_file(params, compared):
    path = compared / "comparison" / "metrics.json"
    content = json.loads(path.read_text("utf-8"))
    content["verdict"] = verdict.IMAGES if content["verdict"] != verdict.IMAGES else "harmed"
    path.write_text(json.dumps(content))
    with pytest.raises(BrainTeacherError, match=r"says of verdict what the students in .* do not"):
        run(params, compared)


def test_where_nothing_is_there_is_nothing_to_report(params, tmp_path):
    with pytest.raises(BrainTeacherError, match=r"there is nothing to report: .*`dvc repro`"):
        run(params, tmp_path)
    assert not (tmp_path / "report").exists()


def test_an_edited_metrics_file_is_one_line(params, tmp_path):
    (tmp_path / "soft_labels").mkdir()
    (tmp_path / "soft_labels" / "metrics.json").write_text('{"cells": 3}')
    with pytest.raises(BrainTeacherError, match="is not what this version writes"):
        run(params, tmp_path)


def test_it_tells_the_plan_that_students_were_trained_under(params, compared):
    now = params.with_distill(**params.distill.model_dump() | {"epochs": 99})
    read, methods, _ = run(now, compared)
    assert "Training took 30 epochs" in methods
    assert "distill.epochs was 30, is 99" in read.said


@pytest.fixture(scope="module")
def decoded_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("decoded")
    with pytest.MonkeyPatch.context() as patch:
        params = away_from_mlflow(patch, folder).model_copy(
            update={"dataset": {"name": "data"}, "preprocess": {"roi": ["HVC", "V1"]}}
        )
        sizes = {"subjects": 2, "categories": 4, "shown": 6, "unseen": 4, "voxels": 120, "seed": 3}
        data = simulate(folder / "data", say=lambda _: None, **sizes)
        voxels = preprocess(params, data=data, out=folder / "voxels", quiet=True)
        decode(params, data=data, voxels=voxels, out=folder / "soft_labels", quiet=True)
    return params, folder


@pytest.fixture
def decoded(params, decoded_once, tmp_path):
    own, folder = decoded_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return own


def test_soft_labels_alone_are_told(decoded, tmp_path):
    read, methods, _ = run(decoded, tmp_path)
    assert "No verdict: no students were compared" in read.said
    assert "## Decoding" in methods and "## Teaching" not in methods
    assert "Pictures chosen by a hash of their names" in read.said
    assert "Those that they are least sure of" in read.said
    pictures = [image for image in read.of("img") if image["alt"].startswith("A picture of")]
    assert len(pictures) == 24
    assert len(read.of("figure")) == 4
    assert "Voxels of each region and subject" in read.said


def test_pictures_can_be_left_out(decoded, tmp_path):
    names = ("data", "voxels", "soft_labels", "controls", "students", "comparison")
    given = {name: tmp_path / name for name in names}
    out = report(decoded, **given, out=tmp_path / "report", pictures=False, say=lambda _: None)
    text = (out / "report.html").read_text("utf-8")
    assert "A picture of" not in text and "Pictures chosen by a hash" in text


def test_names_of_others_are_text(decoded, tmp_path):
    file = tmp_path / "data" / "dataset.yaml"
    content = yaml.safe_load(file.read_text("utf-8"))
    content["source"] = "<script>alert(1)</script> </style> [@holm1979]"
    names = list(content["categories"])
    content["categories"] = dict.fromkeys(names, "<img src=x onerror=alert(1)>")
    file.write_text(yaml.safe_dump(content))
    read, _, _ = run(decoded, tmp_path)
    assert not read.of("script") and all(image["src"] != "x" for image in read.of("img"))
    assert "<script>alert(1)</script>" in read.said


WORDS = [
    *verdict.EXPLAINING, verdict.HARMED, verdict.OPEN, verdict.CANNOT_TELL,
    "no effect as large as 4 points",
]  # fmt: skip


@pytest.mark.parametrize("words", sorted(WORDS))
def test_every_verdict_has_a_meaning(words):
    text = meaning(words, "brain")
    assert text and text.endswith(".")
    assert ("or less" in text) == words.endswith("or less")


def test_every_meaning_is_of_a_verdict():
    plain = {words.removesuffix(verdict.OR_LESS) for words in WORDS}
    assert {*MEANS} - {verdict.NO_EFFECT} == plain - {"no effect as large as 4 points"}
    assert meaning("taught by magic", "brain") == ""
    assert "people" in meaning("taught by people's view of each image", "people")


def test_a_page_of_one_section_is_whole():
    text = page(
        "A & B", subtitle="<none>", simulated=False, methods=[],
        sections=[Section("one", "One", [Text("`x` < y")])],
    )  # fmt: skip
    read = Page(text).check()
    assert "A & B" in read.said and "<none>" in read.said and "x < y" in read.said
    assert "Simulated data" not in read.said
