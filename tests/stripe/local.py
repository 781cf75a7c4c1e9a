"""Serves localstripe by https, as the program reaches it, and by http beside that, for the test.

`local.py CERTIFICATE KEY` prints both ports. localstripe is used as it is published, but for what it does not know of an
invoice that is made in steps: it makes none without items, refuses fields of a draft (number, currency, collection_method,
auto_advance, pending_invoice_items_behavior), puts no item on an invoice that exists, and has no finalize. These are added
here, and `docs/billing.md` says so.
"""

import asyncio
import ssl
import sys

from aiohttp import web
from localstripe import resources, server

resources.Store.dump_to_disk = lambda self: None

UNKNOWN = ("number", "currency", "collection_method", "auto_advance", "pending_invoice_items_behavior")
create_item = resources.InvoiceItem._api_create.__func__


def invoice(cls, **data):
    kept = {name: data.pop(name) for name in UNKNOWN if name in data}
    made = cls(**data)
    made.number, made.currency = kept.get("number"), kept.get("currency", made.currency)
    return made


def item(cls, **data):
    made = create_item(cls, **data)
    if made.invoice:
        of = resources.Invoice._api_retrieve(made.invoice)
        of.lines._list.append(resources.InvoiceLineItem(made))
        of.currency = made.currency
    return made


def finalize(id, auto_advance=None):
    made = resources.Invoice._api_retrieve(id)
    made._finalize()
    return made


resources.Invoice._api_create = classmethod(invoice)
resources.InvoiceItem._api_create = classmethod(item)
url = "/v1/invoices/{id}/finalize"
server.app.router.add_route("POST", url, server.api_extra(finalize, url))


async def main(certificate, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    runner = web.AppRunner(server.app)
    await runner.setup()
    ports = []
    for tls in (context, None):
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        ports.append(site._server.sockets[0].getsockname()[1])
    print(*ports, flush=True)
    # Until the test is over: it holds the other end.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
