"""``SOURCES``: published recordings that ``brain-teacher fetch`` brings and makes data sets of.

Adding one is a module with a `Source`, and a line here. GOD, whose files are a data set as they
are, has its own way (`brain_teacher.sources.recordings.god`).
"""

from brain_teacher.sources.recordings import dissimilarities, haxby, miyawaki

SOURCES = {
    "miyawaki-figures": miyawaki.SOURCE,
    "haxby-slice": haxby.SOURCE,
    "kriegeskorte92": dissimilarities.KRIEGESKORTE,
    "cichy92": dissimilarities.CICHY_SOURCE,
}
