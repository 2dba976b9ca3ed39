"""Looks at a data set folder that list all that is wrong with it."""
