"""`pelage bench kernels`, with the CPU's best instruction set and with AVX2, beside the multiply-add peak. Operations
are counted as in direct convolution, so that Winograd's layers and gradients over winners alone can exceed the peak.
Blocks run on 32 pictures, the first one's backward step without the gradient of its input; convolutions on two."""

import platform

from works.common import row, turns

TITLE, UNIT = "Kernels", "GFLOP/s"
PACKAGES = []


def measure(bench):
    def own(**more):
        found = bench.pelage("bench", "kernels", "--threads", bench.threads, **more)
        return {kernel["name"]: kernel for kernel in found["kernels"]}

    def kept(name, **more):
        return lambda: kinds.setdefault(name, []).append(own(**more))

    kinds, contestants = {}, {"pelage": kept("pelage")}
    if platform.machine() == "x86_64":
        contestants["pelage, AVX2"] = kept("pelage, AVX2", PELAGE_ISA="avx2")
    turns(contestants, bench.rounds(3, 1))
    for kernel in kinds["pelage"][0]:
        values = {name: [one[kernel]["gflops"] for one in rounds] for name, rounds in kinds.items()}
        shares = {
            f"of peak, {name}": sorted(one[kernel]["share_of_peak"] for one in rounds)[len(rounds) // 2]
            for name, rounds in kinds.items()
        }
        yield row(kernel, values) | {"ratios": {}, "shares": shares}
