"""What the README tells a newcomer to do."""
import pytest

from harness import TOP, run


@pytest.mark.timeout(1000)
def test_quickstart():
    done = run(TOP / "quickstart", timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "never heard of attestation" in done.stdout
    assert 'reason="ear_not_affirming"' in done.stdout
