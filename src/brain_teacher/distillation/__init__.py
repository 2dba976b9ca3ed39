"""From soft labels to students: teachers, losses, network, augmentation, engine."""
