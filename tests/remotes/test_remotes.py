"""docs/remotes.md as printed, but for the addresses, against real servers."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers import remote_servers as servers

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "remotes.md").read_text("utf-8")
OWN_DATA = (ROOT / "docs" / "own-data.md").read_text("utf-8")
FOLDER, BUCKET, HOST, WEB, PROJECT = (
    "/srv/dvc/brain-teacher",
    "s3://my-lab/brain-teacher",
    "ssh://gpu-box/srv/dvc/brain-teacher",
    "https://data.example.org/brain-teacher",
    "https://github.com/my-lab/brain-teacher",
)
# The page's data set is one's own; the sample, which has a remote, stands for it.
OURS = {"add -d mine": "add -f -d sample", "modify mine": "modify sample"}
# Servers and clones, 20 seconds each; the shared folder stands for them in `make test`.
full = pytest.mark.full
needs_sshd = pytest.mark.skipif(servers.SSHD is None, reason="OpenSSH's sshd is not installed")


def blocks(heading, language=""):
    """The code blocks of a section of the page, each a list of lines."""
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)[1]
    found = re.findall(r"^```(\w*)\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    return [text.splitlines() for kind, text in found if kind == language]


class Lab:
    """Clones of this repository's last commit, and what its people type in them."""

    def __init__(self, folder):
        self.folder, self.env = folder, {}
        self.addresses = {}

    def clone(self, name, of=ROOT):
        subprocess.run(["git", "clone", "-q", of, self.folder / name], check=True)
        for key, value in (("name", "a"), ("email", "a@b")):
            self.type(name, f"git config user.{key} {value}")
        return self.folder / name

    def type(self, clone, *lines, code=0):
        """Run lines of the page, as a shell does; gives what they print."""
        text = "\n".join(lines)
        for printed, real in (self.addresses | OURS).items():
            text = text.replace(printed, str(real))
        env = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "AWS_", "MLFLOW_"))}
        env |= {
            "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
            "DVC_SITE_CACHE_DIR": str(self.folder / "site"),
            "PYTHONPATH": str(ROOT / "src"),
        }
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            check=False,
            cwd=self.folder / clone,
            env=env | self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        assert done.returncode == code, f"{text}\n{done.stdout}"
        return done.stdout


@pytest.fixture
def lab(tmp_path):
    return Lab(tmp_path)


def push(lab, heading, addresses, env=None):
    """A clone that has the soft labels from the shipped store and pushes them as the page says."""
    lab.addresses, lab.env = addresses, env or {}
    lab.clone("ours")
    lab.type("ours", "dvc pull outputs/soft_labels")
    ((add,),) = blocks(heading)
    lab.type("ours", add)
    once, _ = blocks("Push, and pull elsewhere")
    assert re.search(r"[1-9]\d* files pushed", lab.type("ours", *once))


def pull(lab, of="ours", name="theirs"):
    """Another clone, which has but the remote, pulls the same files."""
    lab.clone(name, of=lab.folder / of)
    shutil.rmtree(lab.folder / name / "store")
    lab.type(name, *blocks("Push, and pull elsewhere")[1])
    ours, theirs = (lab.folder / each / "outputs" / "soft_labels" for each in ("ours", name))
    files = sorted(path.relative_to(ours) for path in ours.rglob("*") if path.is_file())
    assert len(files) > 50
    assert all((ours / file).read_bytes() == (theirs / file).read_bytes() for file in files)


def test_a_shared_folder(lab):
    push(lab, "A folder that all can reach", {FOLDER: lab.folder / "srv"})
    pull(lab)


@full
def test_s3(lab):
    with servers.s3(lab.folder) as (env, client):
        push(lab, "S3, or what speaks its language", {}, env)
        found = client.list_objects_v2(Bucket="my-lab", Prefix="brain-teacher/files/md5/")
        assert found["KeyCount"] > 50
        pull(lab)


@full
@needs_sshd
def test_ssh(lab):
    with servers.ssh(lab.folder) as env:
        push(lab, "SSH", {HOST: f"ssh://gpu-box{lab.folder / 'srv'}"}, env)
        assert (lab.folder / "srv" / "files" / "md5").is_dir()
        pull(lab)


@full
def test_http_is_read(lab):
    push(lab, "A folder that all can reach", {FOLDER: lab.folder / "srv"})
    with servers.http(lab.folder / "srv") as address:
        lab.addresses = {WEB: address}
        lab.clone("web", of=lab.folder / "ours")
        ((add,),) = blocks("HTTP, to read")
        # Of the same name as the folder's, which those who only read do not have.
        lab.type("web", add, "git commit -qam 'Read from the web'")
        pull(lab, of="web")


def test_a_damaged_file_is_found_and_named(lab):
    remote = lab.folder / "srv"
    push(lab, "A folder that all can reach", {FOLDER: remote})
    lab.clone("theirs", of=lab.folder / "ours")
    file = lab.folder / "ours/outputs/soft_labels/S1_HVC_logistic.npz"
    digest = hashlib.md5(file.read_bytes()).hexdigest()
    damaged = remote / "files" / "md5" / digest[:2] / digest[2:]
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"?")
    _, fetch = blocks("Push, and pull elsewhere")
    said = lab.type("theirs", *fetch, code=1)
    assert said.endswith(
        "Error: the remote holds other files than git names, and nothing was put in place; ask who "
        "keeps it, or pull from another:\n"
        f"  outputs/soft_labels/S1_HVC_logistic.npz: it is not {digest}\n"
    )
    assert not (lab.folder / "theirs/outputs/soft_labels").exists()


def test_only_the_soft_labels_of_another_project(lab):
    push(lab, "A folder that all can reach", {FOLDER: lab.folder / "srv"})
    lab.addresses[PROJECT] = lab.folder / "ours"
    (lab.folder / "other").mkdir()
    lab.type("other", "git init -q", "dvc init -q")
    heading = "Only the soft labels, from another project"
    ((get, import_),) = blocks(heading)
    lab.type("other", get, import_)
    ours, other = lab.folder / "ours/outputs/soft_labels", lab.folder / "other"
    name = "S1_HVC_logistic.npz"
    assert (other / name).read_bytes() == (ours / name).read_bytes()
    assert (other / "soft_labels" / name).read_bytes() == (ours / name).read_bytes()
    (dep,) = yaml.safe_load((other / "soft_labels.dvc").read_text())["deps"]
    assert dep["repo"]["url"] == str(lab.folder / "ours")
    shape, least = len(np.load(ours / name)["image_id"]), 1.0
    program, wrap = blocks(heading, "python")
    (other / "program.py").write_text("\n".join(program).replace(PROJECT, str(lab.folder / "ours")))
    assert lab.type("other", "python program.py") == f"({shape},) {least}\n"
    _pictures(other / "pictures", np.load(ours / name))
    (other / "wrap.py").write_text("\n".join([*wrap, "print(label, probs.shape, len(dataset))"]))
    assert lab.type("other", "python wrap.py") == f"0 torch.Size([16]) {shape}\n"


def stored(clone):
    return sorted(path.name for path in (clone / "store").rglob("*") if path.is_file())


def test_nothing_but_the_sample_is_pushed_into_the_repository(lab):
    clone = lab.clone("ours")
    before = stored(clone)
    make = "python -m brain_teacher simulate --out data/mine --subjects 2 --categories 3 --shown 4"
    lab.type("ours", f"{make} --unseen 8 --voxels 20 --image-size 12", "dvc add -q data/mine")
    assert lab.type("ours", "git status --porcelain") == "?? data/\n"
    lab.type("ours", "git add data", "git commit -qm 'Track it'")
    said = lab.type("ours", "dvc push", code=1)
    assert "no remote specified" in said and "dvc remote default" in said
    lab.type("ours", "sed -i 's/name: sample/name: mine/' params.yaml")
    said = lab.type("ours", "dvc repro preprocess", code=255)
    command = re.search(
        r"DVC has no remote 'mine', .* type `(dvc remote add --local --default mine URL)` ", said
    )[1]
    assert "remote 'mine' doesn't exist" in lab.type("ours", "dvc push", code=1)
    # As docs/own-data.md prints it.
    (text,) = re.findall(r"^```sh\n(.*?)^```$", OWN_DATA, re.DOTALL | re.MULTILINE)
    add, use, repro = text.splitlines()
    assert add == command.replace("URL", "../mine-store")
    (clone / "params" / "mine.yaml").write_text("# Mine.\ndataset: {name: mine}\n")
    lab.type("ours", "git checkout -q params.yaml", add, use, f"{repro} preprocess")
    assert re.search(r"[1-9]\d* files pushed", lab.type("ours", "dvc push data/mine.dvc"))
    lab.type("ours", "dvc push outputs/voxels")
    assert stored(clone) == before
    assert len(list((lab.folder / "mine-store").rglob("*.dir"))) >= 2


def test_what_lies_beside_the_sample_stays_on_the_disk(lab):
    clone = lab.clone("ours")
    for name in ("mine", "tracked"):
        (clone / "data" / name).mkdir(parents=True)
        (clone / "data" / name / "file").write_text(name)
    lab.type("ours", "dvc add -q data/tracked", "dvc pull --remote sample data.dvc")
    assert (clone / "data" / "sample" / "dataset.yaml").is_file()
    lab.type("ours", "dvc checkout", code=255)  # of outputs, which nobody pushed
    lab.type("ours", "dvc pull", code=1)
    kept = {path.parent.name: path.read_text() for path in clone.glob("data/*/file")}
    assert kept == {"mine": "mine", "tracked": "tracked"}


def _pictures(folder, table):
    """A folder a class, with an empty picture of each image."""
    from PIL import Image

    for image in table["image_id"]:
        place = folder / image.split("_")[0] / f"{image}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(place)
