"""Verifiers in their workers: what verdict they come to, and that bad ones come to none."""

import sys
import time

import awm_kennel
import pytest
from awm_kennel import NOW

from awm_gym.errors import EnvironmentFault, UsageError
from awm_gym.formats.awm.host import Judge, VerifierFault
from awm_gym.sandbox.worker import trial

if sys.platform != "linux":
    pytest.skip("generated Python runs on Linux only", allow_module_level=True)


@pytest.fixture(scope="module", autouse=True)
def _level():
    if trial().protection.level < 2:
        pytest.skip(f"this kernel locks nothing up: {trial().protection.to_json()}")


@pytest.fixture(scope="module")
def judge():
    with Judge() as started:
        yield started


@pytest.fixture(scope="module")
def images():
    """The database before and after one more walk."""
    import apsw

    before = awm_kennel.base().image
    db = apsw.Connection(":memory:")
    db.deserialize("main", before)
    db.execute("INSERT INTO walk (dog, day) VALUES ('Cy', '2025-03-12')")
    return before, db.serialize("main")


def verdict(judge, images, code, answer="done", **options):
    return judge.reward(code, *images, answer, now=NOW, **options)


def function(body):
    """A verifier with this body."""
    lines = "\n    ".join(body.splitlines())
    return (
        f"import sqlite3\ndef verify_task_completion(initial_db_path, final_db_path, final_answer=None):\n    {lines}"
    )


def test_a_verdict_becomes_a_reward(judge, images):
    assert verdict(judge, images, awm_kennel.GOOD) == 1.0
    assert verdict(judge, images, awm_kennel.GOOD, answer=None) == 0.0
    assert verdict(judge, (images[0], images[0]), awm_kennel.GOOD) == 0.0


def test_evidence_is_told_as_json(judge, images):
    assert judge.evidence(awm_kennel.EVIDENCE, *images, now=NOW) == {
        "walks": 3,
        "now": "2025-03-09 08:30:00",
        "sql": ["2025-03-09 08:30:00"],
        "3": "b'raw'",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("raise KeyError('dog')", "KeyError: 'dog'"),
        ("raise SystemExit(0)", "SystemExit"),
        ("return None", "said None, not complete or others"),
        ("return 1.0", r"said 1\.0, not"),
        ("return {'result': True}", "said {'result': True}, not"),
        ("return {'result': ['complete']}", "not complete or others"),
        ("return {'result': 'Complete'}", "said {'result': 'Complete'}, not"),
        ("return {'verdict': 'complete'}", "not complete or others"),
        ("return {'result': 'complete', 'score': float('nan')}", "not JSON compliant"),
        ("found = {}\nfound['result'] = found\nreturn found", "Circular reference"),
        ("import os; os.abort()", "the worker has ended"),
        ("open('/tmp/verdict', 'w')", "FileNotFoundError"),
        ("sqlite3.connect('/tmp/verdict.db')", "unable to open database file"),
        ("sqlite3.connect(final_db_path).execute('DELETE FROM walk')", "readonly database"),
        ("sqlite3.connect(final_db_path).execute('ATTACH ? AS b', (initial_db_path,))", "too many attached databases"),
        ("return b'x' * 2**27", "the answer is a frame of"),
    ],
)
def test_what_is_no_verdict_is_a_fault_and_the_next_one_works(judge, images, body, words):
    with pytest.raises(VerifierFault, match=words):
        verdict(judge, images, function(body))
    assert verdict(judge, images, awm_kennel.GOOD) == 1.0


def test_too_slow_is_a_fault(judge, images):
    with pytest.raises(VerifierFault, match="in time"):
        verdict(judge, images, function("while True: pass"), seconds=0.2)


@pytest.mark.parametrize("code", ["def (", "x = 1", "import no_such_module"])
def test_code_without_a_verifier_is_a_fault(judge, images, code):
    with pytest.raises(VerifierFault, match="came to no verdict"):
        verdict(judge, images, code)


def test_evidence_without_names_is_a_fault(judge, images):
    with pytest.raises(VerifierFault, match=r"said \['three'\], not what it found by name"):
        judge.evidence("def verify_task(initial, final): return ['three']", *images, now=NOW)


def test_no_verifier_meets_what_another_did(judge, images):
    poison = "import json\njson.dumps = None\nsqlite3.connect = None\nreturn {'result': 'others'}"
    with pytest.raises(VerifierFault):
        verdict(judge, images, function(poison))
    assert verdict(judge, images, awm_kennel.GOOD) == 1.0


def test_a_verifier_may_write_into_a_database_of_its_own_only(judge, images):
    body = """own = sqlite3.connect(':memory:')
own.execute('CREATE TABLE a (b)')
other = sqlite3.connect(f'file:{final_db_path}?mode=rw', uri=True)
other.execute('PRAGMA query_only = OFF')
other.execute('DELETE FROM walk')
again = sqlite3.connect(final_db_path).execute('SELECT count(*) FROM walk').fetchone()[0]
return {'result': 'complete' if again == 3 else 'others'}"""
    assert verdict(judge, images, function(body)) == 1.0


def test_the_clock_is_that_of_the_call(judge, images):
    body = "from datetime import date\nreturn {'result': 'complete' if str(date.today()) == final_answer else 'others'}"
    assert verdict(judge, images, function(body), answer="2025-03-09") == 1.0
    assert judge.reward(function(body), *images, "2031-01-01", now=NOW.replace(2031, 1, 1)) == 1.0


def test_a_process_that_had_time_to_prepare_judges_alike(judge, images):
    told = "[str(datetime.now()), str(date.today()), time.strftime('%F %T'), time.gmtime()[:5], random.random(), rows]"
    body = f"""import random, time
from datetime import date, datetime
rows = sqlite3.connect(final_db_path).execute("SELECT dog, datetime('now') FROM walk").fetchall()
return {{'result': 'complete' if repr({told}) == final_answer else repr({told})}}"""
    with pytest.raises(VerifierFault) as caught:
        verdict(judge, images, function(body), answer="")
    said = str(caught.value).partition("'result': ")[2]
    assert "2025-03-09 08:30:00" in said
    found = set()
    for seconds in (0, 0.05, 0.05):
        time.sleep(seconds)  # it was forked ahead
        with pytest.raises(VerifierFault) as caught:
            verdict(judge, images, function(body), answer="")
        found.add(str(caught.value))
    assert len(found) == 1


def test_a_judge_that_was_killed_comes_back(images):
    with Judge() as judge:
        judge._warm.worker.close()
        assert verdict(judge, images, awm_kennel.GOOD) == 1.0
    with pytest.raises(UsageError, match="closed"):
        verdict(judge, images, awm_kennel.GOOD)


def test_a_fault_of_a_verifier_is_an_environment_fault():
    assert issubclass(VerifierFault, EnvironmentFault)
