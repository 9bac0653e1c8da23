"""Ratios as a chart in SVG, for benches/draw."""

import html

COLORS = {"Keras": "#d9822b", "TensorFlow": "#d9822b", "ONNX Runtime": "#3f7fbf", "PyTorch": "#c0504d"}
OTHERS, LEFT, MOST, BAR, GAP = "#7f9f5f", 330, 560, 16, 10


def color(peer):
    return next((color for name, color in COLORS.items() if peer.startswith(name)), OTHERS)


def svg(rows):
    """`rows`: a work's title and a row of it; None without any. What is compared with pelage itself is left out."""
    others = lambda row: {
        name: value for name, value in row["ratios"].items() if not name.startswith(("pelage", "Python"))
    }
    rows = [(title, row["what"], others(row)) for title, row in rows if row.get("charted", True) and others(row)]
    if not rows:
        return None
    scale = min(72, MOST / max(value for *_, ratios in rows for value in ratios.values()))
    drawn, y, above = [], 48, ""
    for section, title, ratios in rows:
        if section != above:
            drawn.append(f'<text class="section" x="10" y="{y + 11}">{html.escape(section)}</text>')
            above, y = section, y + BAR + 8
        middle = y + BAR * len(ratios) / 2 + 4
        drawn.append(f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{html.escape(title)}</text>')
        for peer, ratio in ratios.items():
            drawn.append(
                f'<rect x="{LEFT}" y="{y}" width="{ratio * scale:.0f}" height="{BAR - 2}" fill="{color(peer)}"/>'
            )
            said, x = f"{ratio:.2f} x {html.escape(peer)}", LEFT + max(ratio, 1) * scale + 6
            drawn.append(f'<text class="value" x="{x:.0f}" y="{y + 11}">{said}</text>')
            y += BAR
        y += GAP
    one, width, shapes = LEFT + scale, LEFT + MOST + 180, "\n".join(drawn)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y + 6}" width="{width}" height="{y + 6}"
 font-family="DejaVu Sans, Helvetica, Arial, sans-serif" font-size="12" fill="#222">
<title>How many times as fast as its peers pelage is</title>
<style>.value {{ font-size: 11px; fill: #555 }} .section {{ font-weight: bold }}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="20" font-size="14">Times as fast as each peer, on the same cores</text>
<line x1="{one:.0f}" x2="{one:.0f}" y1="38" y2="{y - 4}" stroke="#888" stroke-dasharray="3 3"/>
<text class="value" x="{one:.0f}" y="34" text-anchor="middle">as fast</text>
{shapes}
</svg>
"""
