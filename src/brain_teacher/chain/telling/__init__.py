"""What ``report`` tells: what the stages left, read and put in order for the page."""
