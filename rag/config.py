"""Read profiles in configs/*.toml and `RAG_...` variables into one frozen `Config`.

Order of precedence: keyword arguments (command-line flags), environment, profile. A profile must be
complete: a missing key is an error, and so is an unknown key.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from rag.errors import ConfigError
from rag.resources import renamed, shipped

APP = "ask-the-papers"
_PREFIX = "RAG_"
_NOT_SETTINGS = frozenset({"RAG_PROFILE"})
# Settings that decide where and how fast a language model runs, not what it writes.
_LLM_DEPLOYMENT = {
    "base_url", "cache", "keep_minutes", "parallel", "threads", "tokenizer", "vllm_command"
}  # fmt: skip


# A secret: never part of a printed or dumped configuration.
Key = Annotated[str, Field(repr=False, exclude=True)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EmbedderConfig(_Section):
    """The model that embeds texts, and where its weights come from."""

    kind: Literal["built-in", "minilm", "transformers", "api"]
    model: str
    folder: str
    cache: str
    precision: Literal["int8", "fp32"]
    base_url: str
    api_key: Key
    max_tokens: int = Field(ge=32)

    @property
    def english_only(self) -> bool:
        """Whether the model is known to support English only."""
        return self.kind in ("built-in", "minilm")

    @property
    def cache_folder(self) -> Path:
        """The folder for downloaded weights."""
        return (
            Path(self.cache).expanduser()
            if self.cache
            else platformdirs.user_cache_path(APP) / "models"
        )


class SearchConfig(_Section):
    """How candidates are found and fused."""

    candidates: int = Field(ge=1)
    lexical_weight: float = Field(ge=0)
    letters_weight: float = Field(ge=0)
    dense_weight: float = Field(ge=0)
    sentence_weight: float = Field(ge=0)
    hits: int = Field(ge=1)


class AnswerConfig(_Section):
    """How hits become an answer, and when there is none."""

    synthesizer: Literal["auto", "extractive", "generated"]
    on_llm_failure: Literal["error", "extractive"]
    supported: float = Field(ge=0, le=1)
    revise: bool
    relevance: float = Field(ge=0, le=1)
    share_of_best: float = Field(ge=0, le=1)
    odds_of_best: float = Field(ge=0, le=1)
    answerability: float = Field(ge=0, le=1)
    calibration: str
    considered: int = Field(ge=1)
    sentences: int = Field(ge=1)
    max_question_characters: int = Field(ge=1)


class RerankConfig(_Section):
    """The server that reranks the best papers of a search; no reranking if `base_url` is empty."""

    base_url: str
    model: str
    api_key: Key
    papers: int = Field(ge=2)


class SupportConfig(_Section):
    """The check of sentences against their evidence: the built-in score or a cross-encoder.

    The cross-encoder runs locally or, with `base_url`, on a server.
    """

    model: str
    base_url: str
    api_key: Key
    max_tokens: int = Field(ge=32)


class LLMConfig(_Section):
    """The language model that writes answers, and how its server is called."""

    engine: Literal["server", "llama.cpp"]
    base_url: str
    api_key: Key
    model: str
    tokenizer: str
    template_options: dict[str, bool | int | str]
    context: int = Field(ge=256)
    max_tokens: int = Field(ge=16)
    temperature: float = Field(ge=0)
    seed: int
    form: Literal["auto", "structured_outputs", "grammar", "response_format", "none"]
    prompt_tokens: int = Field(ge=64)
    sentences: int = Field(ge=1)
    reads: bool
    screened: int = Field(ge=0)
    parallel: int = Field(ge=1)
    read_seconds: float = Field(gt=0)
    vllm_command: str
    tensor_parallel: int = Field(ge=1)
    quantization: str
    ngram_tokens: int = Field(ge=0)
    gpu_gigabytes: float = Field(gt=0)
    cache: str
    threads: int = Field(ge=0)
    keep_minutes: float = Field(ge=0)

    @property
    def cache_folder(self) -> Path:
        """The folder for downloaded language models."""
        return (
            Path(self.cache).expanduser()
            if self.cache
            else platformdirs.user_cache_path(APP) / "llm"
        )


class UIConfig(_Section):
    """Limits of the web pages. `places` is the number of questions answered at the same time."""

    places: int = Field(ge=1)
    questions_per_minute: int = Field(ge=1)
    upload_megabytes: int = Field(ge=1)


class Config(BaseSettings):
    """All settings, validated and frozen."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=False,
    )

    profile: str
    home: str
    embedder: EmbedderConfig
    search: SearchConfig
    answer: AnswerConfig
    rerank: RerankConfig
    support: SupportConfig
    llm: LLMConfig
    ui: UIConfig

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the profile, which `load_config` passes as arguments."""
        return (env_settings, init_settings)

    @property
    def folder(self) -> Path:
        """The library's folder."""
        return Path(self.home).expanduser() if self.home else platformdirs.user_data_path(APP)

    @property
    def writes(self) -> bool:
        """Whether a language model writes the answers.

        The synthesizer "auto" must be resolved first (rag.llm.local_models).
        """
        assert self.answer.synthesizer != "auto", "the synthesizer is not resolved"
        return self.answer.synthesizer == "generated"

    @property
    def fingerprint(self) -> str:
        """12 hex digits that identify the settings that can change an answer.

        Folders, keys, the web pages' limits and the deployment of the language model are left out.
        """
        content = self.model_dump_json(
            exclude={
                "home": True,
                "profile": True,
                "ui": True,
                "embedder": {"cache", "folder"},
                "llm": _LLM_DEPLOYMENT,
            }
        )
        return hashlib.sha256(content.encode()).hexdigest()[:12]


def load_config(profile: str | None = None, home: str | Path | None = None) -> Config:
    """Read a profile by its name in configs/, or by the path of a TOML file.

    `profile` defaults to RAG_PROFILE, then to `laptop`; `home` overrides RAG_HOME and the profile.
    Raises ConfigError for a missing profile, an unknown or missing key, an unknown `RAG_` variable,
    and an invalid value; the message names it.
    """
    name = profile or os.environ.get("RAG_PROFILE") or "laptop"
    path = _profile_path(name)
    _refuse_unknown_variables(os.environ)
    try:
        config = Config(**_read_toml(path), profile=path.stem).model_copy(
            update={"profile": path.stem}
        )
    except ValidationError as error:
        raise ConfigError(f"{_describe(error)} (profile {path.name})") from None
    except ValueError as error:  # pydantic-settings: a section's variable is not JSON
        raise ConfigError(f"a RAG_ variable can't be read: {error}") from None
    config = config if home is None else config.model_copy(update={"home": str(home)})
    # Report an unknown user's home ("~nobody/x") now, not in the middle of the work.
    for path_setting in (
        config.home,
        config.embedder.cache,
        config.embedder.folder,
        config.answer.calibration,
        config.llm.vllm_command,
        config.llm.cache,
    ):
        expanded(path_setting)
    return config


def expanded(path: str | Path) -> Path:
    """Return the path with `~` resolved. Raises ConfigError for the home of an unknown user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise ConfigError(f"{path}: there is no such user") from None


def _profile_path(name: str) -> Path:
    if name.endswith(".toml"):
        path = expanded(name)
        if path.is_file():
            return path
        raise ConfigError(f"there is no profile file {name}")
    path = shipped("configs", f"{name}.toml")
    if path.is_file() and path.parent == shipped("configs"):
        return path
    known = ", ".join(sorted(p.stem for p in shipped("configs").glob("*.toml")))
    raise ConfigError(
        f"there is no profile {name!r}; known profiles: {known}; or give the path of a .toml file"
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"profile {path} can't be read: {error}") from None


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {name.upper() for name in _variables()}
    unknown = sorted(
        name
        for name in environment
        if name.upper().startswith(_PREFIX) and name.upper() not in known
    )
    if unknown:
        close = difflib.get_close_matches(unknown[0].upper(), known, n=1)
        new = {_variable(old): _variable(name) for old, name in renamed("settings").items()}
        suggestion = new.get(unknown[0].upper()) or next(iter(close), None)
        fix = (
            f"did you mean {suggestion}?"
            if suggestion
            else "see the profiles in configs/ for all settings"
        )
        raise ConfigError(f"unknown variable {unknown[0]}: {fix}")


def _variables() -> Iterable[str]:
    yield from _NOT_SETTINGS
    for name, field in Config.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, _Section):
            yield from (f"{_PREFIX}{name}__{key}" for key in section.model_fields)
        else:
            yield f"{_PREFIX}{name}"


def _variable(key: str) -> str:
    """Return the environment variable of a key such as `answer.relevance`."""
    return _PREFIX + key.replace(".", "__").upper()


def _describe(error: ValidationError) -> str:
    # A mistyped key gives two errors, an unknown and a missing key. Show what the user wrote.
    first = min(error.errors(), key=lambda detail: detail["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"])
    match first["type"]:
        case "extra_forbidden":
            new = renamed("settings").get(key)
            return f"unknown key {key}" + (f"; it is now called {new}" if new else "")
        case "missing":
            return f"missing key {key}"
        case _:
            return f"{key} = {first['input']!r}: {first['msg']}"
