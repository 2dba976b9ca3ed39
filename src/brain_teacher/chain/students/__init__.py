"""From soft labels and images to a folder of students, and back from it to their answers."""
