#!/usr/bin/env bash
# Images per second of training steps and inference on a GPU, beside PyTorch on the same card: `benches/gpu.sh DEVICE OUT`
# writes a JSON. It takes less than eight minutes and builds nothing: the binary is there, by
# `cargo build --release --features pelage-cli/cuda --workspace`, or is named by PELAGE. PyTorch is measured where
# `python3` has it, with and without torch.compile. `DRY=1` runs all of it with the smallest batches and one network, to
# see that it works; what it then measures means nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

device=${1:?a device, as cuda:0} out=${2:?a file for the result}
pelage=${PELAGE:-target/release/pelage}
# All of it, in seconds.
networks=(cnn3 resnet50 mobilenet_v2) batch=64 budget=460
if [ -n "${DRY:-}" ]; then
  networks=(cnn3) batch=2 budget=3600
fi
# A command, for at most what is left; 0 would be for ever.
bounded() {
  timeout $((budget > SECONDS ? budget - SECONDS : 1)) "$@"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$pelage" devices --json > "$work/devices.json"
"$pelage" devices >&2
{ nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2> /dev/null || true; } > "$work/card.txt"

# One network at a time, so that one that fails or takes too long leaves the others.
for network in "${networks[@]}"; do
  for part in steps inference; do
    echo "pelage: $part of $network" >&2
    bounded "$pelage" bench "$part" --model "$network" --batch-size "$batch" --device "$device" --json \
      > "$work/$part-$network.json" 2> "$work/$part-$network.txt" || rm -f "$work/$part-$network.json"
  done
done
if python3 -c 'import torch, torchvision' 2> /dev/null; then
  for mode in eager compile; do
    echo "PyTorch: $mode" >&2
    bounded python3 benches/peers/gpu_torch.py "$mode" "$batch" "${networks[@]}" > "$work/torch-$mode.json" ||
      echo "PyTorch, $mode: failed, or took too long" >&2
  done
else
  echo "skipped: PyTorch, which python3 does not have (pip install torch torchvision)" >&2
fi

python3 - "$work" "$out" "$device" "$batch" "${DRY:-}" "${networks[@]}" << 'PY'
import json, pathlib, sys, time

work, out, device, batch, dry, *networks = sys.argv[1:]
work = pathlib.Path(work)
read = lambda name: json.loads((work / name).read_text() or "null") if (work / name).exists() else None
result = {
    "device": device,
    "card": (work / "card.txt").read_text().strip() or None,
    "devices": read("devices.json"),
    "batch": int(batch),
    "dry_run": bool(dry),
    "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    "networks": {},
}
for network in networks:
    row = result["networks"][network] = {}
    for part in ["steps", "inference"]:
        ours = read(f"{part}-{network}.json")
        row[part] = {"pelage": ours[part][0]["images_per_second"] if ours else None}
        if ours is None:
            row[part]["failure"] = (work / f"{part}-{network}.txt").read_text().strip()[-400:] or "it took too long"
        for mode in ["eager", "compile"]:
            theirs = read(f"torch-{mode}.json")
            row[part][f"pytorch_{mode}"] = theirs[network][part] if theirs else None
pathlib.Path(out).write_text(json.dumps(result, indent=1) + "\n")
for network, row in result["networks"].items():
    print(network, row)
PY
