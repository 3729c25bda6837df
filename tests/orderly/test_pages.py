"""What the pages show is true: their programs run, their commands exist, their links lead somewhere."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from statemachines.machine import Machine
from statemachines.verification import verify
from tests.orderly.conftest import Command
from tests.orderly.programs import running

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_machine_in_the_docs_runs() -> None:
    programs = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "machines.md").read_text(), re.DOTALL)
    names: dict[str, object] = {"__name__": "voucher"}
    for program in programs:
        exec(compile(program, "docs/machines.md", "exec"), names)
    voucher = names["voucher"]
    assert isinstance(voucher, Machine)
    assert verify(voucher) == []


def test_the_job_in_the_docs_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "sweep"}
    for program in re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "jobs.md").read_text(), re.DOTALL):
        exec(compile(program, "docs/jobs.md", "exec"), names)
    assert "three_days" in names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [target for target in targets if not target.startswith("http") and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_are_named_exist(command: Command, page: Path) -> None:
    groups = "machines|orders|keys|jobs|effects|timers|inbox"
    named = set(re.findall(rf"\borderly ((?:{groups}) [a-z]+|[a-z]+)", page.read_text()))
    unknown = [name for name in sorted(named) if command(*name.split(), "--help").exit_code]
    assert unknown == []


def test_targets_that_are_named_exist() -> None:
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        assert set(re.findall(r"\bmake ([a-z]+)\b`", page.read_text())) <= made


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_first_order_of_the_readme_can_be_placed(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## A first order")[2].partition("\n## ")[0]
    script = "\n".join(line.strip() for line in section.splitlines() if line.startswith("    "))
    with running(tmp_path) as server:
        for name, role in (("SHOP", "merchant"), ("ANN", "customer")):
            script = script.replace(f"{name}=ord_live_…", f"{name}={server.key(role)}")
        script = script.replace("localhost:8000", server.url)
        done = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=True)
    for state in ("pending", "processing", "fulfilled"):
        assert f'"state":"{state}"' in done.stdout
    assert '"allowed":true' in done.stdout
    assert '"event":"charged"' in done.stdout
