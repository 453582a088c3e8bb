"""The commands of `handgrad`, one a file: `add(commands)` adds a parser, whose `run(arguments)` gives the exit code."""
