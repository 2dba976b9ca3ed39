"""From a folder of voxels to the soft labels of ``decode`` and ``controls``."""
