"""Profiles, variables and flags; wrong values are named."""

from pathlib import Path

import pytest

from rag.config import load_config
from rag.errors import ConfigError, ModelError
from rag.llm.local_models import MODELS, file_of, named, settled
from rag.resources import shipped


def test_the_default_profile_is_the_laptop() -> None:
    config = load_config()
    assert config.profile == "laptop"
    assert config.answer.synthesizer == "auto"
    assert not settled(config).writes  # no test sees a model that this machine has


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
        (
            "RAG_PROFILE",
            "nowhere",
            "no profile 'nowhere'; known profiles: cluster, gpu, laptop, local",
        ),
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


@pytest.fixture
def fetched(monkeypatch, tmp_path):
    """`fetched(name)` puts an empty file into the cache in place of a language model."""
    monkeypatch.setenv("RAG_LLM__CACHE", str(tmp_path))

    def fetch(name) -> Path:
        path = named(name).path(tmp_path)
        path.touch()
        return path

    return fetch


def test_a_model_that_is_here_writes_unless_quotes_are_wanted(fetched) -> None:
    before = settled(load_config())
    path = fetched("qwen2.5-coder-1.5b")
    config = settled(load_config())
    assert config.writes
    assert config.llm.model == "qwen2.5-coder-1.5b"
    assert file_of(config.llm) == path
    assert config.fingerprint != before.fingerprint
    quoting = settled(load_config(), quotes=True)
    assert not quoting.writes
    assert quoting.fingerprint == before.fingerprint


def test_the_best_model_that_is_here_writes(fetched) -> None:
    for model in reversed(MODELS):
        fetched(model.name)
    assert settled(load_config()).llm.model == MODELS[0].name


def test_a_model_for_tests_writes_only_where_it_is_named(fetched, monkeypatch) -> None:
    fetched("smollm2-135m")
    assert not settled(load_config()).writes
    monkeypatch.setenv("RAG_LLM__MODEL", "smollm2-135m")
    assert settled(load_config()).writes


def test_a_language_model_that_is_not_here_is_named_with_the_fix(monkeypatch) -> None:
    with pytest.raises(ModelError, match="fetch one with rag models pull --llm"):
        file_of(settled(load_config("local")).llm)
    monkeypatch.setenv("RAG_LLM__MODEL", "qwen2.5-coder-0.5b")
    with pytest.raises(ModelError, match=r"run rag models pull --llm qwen2\.5-coder-0\.5b"):
        file_of(settled(load_config()).llm)
    monkeypatch.setenv("RAG_LLM__MODEL", "qwen")
    with pytest.raises(
        ModelError, match="no language model 'qwen'; known models: qwen3-4b-instruct-2507, "
    ):
        file_of(settled(load_config()).llm)
    monkeypatch.setenv("RAG_LLM__MODEL", "/none/own.gguf")
    with pytest.raises(ModelError, match="set llm.model to the path of a GGUF file"):
        file_of(settled(load_config()).llm)


def test_a_profile_with_a_server_asks_the_server(monkeypatch) -> None:
    monkeypatch.setenv("RAG_LLM__ENGINE", "server")
    assert settled(load_config()).writes


def test_no_dump_of_a_configuration_holds_a_key(monkeypatch) -> None:
    sections = ("EMBEDDER", "RERANK", "SUPPORT", "LLM")
    for section in sections:
        monkeypatch.setenv(f"RAG_{section}__API_KEY", "sk-secret")
    config = load_config()
    assert all(getattr(config, section.lower()).api_key == "sk-secret" for section in sections)
    assert "sk-secret" not in config.model_dump_json() + str(config.model_dump()) + repr(config)
