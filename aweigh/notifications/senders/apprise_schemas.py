"""The schemas that a channel of kind `apprise` may have: services that are reached over HTTP.

Left out is what runs programs, writes files or reaches the desktop or log of the machine (`dbus`,
`gnome`, `syslog`, …), what speaks over sockets of its own (`irc`, `mqtt`, …), what reads key files
(`fcm`, `vapid`), and what sends anything anywhere (`json`, `xml`, `form`: that is a `webhook`).
"""

import re
from typing import Final
from urllib.parse import unquote_plus

#: The modules of apprise, and their schemas.
_MODULES: Final = {
    "acs": "acs", "africas_talking": "atalk", "apprise_api": "apprise apprises",
    "awswhatsapp": "awswhatsapp", "bale": "bale", "bark": "bark barks",
    "betterstack": "betterstack", "bluesky": "bluesky bsky", "brevo": "brevo",
    "bulksms": "bulksms", "bulkvs": "bulkvs", "burstsms": "burstsms kudosity",
    "chanify": "chanify", "clickatell": "clickatell", "clicksend": "clicksend",
    "cliq": "cliq zcliq zohocliq", "cm": "cm", "d7networks": "d7sms", "dapnet": "dapnet",
    "dingtalk": "dingtalk", "discord": "discord", "dot": "dot", "eight00com": "eight00com",
    "emby": "emby embys", "enigma2": "enigma2 enigma2s", "evolution": "evolution evolutions",
    "exotel": "exotel", "feishu": "feishu", "firehydrant": "firehydrant", "flock": "flock",
    "flowtriq": "flowtriq flowtriqs", "fluxer": "fluxer fluxers", "fortysixelks": "46elks elks",
    "freemobile": "freemobile", "github": "github", "goalert": "goalert goalerts",
    "google_chat": "gchat", "gorush": "gorush gorushs", "gotify": "gotify gotifys",
    "groundmail": "groundmail", "groupme": "groupme", "guilded": "guilded", "gupshup": "gupshup",
    "home_assistant": "hassio hassios", "httpsms": "httpsms", "humhub": "humhub humhubs",
    "ifttt": "ifttt", "ilert": "ilert", "incidentio": "incidentio", "infobip": "infobip",
    "instagram": "instagram", "jellyfin": "jellyfin jellyfins", "jira": "jira", "join": "join",
    "kakaotalk": "kakao kakaotalk", "kaleyra": "kaleyra klr", "kavenegar": "kavenegar",
    "kodi": "kodi kodis xbmc xbmcs", "kook": "kook", "kumulos": "kumulos",
    "lametric": "lametric lametrics", "lark": "lark", "lauther": "lauther", "lfgalarm": "lfg",
    "line": "line", "mailersend": "mailersend", "mailgun": "mailgun",
    "mastodon": "mastodon mastodons toot toots", "matrix.base": "matrix matrixs",
    "mattermost": "mmost mmosts", "messagebird": "msgbird", "misskey": "misskey misskeys",
    "mobilemessage": "mobilemessage mobilemsg", "msg91": "msg91", "nextcloud": "ncloud nclouds",
    "nextcloudtalk": "nctalk nctalks", "notica": "notica noticas", "notifiarr": "notifiarr",
    "notifico": "notifico notificos", "notifyapp": "notifyapp", "notifyre": "notifyre",
    "ntfy": "ntfy ntfys", "octopush": "octopush", "office365": "azure o365",
    "one_signal": "onesignal", "onebot": "onebot onebots", "opsgenie": "opsgenie",
    "opsimate": "opsimate opsimates", "pagerduty": "pagerduty", "pagertree": "pagertree",
    "parseplatform": "parsep parseps", "pinglet": "pinglet pinglets", "pingram": "pingram",
    "plivo": "plivo", "postmark": "postmark", "prowl": "prowl", "pushbullet": "pbul",
    "pushdeer": "pushdeer pushdeers", "pushed": "pushed", "pushjet": "pjet pjets",
    "pushme": "pushme", "pushover": "pover", "pushplus": "pushplus wecom",
    "pushsafer": "psafer psafers", "pushward": "pushward", "pushy": "pushy", "qq": "qq",
    "reddit": "reddit", "resend": "resend", "revolt": "revolt", "ringcentral": "ringc",
    "rocketchat": "rocket rockets", "ryver": "ryver", "sendgrid": "sendgrid",
    "sendpulse": "sendpulse", "serverchan": "schan", "serwersms": "serwersms", "ses": "ses",
    "seven": "seven", "sfr": "sfr", "signal_api": "signal signals", "signalgrid": "signalgrid",
    "signl4": "signl4", "simplepush": "simplepush spush", "sinch": "sinch", "slack": "slack",
    "smsc": "smsc", "smseagle": "smseagle smseagles", "smsmanager": "smsmanager smsmgr",
    "smstunnel": "smstunnel", "smtp2go": "smtp2go", "sns": "sns", "sogs": "session sessions sogs",
    "sparkpost": "sparkpost", "spike": "spike", "splunk": "splunk victorops",
    "spugpush": "spugpush", "squadcast": "squadcast", "stackfield": "stackfield",
    "streamlabs": "strmlabs", "synology": "synology synologys", "techuluspush": "push",
    "telegram": "tgram", "telesign": "telesign", "telnyx": "telnyx", "threema": "threema",
    "trigv": "trigv trigvs", "twilio": "twilio", "twist": "twist", "twitter": "tweet twitter x",
    "viber": "viber", "voipms": "voipms", "vonage": "nexmo vonage", "webexteams": "webex wxteams",
    "wechat": "wechat", "wecombot": "wecombot", "whapi": "whapi", "whatsapp": "whatsapp",
    "workflows": "workflow workflows", "wpush": "wpush", "wxpusher": "wxpusher",
    "xmatters": "xmatters", "youlmk": "youlmk", "zalo": "zalo", "zoom": "zoom", "zulip": "zulip",
}  # fmt: skip
MODULES: Final = {
    schema: module for module, schemas in _MODULES.items() for schema in schemas.split()
}
#: Parameters that make apprise read files.
_FILES: Final = frozenset({"attach", "attachment", "cert", "keyfile", "subfile", "template"})


def refuse_schema(url: str) -> None:
    """Check the address of a channel of kind `apprise`.

    Raises:
        ValueError: it is no address, or one that is not allowed; says why.
    """
    schema, sign, rest = url.partition("://")
    if not sign or not rest:
        raise ValueError("is not an address of apprise, such as zulip://bot@organisation/token")
    if schema.lower() not in MODULES:
        raise ValueError(
            f"has a schema that is not allowed, {schema[:20]}://; use one of a service that "
            "apprise reaches over HTTP, or the kind `webhook`"
        )
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("contains spaces or control characters; write them as %20 and so on")
    for parameter in re.split("[&;]", url.partition("?")[2]):  # as apprise does
        name = unquote_plus(parameter.partition("=")[0]).strip().lower()
        if name in _FILES:
            raise ValueError(f"has the parameter {name}, which reads a file; leave it out")


def quoted_fragments(url: str) -> str:
    """Return an address of apprise in which no `#room` can be taken for a fragment, and dropped."""
    place, mark, parameters = url.partition("?")
    return place.replace("#", "%23") + mark + parameters
