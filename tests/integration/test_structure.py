"""The seams: what belongs to one Evidence type or one kind of Verifier stands in its folder."""
import pathlib
import re

from harness import TOP

SOURCES = [path for folder in ("lib", "daemon") for path in sorted((TOP / folder).rglob("*.?pp"))]
SCHEMES = TOP / "lib/schemes"
DIALECTS = TOP / "lib/appraisal/dialects"
# The one list of reasons; and a Verifier of our own, which has schemes and paths of its own by its nature.
REASONS = TOP / "lib/core/error.hpp"
VERIFIER = TOP / "daemon/reference_verifier"


def code_of(path):
    """Without comments."""
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", path.read_text(), flags=re.S)


def strangers(home, pattern, except_for=()):
    """Where the pattern stands outside its home."""
    return [f"{path.relative_to(TOP)}: {found[0]}" for path in SOURCES
            if not path.is_relative_to(home) and not any(path.is_relative_to(one) for one in except_for)
            for found in re.finditer(pattern, code_of(path))]


def schemes():
    found = [path for path in SCHEMES.iterdir() if path.is_dir()]
    assert len(found) >= 2
    return found


def test_media_types_stand_in_the_schemes_folders():
    for scheme in schemes():
        types = {found for path in scheme.glob("*.hpp") for found in re.findall(r'"(application/[^"]+)"', path.read_text())}
        assert types, scheme
        for one in types:
            assert strangers(scheme, re.escape(one)) == []


def test_reasons_of_a_scheme_are_given_in_its_folder_alone():
    """What several have stands in the folder of all."""
    homes = {}
    for scheme in schemes():
        for path in scheme.glob("*_scheme.cpp"):
            listed = re.findall(r"\{(?:errc::)?(\w+), (?:appraisal_step::)?(?:parse|binder|key|platform)\}", path.read_text())
            assert listed, path
            for one in listed:
                homes[one] = SCHEMES if one in homes else scheme
    for one, home in homes.items():
        assert strangers(home, rf"\b{one}\b", (REASONS, VERIFIER)) == []
    assert len(homes) > 30


def test_a_verifiers_paths_stand_in_its_dialect():
    paths = {found for path in DIALECTS.rglob("*.?pp") for found in re.findall(r'"(/[a-z.][\w./-]+)"', code_of(path))}
    # One of them is a name that the admin endpoint has too.
    paths = {one for one in paths if one.count("/") > 1}
    assert len(paths) >= 4, paths
    for one in paths:
        assert strangers(DIALECTS, re.escape(f'"{one}"'), (VERIFIER,)) == []


def test_tls_sees_core_formats_and_attestation_only():
    allowed = {"core", "formats", "attestation", "tls"}
    for path in (TOP / "lib/tls").glob("*.?pp"):
        seen = set(re.findall(r'#include "(\w+)/', path.read_text()))
        assert seen <= allowed, path


def test_what_is_pure_does_no_io():
    for folder in ("lib/formats", "lib/schemes", "lib/appraisal/dialects", "lib/attestation"):
        for path in (TOP / folder).rglob("*.?pp"):
            assert not re.search(r"#include <(boost/(asio|beast)|sys/socket|fstream|unistd)", path.read_text()), path
