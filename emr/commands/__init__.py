"""The commands of `emr`, a file each; whatever is heavy is imported when a command runs."""
