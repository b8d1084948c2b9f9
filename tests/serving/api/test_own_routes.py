"""The routes that belong to the server and not to an application."""

from __future__ import annotations

import pytest

from tests.serving.api.conftest import Server, error


class TestTheServersOwn:
    def test_health(self, server: Server) -> None:
        assert server.client.get("/v2/health/live").json() == {"live": True}
        assert server.client.get("/v2/health/ready").json() == {"ready": True}
        server.service.ready = False
        assert server.client.get("/v2/health/ready").status_code == 503
        server.service.ready = True

    def test_metrics(self, server: Server) -> None:
        response = server.client.get("/metrics")
        assert "windjammer_things_total 3.0" in response.text
        assert response.headers["content-type"].startswith("text/plain")

    def test_the_first_page_leads_to_the_documentation(self, server: Server) -> None:
        response = server.client.get("/", follow_redirects=True)
        assert response.url.path == "/docs"
        assert "Windjammer" in response.text

    def test_every_documented_example_works(self, server: Server) -> None:
        paths = server.client.get("/openapi.json").json()["paths"]
        posted = []
        for path in ("/digits/predict", "/digits/observe", "/digits/update"):
            example = paths[path]["post"]["requestBody"]["content"]["application/json"]["example"]
            posted.append(server.post(path, example).status_code)
        assert posted == [200, 200, 200]

    def test_every_schema_that_is_referred_to_exists(self, server: Server) -> None:
        text = server.client.get("/openapi.json").text
        schemas = server.client.get("/openapi.json").json()["components"]["schemas"]
        referred = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
        assert referred <= schemas.keys()
        assert "PredictReply" in referred


class TestAdmin:
    def test_applications_are_listed(self, server: Server) -> None:
        (row,) = server.client.get("/admin/applications").json()
        assert row == {
            "name": "digits",
            "models": ["cnn:2", "svm:1"],
            "health": {"cnn:2": "healthy", "svm:1": "healthy"},
            "policy": "exp3",
            "task": "classification",
            "input": "FP32 [2]",
            "slo_ms": 20.0,
        }

    def test_an_application_tells_its_settings(self, server: Server) -> None:
        told = server.client.get("/admin/applications/digits").json()
        assert told["input"] == {"datatype": "FP32", "shape": [2]}
        assert told["policy"]["name"] == "exp3"
        assert told["loss"] == {"name": "zero_one"}

    def test_state_is_of_all_or_of_one_user(self, server: Server) -> None:
        states = [server.client.get(f"/admin/applications/digits/state{query}").json() for query in ("", "?user=ann")]
        assert [state.get("user") for state in states] == [None, "ann"]
        assert states[0]["models"]["svm:1"] == {"weight": 1.0}

    def test_models_are_listed_and_told_of(self, server: Server) -> None:
        rows = server.client.get("/admin/models").json()
        assert [(row["name"], row["version"], row["available"]) for row in rows] == [
            ("cnn", "2", True),
            ("svm", "1", True),
        ]
        told = server.client.get("/admin/models/svm/versions/1").json()
        assert (told["name"], told["artifact"], told["batches"]) == ("svm", "models:Any", 0)

    @pytest.mark.parametrize(
        ("path", "phrase"),
        [
            ("applications/none", "Unknown application"),
            ("applications/none/state", "Unknown application"),
            ("models/svm/versions/2", "Unknown model"),
            ("models/none/versions/1", "Unknown model"),
        ],
    )
    def test_what_there_is_not_is_not_found(self, server: Server, path: str, phrase: str) -> None:
        assert error(server.client.get(f"/admin/{path}"))[:2] == (404, phrase)
