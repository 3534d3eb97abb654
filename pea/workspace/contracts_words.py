"""The words by which contracts in English and German say their parties, days, lengths, law and courts."""

from __future__ import annotations

import re

TITLE = re.compile(
    r"\b(?:agreement|contract|lease|licen[cs]e|addendum|amendment|terms (?:and conditions|of (?:service|use))|"
    r"statement of work|nda|vertrag|vereinbarung|mietvertrag|rahmenvertrag|contrat|convention)\b",
    re.IGNORECASE,
)
SIGNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:by and between|made (?:and entered into )?between|^\s*between\b|entered into (?:by|as of)|zwischen)\b",
        r"\b(?:the |each |either |both |die )(?:part(?:y|ies)|parteien|vertragspart\w+)\b",
        r"\b(?:governing law|governed by|jurisdiction|gerichtsstand|(?:german|english|swiss|french) law applies)\b",
        r"\b(?:terminat(?:e|ion)|notice period|kündig\w+|end this agreement)\b",
        r"\b(?:liabilit(?:y|ies)|indemnif\w+|haftung|warrant(?:s|y|ies)|gewährleistung)\b",
        r"\b(?:confidential(?:ity)?|geheimhaltung|vertraulichkeit)\b",
        r"\b(?:in witness whereof|hereinafter|hereby|this agreement|dieser vertrag|this lease)\b",
    )
)
PARTIES = re.compile(
    r"\b(?:by and between|(?:made|entered into|concluded)[^.;]{0,80}?\bbetween|^between|is between|"
    r"zwischen)\b[:\s]*(?P<list>.{5,600})",
    re.IGNORECASE | re.DOTALL,
)
ROLE = re.compile(
    r"(?P<name>[^()\n;]{3,200}?)\s*\((?:(?:hereinafter|nachfolgend|im folgenden|each an?d?|"
    r"collectively)[^()\"“„]{0,60})?"
    r"(?:the |der |die |das |\"|“|„|')?\s*[\"“„']?(?P<role>[A-Z][\w &/-]{1,40})[\"”“']?[^()]{0,60}\)"
)
FORM = re.compile(
    r"\b((?:[A-ZÄÖÜ][\w&.'\u2019-]*[ ,]+){1,6}?(?:GmbH(?: & Co\. KG)?|AG|SE|KG|UG|Ltd\.?|Limited|LLC|L\.L\.C\.|Inc\.?|"
    r"Corp(?:oration)?\.?|"
    r"PLC|plc|LLP|S\.?A\.?S?|B\.?V\.?|N\.?V\.?|S\.?r\.?l\.?|SpA|Oy|AB|AS|ApS|Pty Ltd))(?![\w])"
)
LAW = re.compile(
    r"(?:(?:governed by|subject to|construed (?:and interpreted )?(?:in accordance with|"
    r"under))[^.;]{0,80}?\blaws? of (?:the )?"
    r"(?P<of>(?:(?:State|Commonwealth|Province|Republic|Federal Republic|Kingdom) of )?[A-Z][\w]+(?:[ ](?:and |of "
    r")?[A-Z][\w]+){0,4})"
    r"|(?P<adj>German|English|Swiss|French|Austrian|Dutch|Italian|Spanish|Irish|Scottish|Belgian|Swedish|Danish|"
    r"Polish|Indian|"
    r"Californian|New York|Delaware)(?: substantive)? law (?:applies|governs|shall (?:apply|govern))"
    r"|governed by (?:the )?(?P<by>German|English|Swiss|French|Austrian|Dutch|Italian|Spanish|Irish|Belgian|New "
    r"York|Delaware) laws?"
    r"|(?P<de>deutsche[sm]?|schweizerische[sm]?|österreichische[sm]?) recht)",
    re.IGNORECASE,
)
COURTS = re.compile(
    r"\b(?:(?:courts? (?:of|in|located in|sitting in)|gerichtsstand(?: ist)?|arbitration in|seat of arbitration "
    r"(?:shall be|is))\s+"
    r"(?P<place>[A-ZÄÖÜ][\w]+(?:[ ,]+[A-ZÄÖÜ][\w]+){0,3}))"
)
BEGINS = re.compile(
    r"\b(?:effective (?:date|as of|from|on)|commenc(?:es?|ing|ement date)|begins? on|beginnt am|in (?:force|"
    r"effect) (?:from|on|as of)|"
    r"dated(?: as of)?|entered into (?:on|as of)|starts? on|start date|laufzeit vom|gültig ab|ab dem)\b",
    re.IGNORECASE,
)
ENDS = re.compile(
    r"\b(?:(?:expires?|expiring|ends?|ending|terminates?) on|until|expir(?:y|ation) date|end date|through|endet "
    r"am|bis zum)\b",
    re.IGNORECASE,
)
RENEWS = re.compile(
    r"\b(?:(?:automatically |is |be |shall )*(?:renew(?:s|ed|al)?|extend(?:s|ed)?|prolong(?:s|ed)?)\b[^.;]{0,160}?"
    r"(?:successive|additional|further|another|periods?|terms?|years?|months?|at a time)|verlängert sich)",
    re.IGNORECASE,
)
NOT_RENEWED = re.compile(
    r"\b(?:not (?:be )?(?:automatically )?renew|no automatic renewal|without (?:automatic )?renewal)", re.IGNORECASE
)
NOTICE = re.compile(r"\b(?:notice|notif(?:y|ies|ication)|kündigungsfrist|frist von|préavis)\b", re.IGNORECASE)
ENDING = re.compile(
    r"\b(?:terminat|end this|ends? the|cancel|non-?renewal|not to (?:be )?renew|not to extend|intent(?:ion)? not|"
    r"kündig|rescind|"
    r"end the agreement|withdraw|expir|prior to the (?:end|expiration))",
    re.IGNORECASE,
)
FOR_CAUSE = re.compile(
    r"\b(?:breach|default|insolven|bankrupt|cure|material|good cause|wichtige[mn] grund|for cause)\b", re.IGNORECASE
)
TERM = re.compile(
    r"\b(?:term (?:of|is|shall be)|initial term|for a (?:period|term) of|runs? for|remain in (?:force|effect) for|"
    r"laufzeit|"
    r"duration|continues? for|valid for)\b",
    re.IGNORECASE,
)
