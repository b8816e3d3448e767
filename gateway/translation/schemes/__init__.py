"""The signature schemes that providers share, as data: each verifies, signs, and makes keys for the sandbox.

    Hmac              hex or base64 of an HMAC over body, url, time and id in any arrangement
    StandardWebhooks  webhook-id, webhook-timestamp, webhook-signature (https://www.standardwebhooks.com), svix-* too
    Ecdsa, Rsa        the provider holds the private key, the source its public key
    Basic, Bearer, HeaderToken    no signature: a shared secret in a header
    PathToken         no signature: the shared secret is the last part of the URL

An adapter that needs something else brings a class of its own that keeps `signature.Scheme`, built of `reading`.
"""

from gateway.translation.schemes.hashed import SIGNED_AFRESH, Hmac, StandardWebhooks
from gateway.translation.schemes.public_key import Ecdsa, Rsa
from gateway.translation.schemes.shared_secret import Basic, Bearer, HeaderToken, PathToken

__all__ = [
    "SIGNED_AFRESH",
    "Basic",
    "Bearer",
    "Ecdsa",
    "HeaderToken",
    "Hmac",
    "PathToken",
    "Rsa",
    "StandardWebhooks",
]
