"""Everything a person looks at: figures, tables, words. Computes nothing."""
