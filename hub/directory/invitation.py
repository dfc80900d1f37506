"""Invitations: one-time tokens, each bound to one code (R1; pure).

The secret is made outside and only its fingerprint comes in. R1 lets nobody in who is no participant: the operator
says which party a code is, when inviting it or at the latest when approving it.
"""

from datetime import datetime

from msgspec.structs import replace

from documents import identifiers
from documents.errors import IdentifierError
from hub.directory.commands import IssueToken, WithdrawToken
from hub.directory.events import ComponentRegistered, TokenIssued, TokenWithdrawn
from hub.directory.refusals import CLOSED, Refusal, refuse
from hub.directory.state import DirectoryState, TokenState
from hub.directory.values import ComponentType, Party
from hub.mades.paths import CODE


def decide_issue(command: IssueToken, state: DirectoryState, now: datetime) -> tuple[TokenIssued, ...]:
    """Invite a code. Raises Rejected."""
    check_code(command.code, command.party)
    check_party(command.code, command.party, state)
    if command.fingerprint in state.tokens:
        refuse(Refusal.STATE, "This token exists already. Make a new random one.")
    if command.expires <= now:
        refuse(Refusal.INVALID, f"The token would end at {command.expires.isoformat()}, which is past. Give it time.")
    return (
        TokenIssued(
            fingerprint=command.fingerprint,
            code=command.code,
            party=command.party,
            expires=command.expires,
            why=command.why,
            by=command.by,
        ),
    )


def decide_withdraw(command: WithdrawToken, state: DirectoryState) -> tuple[TokenWithdrawn, ...]:
    """Close an invitation that nobody has used. Raises Rejected."""
    token = state.tokens.get(command.fingerprint)
    if token is None:
        refuse(Refusal.UNKNOWN, "No token has this fingerprint. See `tps directory tokens list`.")
    if token.used:
        refuse(Refusal.STATE, "This token was used. Reject or revoke what it registered.")
    if token.withdrawn:
        return ()
    return (TokenWithdrawn(fingerprint=command.fingerprint, code=token.code, why=command.why, by=command.by),)


def opened(fingerprint: str, code: str, state: DirectoryState, now: datetime) -> TokenState:
    """The invitation behind a token. Raises Rejected, in the same words whatever is wrong with it."""
    token = state.tokens.get(fingerprint)
    if token is None or not token.opens(code, now):
        refuse(Refusal.TOKEN, CLOSED)
    return token


def check_code(code: str, party: Party | None) -> None:
    """Raise Rejected unless this can be a component code; of an endpoint it is its participant's id (R1)."""
    if not CODE.fullmatch(code):
        refuse(Refusal.INVALID, f"{code[:80]!r} is no component code. Expected {CODE.pattern}.")
    if party is None or party.type is not ComponentType.ENDPOINT:
        return
    try:
        identifiers.party(code)
    except IdentifierError as error:
        refuse(Refusal.INVALID, str(error))


def check_party(code: str, party: Party | None, state: DirectoryState) -> None:
    """Raise Rejected when a code is known as another party: a code plays one part."""
    known = state.components.get(code)
    if known and party not in {None, known.party}:
        refuse(Refusal.STATE, f"{code} is known as {known.party} and cannot become {party}. Give it another code.")


def evolve_token(
    event: TokenIssued | TokenWithdrawn | ComponentRegistered, state: DirectoryState, at: datetime
) -> None:
    """Fold what happens to an invitation."""
    match event:
        case TokenIssued():
            token = TokenState(code=event.code, party=event.party, expires=event.expires, why=event.why, by=event.by)
            state.tokens.put(event.fingerprint, token)
        case TokenWithdrawn():
            state.tokens.put(event.fingerprint, replace(state.tokens[event.fingerprint], withdrawn=at))
        case ComponentRegistered():
            if event.token:
                state.tokens.put(event.token, replace(state.tokens[event.token], used=at))
