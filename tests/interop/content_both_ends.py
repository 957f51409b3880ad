"""Our client of GlobalPlatform over pcscd: a domain, its keys, a slot, and all gone again. Run as a program.

Argument: the reader. Prints JSON. In clear: these are the trial keys of a software card.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from kojin_card.channel import CardChannel
from kojin_card.errors import UnprovenRefused
from kojin_card.globalplatform.content import ContentManager
from kojin_card.globalplatform.keys import StaticKeys, TrialKeys
from kojin_card.globalplatform.scp03 import SecurityLevel, open_session
from kojin_card.secret import Secret
from kojin_card.spec.free_area import globalplatform_spec
from kojin_card.transport.finding import open_card

OWNER, QUOTA = b"\x0113101", 4096
INSTANCE = bytes(range(8))


def versions(manager: ContentManager) -> list[int]:
    return [one.version for one in manager.key_information()]


def main(reader: str) -> dict[str, Any]:
    spec = globalplatform_spec()
    isd, domain, slot = spec.aid("isd"), spec.aid("ssd_prefix") + INSTANCE, spec.aid("slot_prefix") + INSTANCE
    trial = TrialKeys().static()
    enc, mac, dek = (Secret(bytes((number,)) * 32) for number in (0x51, 0x62, 0x73))
    own = StaticKeys(0x01, enc, mac, dek)
    told: dict[str, Any] = {"slot": slot.hex()}
    connection = open_card(reader)
    try:
        open_session(CardChannel(connection), isd, trial)
    except UnprovenRefused as bad:
        told["without allow_unproven"] = type(bad).__name__
    card = CardChannel(connection, allow_unproven=True)
    told["keys"] = {}
    with open_session(card, isd, trial) as session:
        manager = ContentManager(session)
        told["keys"]["issuer"] = versions(manager)
        manager.install_domain(domain, OWNER, QUOTA)
    with open_session(card, domain, trial, SecurityLevel.C_MAC_C_DEC) as session:
        ContentManager(session).put_key(own)
    with open_session(card, domain, own) as session:
        manager = ContentManager(session)
        told["keys"]["domain"] = versions(manager)
        manager.install_slot(slot)
        told["slots"] = [one.aid.hex() for one in manager.status().slots]
    with open_session(card, isd, trial, SecurityLevel.C_MAC) as session:
        manager = ContentManager(session)
        (found,) = manager.status().domains
        told["state"] = found.state
        manager.delete(domain, related=True)
        left = manager.status()
        told["after"] = {"domains": len(left.domains), "slots": len(left.slots)}
    connection.close()
    return told


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1])))
