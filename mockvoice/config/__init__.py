"""Settings, the configuration file and the YAML loader."""
