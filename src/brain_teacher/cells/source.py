"""A fingerprint of the code that makes a result."""

from pathlib import Path

from brain_teacher.files import file_digest, fingerprint


def source_fingerprint(places):
    """SHA-256 over the Python files of `places`, folders or files of this package."""
    package = Path(__file__).parents[1]
    files = []
    for place in places:
        path = package / place
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return fingerprint([[str(f.relative_to(package)), file_digest(f)] for f in files])
