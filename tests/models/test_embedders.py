"""One contract for all embedders, then what each adds to it."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rag.config import EmbedderConfig, load_config
from rag.errors import ConfigError, ModelError
from rag.models import Embedder, api, open_embedder
from rag.models.built_in import Pair
from tests.fakes import WordEmbedder
from tests.models.local import reply, serving

Open = Callable[..., Embedder]

MINILM = {"kind": "minilm", "model": "sentence-transformers/all-MiniLM-L6-v2"}
ALONE = (
    "built_in",
    "minilm",
)  # each text runs by itself, so not even rounding depends on its neighbours
TEXTS = [
    "We study how a model of language answers a question from the text of papers.",
    "A cat.",
    "The model is trained on the text of papers, "
    "and the model answers a question from papers of the text.",
    "cat",
    "Papers!",
]


def _config(**changed: Any) -> EmbedderConfig:
    return load_config().embedder.model_copy(update=changed)


class Server:
    """An OpenAI-compatible server that embeds with WordEmbedder, or sends a test's reply."""

    def __init__(self) -> None:
        self.url = ""
        self.behave: Callable[[BaseHTTPRequestHandler], None] = self.embed
        self.key = ""
        self.sizes: list[int] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.behave(request)

    def embed(self, request: BaseHTTPRequestHandler) -> None:
        if request.path != "/v1/embeddings" or request.command != "POST":
            return reply(request, 404)
        if self.key and request.headers["Authorization"] != f"Bearer {self.key}":
            return reply(request, 401, b'{"error": {"message":\n "Incorrect API key provided"}}')
        asked = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.sizes.append(len(asked["input"]))
        model = WordEmbedder(max_tokens=256)
        if any(model.count(text) > 256 for text in asked["input"]):
            return reply(
                request, 400, b'{"error": {"message": "maximum context length is 256 tokens"}}'
            )
        # Twice the length, and unordered: the protocol promises neither unit length nor order.
        rows = [
            {"index": at, "embedding": (2 * row).tolist()}
            for at, row in enumerate(model.embed(asked["input"]))
        ]
        return self.send(request, {"data": rows[::-1]})

    @staticmethod
    def send(request: BaseHTTPRequestHandler, said: Any) -> None:
        reply(request, 200, json.dumps(said).encode(), Content_Type="application/json")


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    with serving(made.answer) as url:
        made.url = f"{url}/v1"
        yield made


@dataclass
class Opener:
    """Open embedders from configurations, and close their connections at the end."""

    opened: list[Embedder] = field(default_factory=list)

    def __call__(self, **changed: Any) -> Embedder:
        embedder = open_embedder(_config(**changed))
        self.opened.append(embedder)
        return embedder

    def close(self) -> None:
        for embedder in self.opened:
            if isinstance(embedder, api.ApiEmbedder):
                embedder._server._client.close()


@pytest.fixture
def opened() -> Iterator[Opener]:
    opener = Opener()
    yield opener
    opener.close()


@pytest.fixture
def open_fake() -> Open:
    return WordEmbedder


@pytest.fixture
def open_built_in(model_cache: Path, opened: Opener) -> Open:
    return opened


@pytest.fixture
def open_minilm(model_cache: Path, opened: Opener) -> Open:
    return lambda **changed: opened(**MINILM | changed)


@pytest.fixture
def open_api(server: Server, opened: Opener) -> Open:
    return lambda: opened(kind="api", base_url=server.url, model="words")


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with a WordPiece tokenizer, as transformers saves them."""
    torch = pytest.importorskip("torch", reason="needs the extra hf")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("tiny")
    words = sorted(
        {
            word
            for text in TEXTS
            for word in "".join(c if c.isalpha() else " " for c in text.lower()).split()
        }
    )
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        ".",
        ",",
        "!",
        *letters,
        *(f"##{letter}" for letter in letters),
    ]
    pieces += [word for word in words if word not in pieces]
    tokenizer = Tokenizer(
        models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | names)
    )
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(pieces),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=64,
            max_position_embeddings=64,
            initializer_range=0.2,
        )
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def open_hf(tiny_bert: Path, opened: Opener) -> Open:
    return lambda: opened(kind="transformers", folder=str(tiny_bert), max_tokens=64)


@pytest.fixture(
    params=["fake", "built_in", "minilm", "api", pytest.param("hf", marks=pytest.mark.hf)]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def open_one(kind: str, request: pytest.FixtureRequest) -> Open:
    opener: Open = request.getfixturevalue(f"open_{kind}")
    return opener


# --- the contract


def test_vectors_are_unit_rows_of_float32(open_one: Open) -> None:
    embedder = open_one()
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.identity.dimension)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_passages_and_questions_have_vectors_of_the_same_shape(open_one: Open) -> None:
    embedder = open_one()
    of_passages, of_sentences = embedder.embed_questions(TEXTS)
    for vectors in (embedder.embed_passages(TEXTS), of_passages, of_sentences):
        assert vectors.shape == (len(TEXTS), embedder.identity.dimension)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_rows(open_one: Open) -> None:
    embedder = open_one()
    vectors = embedder.embed([])
    assert vectors.shape == (0, embedder.identity.dimension)
    assert vectors.dtype == np.float32


def test_rows_keep_the_order_and_don_t_depend_on_their_neighbours(
    open_one: Open, kind: str
) -> None:
    embedder = open_one()
    texts = TEXTS * 8  # more than a batch
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS] * 8)
    np.testing.assert_allclose(
        embedder.embed(texts), alone, rtol=0, atol=0 if kind in ALONE else 1e-5
    )
    np.testing.assert_allclose(
        embedder.embed(texts[::-1]), alone[::-1], rtol=0, atol=0 if kind in ALONE else 1e-5
    )
    assert (alone[: len(TEXTS)] @ alone[: len(TEXTS)].T < 0.9999).sum() >= len(
        TEXTS
    )  # they do differ


def test_the_count_includes_the_special_tokens_and_grows(open_one: Open) -> None:
    embedder = open_one()
    assert embedder.count("") >= 2
    counts = [embedder.count("cat " * words) for words in range(1, 20)]
    assert counts == sorted(set(counts))


def test_an_empty_text_has_a_vector(open_one: Open) -> None:
    assert np.isfinite(open_one().embed([""])).all()


def test_the_identity_is_the_same_in_two_openings(open_one: Open) -> None:
    first, second = open_one().identity, open_one().identity
    assert first == second
    assert first.matches(second)


def test_a_text_that_is_too_long_is_not_cut(open_one: Open, kind: str) -> None:
    embedder = open_one()
    longest = embedder.identity.max_tokens
    fits = "cat " * (longest - 2)
    if kind != "api":  # whose count is an estimate
        assert embedder.count(fits) == longest
        embedder.embed([fits])
    # The fake asserts, since no code should ever come there.
    with pytest.raises(
        AssertionError if kind == "fake" else ModelError, match=r"answered 400|tokens"
    ):
        embedder.embed(["A cat.", f"{fits} cat", "cat"])


# --- the built-in models


@pytest.mark.usefixtures("model_cache")
class TestBuiltIn:
    def test_it_knows_what_is_alike(self, opened: Opener) -> None:
        texts = ["a cat sat on the mat", "a kitten rested on the rug", "quarterly revenue grew"]
        vectors = opened().embed(texts)
        alike, unlike = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
        # The same weights in torch, fp32, give 0.618 and -0.046.
        assert alike == pytest.approx(0.618, abs=0.05)
        assert unlike == pytest.approx(-0.046, abs=0.05)

    def test_a_question_is_nearest_the_passage_that_answers_it(self, opened: Opener) -> None:
        embedder = opened()
        passages = [
            "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
            "We estimate density ratios between the data and a policy, and learn from few samples.",
            "A transformer attends to all the words of a text at once.",
        ]
        asked = [
            "How do plants make sugar?",
            "Who learns a policy from density ratios?",
            "How does a transformer read a text?",
        ]
        for_passages, for_sentences = embedder.embed_questions(asked)
        assert (for_passages @ embedder.embed_passages(passages).T).argmax(axis=1).tolist() == [
            0,
            1,
            2,
        ]
        np.testing.assert_array_equal(for_sentences, embedder.embed(asked))

    def test_sentences_are_those_of_minilm_alone(self, opened: Opener) -> None:
        alone = opened(**MINILM)
        np.testing.assert_array_equal(opened().embed(TEXTS), alone.embed(TEXTS))
        assert not alone.identity.matches(opened().identity)

    def test_both_models_count_alike(self, opened: Opener) -> None:
        embedder = opened()
        assert isinstance(embedder, Pair)
        for text in [*TEXTS, "Ünïcode, naïve; 漢字 [SEP] \N{ROCKET} https://x.y", ""]:
            assert embedder.count(text) == embedder._passages.count(text)

    @pytest.mark.parametrize("verb", ["embed", "embed_passages", "embed_questions"])
    def test_a_thousand_words_are_not_cut(self, opened: Opener, verb: str) -> None:
        with pytest.raises(ModelError, match=r"^a text of \d+ tokens exceeds the embedder's \d+$"):
            getattr(opened(), verb)(["cat " * 1000])

    def test_it_reads_no_more_than_the_models_have_positions(self, opened: Opener) -> None:
        assert opened(**MINILM, max_tokens=512).embed(["cat " * 510]).shape == (1, 384)
        with pytest.raises(
            ModelError, match=r"max_tokens is 513, but all-MiniLM-L6-v2 reads at most 512"
        ):
            opened(**MINILM, max_tokens=513)
        longest = opened(max_tokens=504)
        assert [vectors.shape for vectors in longest.embed_questions(["cat " * 502])] == [
            (1, 384)
        ] * 2
        with pytest.raises(
            ModelError,
            match=r"is 505, but bge-small-en-v1\.5, with its instruction, reads .* 504",
        ):
            opened(max_tokens=505)

    @pytest.mark.parametrize("kind", ["built-in", "minilm"])
    def test_other_models_are_refused(self, opened: Opener, kind: str) -> None:
        with pytest.raises(ConfigError, match=r"set embedder\.kind to transformers"):
            opened(kind=kind, model="BAAI/bge-base-en-v1.5")

    def test_both_models_from_one_folder(
        self, opened: Opener, model_cache: Path, tmp_path: Path
    ) -> None:
        taken = opened(folder=str(model_cache), cache=str(tmp_path))
        assert taken.identity == opened().identity
        np.testing.assert_array_equal(taken.embed_passages(TEXTS), opened().embed_passages(TEXTS))

    @pytest.mark.parametrize(
        ("model", "name"),
        [
            ("all-MiniLM-L6-v2", "int8-bert-graph-2.onnx"),
            ("all-MiniLM-L6-v2", "tokenizer.json"),
            ("bge-small-en-v1.5", "model_quantized.onnx"),
            ("bge-small-en-v1.5", "tokenizer.json"),
        ],
    )
    def test_damaged_files_are_named(
        self, opened: Opener, model_cache: Path, tmp_path: Path, model: str, name: str
    ) -> None:
        for folder in ("all-MiniLM-L6-v2", "bge-small-en-v1.5"):
            (tmp_path / folder).mkdir()
            for path in (model_cache / folder).glob("*.*"):
                (tmp_path / folder / path.name).symlink_to(path)
        (tmp_path / model / name).unlink()
        (tmp_path / model / name).write_bytes(b"half")
        with pytest.raises(ModelError, match=f"{model} is damaged; delete that folder") as raised:
            opened(cache=str(tmp_path))
        assert "\n" not in str(raised.value)


# --- a server


class TestApi:
    def test_many_texts_go_in_batches(self, open_api: Open, server: Server) -> None:
        texts = [f"text {number}" for number in range(70)]
        np.testing.assert_allclose(open_api().embed(texts), WordEmbedder().embed(texts), atol=1e-6)
        assert server.sizes == [32, 32, 6]

    def test_the_key_is_sent_and_not_shown(self, server: Server, opened: Opener) -> None:
        server.key = "sk-secret"
        assert opened(kind="api", base_url=server.url, model="m", api_key="sk-secret").embed(
            ["x"]
        ).shape == (1, 64)
        with pytest.raises(ModelError, match=r"answered 401: .*Incorrect API key") as raised:
            opened(kind="api", base_url=server.url, model="m", api_key="sk-wrong").embed(["x"])
        assert "sk-" not in str(raised.value)
        assert "\n" not in str(raised.value)

    @pytest.mark.parametrize("key", ["schlüssel", "sk-secret\n", "a\x00b"])
    def test_a_key_that_no_header_carries(self, opened: Opener, key: str) -> None:
        with pytest.raises(ConfigError, match=r"embedder\.api_key contains characters") as raised:
            opened(kind="api", base_url="http://127.0.0.1:9/v1", model="m", api_key=key)
        assert key not in str(raised.value)

    def test_a_closing_slash_does_no_harm(self, server: Server, opened: Opener) -> None:
        assert opened(kind="api", base_url=f"{server.url}/", model="m").embed(["x"]).shape == (
            1,
            64,
        )

    @pytest.mark.parametrize(
        "url",
        ["", "127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "http://", "http:///v1", "http://a\x00b"],
    )
    def test_a_wrong_url(self, opened: Opener, url: str) -> None:
        with pytest.raises(ConfigError, match=r"embedder\.base_url must be the URL of a server"):
            opened(kind="api", base_url=url, model="m")

    @pytest.mark.parametrize(
        ("behave", "said"),
        [
            (lambda request: reply(request, 400, b"too long"), "answered 400: too long"),
            (
                lambda request: reply(request, 500, b"out of\n memory"),
                "answered 500: out of memory",
            ),
            (
                lambda request: reply(request, 200, b"<html>Welcome</html>"),
                "did not answer as an OpenAI",
            ),
            (lambda request: reply(request, 302, Location="/login"), "answered 302"),
            (lambda request: None, "can't be reached: Server disconnected"),
            (
                lambda request: reply(request, 200, b"{", Content_Length="9"),
                "can't be reached: peer closed",
            ),
            (
                lambda request: reply(request, 200, b"x", Content_Encoding="gzip"),
                "did not answer as an OpenAI",
            ),
            (lambda request: Server.send(request, []), "returned 0 vectors for 2 texts"),
            (lambda request: Server.send(request, {"error": "no"}), "did not answer as an OpenAI"),
            (lambda request: Server.send(request, {"data": None}), "did not answer as an OpenAI"),
            (lambda request: Server.send(request, {"data": []}), "returned 0 vectors for 2 texts"),
            (lambda request: _rows(request, [1.0, 0.0]), "returned 1 vectors for 2 texts"),
            (lambda request: _rows(request, [1.0, 0.0], [1.0]), "did not answer as an OpenAI"),
            (lambda request: _rows(request, "AAAA", "AAAA"), "did not answer as an OpenAI"),
            (lambda request: _rows(request, 1.0, 2.0), "returned 2 vectors for 2 texts"),
            (
                lambda request: _rows(request, [1.0, None], [0.0, 1.0]),
                "returned a value that is not a number",
            ),
            (
                lambda request: _rows(request, [1.0, float("nan")], [0.0, 1.0]),
                "returned a value that is not a number",
            ),
        ],
    )
    def test_each_failure_is_one_line(
        self,
        open_api: Open,
        server: Server,
        behave: Callable[[BaseHTTPRequestHandler], None],
        said: str,
    ) -> None:
        server.behave = behave
        with pytest.raises(ModelError) as raised:
            open_api().embed(["a", "b"])
        message = str(raised.value)
        assert message.startswith(f"{server.url}/embeddings ")
        assert said in message
        assert "\n" not in message

    def test_a_server_that_is_down(self, open_api: Open, server: Server, opened: Opener) -> None:
        with serving(server.answer) as url:
            pass
        with pytest.raises(ModelError, match=r"can't be reached: .*refused"):
            opened(kind="api", base_url=url, model="m").embed(["a"])

    def test_a_slow_server(
        self, open_api: Open, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited = threading.Event()
        server.behave = lambda request: waited.wait(10)
        monkeypatch.setattr(api, "_SECONDS", 0.2)
        with pytest.raises(ModelError, match="can't be reached: timed out"):
            open_api().embed(["a"])
        waited.set()


def _rows(request: BaseHTTPRequestHandler, *embeddings: Any) -> None:
    Server.send(
        request, {"data": [{"index": at, "embedding": row} for at, row in enumerate(embeddings)]}
    )


# --- transformers


def test_without_torch_the_extra_is_named(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(
        ModelError, match=r"^this embedder needs torch: pip install 'ask-the-papers\[hf\]'$"
    ):
        opened(kind="transformers", folder="anywhere")


@pytest.mark.hf
class TestTransformers:
    @pytest.fixture
    def copy(self, tiny_bert: Path, tmp_path: Path) -> Path:
        import shutil

        return Path(shutil.copytree(tiny_bert, tmp_path / "bert"))

    @pytest.mark.parametrize(
        ("config", "pooling"),
        [
            ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
            (
                {
                    "pooling_mode_cls_token": False,
                    "pooling_mode_mean_tokens": True,
                    "include_prompt": True,
                },
                "mean",
            ),
            ({"pooling_mode_cls_token": False}, "mean"),
            ({"embedding_dimension": 32, "pooling_mode": "cls", "include_prompt": True}, "cls"),
            ({"embedding_dimension": 32, "pooling_mode": "mean", "include_prompt": True}, "mean"),
            ({"pooling_mode_max_tokens": True}, None),
            ({"pooling_mode_mean_sqrt_len_tokens": True}, None),
            ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, None),
            ({"pooling_mode": "lasttoken"}, None),
            ({"pooling_mode": ["cls", "mean"]}, None),
        ],
    )
    def test_the_pooling_is_the_models_own(
        self, opened: Opener, copy: Path, config: dict[str, Any], pooling: str | None
    ) -> None:
        mean = opened(kind="transformers", folder=str(copy), max_tokens=64)
        (copy / "1_Pooling").mkdir()
        (copy / "1_Pooling" / "config.json").write_text(
            json.dumps({"word_embedding_dimension": 32} | config)
        )
        if pooling is None:
            with pytest.raises(ModelError, match="needs the pooling .*; only mean and cls are"):
                opened(kind="transformers", folder=str(copy), max_tokens=64)
            return
        embedder = opened(kind="transformers", folder=str(copy), max_tokens=64)
        assert embedder.identity.pooling == pooling
        assert embedder.identity.matches(mean.identity) is (pooling == "mean")
        assert np.allclose(embedder.embed(TEXTS), mean.embed(TEXTS)) is (pooling == "mean")

    def test_it_agrees_with_the_graph(
        self, opened: Opener, tiny_bert: Path, tmp_path: Path
    ) -> None:
        import onnxruntime

        from rag.models.embedder import normalise
        from rag.models.graph import BertShape, write_onnx

        embedder = opened(kind="transformers", folder=str(tiny_bert), max_tokens=64)
        write_onnx(
            tiny_bert / "model.safetensors",
            BertShape(2, 4, 1e-12),
            tmp_path / "graph.onnx",
            int8=False,
        )
        session = onnxruntime.InferenceSession(
            str(tmp_path / "graph.onnx"), providers=["CPUExecutionProvider"]
        )
        for text in TEXTS:
            row = np.array([embedder._tokenizer(text)["input_ids"]], dtype=np.int64)
            hidden = session.run(None, {"input_ids": row, "attention_mask": np.ones_like(row)})[0]
            np.testing.assert_allclose(
                embedder.embed([text]), normalise(hidden.mean(axis=1)), atol=1e-5
            )

    def test_the_prompts_are_the_models_own(self, opened: Opener, copy: Path) -> None:
        plain = opened(kind="transformers", folder=str(copy), max_tokens=64)
        prompts = {
            "prompts": {"query": "question ", "document": "text "},
            "default_prompt_name": None,
        }
        (copy / "config_sentence_transformers.json").write_text(json.dumps(prompts))
        embedder = opened(kind="transformers", folder=str(copy), max_tokens=64)
        texts = ["the cat", "papers answer"]
        np.testing.assert_allclose(
            embedder.embed_passages(texts),
            plain.embed([f"text {text}" for text in texts]),
            atol=1e-6,
        )
        np.testing.assert_allclose(embedder.embed(texts), embedder.embed_passages(texts), atol=1e-6)
        for asked in embedder.embed_questions(texts):
            np.testing.assert_allclose(
                asked, plain.embed([f"question {text}" for text in texts]), atol=1e-6
            )
        assert embedder.count("cat") == plain.count("question cat")
        assert not embedder.identity.matches(plain.identity)

    def test_half_precision_weights_run_in_full(self, opened: Opener, copy: Path) -> None:
        import torch
        from transformers import BertModel

        BertModel.from_pretrained(copy).to(torch.bfloat16).save_pretrained(copy)
        embedder = opened(kind="transformers", folder=str(copy), max_tokens=64)
        assert embedder._model.dtype == torch.float32
        assert embedder.identity.precision == "fp32"

    def test_more_tokens_than_positions(self, opened: Opener, tiny_bert: Path) -> None:
        with pytest.raises(ModelError, match=r"max_tokens is 65, but .* reads at most 64"):
            opened(kind="transformers", folder=str(tiny_bert), max_tokens=65)

    def test_a_home_folder_is_understood(
        self, opened: Opener, copy: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(copy.parent))
        assert opened(kind="transformers", folder="~/bert", max_tokens=64).identity.dimension == 32

    @pytest.mark.parametrize("content", [None, b"half", b"{}"])
    @pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
    def test_missing_and_damaged_files(
        self, opened: Opener, copy: Path, name: str, content: bytes | None
    ) -> None:
        (copy / name).unlink()
        if content:
            (copy / name).write_bytes(content)
        self._is_refused(opened, copy)

    def test_a_damaged_pooling(self, opened: Opener, copy: Path) -> None:
        (copy / "1_Pooling").mkdir()
        (copy / "1_Pooling" / "config.json").write_bytes(b"half")
        self._is_refused(opened, copy)

    @staticmethod
    def _is_refused(opened: Opener, copy: Path) -> None:
        with pytest.raises(ModelError, match=r"the embedder .*bert can't be loaded") as raised:
            opened(kind="transformers", folder=str(copy), max_tokens=64)
        assert "\n" not in str(raised.value)

    def test_the_built_in_model_in_torch(
        self, opened: Opener, model_cache: Path, tmp_path: Path
    ) -> None:
        shape = {
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
        }
        (tmp_path / "config.json").write_text(
            json.dumps({"model_type": "bert", "vocab_size": 30522} | shape)
        )
        names = {
            "pad_token": "[PAD]",
            "unk_token": "[UNK]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
        }
        kept = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512} | names
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(kept))
        for name in ("model.safetensors", "tokenizer.json"):
            (tmp_path / name).symlink_to(model_cache / "all-MiniLM-L6-v2" / name)
        torch, built_in = opened(kind="transformers", folder=str(tmp_path)), opened(**MINILM)
        assert torch.identity.matches(built_in.identity)
        texts = [*TEXTS, "word " * 250]
        assert [torch.count(text) for text in texts] == [built_in.count(text) for text in texts]
        assert (torch.embed(texts) * built_in.embed(texts)).sum(axis=1).min() > 0.98
