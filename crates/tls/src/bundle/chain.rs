//! Builds the chain to serve from the certificates of a bundle: from the leaf, by issuer name, key identifiers and
//! verified signature, to a root, which is left out.

use std::cmp::Reverse;
use std::collections::VecDeque;

use super::certificate::{Certificate, Signature};
use super::roots::KnownRoots;

/// A chain as indexes into the bundle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The leaf first; without the root.
    pub(super) served: Vec<usize>,
    pub(super) end: End,
}

/// How the chain ends. The indexes are its last certificate and, if any, the certificate that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At a root in the bundle.
    Root(usize),
    /// The leaf is its own issuer.
    SelfSigned,
    /// At a certificate whose issuer is not in the bundle.
    Unknown(usize),
    /// The certificate with the issuer's name did not sign it.
    Unsigned { certificate: usize, issuer: usize },
    /// Every path leads into a loop.
    Loop(usize),
    /// Too many candidates.
    Tangle,
}

impl Chain {
    /// A path through valid CAs wins if it leads to a root in the file, or passes an issuer that is one of `roots`: an
    /// expired cross-signed CA beside it does not matter. Otherwise all certificates are used, so that the diagnosis
    /// names the one that has expired.
    pub(super) fn build(certificates: &[Certificate<'_>], leaf: usize, now: u64, roots: &KnownRoots) -> Self {
        if certificates[leaf].is_self_signed() {
            return Self { served: vec![leaf], end: End::SelfSigned };
        }
        let valid = Self::search(certificates, leaf, now, Through::Valid);
        if matches!(valid.end, End::Root(_)) || valid.reaches(certificates, roots) {
            return valid;
        }
        Self::search(certificates, leaf, now, Through::Any)
    }

    /// Whether one of `roots` issued a certificate of the chain: clients end there, whatever follows.
    pub(super) fn reaches(&self, certificates: &[Certificate<'_>], roots: &KnownRoots) -> bool {
        self.served.iter().any(|&place| roots.has(certificates[place].raw_issuer()))
    }

    /// Breadth first, so that every certificate is visited once even with cross-signing. The shortest path to a root
    /// wins, else the longest path to a missing issuer; the order in the file does not matter.
    fn search(certificates: &[Certificate<'_>], leaf: usize, now: u64, through: Through) -> Self {
        let mut search = Search::new(certificates, leaf, now, through);
        let end = search.run(leaf);
        let (last, has_root) = match end {
            End::Root(root) => (root, true),
            End::Unknown(last) | End::Loop(last) | End::Unsigned { certificate: last, .. } => (last, false),
            End::SelfSigned | End::Tangle => (leaf, false),
        };
        let mut served = search.way(last);
        if has_root {
            served.pop();
        }
        Self { served, end }
    }
}

/// The CAs that a search may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Through {
    Valid,
    Any,
}

struct Search<'a, 'b> {
    certificates: &'a [Certificate<'b>],
    now: u64,
    through: Through,
    /// For each certificate, from which one it was reached, and how many came before.
    reached: Vec<Option<(usize, usize)>>,
    signatures: usize,
}

impl<'a, 'b> Search<'a, 'b> {
    fn new(certificates: &'a [Certificate<'b>], leaf: usize, now: u64, through: Through) -> Self {
        let mut reached = vec![None; certificates.len()];
        reached[leaf] = Some((leaf, 0));
        Self { certificates, now, through, reached, signatures: 0 }
    }

    fn run(&mut self, leaf: usize) -> End {
        let mut queue = VecDeque::from([leaf]);
        let (mut unknown, mut unsigned, mut looped) = (None::<(usize, End)>, None, None);
        while let Some(place) = queue.pop_front() {
            if self.certificates[place].is_self_signed() {
                return End::Root(place);
            }
            let named = self.named(place);
            let issuers: Vec<_> =
                named.iter().copied().filter(|&issuer| self.is_signed(place, issuer)).collect();
            if self.signatures > SIGNATURES_MAX {
                return End::Tangle;
            }
            let depth = self.reached[place].map_or(0, |(_, depth)| depth);
            if let Some(&issuer) = named.first().filter(|_| issuers.is_empty()) {
                unsigned = unsigned.or(Some(End::Unsigned { certificate: place, issuer }));
            } else if issuers.is_empty() {
                if unknown.is_none_or(|(deepest, _)| deepest < depth) {
                    unknown = Some((depth, End::Unknown(place)));
                }
            } else {
                looped = Some(End::Loop(place));
            }
            for issuer in issuers {
                if self.reached[issuer].is_none() {
                    self.reached[issuer] = Some((place, depth + 1));
                    queue.push_back(issuer);
                }
            }
        }
        unknown.map(|(_, end)| end).or(unsigned).or(looped).unwrap_or(End::Unknown(leaf))
    }

    /// The certificates with the issuer's name, in the order in which clients prefer them.
    fn named(&self, place: usize) -> Vec<usize> {
        let certificate = &self.certificates[place];
        let mut named: Vec<_> = (0..self.certificates.len())
            .filter(|&issuer| issuer != place && certificate.names_issuer(&self.certificates[issuer]))
            .filter(|&issuer| self.may_pass(&self.certificates[issuer]))
            .collect();
        named.sort_by_cached_key(|&issuer| {
            let issuer = &self.certificates[issuer];
            let merits =
                (certificate.key_ids_agree(issuer), issuer.may_issue(), issuer.is_valid_at(self.now));
            (Reverse(merits), Reverse(issuer.not_after()), issuer.der)
        });
        named
    }

    fn may_pass(&self, issuer: &Certificate<'_>) -> bool {
        self.through == Through::Any || (issuer.is_valid_at(self.now) && issuer.may_issue())
    }

    fn is_signed(&mut self, place: usize, issuer: usize) -> bool {
        let (certificate, issuer) = (&self.certificates[place], &self.certificates[issuer]);
        if self.signatures > SIGNATURES_MAX || !certificate.key_ids_agree(issuer) {
            return false;
        }
        self.signatures += 1;
        certificate.signed_by(issuer) != Signature::Bad
    }

    /// From the leaf to `last`.
    fn way(&self, last: usize) -> Vec<usize> {
        let mut way = vec![last];
        let mut place = last;
        while let Some((before, depth)) = self.reached[place]
            && depth > 0
        {
            way.push(before);
            place = before;
        }
        way.reverse();
        way
    }
}

// limit: a bundle of a hundred cross-signed CAs could need ten thousand signature checks. Ordinary chains need one for
// each certificate.
const SIGNATURES_MAX: usize = 400;
