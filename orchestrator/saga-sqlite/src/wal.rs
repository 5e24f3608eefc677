//! Whether a write-ahead log certainly holds a commit, as SQLite itself will judge it.
//!
//! A file with such a log beside it can be read together with it, in place and without a lock, and SQLite leaves both as they
//! are: to empty the log it would have to write the file, which it may not. A log that holds nothing it would remove.

use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// The last bit says in which order the bytes of a checksum's words are taken.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;
const HEADER_BYTES: usize = 32;
const FRAME_BYTES: usize = 24;
/// From 512 bytes to 64 KiB, powers of two.
const PAGE_BYTES: std::ops::RangeInclusive<u32> = 512..=65_536;
/// 8,192 frames: more than a group of batches needs. A first commit that is longer is not looked for.
const FRAMES_MAX: usize = 8_192;

/// Whether the first commit in the log at `path` is whole. `false` is "not certainly": nothing is said of what is in it.
pub(crate) fn has_commit(path: &Path) -> io::Result<bool> {
    let found = crate::look::regular(path).and_then(|log| first_commit(&mut BufReader::new(log)));
    match found {
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(false),
        found => found,
    }
}

fn first_commit(log: &mut impl Read) -> io::Result<bool> {
    let mut header = [0; HEADER_BYTES];
    log.read_exact(&mut header)?;
    let [magic, format, page, _, salt, salt_2, sum, sum_2] = words(&header);
    if magic & !1 != MAGIC || format != FORMAT || !PAGE_BYTES.contains(&page) || !page.is_power_of_two() {
        return Ok(false);
    }
    let mut checksum = Checksum { big: magic & 1 == 1, sums: (0, 0) };
    checksum.add(header.get(..FRAME_BYTES).unwrap_or_default());
    if checksum.sums != (sum, sum_2) {
        return Ok(false);
    }
    let mut body = vec![0; usize::try_from(page).unwrap_or_default()];
    for _ in 0..FRAMES_MAX {
        let mut frame = [0; FRAME_BYTES];
        log.read_exact(&mut frame)?;
        log.read_exact(&mut body)?;
        let [number, commits, its_salt, its_salt_2, sum, sum_2] = words(&frame);
        checksum.add(frame.get(..8).unwrap_or_default());
        checksum.add(&body);
        if (its_salt, its_salt_2) != (salt, salt_2) || number == 0 || checksum.sums != (sum, sum_2) {
            return Ok(false);
        }
        if commits > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Big-endian numbers, as many as are asked for.
fn words<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut words = [0; N];
    for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

struct Checksum {
    big: bool,
    sums: (u32, u32),
}

impl Checksum {
    fn add(&mut self, bytes: &[u8]) {
        let number = |bytes: [u8; 4]| if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        for [a, b, c, d, e, f, g, h] in bytes.as_chunks().0 {
            self.sums.0 = self.sums.0.wrapping_add(number([*a, *b, *c, *d])).wrapping_add(self.sums.1);
            self.sums.1 = self.sums.1.wrapping_add(number([*e, *f, *g, *h])).wrapping_add(self.sums.0);
        }
    }
}
