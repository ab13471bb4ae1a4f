"""Medians, spreads and ratios of rounds, and the table that is printed."""

from statistics import median

COUNTS = [
    "server_cpu_ms", "postgres_cpu_ms", "queries", "wal_bytes", "flushes", "rss_mb", "peak_mb", "generatorShare",
    "bytesPerAnswer", "server_cpu_share",
]


def value(report, figure):
    """The figure of a report that its row compares."""
    if figure == "perSecond":
        return report["perSecond"]
    if figure == "more_mb":
        return report["peak_mb"] - report["rss_before_mb"]
    return report["figures"].get(figure, report["latency"].get(figure))


def side(reports, figure):
    """Several rounds of one row on one server."""
    if not reports:
        return None
    values = [value(report, figure) for report in reports]
    middle = median(values)
    errors = {}
    for report in reports:
        for name, count in report["errors"].items():
            errors[name] = errors.get(name, 0) + count
    result = {
        "value": middle, "values": values, "spread": (max(values) - min(values)) / middle if middle else 0, "errors": errors,
        "latency": {
            name: median(report["latency"][name] for report in reports) for name in ("mean", "p50", "p90", "p99", "p999", "max")
        },
        "figures": {name: median(report["figures"][name] for report in reports) for name in reports[0]["figures"]},
        "requests": sum(report["requests"] for report in reports),
    }
    for name in COUNTS:
        found = [report[name] for report in reports if name in report]
        if found:
            result[name] = median(found)
    return result


def ratio(ours, theirs, figure):
    """How many times better ours is."""
    if not ours or not theirs or not ours["value"] or not theirs["value"]:
        return None
    quotient = ours["value"] / theirs["value"]
    return quotient if figure == "perSecond" else 1 / quotient


def number(amount, digits=3):
    if amount is None:
        return "–"
    if abs(amount) >= 1000:
        return f"{amount:,.0f}"
    return f"{amount:.{digits}g}" if amount else "0"


def unit(row):
    return {"perSecond": "/s", "more_mb": " MB"}.get(row["figure"], " ms")


def line(row):
    ours, theirs = row.get("ours"), row.get("theirs")

    def pair(name, inner=None):
        parts = []
        for side_ in (ours, theirs):
            found = side_ and (side_[inner].get(name) if inner else side_.get(name))
            parts.append(number(found))
        return " / ".join(parts)

    spread = " / ".join(f"{side_['spread']:.0%}" if side_ else "–" for side_ in (ours, theirs))
    share = max((side_.get("generatorShare", 0) for side_ in (ours, theirs) if side_), default=0)
    errors = " ".join(
        f"{name}: {side_['errors']}" for name, side_ in (("ours", ours), ("theirs", theirs)) if side_ and side_["errors"])
    return [
        row["title"], *(f"{number(side_['value'])}{unit(row)}" if side_ else "–" for side_ in (ours, theirs)),
        f"{row['ratio']:.1f}" if row.get("ratio") else "–", f"{row['goal']:g}" if row.get("goal") else "", spread,
        pair("p50", "latency"), pair("p99", "latency"), pair("server_cpu_ms"), pair("postgres_cpu_ms"), pair("queries"),
        " / ".join(number(side_["wal_bytes"] / 1024) if side_ and "wal_bytes" in side_ else "–" for side_ in (ours, theirs)),
        pair("peak_mb"), f"{share:.0%}", errors or row.get("failure", ""),
    ]


HEAD = [
    "scenario", "ours", "theirs", "ratio", "goal", "spread", "p50 ms", "p99 ms", "server CPU ms", "PostgreSQL CPU ms",
    "queries", "WAL KB", "peak MB", "generator", "errors",
]


def table(head, lines):
    """A plain table; the first column is flush left, the others flush right."""
    rows = [head, *[[str(cell) for cell in row] for row in lines]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column in (0, len(head) - 1) else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
        for row in rows)
