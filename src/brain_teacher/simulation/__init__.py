"""Simulated pictures, and the simulated brains that look at them."""
