"""No telemetry: its switches are set before a library reads them."""

import subprocess
import sys


def test_the_switch_against_onnxruntimes_telemetry_is_set_before_its_import() -> None:
    code = (
        "import sys, rag, os; assert 'onnxruntime' not in sys.modules; "
        "import rag.models; print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PATH": ""}
    )
    assert run.stdout == "1\n"
