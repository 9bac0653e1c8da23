"""From a folder of pictures to an image classifier.

    import pelage

    run = pelage.train("pictures", validation_split=0.2, epochs=10)
    run.model.predict("cat.jpg").answer

`train` and `resume` give a `Run`, `open` a `Model`. Settings are flags of `pelage train`; `pelage train --help`, of the
command that comes with this package, lists them. `pelage.sklearn` has estimators for scikit-learn.
"""

from __future__ import annotations

import signal
import sys

from . import _pelage
from ._errors import Error, UsageError
from ._model import Explanation, Model, Prediction
from ._pelage import __version__
from ._run import Run, resume, train
from ._run import open_model as open  # noqa: A004 - as a file is opened

__all__ = [
    "Error",
    "Explanation",
    "Model",
    "Prediction",
    "Run",
    "UsageError",
    "__version__",
    "open",
    "resume",
    "train",
]


def _main() -> int:
    """The command `pelage`."""
    # Python only notes a signal, to be raised when the command is over; that it ends the process is the command's part.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _pelage.command(["pelage", *sys.argv[1:]])
