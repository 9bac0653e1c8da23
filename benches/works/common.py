"""What all works share: turns, medians, peers that answer line by line, and what the machine is."""

import datetime, json, os, pathlib, platform, re, shutil, statistics, subprocess, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "benches/peers"
# Threads of a library that ran just before may still wait in a loop; they go to sleep meanwhile.
PAUSE = 0.2


class Skip(Exception):
    """Why a work, or a part of it, cannot be measured here."""


class Bench:
    """One run of the harness: `binary` beside the peers of `python`, on the pictures of `data` (train/CLASS and
    validation/CLASS) if there are any, in the empty folder `scratch`."""

    def __init__(self, binary, python, data, full, scratch, rounds=None):
        # Servers run in another folder. An environment's Python is a link that must stay one.
        self.binary, self.python = (os.path.abspath(path) if os.sep in str(path) else path for path in (binary, python))
        self.full = full
        self.folder, self.scratch = data, pathlib.Path(scratch)
        self.threads = len(os.sched_getaffinity(0))
        self.environment = os.environ | {"PELAGE_CACHE": f"{scratch}/cache"}
        self.skipped, self.started, self.models, self.asked_rounds = [], [], {}, rounds

    @property
    def data(self):
        if self.folder is None:
            raise Skip("no pictures: --data names an organized folder of them")
        return self.folder

    def rounds(self, full, quick):
        """How many rounds: as asked, or as a work has it."""
        return self.asked_rounds or (full if self.full else quick)

    def skip(self, what, reason):
        self.skipped.append({"what": what, "reason": str(reason)})
        print(f"  {what}: skipped, {reason}", flush=True)

    def say(self, *arguments, **more):
        """What the binary prints; a refusal is a `Skip` with its words."""
        ran = subprocess.run(
            [self.binary, *map(str, arguments)], env=self.environment | more, capture_output=True, text=True
        )
        if ran.returncode:
            raise Skip(f"pelage {arguments[0]}: {told(ran.stderr)}")
        return ran.stdout

    def pelage(self, *arguments, **more):
        """The document that a verb prints."""
        return json.loads(self.say(*arguments, "--json", **more))

    def start(self, name, script, **environment):
        """The peer of that name, by a script in peers/, or None, noted, where it does not start."""
        try:
            peer = Peer(self.python, PEERS / script, environment)
        except Skip as reason:
            return self.skip(name, reason)
        self.started.append(peer)
        return peer

    def stop(self):
        """The end of all peers of a work."""
        while self.started:
            self.started.pop().stop()

    def pictures(self, count):
        """A folder with `count` pictures of the data, the same number of each class."""
        folder = self.scratch / f"pictures-{count}"
        if not folder.exists():
            classes = sorted(path for path in (pathlib.Path(self.data) / "train").iterdir() if path.is_dir())
            for one in classes:
                (folder / one.name).mkdir(parents=True)
                for path in sorted(one.iterdir())[: count // len(classes)]:
                    shutil.copy(path, folder / one.name)
        return folder

    def model(self, backbone=None):
        """A run of cnn3, or of a frozen backbone with random weights: what it answers is worth nothing, its speed is
        that of any other."""
        if backbone not in self.models:
            run = self.scratch / f"run-{backbone}"
            flags = (
                ["--backbone", backbone, "--weights", "random", "--head", "logistic"] if backbone else ["--epochs", 1]
            )
            self.say("train", self.pictures(400), "--validation-split", 0.2, *flags, "--out", run, "--quiet")
            self.models[backbone] = run
        return self.models[backbone]


class Peer:
    """A script of peers/ as a process that loads its libraries once and then answers each line with a line."""

    def __init__(self, python, script, environment):
        if not (shutil.which(python) or pathlib.Path(python).exists()):
            raise Skip(f"there is no {python}")
        self.script, self.errors = script.name, tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [python, script],
            env=os.environ | environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
        )
        self.answer()

    def ask(self, do, **more):
        print(json.dumps({"do": do, **more}, default=str), file=self.process.stdin, flush=True)
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self.errors.seek(0)
            raise Skip(f"{self.script}: {told(self.errors.read())}")
        answer = json.loads(line)
        if "error" in answer:
            raise Skip(f"{self.script}: {answer['error']}")
        return answer["value"]

    def stop(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass  # It ended before.
        self.process.wait()


def told(text):
    """What a message says in a line: of Python's the last one, of others the first."""
    lines = [line.strip().removeprefix("error: ") for line in text.splitlines() if line.strip()] or ["no word"]
    return lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0]


def turns(contestants, rounds, warm_up=False):
    """`rounds` values of each contestant, a function by its name: one after the other, every second round backwards, so
    that what else the machine does slows all of them alike; after a round that does not count, if `warm_up`."""
    values = {name: [] for name in contestants}
    for turn in range(-1 if warm_up else 0, rounds):
        order = list(contestants)[:: -1 if turn % 2 else 1]
        for name in order:
            time.sleep(PAUSE)
            value = contestants[name]()
            if turn >= 0:
                values[name].append(value)
    return values


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def row(what, values, less=False, bars={}, **extra):
    """A line of a table: medians of the rounds, and how many times as good the first contestant is as each other one;
    `less` says that less is better. A bar is a ratio to a contestant, or for the first one its own value."""
    medians = {name: statistics.median(rounds) for name, rounds in values.items()}
    own, *others = medians
    ratios = {name: medians[name] / medians[own] if less else medians[own] / medians[name] for name in others}
    bars = {name: bar for name, bar in bars.items() if name in medians}
    return {"what": what, "rounds": values, "medians": medians, "ratios": ratios, "bars": bars, **extra}


def moment(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def others():
    """From now on: a function that tells which share of all cores other processes have taken since. It counts the peers
    as others until they have ended."""

    def ticks():
        user, nice, system, idle, wait, *rest = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        busy = sum(map(int, (user, nice, system, *rest)))
        return busy - sum(os.times()[:4]) * os.sysconf("SC_CLK_TCK"), busy + int(idle) + int(wait)

    before = ticks()

    def share():
        after = ticks()
        return round(max(after[0] - before[0], 0) / max(after[1] - before[1], 1), 3)

    return share


def machine(bench):
    """What the numbers depend on, as Linux and the binary tell it."""
    about = pathlib.Path("/proc/cpuinfo").read_text()
    field = lambda name: (re.search(rf"^{name}\s*: (.*)$", about, re.M) or [None, None])[1]
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1])
    looked = bench.pelage("bench", "inference", "--model", "cnn3", "--batch-size", 1)["machine"]
    return {
        "processor": field("model name"),
        "family": field("cpu family"),
        "model": field("model"),
        "instruction_set": looked["isa"],
        "peak_gflops": looked["peak_gflops"],
        "cores": bench.threads,
        "memory_gib": round(memory / 2**20, 1),
        "system": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]),
    }


def versions(bench):
    """The compiler, the binary, and what the peers' Python has of requirements.txt."""
    names = [re.split("[=<>]", line)[0] for line in (PEERS / "requirements.txt").read_text().split()]
    code = f"""
import importlib.metadata, json, platform
found = {{"python": platform.python_version()}}
for name in {names + ["pelage"]}:
    try: found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError: pass
print(json.dumps(found))"""
    peers = output(bench.python, "-c", code)
    return {
        "rustc": output("rustc", "--version"),
        "binary": bench.say("--version").strip(),
        "binary_built": moment(os.path.getmtime(bench.binary)),
        "peers": peers and json.loads(peers),
    }
