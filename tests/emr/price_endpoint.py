"""AWS's Price List and Spot price history over real HTTP, for `PriceList` to ask.

Requests and responses of GetProducts are validated with botocore's model of the service; it serves
products two to a page, filters them as AWS does (TERM_MATCH on an attribute, or on the family), and
lists each product as the JSON string that the Price List API documents.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

import botocore.session
from botocore.validate import validate_parameters

_MODEL = botocore.session.get_session().get_service_model("pricing")
_PAGE = 2


def product(family: str, unit: str, usd: str, **attributes: str) -> dict[str, object]:
    """One product as the Price List documents it ("Understanding the price list API")."""
    sku = f"SKU{abs(hash((family, usd, *sorted(attributes.items())))) % 10**12}"
    rate = f"{sku}.JRTCKXETXF"
    dimension = {
        "unit": unit,
        "endRange": "Inf",
        "description": f"${usd} per {unit}",
        "appliesTo": [],
        "rateCode": f"{rate}.6YS6EN2CT7",
        "beginRange": "0",
        "pricePerUnit": {"USD": usd},
    }
    term = {
        "priceDimensions": {f"{rate}.6YS6EN2CT7": dimension},
        "sku": sku,
        "effectiveDate": "2026-11-01T00:00:00Z",
        "offerTermCode": "JRTCKXETXF",
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": family, "attributes": attributes, "sku": sku},
        "serviceCode": attributes["servicecode"],
        "terms": {"OnDemand": {rate: term}},
        "version": "20261118200000",
        "publicationDate": "2026-11-18T20:00:00Z",
    }


class PriceEndpoint:
    """`with PriceEndpoint(products, spot) as endpoint: endpoint.url`."""

    def __init__(self, products, spot=()) -> None:
        self.products, self.spot = products, spot
        self.calls: list[str] = []
        handler = type("Handler", (_Handler,), {"endpoint": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def get_products(self, request):
        """One page of the products that fit every filter."""
        validate_parameters(request, _MODEL.operation_model("GetProducts").input_shape)
        found = [each for each in self.products if _fits(each, request)]
        start = int(request.get("NextToken", 0))
        page = [json.dumps(each) for each in found[start : start + _PAGE]]
        answer = {"FormatVersion": "aws_v1", "PriceList": page}
        if start + _PAGE < len(found):
            answer["NextToken"] = str(start + _PAGE)
        validate_parameters(answer, _MODEL.operation_model("GetProducts").output_shape)
        return answer

    def spot_history(self, form):
        """DescribeSpotPriceHistory, as EC2 answers it in XML."""
        items = "".join(
            f"<item><instanceType>{kind}</instanceType><productDescription>Linux/UNIX"
            f"</productDescription><spotPrice>{usd}</spotPrice><timestamp>2026-11-21T00:00:00Z"
            f"</timestamp><availabilityZone>{escape(zone)}</availabilityZone></item>"
            for kind, zone, usd in self.spot
            if kind == form["InstanceType.1"][0]
        )
        return (
            '<DescribeSpotPriceHistoryResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            f"<requestId>r</requestId><spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken/>"
            "</DescribeSpotPriceHistoryResponse>"
        )


def _fits(each, request) -> bool:
    known = {"productFamily": each["product"]["productFamily"], **each["product"]["attributes"]}
    return each["serviceCode"] == request["ServiceCode"] and all(
        known.get(wanted["Field"]) == wanted["Value"] for wanted in request.get("Filters", [])
    )


class _Handler(BaseHTTPRequestHandler):
    endpoint: PriceEndpoint

    def do_POST(self) -> None:
        """Both protocols: JSON 1.1 by its target header, and EC2's query form."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        target = self.headers.get("X-Amz-Target", "")
        if target == "AWSPriceListService.GetProducts":
            kind, answer = (
                "application/x-amz-json-1.1",
                self.endpoint.get_products(json.loads(body)),
            )
            text = json.dumps(answer)
        else:
            form = parse_qs(body)
            target = form["Action"][0]
            assert target == "DescribeSpotPriceHistory"
            assert form["ProductDescription.1"] == ["Linux/UNIX"]
            kind, text = "text/xml", self.endpoint.spot_history(form)
        self.endpoint.calls.append(target)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""
