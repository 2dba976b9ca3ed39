"""Whether it was the brain that helped: statistics and verdict. Arrays in, frozen values out."""
