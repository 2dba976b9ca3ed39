"""One file a decoder: its settings, what it needs, its function."""
