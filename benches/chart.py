"""chart.py [BENCHMARKS.md]: draws the ratios in the document's tables as docs/benchmarks.svg, so that the two cannot differ.

A table's columns "against PEER" hold ratios, "1.87 x"; its first column says of what."""
import html, pathlib, re, sys

document = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[1] / "docs/BENCHMARKS.md")
COLORS = {"Keras": "#d9822b", "ONNX Runtime": "#3f7fbf", "PyTorch": "#c0504d"}
LEFT, SCALE, BAR, GAP = 230, 72, 16, 14

rows, peers, section = [], {}, ""
for line in document.read_text().splitlines():
    section = line.removeprefix("## ") if line.startswith("## ") else section
    cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")]
    if "against " in line and line.startswith("|"):
        peers = {i: cell.removeprefix("against ") for i, cell in enumerate(cells) if cell.startswith("against ")}
    elif not line.startswith("|"):
        peers = {}
    found = {peer: re.fullmatch(r"([0-9.]+) x", cells[i]) for i, peer in peers.items() if i < len(cells)}
    if ratios := {peer: float(match[1]) for peer, match in found.items() if match}:
        rows.append((section, cells[0], ratios))

drawn, y, above = [], 48, ""
for section, title, ratios in rows:
    if section != above:
        drawn.append(f'<text class="section" x="10" y="{y + 11}">{html.escape(section)}</text>')
        above, y = section, y + BAR + 8
    middle = y + BAR * len(ratios) / 2 + 4
    drawn.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{html.escape(title)}</text>')
    for peer, ratio in ratios.items():
        drawn.append(f'<rect x="{LEFT}" y="{y}" width="{ratio * SCALE:.0f}" height="{BAR - 2}" fill="{COLORS[peer]}"/>')
        drawn.append(f'<text class="value" x="{LEFT + max(ratio, 1) * SCALE + 6:.0f}" y="{y + 11}">{ratio:.2f} x {peer}</text>')
        y += BAR
    y += GAP
one = LEFT + SCALE
width = LEFT + SCALE * max(max(ratios.values()) for *_, ratios in rows) + 150
document.with_name("benchmarks.svg").write_text(
    f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {y + 6}" width="{width:.0f}" height="{y + 6}"
 font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#222">
<title>How many times as fast as its peers pelage is</title>
<style>.value {{ font-size: 11px; fill: #555 }} .section {{ font-weight: bold }}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="20" font-size="14">Times as fast as each peer, on the same two cores</text>
<line x1="{one}" x2="{one}" y1="38" y2="{y - 4}" stroke="#888" stroke-dasharray="3 3"/>
<text class="value" x="{one}" y="34" text-anchor="middle">as fast</text>
"""
    + "\n".join(drawn)
    + "\n</svg>\n"
)
