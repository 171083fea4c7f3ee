"""What is raised for a config that cannot be used."""


class ConfigError(ValueError):
    """A config that cannot be used; the message names the field, what was found and what would be right."""
