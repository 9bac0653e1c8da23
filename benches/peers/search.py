"""search.py PELAGE DATA OUT [--time 2h] [--seeds 0,1,2] [--together] [--more 30min] [-- FLAG...]: TPE with Hyperband against
random search without pruning, at equal time, one after the other and in turns: tpe seed 0, random seed 0, tpe seed 1, and so on;
or both of a seed at once, so that whatever else the machine does slows both. Times are told in seconds of the processor, which
such work does not change: those that a search used while it was at work are spread evenly over that time. What follows `--` goes to both, such as
`--image-size 96 --threads 1`. Each search trains on DATA from an own folder in OUT, which is kept: a call that was stopped goes
on with what is left, and `--more` lets all searches go on for so long, all at once. All of them share the decoded pictures, which
a search of one trial makes first.

Writes OUT/search.json (for each search: seconds and value of every epoch done, the best so far; medians over the seeds) and
OUT/search.svg (the best so far over time: medians, and the range of the seeds). Standard library alone."""
import argparse, datetime, json, os, pathlib, statistics, subprocess, sys, time

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("pelage")
arguments.add_argument("data")
arguments.add_argument("out", type=pathlib.Path)
arguments.add_argument("--time", default="2h", help="of each search, such as 90s, 20min or 2h")
arguments.add_argument("--seeds", default="0,1,2")
own = sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else sys.argv[1:]
arguments.add_argument("--together", action="store_true", help="both searches of a seed at once, half of the threads each")
arguments.add_argument("--more", help="time that all searches go on for, all at once")
asked = arguments.parse_args(own)
flags = sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
seeds = [int(seed) for seed in asked.seeds.split(",")]
KINDS = {"TPE with Hyperband": ["tpe", "hyperband"], "random, none pruned": ["random", "none"]}
asked.out.mkdir(parents=True, exist_ok=True)

def legs(folder):
    """The times in which a search was at work: begin, end, seconds of processor time."""
    file = folder.with_suffix(".legs")
    return json.loads(file.read_text()) if file.exists() else []

def searched(folder, sampler, pruner, seed, *more, resume=False):
    """Starts a search, or lets it go on, unless it is whole, and returns what waits for its end."""
    before = legs(folder)
    if before and not resume:
        return lambda: None
    if folder.exists() and not before:
        # Time that has been spent cannot be told from time that was lost: it begins anew.
        folder.rename(folder.with_suffix(f".left-{int(time.time())}"))
    command = [asked.pelage, "search", asked.data, "--sampler", sampler, "--pruner", pruner, "--seed", str(seed), "--out", folder, *more, *flags]
    command = [asked.pelage, "search", "--resume", folder, *more] if before else command
    print(" ".join(map(str, command)), flush=True)
    begin = time.time()
    with folder.with_suffix(".log").open("a") as log:
        running = subprocess.Popen(command, stdout=log, stderr=log)

    def finish():
        _, status, used = os.wait4(running.pid, 0)
        if status != 0:
            sys.exit(f"{folder.with_suffix('.log')}: status {status}")
        leg = [begin, time.time(), round(used.ru_utime + used.ru_stime, 1)]
        folder.with_suffix(".legs").write_text(json.dumps([*before, leg]))

    return finish

def curve(folder):
    """Seconds of the processor, and the best value by then, after each epoch; and how many trials there are."""
    lines = [json.loads(line) for line in (folder / "journal.log").read_text().splitlines()]
    lower = next(line for line in lines if line["op_code"] == 0)["directions"] == [1]
    def seconds(at):
        """Of the processor, until then."""
        return sum(max(0, min(at, end) - begin) / (end - begin) * used for begin, end, used in legs(folder))

    def stamp(text):
        return datetime.datetime.fromisoformat(text).timestamp()

    # The record has no time of an epoch: the run has, in seconds of training, from when the trial began or went on.
    resumed, done, rows, trials, epochs = {}, {}, [], 0, {}
    for line in lines:
        if line["op_code"] == 4:
            resumed[trials] = stamp(line["datetime_start"])
            trials += 1
        elif line["op_code"] == 6 and line["state"] == 0:
            resumed[line["trial_id"]] = stamp(line["datetime_start"])
            done[line["trial_id"]] = epochs.get(line["trial_id"], 0)
        elif line["op_code"] == 7:
            trial, epoch = line["trial_id"], line["step"]
            history = (folder / f"trial-{trial}" / "history.csv").read_text().splitlines()
            at = history[0].split(",").index("seconds")
            spent = [float(row.split(",")[at]) for row in history[1 + done.get(trial, 0):1 + epoch]]
            rows.append((seconds(resumed[trial] + sum(spent)), line["intermediate_value"]))
            epochs[trial] = epoch
    best, steps = None, []
    for second, value in sorted(rows):
        if best is None or (value < best if lower else value > best):
            best = value
            steps.append((round(second, 2), value))
    return steps, trials, sum(epochs.values()), lower

warm = asked.out / "warm"
searched(warm, "random", "none", 0, "--trials", "1", "--time", "1s")()
for seed in seeds:
    begun = []
    for sampler, pruner in KINDS.values():
        begun.append(searched(asked.out / f"{sampler}-{seed}", sampler, pruner, seed, "--time", asked.time))
        if not asked.together:
            begun.pop()()
    for finish in begun:
        finish()
if asked.more:
    every = [(f"{sampler}-{seed}", sampler, pruner, seed) for seed in seeds for sampler, pruner in KINDS.values()]
    begun = [searched(asked.out / name, *kind, "--time", asked.more, resume=True) for name, *kind in every]
    for finish in begun:
        finish()

found, lower = {}, True
for name, (sampler, pruner) in KINDS.items():
    found[name] = []
    for seed in seeds:
        steps, trials, epochs, lower = curve(asked.out / f"{sampler}-{seed}")
        found[name].append({"seed": seed, "trials": trials, "epochs": epochs, "processor_seconds": sum(leg[2] for leg in legs(asked.out / f"{sampler}-{seed}")), "best": steps[-1][1] if steps else None, "best_so_far": steps})
end = max(run["best_so_far"][-1][0] for runs in found.values() for run in runs if run["best_so_far"])
end = max([end, *(sum(leg[2] for leg in legs(folder.with_suffix(""))) for folder in asked.out.glob("*-*.legs"))])

def at(run, second):
    before = [value for when, value in run["best_so_far"] if when <= second]
    return before[-1] if before else None

summary = {}
times = [end * i / 200 for i in range(201)]
for name, runs in found.items():
    medians = []
    for second in times:
        values = [value for value in (at(run, second) for run in runs) if value is not None]
        # Before every seed has a value there is no median.
        if len(values) == len(runs):
            medians.append((round(second, 2), statistics.median(values), min(values), max(values)))
    summary[name] = {"median_best": statistics.median(run["best"] for run in runs if run["best"] is not None), "medians": medians}
version = subprocess.run([asked.pelage, "--version"], capture_output=True, text=True).stdout.strip()
result = {"version": version, "data": asked.data, "flags": flags, "time": asked.time, "lower_is_better": lower, "searches": found, "summary": summary}
(asked.out / "search.json").write_text(json.dumps(result, indent=1))

W, H, left, right, top, bottom = 720, 400, 64, 16, 56, 52
values = [value for one in summary.values() for _, *three in one["medians"] for value in three]
# The first epochs of all would leave no room for the rest.
ranked = sorted(values, reverse=not lower)
low, high = sorted((ranked[0], ranked[int(0.9 * (len(ranked) - 1))]))
high = high if high > low else low + 1e-6
across = lambda second: left + (W - left - right) * second / end
down = lambda value: top + (H - top - bottom) * (1 - min(1.03, max(-0.03, (value - low) / (high - low))))
COLORS = ["#0072b2", "#c05000"]
svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {W} {H}" font-family="sans-serif" font-size="13">'
       f'<rect width="{W}" height="{H}" fill="#fff"/>']
for i in range(6):
    value = low + (high - low) * i / 5
    svg.append(f'<line x1="{left}" x2="{W - right}" y1="{down(value):.1f}" y2="{down(value):.1f}" stroke="#ddd"/>'
               f'<text x="{left - 6}" y="{down(value) + 4:.1f}" text-anchor="end" fill="#444">{value:.3f}</text>')
    second = end * i / 5
    label = f"{second / 60:.0f}" if end > 300 else f"{second:.0f}"
    svg.append(f'<text x="{across(second):.1f}" y="{H - bottom + 18}" text-anchor="middle" fill="#444">{label}</text>')
svg.append(f'<text x="{(W + left) / 2}" y="{H - 10}" text-anchor="middle" fill="#222">{"minutes" if end > 300 else "seconds"} of processor time</text>')
for i, (name, one) in enumerate(summary.items()):
    # A step holds until the next.
    def stairs(column, rows):
        points = []
        for (when, *three), follower in zip(rows, [*rows[1:], None]):
            points.append((when, three[column]))
            if follower:
                points.append((follower[0], three[column]))
        return " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
    rows = one["medians"]
    if rows:
        area = stairs(1, rows) + " " + " ".join(reversed(stairs(2, rows).split(" ")))
        svg.append(f'<polygon points="{area}" fill="{COLORS[i]}" fill-opacity=".15"/>'
                   f'<polyline points="{stairs(0, rows)}" fill="none" stroke="{COLORS[i]}" stroke-width="2.2"/>')
    svg.append(f'<text x="{left + 8 + 330 * i}" y="24" fill="{COLORS[i]}" font-weight="600">{name}: {one["median_best"]:.4f}</text>')
(asked.out / "search.svg").write_text("\n".join(svg) + "</svg>\n")

for name, runs in found.items():
    each = ", ".join(f'seed {run["seed"]}: {run["best"]:.4f} ({run["trials"]} trials, {run["epochs"]} epochs)' for run in runs)
    print(f'{name}: median {summary[name]["median_best"]:.4f}; {each}')
print(f"{asked.out / 'search.svg'}, {asked.out / 'search.json'}")
