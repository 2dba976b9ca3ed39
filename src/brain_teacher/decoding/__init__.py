"""From voxels to soft labels: folds, decoders, calibration, quality. Arrays in, arrays out."""
