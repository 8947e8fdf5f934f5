"""What the README tells a newcomer to do."""
from harness import TOP, run


def test_quickstart():
    done = run(TOP / "quickstart", timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "never heard of attestation" in done.stdout
    assert 'reason="ear_not_affirming"' in done.stdout
