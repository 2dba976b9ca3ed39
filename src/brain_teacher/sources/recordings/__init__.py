"""Published recordings, each a module that makes it a data set."""
