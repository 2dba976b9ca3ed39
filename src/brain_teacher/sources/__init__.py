"""Where data sets come from: downloads, published recordings, image trees, one's own files."""
