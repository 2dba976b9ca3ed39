"""What a data set is: its description, stimuli, recordings (BData), trials and images."""
