"""Paths of the calls that wechatpy makes, one a line, read from its source."""

import ast
from pathlib import Path

import wechatpy.client.api

#: Paths that are put together at run time.
COMPUTED = [
    "/cgi-bin/groups/members/update",
    "/cgi-bin/groups/members/batchupdate",
    "/cgi-bin/message/mass/send",
    "/cgi-bin/message/mass/sendall",
    "/cgi-bin/message/mass/preview",
]


def paths_of(group):
    """Paths of the calls of one class."""
    base = "https://api.weixin.qq.com/cgi-bin/"
    for statement in group.body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id == "API_BASE_URL":
            base = statement.value.value
    for call in ast.walk(group):
        if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") not in ("_get", "_post"):
            continue
        named = [keyword.value for keyword in call.keywords if keyword.arg == "url"]
        address = (call.args or named)[0]
        if isinstance(address, ast.Constant):
            full = address.value if "://" in address.value else base + address.value
            yield "/" + full.split("/", 3)[3]


folder = Path(wechatpy.client.api.__file__).parent
for file in sorted(folder.rglob("*.py")):
    for group in ast.parse(file.read_text()).body:
        if isinstance(group, ast.ClassDef):
            print(*paths_of(group), sep="\n")
print(*COMPUTED, sep="\n")
