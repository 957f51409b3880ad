"""What ``slot``, ``slot-issuer`` and ``slot-owner`` share: tables, journals, receipts, values, keys, confirmations."""
