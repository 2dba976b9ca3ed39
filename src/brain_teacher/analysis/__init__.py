"""Whether it was the brain that helped: statistics, verdict, tables, figures.

`statistics` compares students that share their seeds and their test images, `verdict` puts the
comparisons into words, `tables` and `figures` show them. All of it takes arrays and frozen values
and gives such back; a caller reads and writes the files.
"""
