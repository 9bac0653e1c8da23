"""Tests of the harness itself, by `python3 benches/test.py`: no peer and no measurement, a stub in pelage's place."""

import json, pathlib, subprocess, sys, tempfile, unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import table
from works import common

# Kernels at 100 and 50 GFLOP/s of a peak of 200; AVX2 at half of that.
STUB = """#!/usr/bin/env python3
import json, os, sys
half = 2 if os.environ.get("PELAGE_ISA") == "avx2" else 1
kernel = lambda name, speed: {"name": name, "gflops": speed / half, "share_of_peak": speed / half / 200}
if sys.argv[1] == "bench" and "kernels" in sys.argv:
    print(json.dumps({"kernels": [kernel("3x3", 100.0), kernel("1x1", 50.0)]}))
elif sys.argv[1] == "bench" and "bf16" in sys.argv:
    sys.exit("error: this CPU has no bf16")
elif sys.argv[1] == "bench":
    print(json.dumps({"machine": {"processor": "stub", "threads": 1, "isa": "portable", "peak_gflops": 200.0}}))
else:
    print("pelage stub")
"""
PAGE = "# Page\n\n<!-- drawn: kernels -->\n<!-- end -->\n\n<!-- drawn: bf16 -->\n<!-- end -->\n\n<!-- drawn: hand -->\n<!-- end -->\n"
HAND = {
    "kind": "written",
    "about": "by hand",
    "machine": "a machine",
    "date": "today",
    "commands": ["pelage"],
    "parts": [{"columns": ["a", "b"], "rows": [["c", "12 %"]]}, {"note": "A note of 3 ms."}],
}


class Harness(unittest.TestCase):
    def test_turns_alternate_and_the_warm_up_does_not_count(self):
        order, count = [], iter(range(100))

        def contestant(name):
            return lambda: (order.append(name), next(count))[1]

        found = common.turns({"a": contestant("a"), "b": contestant("b")}, 2, warm_up=True)
        self.assertEqual("".join(order), "ba" + "ab" + "ba")
        self.assertEqual(found, {"a": [2, 5], "b": [3, 4]})

    def test_ratios_say_how_many_times_as_good_the_first_is(self):
        values = {"pelage": [1.0, 9.0, 2.0], "peer": [4.0, 5.0, 6.0]}
        self.assertEqual(common.row("times", values, less=True)["ratios"], {"peer": 2.5})
        self.assertEqual(common.row("rates", values)["ratios"], {"peer": 0.4})
        reached = common.row("times", values, less=True, bars={"peer": 2.5, "absent": 9})
        self.assertEqual(
            table.own(common.row("size", {"pelage": [9.0]}, less=True, bars={"pelage": 9}), "MiB"), "**9 MiB**"
        )
        self.assertEqual((table.ratio(reached, "peer"), reached["bars"]), ("**2.50 x**", {"peer": 2.5}))

    def test_a_document_is_the_same_value(self):
        value = {"a": [1, 2.5, None], "b": {"c": [{"d": "x  [y]"}, []], "e": "ü\n"}, "f": [], "g": True}
        self.assertEqual(json.loads(table.document(value)), value)

    def test_a_run_on_a_stub_is_drawn_and_what_is_changed_by_hand_is_found(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            stub, out, page = folder / "pelage", folder / "results/stub.json", folder / "docs/BENCHMARKS.md"
            stub.write_text(STUB)
            stub.chmod(0o755)
            run = [
                "--quick",
                "--only",
                "kernels,bf16,inspection",
                "--pelage",
                stub,
                "--python",
                "nowhere",
                "--out",
                out,
            ]
            said = subprocess.run([HERE / "run", *run], capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stderr)
            found = json.loads(out.read_text())
            self.assertEqual([row["medians"]["pelage"] for row in found["works"]["kernels"]["rows"]], [100.0, 50.0])
            self.assertIn("no bf16", found["works"]["bf16"]["skipped"][0]["reason"])
            self.assertIn("--data", said.stdout + json.dumps(found["works"]["inspection"]["skipped"]))
            for fact in ("commit", "date", "dirty", "versions"):
                self.assertIn(fact, found)

            (folder / "results/hand.json").write_text(json.dumps(HAND))
            page.parent.mkdir()
            page.write_text(PAGE)
            draw = lambda *more: subprocess.run(
                [HERE / "draw", "--results", out.parent, "--docs", page.parent, *more], capture_output=True, text=True
            )
            self.assertEqual(draw("--check").returncode, 1, "the page is empty")
            self.assertEqual(draw().returncode, 0)
            text = page.read_text()
            for cell in ("| 3x3 | 100 |", "50 %", "| c | 12 % |", "A note of 3 ms.", "by hand", "no bf16"):
                self.assertIn(cell, text)
            self.assertEqual(draw("--check").returncode, 0)
            page.write_text(text.replace("| 3x3 | 100 |", "| 3x3 | 101 |"))
            self.assertIn("is not what", draw("--check").stderr)
            page.write_text(text + "\nTwice as fast, 12 ms.\n")
            self.assertIn("outside of the drawn parts", draw("--check").stderr)
            page.write_text(text.replace("drawn: hand", "drawn: nobody"))
            self.assertIn("wants nobody", draw("--check").stderr)
            page.write_text(text[: text.index("<!-- drawn: hand -->")])
            self.assertIn("no part for hand", draw("--check").stderr)

    def test_what_does_not_exist_is_refused(self):
        refused = subprocess.run([HERE / "run", "--quick", "--only", "nothing"], capture_output=True, text=True)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("no work nothing", refused.stderr)


unittest.main()
