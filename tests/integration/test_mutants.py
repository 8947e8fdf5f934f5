"""tests/mutants, which takes long, finds what it is to take out."""
import importlib.machinery
import importlib.util

from harness import TOP


def test_every_check_to_be_taken_out_stands_once_in_its_file():
    loader = importlib.machinery.SourceFileLoader("mutants", str(TOP / "tests/mutants"))
    mutants = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutants", loader))
    loader.exec_module(mutants)
    assert len(mutants.MUTANTS) > 40
    assert mutants.misplaced() == []
