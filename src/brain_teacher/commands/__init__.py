"""One file a command: reads files, calls the pure rooms, writes files, tracks."""
