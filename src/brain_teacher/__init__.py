"""Can a human brain teach a neural network? Knowledge distillation from fMRI decoders."""

__version__ = "0.1.0"
