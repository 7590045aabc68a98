# SPDX-License-Identifier: Apache-2.0
"""Without the programs every test would fail in the same way: say so once."""
import pytest

import volt


def pytest_configure(config):
    if not volt.VMM.exists():
        pytest.exit(f"{volt.VMM} is not there: run \"make build\", or set VOLT_BUILD", returncode=1)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty directory that is the current one and the one for temporary files."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder
