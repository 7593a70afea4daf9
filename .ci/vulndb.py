#!/usr/bin/env python3
"""Reports of the Go vulnerability database, for where it cannot be reached.

    vulndb.py take REPORTS DATE    write vulndb.json from a folder of reports as
                                   they are in data/osv of golang/vulndb, of DATE
    vulndb.py lay FOLDER           write the reports of vulndb.json for govulncheck

vulndb.json has facts alone: ids, versions and symbols of the modules that Weir
is built of and of Go itself. A module that came after it was taken is an error.
"""

import json
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).parent
snapshot = here / "vulndb.json"
built = [(here.parent, "./..."), (here.parent / "tools/baselines", "./...")]
go = {"stdlib", "toolchain"}


def modules():
    """The modules that packages of Weir, and their tests, are of."""
    found = set()
    for folder, packages in built:
        listed = subprocess.run(
            ["go", "list", "-deps", "-test", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", packages],
            cwd=folder, check=True, capture_output=True, text=True,
        ).stdout
        found |= set(listed.split())
    return found - {"weir"}


def facts(report, wanted):
    """What govulncheck needs of a report, and nobody's sentences."""
    affected = []
    for a in report.get("affected", []):
        if a["package"]["name"] in wanted:
            imports = a.get("ecosystem_specific", {}).get("imports", [])
            affected.append({
                "package": a["package"], "ranges": a.get("ranges", []),
                "ecosystem_specific": {"imports": imports} if imports else {},
            })
    if not affected or report.get("withdrawn"):
        return None
    return {"id": report["id"], "aliases": report.get("aliases", []), "affected": affected}


def take(folder, date):
    wanted = modules()
    reports = [facts(json.loads(p.read_text()), wanted | go) for p in sorted(pathlib.Path(folder).glob("*.json"))]
    reports = [r for r in reports if r]
    lines = ",\n".join(json.dumps(r, separators=(",", ":")) for r in reports)
    head = json.dumps({"from": "the Go vulnerability database, https://go.dev/security/vuln/ (CC BY 4.0)", "date": date, "modules": sorted(wanted)}, indent=0)
    snapshot.write_text(head[:-2] + ',\n"reports": [\n' + lines + "\n]}\n")
    print(f"{len(reports)} reports of {len(wanted)} modules and of Go")


def lay(folder):
    have = json.loads(snapshot.read_text())
    if more := modules() - set(have["modules"]):
        sys.exit(f"vulndb.json knows nothing of {', '.join(sorted(more))}: take it anew")
    for r in have["reports"]:
        url = "https://pkg.go.dev/vuln/" + r["id"]
        r |= {"schema_version": "1.3.1", "modified": have["date"] + "T00:00:00Z", "summary": "see " + url, "database_specific": {"url": url}}
        (pathlib.Path(folder) / (r["id"] + ".json")).write_text(json.dumps(r))
    print(have["date"])


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["take", folder, date]:
            take(folder, date)
        case ["lay", folder]:
            lay(folder)
        case _:
            sys.exit(__doc__)
