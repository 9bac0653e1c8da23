"""How a peer of the harness talks: a line with what to do, a line with the answer, both JSON."""

import json, os, statistics, sys, time


def answer(**works):
    """Does what standard input asks for until it ends. What libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**what):
        print(json.dumps(what), file=answers, flush=True)

    say(value="ready")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(value=works[asked.pop("do")](**asked))
        except Exception as failure:
            say(error=f"{type(failure).__name__}: {failure}".splitlines()[0])


def rate(work, count, enough=1.0):
    """Images per second of `work`, which does `count`: as `pelage bench` has it, the median of at least five calls, and
    more until they have taken `enough` seconds, after one to warm up."""
    work()
    seconds, begin = [], time.perf_counter()
    while len(seconds) < 5 or time.perf_counter() - begin < enough:
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return count / statistics.median(seconds)
