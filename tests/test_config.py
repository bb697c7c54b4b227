"""Profiles, variables and flags; whatever is wrong is named."""

from pathlib import Path

import pytest

from rag.config import load_config
from rag.data import shipped
from rag.errors import ConfigError


def test_the_default_profile_is_the_laptop() -> None:
    config = load_config()
    assert config.profile == "laptop"
    assert config.answer.synthesizer == "extractive"


@pytest.mark.parametrize("profile", ["gpu", "cluster"])
def test_a_profile_with_a_language_model(profile) -> None:
    config = load_config(profile)
    assert config.answer.synthesizer == "generated"
    assert config.llm.max_tokens < config.llm.context
    assert config.llm.parallel > load_config("laptop").llm.parallel == 1


def test_a_variable_overrides_the_profile_and_a_flag_the_variable(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("RAG_SEARCH__HITS", "7")
    monkeypatch.setenv("RAG_HOME", "/from/variable")
    assert load_config().search.hits == 7
    assert load_config().folder == Path("/from/variable")
    assert load_config(home=tmp_path).folder == tmp_path


def test_a_profile_of_the_users_own(tmp_path) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(shipped("configs", "laptop.toml").read_text().replace("hits = 10", "hits = 3"))
    assert load_config(str(own)).search.hits == 3
    assert load_config(str(own)).profile == "mine"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("hits = 10", "hits = 10\nhist = 3", "unknown key search.hist"),
        ("[search]", "[serach]", "serach"),
        ("hits = 10", "", "missing key search.hits"),
        ("hits = 10", "hits = 0", "search.hits"),
        ("hits = 10", "hits = 'many'", "search.hits"),
        ("hits = 10", "hits = ", "can't be read"),
    ],
)
def test_a_wrong_profile_is_refused_by_name(tmp_path, old, new, named) -> None:
    own = tmp_path / "mine.toml"
    own.write_text(shipped("configs", "laptop.toml").read_text().replace(old, new))
    with pytest.raises(ConfigError, match=named):
        load_config(str(own))


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("RAG_SERACH__HITS", "3", "RAG_SERACH__HITS: did you mean RAG_SEARCH__HITS"),
        ("RAG_SEARCH__HIST", "3", "RAG_SEARCH__HIST"),
        ("RAG_NONSENSE", "", "RAG_NONSENSE"),
        ("RAG_SEARCH__HITS", "many", "search.hits"),
        ("RAG_SEARCH", "3", "RAG_SEARCH"),
        ("RAG_PROFILE", "nowhere", "no profile 'nowhere'; known are cluster, gpu, laptop"),
        ("RAG_PROFILE", "nowhere.toml", "no profile file nowhere.toml"),
        ("RAG_PROFILE", "../configs/laptop", "no profile"),
    ],
)
def test_a_wrong_variable_is_refused_by_name(monkeypatch, name, value, named) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=named):
        load_config()


def test_the_fingerprint_names_what_counts(monkeypatch) -> None:
    before = load_config().fingerprint
    assert load_config(home="/elsewhere").fingerprint == before
    monkeypatch.setenv("RAG_EMBEDDER__API_KEY", "secret")
    assert load_config().fingerprint == before
    assert "secret" not in repr(load_config())
    monkeypatch.setenv("RAG_LLM__PARALLEL", "64")
    assert load_config().fingerprint == before
    monkeypatch.setenv("RAG_SEARCH__HITS", "7")
    assert load_config().fingerprint != before
