"""The process is ended before the judge can ask: nothing answered is nothing earned."""

from ..entry import Hostile


def _at_call(name: str, code: str) -> Hostile:
    return Hostile(name, "ending", codes={"fc.forward": code, "fc.backward": code})


def _at_import(name: str, code: str) -> Hostile:
    zeros = "return np.zeros((len(x), self.out_features))"
    return Hostile(name, "ending", codes={"fc.forward": zeros}, module=code)


ENDING = [
    _at_call("os._exit(0) in forward", "import os\nos._exit(0)"),
    _at_call("sys.exit(0) in forward", "import sys\nsys.exit(0)"),
    _at_call("SystemExit, with a message of success", "raise SystemExit('all tests passed: 100 of 100')"),
    _at_call("KeyboardInterrupt", "raise KeyboardInterrupt"),
    _at_call("GeneratorExit", "raise GeneratorExit"),
    _at_call(
        "an exception whose text raises",
        """
        class Silent(BaseException):
            def __str__(self):
                raise SystemExit(0)

            __repr__ = __str__

        raise Silent
    """,
    ),
    _at_call(
        "skipped, as a test framework knows it",
        """
        try:
            from unittest import SkipTest
        except ImportError:
            SkipTest = SystemExit
        raise SkipTest("passed")
    """,
    ),
    _at_import("os._exit(0) at import", "import os\nos._exit(0)"),
    _at_import("sys.exit(0) at import", "import sys\nsys.exit(0)"),
    _at_import(
        "exit handlers that change the exit code",
        """
        import atexit
        import os

        atexit.register(os._exit, 0)
        raise ValueError("the end")
    """,
    ),
    _at_import(
        "an excepthook that ends well",
        """
        import os
        import sys

        sys.excepthook = lambda *error: os._exit(0)
        raise ValueError("the end")
    """,
    ),
    _at_call("SIGKILL to itself", "import os\nimport signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    _at_call(
        "SIGKILL to the parent",
        """
        import os
        import signal

        if os.getppid() > 1:
            os.kill(os.getppid(), signal.SIGKILL)
    """,
    ),
    _at_call(
        "SIGTERM to its process group, where it is its own",
        """
        import os
        import signal

        if os.getpgid(0) != os.getpgid(os.getppid()):
            os.killpg(0, signal.SIGTERM)
    """,
    ),
    _at_call("replaced by another program", "import os\nos.execv('/bin/true', ['true'])"),
    _at_call(
        "standard output closed",
        """
        import os

        for descriptor in range(64):
            try:
                os.close(descriptor)
            except OSError:
                pass
        return np.zeros((len(x), self.out_features))
    """,
    ),
]
