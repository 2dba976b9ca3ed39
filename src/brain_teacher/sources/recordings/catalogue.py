"""``SOURCES``: published recordings that ``brain-teacher fetch`` brings and makes data sets of.

Adding one is a module with a `Recording`, a line here, and ``params/<name>.yaml``.
"""

from brain_teacher.sources.recordings.source import Source

GOD = "god"
SOURCES = {
    GOD: Source("five subjects, 150 categories of ImageNet's pictures", ends_with="compare"),
    "deeprecon": Source(
        "three subjects, GOD's pictures five times over", "deeprecon:RECORDING", ends_with="images"
    ),
    "miyawaki-figures": Source(
        "one subject, 15 figures and letters", "miyawaki:RECORDING", ends_with="compare"
    ),
    "haxby-slice": Source("one subject, 8 categories, no pictures", "haxby:RECORDING"),
    "things": Source("three subjects, 720 objects, a response a trial", "things:RECORDING"),
    "cneuromod-things": Source(
        "four subjects, 720 objects; files by DataLad", "cneuromod:RECORDING"
    ),
    "cifar10h": Source(
        "no brain: 10,000 pictures and people's choices", "cifar10h:RECORDING", ends_with="compare"
    ),
    "cifar10h-400": Source("400 of them, for a laptop", "cifar10h:FEW", ends_with="compare"),
    "kriegeskorte92": Source(
        "dissimilarities of 92 pictures, fMRI", "dissimilarities:KRIEGESKORTE", ends_with="plan"
    ),
    "cichy92": Source(
        "dissimilarities of the same 92, fMRI", "dissimilarities:CICHY", ends_with="plan"
    ),
    "behaviour92": Source(
        "no brain: how alike 16 people judge the same 92",
        "dissimilarities:BEHAVIOUR",
        ends_with="plan",
    ),
}
