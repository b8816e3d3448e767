"""The language of YAML adapters, known to nobody else."""
