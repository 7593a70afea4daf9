#!/bin/sh
# Makes the sample documents of examples/ that are not their own source.
#
# Needs (Debian names): pandoc 2.17 or later, fonts-open-sans, libpango-1.0-0, libpangoft2-1.0-0,
# libharfbuzz-subset0, python3, and WeasyPrint 70.0 (python3 -m pip install weasyprint==70.0).
# The same versions give the same bytes. Nothing here runs when Weir is built: the results are committed.
set -eu
cd "$(dirname "$0")"
out=../../examples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SOURCE_DATE_EPOCH=1767225600 LC_ALL=C.UTF-8

print_pdf() { # SOURCE.md OUT.pdf CONTENTS_DEPTH
	pandoc "$1" --standalone --wrap none --template print.html --lua-filter print.lua \
		--number-sections --toc --toc-depth "$3" --to html5 --output "$work/print.html"
	weasyprint --quiet --pdf-variant pdf/ua-1 --stylesheet print.css "$work/print.html" "$2"
}

print_pdf handbook.md "$out/plan-handbook.pdf" 2
print_pdf guia.md "$out/guia-del-inquilino.pdf" 2

pandoc leave-policy.md --number-sections --output "$work/leave.docx"
python3 docx_page.py "$work/leave.docx" "$out/employee-leave-policy.docx" \
	"Tern & Hollis Instruments · Employee Leave Policy HR-07"

# A letter as an older Windows program saves it, and a notice as Notepad's "Unicode" does, with its byte order mark.
sed 's/$/\r/' brief.de.txt | iconv --from-code UTF-8 --to-code WINDOWS-1252 >"$out/hausverwaltung-brief.txt"
{
	printf '\377\376'
	sed 's/$/\r/' water-notice.en.txt | iconv --from-code UTF-8 --to-code UTF-16LE
} >"$out/water-notice.txt"
