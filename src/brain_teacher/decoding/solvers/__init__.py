"""Linear algebra that knows no fold plan and no id."""
