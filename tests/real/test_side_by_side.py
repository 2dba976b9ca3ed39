"""Every decoder that reads voxels alone, on real recordings, with the settings of params.yaml.

``pytest tests/real/test_side_by_side.py -s`` prints the numbers of docs/decoders.md. None of the
settings was chosen on these recordings.
"""

import pytest
from scipy.stats import binomtest

from brain_teacher.chain.params import load_params
from brain_teacher.commands.controls import controls
from brain_teacher.commands.decode import decode
from brain_teacher.commands.preprocess import preprocess
from brain_teacher.reading.text import read_json
from helpers import real_data as real_data

# The networks take longer than `make test` should.
NETWORKS = [pytest.param(name, marks=pytest.mark.full) for name in ("mlp", "resnet1d")]
DECODERS = ("logistic", "ridge", *NETWORKS)
DRAWS = dict.fromkeys(("logistic", "ridge", "mlp"), 3) | {"resnet1d": 1}  # minutes each
# Folds, ROI, images, chance, and what the default decoder must reach.
RECORDINGS = {
    "haxby-slice": ({"by": "run"}, "slice", 96, 1 / 8, 0.75),
    "miyawaki-trials": ({"by": "group", "group": "style"}, "V1", 79, 16 / 79, 0.55),
}


def write(name, folder):
    if name == "haxby-slice":
        return real_data.write_haxby(folder)
    return real_data.write_miyawaki(folder, trials_as_images=True)


def settings(name, decoder):
    folds, roi, *_ = RECORDINGS[name]
    overrides = {
        "dataset": {"name": name},
        "decode": {"decoder": [decoder], "folds": folds},
        "distill": {"decoder": decoder, "roi": [roi], "seeds": DRAWS[decoder]},
    }
    return load_params(real_data.ROOT / "params.yaml", overrides)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("haxby-slice", marks=real_data.needs("haxby_slice")),
        pytest.param("miyawaki-trials", marks=real_data.needs("miyawaki_figures")),
    ],
)
def recording(work, request):
    data = write(request.param, work / request.param)
    params = settings(request.param, "logistic")
    return request.param, data, preprocess(params, data=data, out=work / f"{request.param}-voxels")


@pytest.mark.parametrize("decoder", DECODERS)
def test_real_voxels(recording, work, decoder):
    name, data, voxels = recording
    *_, images, chance, least = RECORDINGS[name]
    places = {"data": data, "voxels": voxels}
    params, out = settings(name, decoder), work / f"{name}-{decoder}"
    decoded = decode(params, **places, out=out, quiet=True)
    (cell,) = read_json(decoded / "metrics.json")["cells"]
    permuted = controls(params, **places, out=work / f"{name}-{decoder}-controls", quiet=True)
    rows = read_json(permuted / "metrics.json")["cells"]
    drawn = [row["top1"] for row in rows if row["control"] == "permuted-trials"]
    print(
        f"{name}, {decoder}: {round(images * cell['top1'])}/{images} = {cell['top1']:.3f} "
        f"[{cell['top1_low']:.3f}, {cell['top1_high']:.3f}], {cell['bits']:.2f} bits, ECE "
        f"{cell['ece']:.3f}; trials exchanged {', '.join(f'{top1:.3f}' for top1 in drawn)}; "
        f"chance {chance:.3f}"
    )
    assert (cell["images"], cell["chance"]) == (images, chance)
    assert cell["top1_low"] > chance
    if decoder == "logistic":  # the default
        assert cell["top1"] >= least
    assert len(drawn) == DRAWS[decoder]
    for top1 in drawn:
        assert binomtest(round(images * top1), images, chance).pvalue > 0.001, drawn
