"""``python -m brain_teacher``: the same as the ``brain-teacher`` command."""

from brain_teacher.cli import main

if __name__ == "__main__":
    main()
