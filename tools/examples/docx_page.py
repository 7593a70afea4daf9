"""Gives a DOCX made by pandoc a running header, a footer with page numbers and ruled tables.

Usage: docx_page.py IN.docx OUT.docx HEADER_TEXT

The archive is written with one fixed time, so the same input gives the same bytes.
"""

import re
import sys
import zipfile
from xml.sax.saxutils import escape

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml."
EPOCH = (2026, 1, 1, 0, 0, 0)


def field(name):
    """One field run, such as the page number; Word fills in the value."""
    return (
        '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
        f'<w:r><w:instrText xml:space="preserve"> {name} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>1</w:t></w:r>'
        '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
    )


def text(value):
    return f'<w:r><w:t xml:space="preserve">{escape(value)}</w:t></w:r>'


def part(tag, runs, align):
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<w:{tag} xmlns:w="{W}"><w:p><w:pPr><w:jc w:val="{align}"/></w:pPr>{runs}</w:p></w:{tag}>'
    )


def replace_once(where, old, new):
    if where.count(old) != 1:
        raise SystemExit(f"expected {old!r} once, found {where.count(old)}")
    return where.replace(old, new)


def dress(files, header_text):
    files["word/header1.xml"] = part("hdr", text(header_text), "left")
    files["word/footer1.xml"] = part(
        "ftr", text("Page ") + field("PAGE") + text(" of ") + field("NUMPAGES"), "right"
    )
    files["[Content_Types].xml"] = replace_once(
        files["[Content_Types].xml"],
        "</Types>",
        f'<Override PartName="/word/header1.xml" ContentType="{TYPE}header+xml"/>'
        f'<Override PartName="/word/footer1.xml" ContentType="{TYPE}footer+xml"/></Types>',
    )
    files["word/_rels/document.xml.rels"] = replace_once(
        files["word/_rels/document.xml.rels"],
        "</Relationships>",
        f'<Relationship Id="rIdHeader1" Type="{R}/header" Target="header1.xml"/>'
        f'<Relationship Id="rIdFooter1" Type="{R}/footer" Target="footer1.xml"/></Relationships>',
    )
    section = (
        f'<w:sectPr><w:headerReference xmlns:r="{R}" w:type="default" r:id="rIdHeader1"/>'
        f'<w:footerReference xmlns:r="{R}" w:type="default" r:id="rIdFooter1"/>'
        '<w:pgSz w:w="11906" w:h="16838"/>'
        '<w:pgMar w:top="1440" w:right="1300" w:bottom="1300" w:left="1300" w:header="700" w:footer="600" w:gutter="0"/>'
        "</w:sectPr></w:body>"
    )
    document = files["word/document.xml"].replace("<w:sectPr />", "").replace("<w:sectPr/>", "")
    files["word/document.xml"] = replace_once(document, "</w:body>", section)
    ruled = "".join(
        f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="8899AA"/>'
        for side in ("top", "bottom", "insideH")
    )
    files["word/document.xml"] = re.sub(
        r"(<w:tblW [^>]*/>)", rf"\1<w:tblBorders>{ruled}</w:tblBorders>", files["word/document.xml"]
    )
    if "<w:tblBorders>" not in files["word/document.xml"]:
        raise SystemExit("no table was ruled: pandoc writes its tables differently now")


def main(source, target, header_text):
    with zipfile.ZipFile(source) as archive:
        files = {
            name: archive.read(name).decode("utf-8") if name.endswith((".xml", ".rels")) else archive.read(name)
            for name in archive.namelist()
        }
    dress(files, header_text)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


if __name__ == "__main__":
    main(*sys.argv[1:])
