"""The words in which errors are told, by what they mean: codes, and phrases of messages."""

import re

from providers.errors import ErrorClass

# Values of `code`, `type`, `status` and `reason` fields, in lower case.
_CODES = {
    ErrorClass.QUOTA: """
        insufficient_quota billing_error billing_hard_limit_reached billing_not_active arrearage
        exceeded_current_quota_error insufficient_balance allocationquota.freetieronly insufficient_credits
        access_terminated""",
    ErrorClass.CREDENTIAL: """
        invalid_api_key authentication_error invalid_authentication_error wrong_api_key api_key_invalid
        unauthenticated incorrect_api_key_error account_deactivated invalidapikey organization_restricted
        unsupported_country_region_territory""",
    ErrorClass.MODEL_GONE: """
        model_not_found model_not_available model_decommissioned model_terms_required model_deprecated
        notfounderror not_found_error invalid_model""",
    ErrorClass.CONTEXT: """
        context_length_exceeded request_too_large exceed_context_size_error string_above_max_length""",
    ErrorClass.CONTENT: """
        content_filter content_policy_violation data_inspection_failed datainspectionfailed
        responsibleaipolicyviolation moderation_blocked input_moderation safety""",
    ErrorClass.OVERLOAD: """
        overloaded_error engine_overloaded_error server_overloaded queue_exceeded unavailable_error
        service_tier_capacity_exceeded unavailable overloaded""",
    ErrorClass.RATE_LIMIT: """
        rate_limit_exceeded rate_limit_error rate_limit_reached_error too_many_requests throttling
        throttling.ratequota throttling.allocationquota limit_requests limit_tokens token_quota_exceeded
        resource_exhausted tokens requests rate_limited""",
    ErrorClass.TIMEOUT: "timeout_error deadline_exceeded request_timeout",
    ErrorClass.TRANSIENT: "server_error api_error internal_error internal_server_error internal",
}

# Codes so general that a lasting cause named in the message beside them counts for more.
VAGUE = frozenset(
    ("rate_limit_exceeded", "resource_exhausted", "tokens", "requests", "rate_limit_error")
    + ("api_error", "server_error", "internal", "not_found_error", "unavailable")
)

# Phrases of messages, the lasting causes before the passing ones; the first that is found decides.
_PHRASES = [
    (ErrorClass.CONTEXT, [
        r"context[ _](?:length|window|size)", r"maximum context", r"prompt is too long",
        r"too many (?:input )?tokens", r"request too large", r"input (?:is )?too long",
        r"reduce (?:the length|your message)", r"exceeds? the maximum (?:number of )?tokens",
        r"range of input length",
    ]),
    (ErrorClass.CONTENT, [
        r"content (?:policy|filter|management)", r"flagged", r"moderation", r"inappropriate content",
        r"high risk", r"safety (?:system|filter|polic)", r"responsible ai", r"usage guidelines",
    ]),
    (ErrorClass.QUOTA, [
        r"insufficient (?:balance|credits?|funds|quota)", r"credit balance", r"exceeded your current quota",
        r"reached your usage limit", r"free-models-per-day", r"\bper day\b", r"daily limit",
        r"out of credits", r"used all available credits", r"spending limit", r"\bbilling\b",
        r"payment required", r"\barrears\b", r"more credits",
        r"account is in good standing",
    ]),
    (ErrorClass.CREDENTIAL, [
        r"api[ -_]?key (?:not valid|expired|not found|is invalid|has been)",
        r"(?:invalid|incorrect|wrong|bad|no|missing)(?: \w+)? (?:api|x-api|auth)[ -_]?(?:key|token)",
        r"unauthori[sz]ed", r"no auth credentials", r"user not found",
        r"invalid (?:authentication|credentials)", r"permission denied",
    ]),
    (ErrorClass.MODEL_GONE, [
        r"\bmodel\b.{0,120}(?:does not exist|not found|not exist|no longer|decommissioned|deprecated|retired"
        r"|not (?:available|supported))",
        r"no endpoints found", r"unknown model", r"no such model", r"invalid model", r"not a valid model",
    ]),
    (ErrorClass.OVERLOAD, [
        r"overloaded", r"loading model", r"model is (?:currently )?loading",
        r"high (?:traffic|demand|load)", r"server busy", r"maximum pending requests", r"capacity",
        r"no available (?:server|worker)",
    ]),
    (ErrorClass.RATE_LIMIT, [
        r"rate[ -_]?limit", r"too many requests", r"tokens per minute", r"requests per minute", r"throttl",
    ]),
    (ErrorClass.TIMEOUT, [r"timed? ?out", r"deadline exceeded"]),
]  # fmt: skip

BY_CODE = {code: error_class for error_class, codes in _CODES.items() for code in codes.split()}
BY_PHRASE = [
    (error_class, re.compile("|".join(phrases), re.IGNORECASE | re.DOTALL))
    for error_class, phrases in _PHRASES
]
LASTING = frozenset({ErrorClass.CONTEXT, ErrorClass.QUOTA, ErrorClass.CREDENTIAL, ErrorClass.CONTENT})

BY_STATUS = {
    400: ErrorClass.CALLER, 401: ErrorClass.CREDENTIAL, 402: ErrorClass.QUOTA, 403: ErrorClass.CREDENTIAL,
    404: ErrorClass.MODEL_GONE, 405: ErrorClass.CONNECT, 408: ErrorClass.TIMEOUT, 413: ErrorClass.CONTEXT,
    415: ErrorClass.CALLER, 422: ErrorClass.CALLER, 429: ErrorClass.RATE_LIMIT, 498: ErrorClass.OVERLOAD,
    503: ErrorClass.OVERLOAD, 504: ErrorClass.TIMEOUT, 524: ErrorClass.TIMEOUT, 529: ErrorClass.OVERLOAD,
}  # fmt: skip
