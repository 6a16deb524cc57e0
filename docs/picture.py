#!/usr/bin/env python3
"""Makes docs/src/picture.svg from the program itself: `python3 docs/picture.py [target/debug/landfast]`.

Runs an apply, an edit and a plan of the shipped environment `dev` on the simulated AWS, with colours, and draws what is
printed as a terminal. Nothing is drawn that the program did not print; lines that are left out are marked with an ellipsis.
"""

import html
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COLUMNS = 112
CHAR, LINE, PAD, BAR = 8.4, 19, 18, 34
BACKGROUND, PLAIN, DIM = "#16181d", "#d7dae0", "#8b93a1"
COLOURS = {30: "#8b93a1", 31: "#f2777a", 32: "#8fd17b", 33: "#f3c969", 34: "#7aa8f5", 35: "#cf9cf0", 36: "#6cc6c9", 37: PLAIN}
EDIT = """sed -i 's/"MaxTaskCount": "3"/"MaxTaskCount": "6"/' manifests/environments/dev/dev-parameters.json"""


def commands(program, place):
    """The lines of the session: the commands, and what each of them prints to standard output."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LANDFAST_", "AWS_")) and k not in ("CI", "NO_COLOR")}
    env |= {"LANDFAST_CLOUD": "sim", "COLUMNS": str(COLUMNS), "PATH": f"{program.parent}:{env['PATH']}"}

    def run(shown, codes, colour=" --color always"):
        ended = subprocess.run(["bash", "-c", shown + colour], cwd=place, env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if ended.returncode not in codes:
            sys.exit(f"{shown} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}")
        return [f"$ {shown}"], [line for line in ended.stdout.splitlines()]

    command, printed = run("landfast apply dev --yes", {0})
    # Of an apply, the summary: the plan before it is shown by the command after it.
    begin = next(at for at, line in enumerate(printed) if re.search(r"\bkms\b.*\|", line))
    lines = command + ["…"] + printed[begin:] + [""]
    command, _ = run(EDIT, {0}, colour="")
    # The command as it is told, without the quoting that makes it safe to type.
    lines += [f"$ {EDIT.split('manifests/')[0].strip()} …/dev-parameters.json"]
    command, printed = run("landfast plan dev", {2})
    return lines + command + printed


def spans(line):
    """The parts of a line, each with its colour and weight."""
    colour, bold, dim = None, False, False
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b"):
            if part:
                yield part, DIM if dim and not colour else colour or PLAIN, bold
            continue
        for code in [int(code or 0) for code in part[2:-1].split(";")]:
            if code == 0:
                colour, bold, dim = None, False, False
            elif code == 1:
                bold = True
            elif code == 2:
                dim = True
            elif code == 39:
                colour = None
            elif code in COLOURS or code - 60 in COLOURS:
                colour = COLOURS[code if code in COLOURS else code - 60]


def wrapped(line):
    """The line as a terminal of so many columns shows it."""
    column, now = 0, ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if part.startswith("\x1b"):
            now += part
            continue
        for char in part:
            if column == COLUMNS:
                yield now
                # The colour goes on in the next line.
                column, now = 0, "".join(re.findall(r"\x1b\[[0-9;]*m", now))
            now, column = now + char, column + 1
    yield now


def drawn(lines):
    rows = [row for line in lines for row in wrapped(line)]
    width, height = round(COLUMNS * CHAR + 2 * PAD), BAR + len(rows) * LINE + PAD
    svg = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        "<title>landfast: apply, edit and plan on the simulated AWS</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>',
    ]
    svg += [f'<circle cx="{PAD + 6 + 20 * at}" cy="17" r="6" fill="{c}"/>' for at, c in enumerate(["#f2777a", "#f3c969", "#8fd17b"])]
    svg.append('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">')
    for at, row in enumerate(rows):
        column, y = 0, BAR + at * LINE + 15
        for text, colour, bold in spans(row):
            if text.startswith("$ ") and column == 0:
                bold = True
            # Each word stands in its column, whatever the width of the reader's font.
            for found in re.finditer(r"\S+(?: \S+)*", text):
                x, length = PAD + (column + found.start()) * CHAR, len(found[0]) * CHAR
                weight = ' font-weight="bold"' if bold else ""
                svg.append(
                    f'<text x="{x:.1f}" y="{y}" fill="{colour}"{weight} textLength="{length:.1f}" '
                    f'xml:space="preserve">{html.escape(found[0], quote=False)}</text>'
                )
            column += len(text)
    return "\n".join(svg + ["</g>", "</svg>", ""])


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/debug/landfast").resolve()
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(ROOT / "manifests", pathlib.Path(place) / "manifests")
        (ROOT / "docs/src/picture.svg").write_text(drawn(commands(program, place)))


if __name__ == "__main__":
    main()
