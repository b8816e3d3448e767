"""The configuration: gateway.yaml and the environment become one frozen Config; nobody else reads the environment."""

from gateway.config.environment import Flags, child_environ, configuration_file, with_dotenv
from gateway.config.loading import load, local_url
from gateway.config.model import AdapterTerms, Config, Destination, Retention, Source
from gateway.config.sandbox import signing_secret

__all__ = [
    "AdapterTerms",
    "Config",
    "Destination",
    "Flags",
    "Retention",
    "Source",
    "child_environ",
    "configuration_file",
    "load",
    "local_url",
    "signing_secret",
    "with_dotenv",
]
