"""The result as one HTML file with SVG plots, which needs nothing from the network."""

import html
import math

from parts import micro
from parts import rows as table_rows
from parts import summary

OURS, THEIRS, GOAL, INK, GRID = "#0b7285", "#e8590c", "#868e96", "#212529", "#dee2e6"
WIDTH, LEFT, ROW = 1040, 390, 22
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #212529; margin: 2rem auto; max-width: 1080px; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: 12.5px; display: block; overflow-x: auto; }
th, td { padding: 2px 8px; border-bottom: 1px solid #dee2e6; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } th { background: #f1f3f5; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: 13px; } dt { color: #868e96; } dd { margin: 0; }
svg text { font: 12px system-ui, sans-serif; fill: #212529; } .small { font-size: 13px; color: #495057; }
"""


class Plot:
    """Rows with a name at the left and a logarithmic scale."""

    def __init__(self, count, low, high, unit):
        self.low, self.high = math.log10(low), math.log10(max(high, low * 10))
        self.height = count * ROW + 46
        self.parts, self.line = [], 0
        for power in range(math.floor(self.low), math.ceil(self.high) + 1):
            x = self.x(10**power)
            if LEFT - 1 <= x <= WIDTH - 19:
                self.parts.append(f'<line x1="{x:.1f}" y1="20" x2="{x:.1f}" y2="{self.height - 22}" stroke="{GRID}"/>')
                self.text(x, 14, summary.number(10**power) + unit, "middle")

    def x(self, value):
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return LEFT + max(0.0, min(1.0, part)) * (WIDTH - LEFT - 40)

    def text(self, x, y, text, anchor="start", colour=INK):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="fill:{colour}">{html.escape(text)}</text>')

    def row(self, title):
        top = 26 + self.line * ROW
        self.line += 1
        self.text(LEFT - 8, top + 13, title, "end")
        return top

    def bar(self, top, height, value, colour, title):
        width = self.x(value) - LEFT
        self.parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{max(1, width):.1f}" height="{height}" fill="{colour}"><title>{html.escape(title)}</title></rect>')

    def span(self, y, first, last, dots, colour, title):
        self.parts.append(
            f'<g><title>{html.escape(title)}</title><line x1="{self.x(first):.1f}" y1="{y}" x2="{self.x(last):.1f}" y2="{y}" '
            f'stroke="{colour}" stroke-width="2"/>'
            + "".join(f'<circle cx="{self.x(value):.1f}" cy="{y}" r="{size}" fill="{colour}"/>' for value, size in dots) + "</g>")

    def legend(self, entries):
        x = LEFT
        for colour, text in entries:
            self.parts.append(f'<rect x="{x}" y="{self.height - 14}" width="10" height="10" fill="{colour}"/>')
            self.text(x + 14, self.height - 5, text)
            x += 30 + 7 * len(text)

    def svg(self):
        return (f'<svg viewBox="0 0 {WIDTH} {self.height}" width="100%" role="img" xmlns="http://www.w3.org/2000/svg">'
                + "".join(self.parts) + "</svg>")


def ratios(rows):
    shown = [row for row in rows if row["ratio"]]
    if not shown:
        return ""
    amounts = [row["ratio"] for row in shown] + [row["goal"] for row in shown if row["goal"]]
    plot = Plot(len(shown), min(0.5, *amounts), max(amounts) * 1.3, "×")
    for row in shown:
        top = plot.row(row["title"])
        plot.bar(top + 3, ROW - 8, row["ratio"], OURS, f"{row['ratio']:.2f}")
        plot.text(plot.x(row["ratio"]) + 4, top + 14, f"{row['ratio']:.1f}")
        if row["goal"]:
            x = plot.x(row["goal"])
            plot.parts.append(
                f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + ROW - 2}" stroke="{INK}" stroke-width="2">'
                f'<title>goal {row["goal"]:g}</title></line>')
    plot.legend([(OURS, "ours, times Synapse's"), (INK, "goal")])
    return plot.svg()


def both(rows, choose):
    for row in rows:
        for offset, colour, name in ((0, OURS, "ours"), (1, THEIRS, "theirs")):
            if row.get(name):
                found = choose(row, row[name])
                if found:
                    yield row, offset, colour, name, found


def throughput(rows):
    shown = [row for row in rows if row["figure"] == "perSecond" and (row["ours"] or row["theirs"])]
    found = [values for *_, values in both(shown, lambda row, side: [value for value in side["values"] if value > 0])]
    if not found:
        return ""
    plot = Plot(len(shown), min(map(min, found)) / 2, max(map(max, found)) * 1.5, "/s")
    for row in shown:
        top = plot.row(row["title"])
        for _, offset, colour, name, values in both([row], lambda row, side: [value for value in side["values"] if value > 0]):
            middle = row[name]["value"]
            plot.bar(top + 2 + offset * 8, 6, middle, colour, f"{name}: {summary.number(middle)}/s")
            plot.span(top + 5 + offset * 8, min(values), max(values), [(value, 2) for value in values], INK, f"{name}: {len(values)} rounds")
    plot.legend([(OURS, "ours"), (THEIRS, "Synapse"), (INK, "single rounds")])
    return plot.svg()


def latency(rows):
    choose = lambda row, side: side["latency"] if side["latency"]["p50"] > 0 else None
    shown = [row for row in rows if list(both([row], choose))]
    found = [values for *_, values in both(shown, choose)]
    if not found:
        return ""
    plot = Plot(len(shown), min(value["p50"] for value in found) / 2, max(value["p99"] for value in found) * 1.3, " ms")
    for row in shown:
        top = plot.row(row["title"])
        for _, offset, colour, name, value in both([row], choose):
            plot.span(top + 7 + offset * 7, value["p50"], value["p99"], [(value["p50"], 4), (value["p99"], 2.5)], colour,
                      f"{name}: p50 {summary.number(value['p50'])} ms, p99 {summary.number(value['p99'])} ms")
    plot.legend([(OURS, "ours: p50 ● to p99 •"), (THEIRS, "Synapse")])
    return plot.svg()


def cost(rows):
    choose = lambda row, side: (side.get("server_cpu_ms", 0) + side.get("postgres_cpu_ms", 0)) or None
    shown = [row for row in rows if row["figure"] == "perSecond" and list(both([row], choose))]
    found = [value for *_, value in both(shown, choose)]
    if not found:
        return ""
    plot = Plot(len(shown), min(found) / 3, max(found) * 1.5, " ms")
    for row in shown:
        top = plot.row(row["title"])
        for _, offset, colour, name, value in both([row], choose):
            database = row[name].get("postgres_cpu_ms", 0)
            plot.bar(top + 2 + offset * 8, 6, value, colour, f"{name}: {summary.number(value)} ms, of it PostgreSQL {summary.number(database)} ms")
            if database > 0:
                plot.parts.append(
                    f'<circle cx="{plot.x(database):.1f}" cy="{top + 5 + offset * 8}" r="3" fill="white" stroke="{INK}"/>')
    plot.legend([(OURS, "ours: server and PostgreSQL"), (THEIRS, "Synapse's"), (GRID, "○ PostgreSQL's part")])
    return plot.svg()


def further(result):
    """Tables beside the large one: title, head, lines."""
    tables = []
    number = summary.number
    found = result.get("processes", {})
    if found:
        names = [
            ("start_ms", "start to first answer, ms (goal 300)"), ("idle_mb", "memory idle, MB (goal 40)"),
            ("settled_mb", "memory after the run, MB (goal 80)"),
            ("settled_late_mb", "memory after the first syncs of 50 and 300 rooms as well, MB"),
        ]
        lines = [
            [title, *(number(summary.median(turn[name] for turn in found[side] if name in turn)) if any(
                name in turn for turn in found.get(side, [])) else "–" for side in ("ours", "theirs"))]
            for name, title in names]
        tables.append(("The process", ["", "ours", "theirs"], lines))
    if result.get("physical"):
        lines = [
            [f"{row['clients']} clients, {row['batch']} messages a commit", number(row["messages_per_second"]),
             number(row["commits_per_second"]), number(row["postgres_cpu_ms"]), number(row["wal_bytes"] / 1024)]
            for row in result["physical"]]
        tables.append((
            "The physical limit of sends: pgbench with a message's rows for 40 members and nothing else",
            ["", "messages/s", "commits/s", "PostgreSQL CPU ms a message", "WAL KB a message"], lines))
    if result.get("micro"):
        tables += micro.tables(result["micro"], number)
    if result.get("cluster"):
        lines = []
        for row in result["cluster"]:
            sides = [row.get(name) for name in ("ours", "theirs")]
            lines.append([
                row["title"], row["workers"], *(number(side["value"]) + summary.unit(row) if side else "–" for side in sides),
                f"{row['ratio']:.1f}" if row.get("ratio") else "–",
                *(" / ".join(number(choose(side)) if side else "–" for side in sides) for choose in (
                    lambda side: side["latency"]["p50"], lambda side: side["latency"]["p99"],
                    lambda side: side.get("server_cpu_ms"))),
                " ".join(f"{name}: {count}" for side in sides if side for name, count in side["errors"].items())])
        tables.append((
            "Clusters: through nginx, and between two workers",
            ["", "workers", "ours", "theirs", "ratio", "p50 ms", "p99 ms", "server CPU ms", "errors"], lines))
    if result.get("following"):
        lines = [
            [f"{row['server']}: {row['rate']} events/s", number(row["reached"]), f"{row['share']:.2%}"] for row in result["following"]]
        tables.append(("Processor time of a worker that only follows", ["", "reached/s", "of a core"], lines))
    if result.get("calibration"):
        lines = [
            [f"{row['connections']} connections", number(row["perSecond"]), number(row["figures"]["microseconds_per_request"])]
            for row in result["calibration"]]
        tables.append(("The generator's own limit", ["", "requests/s", "CPU µs a request"], lines))
    return tables


def markup(head, lines):
    cells = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(str(cell))}</td>" for cell in line) + "</tr>" for line in lines)
    return f"<table><tr>{cells}</tr>{body}</table>"


def text(result):
    rows = result["rows"]
    heading = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>" for name, value in result["heading"].items())
    sections = [
        ("How many times better than Synapse", "Logarithmic. The black stroke is the goal.", ratios(rows)),
        ("Throughput", "Requests a second, closed loop, logarithmic. Bars are medians, dots the single rounds.", throughput(rows)),
        ("Latency", "Milliseconds, logarithmic, from the median to the 99th percentile. Open-loop rows count from the planned start.",
         latency(rows)),
        ("Processor time of a request", "Milliseconds of server and PostgreSQL together, logarithmic.", cost(rows)),
    ]
    plots = "".join(
        f"<h2>{title}</h2><p class=small>{note}</p>{svg}" for title, note, svg in sections if svg)
    tables = "".join(f"<h2>{html.escape(title)}</h2>{markup(head, lines)}" for title, head, lines in further(result))
    statements = "".join(
        f"<h2>Statements that took the most time: {name}</h2>"
        + markup(["statement", "calls", "ms"], [[row["query"], row["calls"], row["ms"]] for row in found])
        for name, found in result.get("statements", {}).items())
    notes = "".join(f"<li>failed: {html.escape(failure)}</li>" for failure in result["failures"])
    notes += "".join(f"<li>left out: {name}: {why}</li>" for name, why in table_rows.LEFT_OUT.items())
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>Myelin beside Synapse</title>"
        f"<style>{STYLE}</style><h1>Myelin beside Synapse</h1><dl>{heading}</dl>{plots}<h2>All figures</h2>"
        "<p class=small>Where two figures stand: ours / theirs. CPU, queries and WAL are per request; generator is the share of a core "
        f"that the load generator's thread used.</p>{markup(summary.HEAD, [summary.line(row) for row in rows])}{tables}{statements}"
        f"<ul>{notes}</ul></html>\n")
