"""By what each topic's body is known: the topic is not signed, and a captured body may come back under any.

A subscription that chooses its fields must choose these, too.
"""

from collections.abc import Mapping

from gateway.translation.adapter import BodyMarks

_OF_THE_LAW = ("shop_domain", "orders_to_redact", "orders_requested", "data_request")
_OF_MERGES = ("admin_graphql_api_customer_kept_id", "admin_graphql_api_customer_deleted_id")
_OF_AN_ORDER = ("line_items", "total_price", "financial_status")

_CUSTOMER = BodyMarks(has=("id", "verified_email"), lacks=("order_id", "customer_id", *_OF_AN_ORDER, *_OF_THE_LAW))
_DELETED = BodyMarks(
    has=("id", "admin_graphql_api_id", "tax_exemptions"),
    lacks=("email", "verified_email", "created_at", "updated_at", "order_id", *_OF_AN_ORDER, *_OF_THE_LAW),
)
_DISPUTE = BodyMarks(has=("order_id", "type", "status"), lacks=("kind", "transactions", *_OF_THE_LAW))
_ORDER = BodyMarks(
    has=("id", "currency"),  # a checkout and a draft are like it
    lacks=("abandoned_checkout_url", "invoice_url", "order_id", "customer_id", "verified_email", *_OF_THE_LAW),
)

MARKS: Mapping[str, BodyMarks] = {
    "customer.tags_*": BodyMarks(has=("customerId", "occurredAt", "tags")),
    "customers/create": _CUSTOMER,
    "customers/data_request": BodyMarks(has=("shop_domain", "data_request"), lacks=("orders_to_redact",)),
    "customers/delete": _DELETED,
    "customers/merge": BodyMarks(has=(*_OF_MERGES, "status")),
    "customers/redact": BodyMarks(
        has=("shop_domain", "customer", "orders_to_redact"), lacks=("data_request", "orders_requested")
    ),
    "customers/update": _CUSTOMER,
    "customers_email_marketing_consent/update": BodyMarks(
        has=("customer_id", "email_marketing_consent"), lacks=("sms_marketing_consent", *_OF_AN_ORDER, *_OF_THE_LAW)
    ),
    "disputes/*": _DISPUTE,
    "order_transactions/create": BodyMarks(has=("order_id", "kind", "status"), lacks=("transactions", "reason")),
    "orders/*": _ORDER,
    "refunds/create": BodyMarks(
        has=("id", "order_id"),  # without money it may have no transactions
        lacks=("kind", "status", "type", *_OF_THE_LAW),
    ),
    "shop/redact": BodyMarks(
        has=("shop_id", "shop_domain"),
        lacks=("id", "email", "customer", "orders_to_redact", "orders_requested", "data_request"),
    ),
}
