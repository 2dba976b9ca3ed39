"""Files over HTTP: whole and verified, or none."""
