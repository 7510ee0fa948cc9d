"""The library: what it finds, what it vouches for, and the ids it registers."""

import dataclasses
import shutil

import gymnasium as gym
import pytest
from worlds import write

from awm_gym import library, places
from awm_gym.env import ToolEnv
from awm_gym.errors import ScenarioError, UsageError
from awm_gym.gates.certificate import Certificate
from awm_gym.library import doubt, find, names, open_scenario, register

LOCKERS = find("parcel_lockers")


@pytest.fixture
def copied(tmp_path):
    """A copy of parcel_lockers, certificate and all."""
    return shutil.copytree(LOCKERS, tmp_path / "parcel_lockers")


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """A library of its own: `stall` without a certificate, and parcel_lockers with its own."""
    scenarios = tmp_path / "scenarios"
    write(scenarios / "stall")
    shutil.copytree(LOCKERS, scenarios / "parcel_lockers")
    (scenarios / "notes").mkdir()
    monkeypatch.setattr(library, "root", lambda: tmp_path)
    library._standing.cache_clear()
    yield scenarios
    library._standing.cache_clear()


def test_the_library_is_sorted_and_each_scenario_has_an_id_that_makes_it():
    assert list(names()) == sorted(names())
    assert "parcel_lockers" in names()
    for name in names():
        spec = gym.spec(f"awm/{name}")
        assert (spec.kwargs, spec.max_episode_steps, spec.nondeterministic) == ({"scenario": name}, 30, False)
        assert spec.entry_point == "awm_gym.env:ToolEnv"
    assert gym.spec("awm/Task").kwargs == {}


def test_every_scenario_of_the_library_is_certified_and_sound():
    for name, folder in library.folders().items():
        assert doubt(folder) == ""
        assert open_scenario(name).name == name


def test_registering_again_leaves_what_is_there(monkeypatch):
    mine = dataclasses.replace(gym.registry["awm/parcel_lockers"], max_episode_steps=7)
    monkeypatch.setitem(gym.registry, "awm/parcel_lockers", mine)
    monkeypatch.delitem(gym.registry, "awm/Task")
    register()
    assert gym.registry["awm/parcel_lockers"] is mine
    assert gym.spec("awm/Task").max_episode_steps == 30


def test_a_scenario_outside_the_library_is_made_from_its_folder(tmp_path):
    folder = write(tmp_path / "stall")
    env = gym.make("awm/Task", scenario=str(folder), task="sell_two")
    assert env.reset(seed=0)[1]["scenario"] == "stall"
    env.close()


def test_what_is_not_certified_is_neither_named_nor_opened_by_name_but_from_its_folder(shelf):
    assert names() == ("parcel_lockers",)
    assert list(library.folders()) == ["parcel_lockers", "stall"]
    assert library.uncertified() == {"stall": "it has no certificate"}
    with pytest.raises(UsageError, match="stall is not certified: it has no certificate"):
        ToolEnv("stall")
    assert open_scenario(str(shelf / "stall")).name == "stall"


def changed(folder, **fields):
    path = folder / "certificate.json"
    certificate = Certificate.from_json(path.read_text("utf-8"))
    path.write_text(dataclasses.replace(certificate, **fields).to_json(), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "certificate.json").unlink(), "it has no certificate"),
        (lambda folder: (folder / "certificate.json").write_text("{"), "That is no certificate"),
        (lambda folder: (folder / "certificate.json").write_text("[]"), "That is no certificate"),
        (lambda folder: (folder / "certificate.json").write_bytes(b"\xff"), "codec can't decode"),
        (lambda folder: (folder / "data.sql").write_text("-- other\n"), "files have changed since it was certified"),
        (lambda folder: (folder / "data.sql").write_bytes(b"\xff"), "is not UTF-8"),
        (lambda folder: (folder / "data.sql").unlink(), "cannot be read"),
        (lambda folder: changed(folder, gates=0), "is of version 0 of the gates"),
        (lambda folder: changed(folder, findings={"tools_prepare": ("a slip",)}), "its certificate has findings"),
    ],
)
def test_a_certificate_that_does_not_fit_vouches_for_nothing(copied, spoil, words):
    assert doubt(copied) == ""
    spoil(copied)
    assert words in doubt(copied)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("parcel_locker", r"no scenario 'parcel_locker'. Did you mean parcel_lockers\? Or give the path"),
        ("Parcel_Lockers", "Did you mean parcel_lockers"),
        ("awm/parcel_lockers", "There is no scenario folder 'awm/parcel_lockers'"),
        ("../../etc", "There is no scenario folder"),
        ("/no/such\0folder", "There is no scenario folder"),
        ("nul\0", r"There is no scenario 'nul\\x00'"),
        ("a" * 300, "There is no scenario 'aaa"),
        ("parcel_lockers/", "There is no scenario folder"),
        ("con", "There is no scenario 'con'"),
        ("\u202eparcel", r"There is no scenario '\\u202eparcel'"),
    ],
)
def test_a_name_that_is_nowhere_is_refused_with_the_way_out(scenario, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=words):
        find(scenario)


def test_a_folder_without_a_scenario_is_told_the_file_it_lacks(tmp_path):
    with pytest.raises(ScenarioError, match=r"scenario\.toml: cannot be read"):
        open_scenario(str(tmp_path))


def test_a_scenario_is_read_once_until_its_files_change(tmp_path):
    folder = write(tmp_path / "stall")
    first = open_scenario(str(folder))
    assert open_scenario(str(folder)) is first
    write(folder, scenario=("version = 3", "version = 40"))
    assert open_scenario(str(folder)).version == 40


def test_the_data_lies_in_the_package_when_installed_and_beside_it_in_a_checkout(tmp_path, monkeypatch):
    package = tmp_path / "awm_gym"
    package.mkdir()
    monkeypatch.setattr(places, "__file__", str(package / "places.py"))
    assert library.root() == tmp_path / "envs_data"
    (package / "envs_data").mkdir()
    assert library.root() == package / "envs_data"


def test_the_digest_of_the_code_does_without_what_is_not_installed():
    assert places.code_digest("apsw") == places.code_digest.__wrapped__("apsw")
    assert places.code_digest("apsw", "no such package") != places.code_digest("apsw")
