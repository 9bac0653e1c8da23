"""The largest resident memory of `pelage train`, 150 px, batches of 32, four epochs of 400 pictures: the whole
process, as the system counts it."""

import os, subprocess

from works.common import Skip, row, turns

TITLE, UNIT = "Peak memory of training", "MiB"
PACKAGES = []


def measure(bench):
    folder, turn = bench.pictures(400), [0]

    def own():
        turn[0] += 1
        flags = ["--validation-split", "0.2", "--epochs", "4", "--batch-size", "32", "--threads", str(bench.threads)]
        command = [bench.binary, "train", folder, *flags, "--out", bench.scratch / f"memory-{turn[0]}", "--quiet"]
        fresh = bench.environment | {"PELAGE_CACHE": f"{bench.scratch}/memory-cache-{turn[0]}"}
        running = subprocess.Popen(command, env=fresh, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise Skip(f"pelage train ended with {running.returncode}")
        return used.ru_maxrss / 1024

    yield row("pelage train, cnn3", turns({"pelage": own}, bench.rounds(3, 3)), less=True, bars={"pelage": 160})
