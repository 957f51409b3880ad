"""The command line: click commands, rendering, exit codes. Nothing here is imported by another room."""
