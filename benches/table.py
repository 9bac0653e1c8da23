"""A work's numbers as a table in Markdown: by benches/run as they come, by benches/draw for the page; and a file's
JSON."""

import json


def number(value):
    """Three digits, or all before the point."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def ratio(row, name):
    """`1.23 x`, bold where a bar is reached."""
    found, bar = row["ratios"][name], row["bars"].get(name)
    return f"**{found:.2f} x**" if bar and found >= bar else f"{found:.2f} x"


def own(row, unit=""):
    """The first contestant's median, bold where it has reached a bar for its own value, of which less is better."""
    name, value = next(iter(row["medians"].items()))
    text = f"{number(value)} {unit}".strip()
    return f"**{text}**" if value <= row["bars"].get(name, -1) else text


def line(row, unit):
    """A row in one line of text."""
    said = ", ".join(f"{name} {number(value)}" for name, value in row["medians"].items())
    ratios = "".join(f"; {value:.2f} x {name}" for name, value in row["ratios"].items())
    return f"{row['what']}: {said} {unit}{ratios}"


def table(work):
    """All rows, as lines. What a row does not have is an empty cell."""
    rows = work["rows"]
    ordered = lambda key: list(dict.fromkeys(name for row in rows for name in row.get(key, {})))
    contestants, ratios, shares, times = (ordered(key) for key in ("medians", "ratios", "shares", "times"))
    bars = any(row["bars"] for row in rows)
    heads = [
        f"{work['unit']}, median",
        *contestants,
        *(f"against {name}" for name in ratios),
        *["bar"] * bars,
        *shares,
        *times,
    ]
    lines = [cells(heads), cells(["---"] * len(heads))]
    for row in rows:
        have = lambda key, text: [text(row[key][name]) if name in row.get(key, {}) else "" for name in ordered(key)]
        medians = have("medians", number)
        medians[0] = own(row)
        found = [ratio(row, name) if name in row["ratios"] else "" for name in ratios]
        told = [f"{bar:g} x" if name in row["ratios"] else f"{bar:g}" for name, bar in row["bars"].items()]
        told = ", ".join(dict.fromkeys(told))
        shown = have("shares", lambda value: f"{100 * value:.0f} %") + have("times", number)
        lines.append(cells([row["what"], *medians, *found, *[told] * bars, *shown]))
    return lines


def cells(values):
    return "| " + " | ".join(values) + " |"


def document(value, margin=""):
    """JSON that people read as well: what holds no further lists or objects stands on one line."""
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if not any(isinstance(one, (dict, list)) for one in within):
        return json.dumps(value, ensure_ascii=False)
    deeper = margin + " "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {document(one, deeper)}" for key, one in value.items()]
        return "{\n" + ",\n".join(deeper + part for part in parts) + f"\n{margin}}}"
    return "[\n" + ",\n".join(deeper + document(one, deeper) for one in value) + f"\n{margin}]"
