"""Counts instructions for `.ci/instructions`, which says what for."""
import json, os, pathlib, re, struct, subprocess, sys, tempfile, zlib

RECORD = pathlib.Path("benches/instructions.json")
APART = 0.03
COUNT, PELAGE = (pathlib.Path("target/release", path).resolve() for path in ("examples/count", "pelage"))


def counted(*command):
    told = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command],
        env=os.environ | {"PELAGE_ISA": "avx2", "RAYON_NUM_THREADS": "1"}, capture_output=True, text=True)
    if told.returncode or not (found := re.search(r"Collected : (\d+)", told.stderr)):
        sys.exit(f"{' '.join(map(str, command))}:\n{told.stdout}{told.stderr}")
    return int(found[1])


def png(path, shade):
    """A square of 36 pixels of one shade with a diagonal."""
    rows = b"".join(b"\0" + b"".join(bytes([255 - shade if x == y else shade] * 3) for x in range(36)) for y in range(36))
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", 36, 36, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def step(folder):
    """One step of cnn3 at 36 pixels, batch 8, with its share of an epoch's end: the difference between runs of two and of three epochs."""
    for name, shades in (("dark", range(0, 60, 3)), ("light", range(190, 250, 3))):
        (folder / "data" / name).mkdir(parents=True)
        for shade in shades:
            png(folder / "data" / name / f"{shade}.png", shade)
    runs = [counted(PELAGE, "train", folder / "data", "--validation-split", "0.2", "--image-size", "36", "--batch-size", "8", "--quiet",
                    "--threads", "1", "--patience", "9", "--epochs", str(epochs), "--out", folder / str(epochs)) for epochs in (2, 3)]
    return (runs[1] - runs[0]) // 4


names = subprocess.run([COUNT], capture_output=True, text=True, check=True).stdout.split()
# What two more runs take: neither starting nor making the input.
counts = {name: (counted(COUNT, name, "3") - counted(COUNT, name, "1")) // 2 for name in names}
with tempfile.TemporaryDirectory() as folder:
    counts["step"] = step(pathlib.Path(folder))
compiler = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
if sys.argv[1:] == ["write"]:
    RECORD.write_text(json.dumps({"compiler": compiler, "instructions": counts}, indent=2) + "\n")
record = json.loads(RECORD.read_text())
comparable = record["compiler"] == compiler
changed = []
for name, count in counts.items():
    before = record["instructions"].get(name, 0)
    ratio = count / before if before else float("inf")
    print(f"{name:15} {count:13,}  {ratio:6.3f} of the recorded")
    changed += [name] if abs(ratio - 1) > APART else []
if not comparable:
    print(f"instructions: not compared, since the recorded ones are by {record['compiler']}, and these by {compiler}")
elif changed:
    sys.exit(f"instructions: {', '.join(changed)} changed by more than {APART:.0%}; if that is meant, see '.ci/instructions write'")
