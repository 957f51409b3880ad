"""Certificates, trust anchors, paths, revocation and card-verifiable certificates; works without a card."""
