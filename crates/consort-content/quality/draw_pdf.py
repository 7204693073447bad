"""Draws `samples/study.pdf` from the text below: a page of two columns under a title. Needs nothing but Python."""

import pathlib
import textwrap

TITLE = "Trucks on Quay Street: what the counters say"
BY = "City of Port Selwyn, Department of Streets"
TEXT = """
This note sums up what the city's counters on Quay Street recorded between March 2023 and December 2024. It was
written for the council's session on 4 March 2025.

Traffic rose by 31 percent, from 11,400 to 14,900 vehicles on an average working day. Most of the increase fell in the
first six months after the north terminal opened. The counters cannot tell trucks from cars, so this note makes no
statement about trucks before 2024.

In November 2024 the department hired a company to count trucks by hand for two weeks. It found 1,090 trucks on an
average working day and 240 on a Sunday. About 70 percent of them went to or came from the north terminal.

The harbour authority expects that a rail spur would take 900 trucks a day off the street. The department has
checked the calculation and considers it plausible if the terminal handles at least 4 million tonnes a year. In 2024
it handled 4.2 million tonnes. At 3 million tonnes the spur would replace about 600 trucks a day.

Noise was measured at four places. At the school on the corner of Mill Lane the average level by day was 68 decibels,
3 decibels above the state's limit for schools. At night all four places were below the limit.

A ban on trucks at night would move about 130 trucks to the day. The department does not recommend it before the spur
is built, because the junction at Harbour Road is full between 7 and 9 in the morning.

"We know what passes through this street, and we know how loud it is," said Irene Maddox, who heads the department.
"What we do not know is how many trucks there were before anybody counted them."

The department recommends to count trucks by hand twice a year, to publish every noise measurement on the city's
website, and to decide on the spur by the summer of 2025.
"""
FOLDER = pathlib.Path(__file__).resolve().parents[3] / "samples"


def shown(text):
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


def line(x, y, size, font, text):
    return f"BT /{font} {size} Tf {x} {y} Td ({shown(text)}) Tj ET"


def page():
    paragraphs = [" ".join(paragraph.split()) for paragraph in TEXT.strip().split("\n\n")]
    lines = []
    for paragraph in paragraphs:
        lines += textwrap.wrap(paragraph, 46) + [""]
    half = (len(lines) + 1) // 2
    while lines[half - 1] != "":
        half += 1
    drawn = [line(60, 780, 18, "B", TITLE), line(60, 758, 10, "F", BY)]
    for x, column in ((60, lines[:half]), (310, lines[half:])):
        drawn += [line(x, 725 - 14 * row, 10.5, "F", text) for row, text in enumerate(column) if text]
    return "\n".join(drawn).encode("latin-1")


def pdf():
    content = page()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << /Font << /F 5 0 R /B 6 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n" % len(content) + content + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Roman /Encoding /WinAnsiEncoding >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Times-Bold /Encoding /WinAnsiEncoding >>",
        f"<< /Title ({shown(TITLE)}) /Author ({shown(BY)}) /CreationDate (D:20250220) >>".encode("latin-1"),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R /Info 7 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % size + table + trailer


(FOLDER / "study.pdf").write_bytes(pdf())
