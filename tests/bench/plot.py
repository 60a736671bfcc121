"""The figures as a picture: a bar for each that has a target, 1 being what was to be reached."""
import math
import re
from html import escape

WIDTH, LABEL, ROW, TOP = 1100, 430, 22, 50
LEAST, MOST = 0.1, 10  # the ends of the scale


def reached(figure):
    """How many times its target a figure is; None when it has none that can be divided."""
    ratio, target = figure["ratio"], figure["target"]
    wanted = re.match(r"(>=|<=|<) ([\d.]+)", target)
    if ratio is None or not wanted or ratio <= 0:
        return None
    if wanted.group(1) == ">=":
        return ratio / float(wanted.group(2))
    return float(wanted.group(2)) / ratio if wanted.group(1) == "<=" else ratio


def svg(figures):
    rows = [(f, share) for f in figures if (share := reached(f)) is not None]
    height = TOP + ROW * len(rows) + 30
    scale = (WIDTH - LABEL - 120) / (math.log10(MOST) - math.log10(LEAST))

    def x_of(share):
        return LABEL + (math.log10(min(max(share, LEAST), MOST)) - math.log10(LEAST)) * scale
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="sans-serif" '
           'font-size="12">', f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
           '<text x="10" y="20" font-size="15">moonboot: what was reached, as a share of the target</text>']
    for share in (0.1, 0.2, 0.5, 1, 2, 5, 10):
        x = x_of(share)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - 25}" '
                   f'stroke="{"#000" if share == 1 else "#ddd"}"/>')
        out.append(f'<text x="{x:.1f}" y="{TOP - 12}" text-anchor="middle">{share:g}</text>')
    for i, (figure, share) in enumerate(rows):
        y, x = TOP + ROW * i, x_of(share)
        fill = "#4a8f5b" if figure["met"] else "#c0504d"
        out.append(f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(figure["name"])}</text>')
        out.append(f'<rect x="{LABEL}" y="{y + 2}" width="{max(x - LABEL, 1):.1f}" height="{ROW - 7}" fill="{fill}"/>')
        out.append(f'<text x="{x + 5:.1f}" y="{y + 13}">{share:.3g}</text>')
    return "\n".join(out + ["</svg>", ""])
