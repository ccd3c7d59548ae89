//! What heads say about sessions: our cookie in responses, the route in a target's cookie, and what of both a target gets.

use balance::session::TargetId;
use proto::cookie::{self, SetCookie};
use proto::http1::{Field, Known};

use crate::head::ResponseText;
use crate::persist::CookiePlan;
use crate::persist::seal::{ROUTE_BYTES, Route};

/// How `Cookie` changes on its way to a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieEdit<'a> {
    Nothing,
    /// Takes the cookie of this name off.
    Remove(&'a str),
    /// Takes our routes off the values of the cookie of this name.
    CutRoutes(&'a str),
}

impl CookieEdit<'_> {
    /// Writes a `Cookie` line for the target; nothing if no cookie is left.
    pub(super) fn write(self, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        let is_left = match self {
            Self::Remove(cookie) => cookie::remove(value, cookie, out),
            Self::CutRoutes(cookie) => {
                cookie::remove_routes(value, cookie, ROUTE_BYTES, out);
                true
            }
            Self::Nothing => {
                out.extend_from_slice(value);
                true
            }
        };
        match is_left {
            true => out.extend_from_slice(b"\r\n"),
            false => out.truncate(start),
        }
    }
}

/// What a response says about the session.
#[derive(Clone, Copy)]
pub(crate) struct SessionField<'a> {
    pub(crate) plan: &'a CookiePlan,
    /// The route goes into the target's cookie instead of one of ours.
    pub(crate) is_rewritten: bool,
    pub(crate) target: TargetId,
    pub(crate) nonce: u128,
    pub(crate) unix_seconds: u64,
    pub(crate) is_tls: bool,
}

impl SessionField<'_> {
    /// Writes our cookie, unless the target's carries the route.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        if self.is_rewritten {
            return;
        }
        out.extend_from_slice(b"Set-Cookie: ");
        cookie::write(&self.plan.name, |out| self.seal(out), self.plan.attributes(self.is_tls), out);
        out.extend_from_slice(b"\r\n");
    }

    /// Writes a field of the target with the route in it; false: it is not one that carries the route.
    pub(super) fn rewrite(&self, response: ResponseText<'_>, field: &Field, out: &mut Vec<u8>) -> bool {
        if field.known != Known::SetCookie {
            return false;
        }
        let Some(cookie) = SetCookie::parse(response.text(field.value)) else { return false };
        let now = i64::try_from(self.unix_seconds).unwrap_or(i64::MAX);
        if cookie.name() != self.plan.name.as_bytes() || cookie.is_deletion(now) {
            return false;
        }
        out.extend_from_slice(response.text(field.name));
        out.extend_from_slice(b": ");
        cookie.write_routed(ROUTE_BYTES, |out| self.seal(out), out);
        out.extend_from_slice(b"\r\n");
        true
    }

    fn seal(&self, out: &mut Vec<u8>) {
        let now = u32::try_from(self.unix_seconds).unwrap_or(u32::MAX);
        let expires = self.plan.ttl_seconds.map_or(0, |ttl| now.saturating_add(ttl));
        let [_, _, _, _, nonce @ ..] = self.nonce.to_be_bytes();
        self.plan.sealer.seal(Route { target: self.target, expires }, nonce, out);
    }
}
