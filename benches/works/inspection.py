"""`inspect` on all pictures (sizes, formats, unreadable files, exact and near duplicates, leaks), the whole process,
beside imagededup's perceptual hash of the same files and its search for duplicates, its start left out."""

import pathlib

from works.common import row, timed, turns

TITLE, UNIT = "Looking for duplicates", "s"
PACKAGES = ["imagededup"]


def measure(bench):
    folder = bench.data if bench.full else bench.pictures(2000)
    counted = []

    def own():
        turn = len(counted)
        return timed(
            lambda: counted.append(bench.pelage("inspect", folder, PELAGE_CACHE=f"{bench.scratch}/inspect-{turn}"))
        )

    contestants = {"pelage": own}
    if peer := bench.start("imagededup", "inspection_imagededup.py"):
        contestants["imagededup"] = lambda: peer.ask("look", folder=folder, workers=bench.threads)
    values = turns(contestants, bench.rounds(3, 2))
    yield row(f"{pictures(folder)} pictures", values, less=True, bars={"imagededup": 3})


def pictures(folder):
    return sum(path.suffix == ".jpg" for path in pathlib.Path(folder).rglob("*"))
