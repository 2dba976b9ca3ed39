"""ImageNet: trees of its pictures, and what networks have seen of it."""
