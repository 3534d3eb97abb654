"""Which column of a bank's table is what: by the words of its header, else by what its cells hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

import msgspec

from pea.workspace.ledgers_days import is_day
from pea.workspace.ledgers_money import decimal_mark, read_money

# What banks call their columns (English, German, French, Spanish, Italian, Dutch, Polish, Nordic), best first.
_WORDS: dict[str, str] = {
    "day": (
        "booking date|transaction date|trans date|trans. date|date posted|posting date|post date|posted date|"
        "completed date|date started|started date|buchungstag|buchungsdatum|buchung|belegdatum|umsatzdatum|datum|"
        "date operation|date de comptabilisation|date d'operation|date de l'operation|fecha|fecha operacion|"
        "fecha de operacion|data|data operazione|data contabile|data operacji|data ksiegowania|bokforingsdag|"
        "bokforingsdatum|bogforingsdato|dato|boekdatum|transactiedatum|date|valutadatum|wertstellung|valuta|value date|"
        "date valeur|time|created|datetime|created (utc)"
    ),
    "amount": (
        "amount|transaction amount|betrag|umsatz|betrag in eur|montant|importe|importo|bedrag|belopp|belob|kwota|"
        "kwota operacji|amount (gbp)|net|sum|summe|value|valor|amount in account currency|net amount"
    ),
    "debit": (
        "debit|debit amount|paid out|money out|withdrawal|withdrawals|withdrawal amt.|soll|lastschrift|belastung|"
        "ausgang|debet|cargo|cargos|addebiti|uscite|obciazenia|out|payments|spent|ausgaben|af"
    ),
    "credit": (
        "credit|credit amount|paid in|money in|deposit|deposits|deposit amt.|haben|gutschrift|eingang|kredit|abono|"
        "abonos|accrediti|entrate|uznania|in|receipts|received|einnahmen|bij"
    ),
    "payee": (
        "payee|description|name|counterparty|counterparty name|merchant|merchant name|beneficiary|"
        "beguenstigter/zahlungspflichtiger|empfaenger|auftraggeber|auftraggeber/empfaenger|zahlungsempfaenger*in|"
        "beguenstigter|auftraggeber/beguenstigter|auftraggeber / beguenstigter|zahlungsempfaenger|"
        "name zahlungsbeteiligter|partner|partner name|gegenpartei|libelle|libelle simplifie|beneficiaire|concepto|"
        "descripcion|descrizione|beneficiario|naam / omschrijving|naam tegenpartij|tegenpartij|omschrijving|tekst|text|"
        "specifikation|beskrivelse|nadawca / odbiorca|opis operacji|opis|narrative|details|transaction description|"
        "beschreibung|original description|particulars|buchungstext|narration|transaction|mottagare|title"
    ),
    "memo": (
        "memo|reference|transaction reference|payment reference|verwendungszweck|notes|note|mitteilungen|mededelingen|"
        "info|extended details|purpose|betreff|reference operation|informations complementaires|observaciones|tytul|"
        "tytul operacji|message|remittance information|categorie operation|additional information|causale"
    ),
    "kind": (
        "type|transaction type|trans type|buchungsart|umsatztyp|umsatzart|vorgang|mutatiesoort|type operation|"
        "tipo|rodzaj transakcji|typ transakcji|transaction code|code"
    ),
    "side": "soll/haben|s/h|debit/credit|credit/debit|d/c|c/d|cr/dr|dr/cr|af bij|sens|drcr|direction|indicator",
    "currency": (
        "currency|wahrung|waehrung|devise|moneda|divisa|valuta iso|ccy|waluta|muntsoort|currency code|currencycode"
    ),
    "balance": (
        "balance|running balance|saldo|kontostand|saldo nach buchung|solde|saldo na mutatie|saldo po operacji|"
        "available balance|closing balance|saldo disponible|running bal.|balance after|saldo nach umsatz"
    ),
    "number": (
        "account|account number|auftragskonto|kontonummer|iban|konto|eigene iban|iban auftragskonto|compte|rekening|"
        "numero de compte|cuenta|account no|account no.|bankkonto|kontonr|account iban|iban des auftraggebers"
    ),
    "bank_id": "transaction id|id|fitid|reference number|transaktionsnummer|referentie|transactionid|unique id",
}
# Umlauts are written in two ways, and so is every word here read.
_UMLAUTS = re.compile(r"(?<=[aou])e")
_RANKED = {
    role: {_UMLAUTS.sub("", word): rank for rank, word in enumerate(words.split("|"))} for role, words in _WORDS.items()
}
_BRACKETED = re.compile(r"\s*[(\[][^)\]]*[)\]]\s*$")
_SUFFIX = re.compile(r"(?: in)? (?:[a-z]{3}|€|\$|£)$")
_NOT_SUFFIX = frozenset({"tag", "art", "day", "day.", "out"})


class Columns(msgspec.Struct, frozen=True):
    """Where each role's cells stand in a row; ``by`` says how that was found out."""

    at: dict[str, int]
    by: str

    def cell(self, row: Sequence[str], role: str) -> str:
        """The cell of a role, or nothing."""
        index = self.at.get(role)
        return row[index].strip() if index is not None and index < len(row) else ""


def by_header(row: Sequence[str]) -> Columns | None:
    """The roles that a header names; None when it is no header (no date, or no sum)."""
    if len(row) > 200:
        return None
    found: dict[str, tuple[int, int]] = {}
    for index, cell in enumerate(row):
        for name in _names(cell):
            hit = [(ranks[name], role) for role, ranks in _RANKED.items() if name in ranks]
            for rank, role in sorted(hit)[:1]:
                if role not in found or rank < found[role][0]:
                    found[role] = (rank, index)
            if hit:
                break
    at = {role: index for role, (_, index) in found.items()}
    if "day" not in at or not ({"amount", "debit", "credit"} & set(at)):
        return None
    if "amount" in at:  # where both are there, the two columns are what the one is made of
        at = {role: index for role, index in at.items() if role not in ("debit", "credit")}
    return Columns(at, "by its header")


def _names(cell: str) -> list[str]:
    """A header cell as it may stand in the table: folded, without what is in brackets, without a currency."""
    folded = unicodedata.normalize("NFKD", cell.strip().strip('"').casefold().replace("ß", "ss").replace("ł", "l"))
    plain = "".join(c for c in folded if not unicodedata.combining(c)).replace("_", " ").strip(" :*")
    plain = _UMLAUTS.sub("", " ".join(plain.split()))
    bare = _BRACKETED.sub("", plain)
    names = [plain, plain.replace(" ", ""), bare]
    if bare.rpartition(" ")[2] not in _NOT_SUFFIX:
        names.append(_SUFFIX.sub("", bare))
    return [name for name in dict.fromkeys(names) if name]


def by_content(rows: Sequence[Sequence[str]]) -> Columns | None:
    """The roles that cells give away in a table without a header; None when there is no date or no sum."""
    width = max(map(len, rows), default=0)
    sample = rows[:200]
    cells = [[row[i].strip() for row in sample if i < len(row)] for i in range(min(width, 50))]
    days = [i for i, column in enumerate(cells) if _share(column, is_day) > 0.9]
    sums = [i for i, column in enumerate(cells) if i not in days and _share(column, _is_sum) > 0.9]
    if not days or not sums:
        return None
    signed = [i for i in sums if any(cell.startswith(("-", "\u2212", "(")) for cell in cells[i])]
    texts = [i for i, column in enumerate(cells) if i not in days and i not in sums and any(column)]
    texts.sort(key=lambda i: -sum(map(len, cells[i])))
    at = {"day": days[0], "amount": (signed or sums)[0]}
    at |= dict(zip(("payee", "memo"), texts, strict=False))
    others = [i for i in sums if i > at["amount"]]
    if others:
        at["balance"] = others[0]
    return Columns(at, "by what the cells hold, as it has no header")


def _share(column: Sequence[str], holds: Callable[[str], bool]) -> float:
    filled = [cell for cell in column if cell]
    if len(filled) * 2 < len(column) or not filled:
        return 0.0
    return sum(map(holds, filled)) / len(filled)


def _is_sum(cell: str) -> bool:
    if not any(mark in cell for mark in ".,") and not cell.lstrip("-+").isdigit():
        return False
    return len(cell) < 24 and read_money(cell, decimal_mark([cell]).mark) is not None
