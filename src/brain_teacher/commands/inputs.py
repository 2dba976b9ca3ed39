"""What several commands read, with the errors that a person's mistake deserves."""
