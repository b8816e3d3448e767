"""What is used of SES's messages, by type; `recipient` is put there by the split.

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from marshmallow import fields

from gateway.translation.payload import Email, First, Flag, Part, PayloadSchema, Text


class RecipientSchema(PayloadSchema):
    email = Email(required=True, data_key="emailAddress")
    status = Text()
    words = Text(data_key="diagnosticCode")


class HeadersSchema(PayloadSchema):
    subject = Text()


class TagsSchema(PayloadSchema):
    campaign = First()  # the tag that SES's own guide uses as its example


class SentSchema(PayloadSchema):
    id = Text(required=True, data_key="messageId")
    headers = Part(HeadersSchema, data_key="commonHeaders")
    tags = Part(TagsSchema)


class MailSchema(PayloadSchema):
    mail = Part(SentSchema)
    recipient = Part(RecipientSchema)


class FeedbackSchema(PayloadSchema):
    id = Text(data_key="feedbackId")


class BounceSchema(FeedbackSchema):
    type = Text(data_key="bounceType", required=True)
    sub_type = Text(data_key="bounceSubType")


class BouncedSchema(MailSchema):
    bounce = Part(BounceSchema)


class ComplaintSchema(FeedbackSchema):
    type = Text(data_key="complaintFeedbackType")


class ComplainedSchema(MailSchema):
    complaint = Part(ComplaintSchema)


class RejectSchema(PayloadSchema):
    reason = Text()


class RejectedSchema(MailSchema):
    reject = Part(RejectSchema)


class FailureSchema(PayloadSchema):
    message = Text(data_key="errorMessage")


class FailedSchema(MailSchema):
    failure = Part(FailureSchema)


class ReadSchema(PayloadSchema):
    ip = Text(data_key="ipAddress")
    user_agent = Text(data_key="userAgent")
    link = Text()


class OpenedSchema(MailSchema):
    read = Part(ReadSchema, data_key="open")


class ClickedSchema(MailSchema):
    read = Part(ReadSchema, data_key="click")


class TopicSchema(PayloadSchema):
    name = Text(data_key="topicName")
    status = Text(data_key="subscriptionStatus")


class PreferencesSchema(PayloadSchema):
    unsubscribed = Flag(data_key="unsubscribeAll")
    topics = fields.List(
        fields.Nested(TopicSchema), load_default=list, allow_none=True, data_key="topicSubscriptionStatus"
    )


class SubscriptionSchema(PayloadSchema):
    contacts = Text(data_key="contactList")
    old = Part(PreferencesSchema, data_key="oldTopicPreferences")
    new = Part(PreferencesSchema, data_key="newTopicPreferences")


class SubscribedSchema(MailSchema):
    subscription = Part(SubscriptionSchema)
