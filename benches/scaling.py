#!/usr/bin/env python3
"""How training by several machines scales, calculated: nothing here runs on more than one.

    python3 benches/scaling.py STEP_MS PARAMETERS PICTURES [LATENCY_US:GIGABYTES_PER_SECOND ...]

STEP_MS is a measured step of one machine on PICTURES pictures, PARAMETERS what `pelage summary` counts. A step of n
machines is that step, on as many pictures each, and then: two agreements of a few bytes, ceil(log2 n) messages each;
the sum of 4 bytes a parameter by reduce-scatter and all-gather (Rabenseifner 2004), 2 ceil(log2 n) messages and
2 (n - 1) / n of the bytes over each machine's link. What waits for the slowest machine, and switches that are not as
fast as all of their ports, are left out: real ones are slower.
"""

import math
import sys

NETWORKS = {"1 Gb/s Ethernet": (50, 0.118), "10 Gb/s Ethernet": (25, 1.18), "100 Gb/s InfiniBand": (2, 12.0)}
MACHINES = [2, 4, 8, 16]


def main():
    step, parameters, pictures = float(sys.argv[1]) / 1e3, int(sys.argv[2]), int(sys.argv[3])
    networks = NETWORKS
    if sys.argv[4:]:
        networks = {text: tuple(map(float, text.split(":"))) for text in sys.argv[4:]}
    print(f"{pictures} pictures and {1e3 * step:.0f} ms a step, {4e-6 * parameters:.1f} MB of gradients\n")
    print("| network | machines | sums | step | pictures a second | of n times one |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, (latency, bandwidth) in networks.items():
        for n in MACHINES:
            messages = 4 * math.ceil(math.log2(n)) * latency * 1e-6
            sums = messages + 2 * (n - 1) / n * 4 * parameters / (bandwidth * 1e9)
            took = step + sums
            cells = [name, n, f"{1e3 * sums:.1f} ms", f"{1e3 * took:.0f} ms", f"{n * pictures / took:,.0f}"]
            print(f"| {' | '.join(map(str, cells))} | {100 * step / took:.0f} % |")


main()
