"""All torch architectures, and the devices they run on; loaded late."""
