"""Running a command as a user does, in this process."""

from handgrad.cli import main


def run(capsys, *arguments):
    """The exit code, standard output and standard error."""
    try:
        code = main(list(map(str, arguments)))
    except SystemExit as stop:
        code = stop.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err
