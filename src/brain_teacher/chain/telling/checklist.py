"""Which items of a COBIDAS-like list for decoders this run gives, and where on the page."""

from brain_teacher.chain.telling.left import Left
from brain_teacher.report.page import Section, Table, Text

GIVEN, ABSENT = "given", "not given"
ELSEWHERE = "not known to this tool: say it in the paper"


def checklist_section(left: Left) -> Section:
    """Item, state, place; what a tool cannot know is said to be so."""
    compared, decoded = left.evidence is not None, bool(left.decoded and left.decoded.cells)
    data, trained = left.dataset is not None, bool(left.students)
    simulated = bool(data and left.dataset and left.dataset.description.simulated)
    recorded = "does not apply: simulated" if simulated else ELSEWHERE
    rows = [
        ["Participants: number", _if(data or decoded), "Data"],
        ["Participants: age, sex, recruitment, consent", recorded, ""],
        ["Scanner, sequence, task and instructions", recorded, ""],
        ["Preprocessing of the images before the voxels", recorded, ""],
        ["Source and version of the data", _if(data), "Data; Versions"],
        ["Trials, pictures and categories", _if(decoded), "Data"],
        ["Pictures: how they were chosen", ELSEWHERE if not simulated else GIVEN, "Data"],
        ["Regions of interest: which", _if(left.voxels is not None), "Data"],
        ["Regions of interest: how they were defined", recorded, ""],
        ["Voxels before selection", _if(left.voxels is not None), "Data"],
        ["Voxels after selection, and by what", _if(decoded), "Methods: Decoding; Plan"],
        ["Scaling of voxels, and by which trials", _if(decoded), "Methods: Decoding"],
        ["Decoder and its settings", _if(decoded), "Methods: Decoding; Plan"],
        ["Cross-validation: unit, folds, nesting", _if(decoded), "Methods: Decoding; Decoders"],
        ["Measure, its chance, its interval", _if(decoded), "Decoders"],
        ["Check that the design itself decodes nothing", _noise(left), "Decoders"],
        ["Decoders of exchanged trials and of time", _controls(left), "Controls"],
        ["Agreement between subjects", _between(left), "Soft labels"],
        ["Students: network, training, augmentation", _if(trained), "Methods: Teaching; Plan"],
        ["Pictures that choose and pictures that report", _if(trained), "Data"],
        ["Controls, fixed beforehand", _if(compared), "How it was tested"],
        ["Statistical model, who its interval is for", _if(compared), "Methods: Statistics"],
        ["Correction for several comparisons", _if(compared), "Methods: Statistics"],
        ["Effects with intervals, and nulls", _if(compared), "The verdict; Students"],
        ["Smallest effect that could be seen", _if(left.result is not None), "What could not be"],
        ["Plan fixed before the result, and kept", _if(trained), "The plan, and looks"],
        ["Software and versions", GIVEN, "Versions"],
        ["Code and data for doing it again", _if(data), "How to do it again; Versions"],
    ]
    said = (
        "After the COBIDAS report of the Organization for Human Brain Mapping, for what a decoder "
        "and its students need."
    )
    table = Table("What is given", ["item", "state", "where"], rows)
    return Section("checklist", "Checklist for a reviewer", [Text(said), table])


def _if(there: bool) -> str:
    return GIVEN if there else ABSENT


def _noise(left: Left) -> str:
    return _if(bool(left.decoded and left.decoded.noise))


def _controls(left: Left) -> str:
    return _if(bool(left.controls and left.controls.cells))


def _between(left: Left) -> str:
    return _if(bool(left.decoded and left.decoded.between_subjects))
