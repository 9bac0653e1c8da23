"""The files of deploy/: what one of them repeats of another, cloud-init's keys, and the job run for real.

    deploy.py write                        puts user-data.yaml into cloudformation.yaml, and its job into skypilot.yaml
    deploy.py texts                        checks that they are there
    deploy.py keys SCHEMA FILE             keys of user data that cloud-init does not know; its own check lets them pass
    deploy.py job PELAGE DATA PLACE        runs the job on the folder DATA, with a bucket that is a folder
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import time

import yaml

DEPLOY = pathlib.Path(__file__).resolve().parent.parent / "deploy"
# Where a text is repeated: the file, the line above it, and how deep it stands.
COPIES = [("cloudformation.yaml", "Fn::Base64: !Sub |", 12), ("skypilot.yaml", "run: |", 2)]

# `aws s3 cp` and `aws s3 sync`, for a bucket that is a folder.
AWS = '''#!{python}
import pathlib, shutil, sys
words = [word for word in sys.argv[3:] if word != "--only-show-errors"]
skipped = words.pop(words.index("--exclude") + 1) if "--exclude" in words else None
words = [word for word in words if word != "--exclude"]
source, target = [pathlib.Path(word.replace("s3://bucket", "{bucket}")) for word in words]
pairs = [(source, target)]
if sys.argv[2] == "sync":
    found = [path for path in source.rglob("*") if path.is_file() and path.name != skipped]
    pairs = [(path, target / path.relative_to(source)) for path in found]
for source, target in pairs:
    target.parent.mkdir(parents=True, exist_ok=True)
    # An object is there whole or not at all.
    shutil.copyfile(source, str(target) + ".new")
    pathlib.Path(str(target) + ".new").rename(target)
'''


def job():
    data = yaml.safe_load((DEPLOY / "user-data.yaml").read_text())
    return next(file["content"] for file in data["write_files"] if file["path"].endswith("/job"))


def with_copy(name, line, depth, text):
    """A file with `text` below `line`, in place of all that stands there as deep."""
    before, after = (DEPLOY / name).read_text().split(line + "\n")
    lines = after.splitlines(keepends=True)
    while lines and (not lines[0].strip() or lines[0].startswith(" " * depth)):
        lines.pop(0)
    put = "".join(" " * depth + part if part.strip() else part for part in text.splitlines(keepends=True))
    return f"{before}{line}\n{put}{''.join(lines)}"


def copies():
    texts = [(DEPLOY / "user-data.yaml").read_text(), job()]
    return [(copy[0], with_copy(*copy, text)) for copy, text in zip(COPIES, texts)]


def write():
    for name, text in copies():
        (DEPLOY / name).write_text(text)


def texts():
    for name, text in copies():
        if (DEPLOY / name).read_text() != text:
            sys.exit(f"deploy: deploy/{name} does not repeat user-data.yaml: `.ci/deploy write`")
    print("deploy: cloudformation.yaml and skypilot.yaml repeat user-data.yaml word for word")


def keys(schema, file):
    known = set()
    for definition in json.loads(pathlib.Path(schema).read_text())["$defs"].values():
        known |= set(definition.get("properties", {}))
    unknown = set(yaml.safe_load(pathlib.Path(file).read_text())) - known
    if unknown:
        sys.exit(f"deploy: cloud-init knows no {', '.join(sorted(unknown))}")


class Bucket:
    """A bucket, with the program and the data, and machines that run the job with it one after the other."""

    def __init__(self, pelage, data, place):
        self.place = pathlib.Path(place).resolve()
        shutil.rmtree(self.place, ignore_errors=True)
        self.folder = self.place / "bucket"
        self.folder.mkdir(parents=True)
        (self.place / "bin").mkdir()
        aws = self.place / "bin/aws"
        aws.write_text(AWS.format(python=sys.executable, bucket=self.folder))
        aws.chmod(0o755)
        with tarfile.open(self.folder / "pelage.tar.gz", "w:gz", compresslevel=1) as archive:
            archive.add(pelage, "pelage/pelage")
        with tarfile.open(self.folder / "pets.tar", "w") as archive:
            archive.add(data, "pets")

    def machine(self, run, minutes="5", data="pets.tar", sleep="1"):
        """A new machine, on whose disk is nothing."""
        disk = self.place / "machine"
        shutil.rmtree(disk, ignore_errors=True)
        settings = {
            "PATH": f"{self.place / 'bin'}:{os.environ['PATH']}",
            "HOME": str(disk),
            "PELAGE_PLACE": str(disk),
            "PELAGE_PROGRAM": "s3://bucket/pelage.tar.gz",
            "PELAGE_DATA": f"s3://bucket/{data}",
            "PELAGE_RUN": f"s3://bucket/runs/{run}",
            "PELAGE_OPTIONS": "--image-size 64 --epochs 6 --patience 0",
            "PELAGE_MINUTES": minutes,
        }
        script = job().replace("while sleep 60;", f"while sleep {sleep};")
        return subprocess.Popen(["bash", "-c", script], env=settings, start_new_session=True, stderr=subprocess.DEVNULL)

    def log(self, run):
        return (self.folder / f"runs/{run}.log").read_text()

    def epochs(self, run):
        history = self.folder / f"runs/{run}/history.csv"
        return len(history.read_text().splitlines()) - 1 if history.exists() else 0


def run_job(pelage, data, place):
    bucket = Bucket(pelage, data, place)
    assert bucket.machine("whole").wait() == 0, bucket.log("whole")
    assert "ended with 0" in bucket.log("whole")
    assert bucket.epochs("whole") == 6

    taken = bucket.machine("taken", sleep="0.1")
    until = time.monotonic() + 120
    while bucket.epochs("taken") < 2:
        assert taken.poll() is None and time.monotonic() < until, bucket.log("taken")
        time.sleep(0.05)
    os.killpg(taken.pid, signal.SIGKILL)
    taken.wait()
    assert bucket.epochs("taken") < 6, "it was done before it was taken away"
    assert bucket.machine("taken").wait() == 0, bucket.log("taken")
    assert bucket.log("taken").count("started on") == 2
    whole, again = [(bucket.folder / f"runs/{run}/best.safetensors").read_bytes() for run in ("whole", "taken")]
    assert whole == again, "the weights are others than without the interruption"

    assert bucket.machine("none", data="none.tar").wait() != 0
    assert "ended with 1" in bucket.log("none"), bucket.log("none")

    assert bucket.machine("late", minutes="0.015").wait() == 124, bucket.log("late")
    assert bucket.machine("late").wait() == 0, bucket.log("late")
    assert bucket.epochs("late") == 6
    print("deploy: the job trains; taken away after two epochs it goes on to the same weights; a failure and a time")
    print("deploy: that is over end it, with log and run in the bucket (it was run; the bucket was a folder)")


if __name__ == "__main__":
    {"write": write, "texts": texts, "keys": keys, "job": run_job}[sys.argv[1]](*sys.argv[2:])
