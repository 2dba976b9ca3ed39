"""Files of other people, read and written."""
