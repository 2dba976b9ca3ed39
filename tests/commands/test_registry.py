"""``registry`` with a registry in memory: what is listed, and why an alias is where it is."""

import pytest

from brain_teacher.commands import registry as module
from brain_teacher.tracking import Version
from helpers.running import run

TAGS = {
    "dataset": "sample", "simulated": "True", "kind": "brain", "seed": "3",
    "verdict": "cannot tell",
}  # fmt: skip


@pytest.fixture
def there(monkeypatch):
    """Put versions and reasons into the registry; gives what the command says."""

    def there(versions, reasons):
        class Memory:
            def versions(self):
                return versions

            def reasons(self):
                return reasons

        monkeypatch.setattr(module, "Registry", Memory)
        return run("registry")

    return there


def test_versions_are_listed_with_their_verdicts(there):
    said = there(
        [
            Version("1", (), TAGS, has_files=False),
            Version("2", ("challenger",), TAGS | {"verdict": "harmed"}, has_files=True),
        ],
        {
            "challenger": "version 2 since 2026-11-28 09:00 UTC. Not champion: harmed.",
            "champion": "no version since 2026-11-28 09:00 UTC: version 1 lost it.",
        },
    )
    first, second = (" ".join(line.split()) for line in said.splitlines()[2:4])
    assert first == "1 sample (simulated) brain seed 3 cannot tell gone"
    assert second == "2 challenger sample (simulated) brain seed 3 harmed there"
    assert "challenger: version 2 since 2026-11-28 09:00 UTC. Not champion: harmed.\n" in said
    assert "champion: no version since 2026-11-28 09:00 UTC: version 1 lost it.\n" in said


def test_what_was_not_moved_by_promote_is_said(there):
    said = there(
        [Version("3", ("champion", "mine"), {}, has_files=False)],
        {"champion": "version 1 since 2026. Champion, because."},
    )
    text = " ".join(said.split())
    assert "champion: version 3, moved by hand; before that: version 1 since 2026." in text
    assert "Its files are gone: promote again. mine: version 3, set by hand, nobody said" in text


def test_an_empty_registry_says_how_to_begin(there):
    assert there([], {}).startswith("brain-teacher-student has no version yet: `brain-teacher pro")
