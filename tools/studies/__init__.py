"""Studies: fits and trainings beside each other."""
