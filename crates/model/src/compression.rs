//! Compression of responses (HTTP5).

/// What a listener compresses, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// In order of preference; not empty, without duplicates.
    pub codings: Vec<ContentCoding>,
    /// Media types in lower case; `text/*` is every subtype of `text` except `text/event-stream`.
    pub types: Vec<String>,
    /// A body that is known to be shorter is not compressed.
    pub bytes_min: u64,
    pub levels: CompressionLevels,
}

/// A content coding (RFC 9110 §8.4.1) that we can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentCoding {
    /// RFC 8878, its window limited by RFC 9659.
    Zstd,
    /// RFC 7932.
    Br,
    /// RFC 1952.
    Gzip,
}

impl ContentCoding {
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Br, Self::Gzip];

    /// Its registered name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Its index in [`Self::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The compression level of each coding, within its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionLevels {
    /// 1–9.
    pub zstd: u8,
    /// 0–6: at higher levels an encoder needs many MiB.
    pub br: u8,
    /// 1–9.
    pub gzip: u8,
}

impl CompressionLevels {
    // At level 1 the output of this gzip is a third larger, and little time is saved.
    pub const FAST: Self = Self { zstd: 1, br: 2, gzip: 2 };
    pub const BALANCED: Self = Self { zstd: 3, br: 4, gzip: 5 };
    pub const SMALL: Self = Self { zstd: 9, br: 6, gzip: 9 };

    pub const fn of(self, coding: ContentCoding) -> u8 {
        match coding {
            ContentCoding::Zstd => self.zstd,
            ContentCoding::Br => self.br,
            ContentCoding::Gzip => self.gzip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_is_the_position_in_all() {
        for (position, coding) in ContentCoding::ALL.into_iter().enumerate() {
            assert_eq!(coding.index(), position);
        }
    }
}
