"""What the scripts share: wechatpy's requests, led to the simulator, and the control API."""

import json

import requests
from requests.adapters import HTTPAdapter

HOSTS = {"api.weixin.qq.com", "mp.weixin.qq.com", "open.weixin.qq.com"}


class LeadToSimulator(HTTPAdapter):
    """Sends what is meant for WeChat's hosts to the simulator, path and query unchanged."""

    def __init__(self, base_url):
        super().__init__()
        self.base_url = base_url

    def send(self, request, **options):
        _, _, rest = request.url.partition("://")
        host, _, path = rest.partition("/")
        assert host in HOSTS, request.url
        request.url = f"{self.base_url}/{path}"
        options["proxies"] = {}
        return super().send(request, **options)


def lead(client, base_url):
    """Leads a client of wechatpy to the simulator."""
    client._http.mount("https://", LeadToSimulator(base_url))
    return client


class Control:
    """The control API of the simulator."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.http = requests.Session()
        self.http.trust_env = False

    def post(self, route, /, **body):
        answer = self.http.post(f"{self.base_url}/sim/api/{route}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def get(self, path):
        return json.loads(self.http.get(f"{self.base_url}/sim/api/{path}").text)
