"""Reading what anybody may have written, within limits, or one line why."""
