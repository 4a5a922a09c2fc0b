//! Reads a bbolt file: a B+ tree of fixed pages, two of which say where the tree begins.
//!
//! Written from the format, for files that somebody else wrote. It never writes, never loads the whole file, and
//! believes nothing: offsets, sizes, the order of keys and the number of pages visited are all bounded by the file,
//! and whatever does not fit is a [`BoltError`] that names the page. All integers are little-endian.
//!
//! | page: offset | size | content |
//! |---|---|---|
//! | 0 | 8 | its own number |
//! | 8 | 2 | kind: 1 branch, 2 leaf, 4 meta, 16 free list |
//! | 10 | 2 | number of elements |
//! | 12 | 4 | further pages that belong to this one |
//! | 16 | | elements, or the meta record |
//!
//! | meta record: offset | size | content |
//! |---|---|---|
//! | 0 | 4 | ed0cdaed |
//! | 4 | 4 | version, 2 |
//! | 8 | 4 | page size |
//! | 12 | 4 | flags, unused |
//! | 16 | 16 | root bucket: page, sequence |
//! | 32 | 8 | page of the free list; all ones when it is not stored |
//! | 40 | 8 | number of pages in use |
//! | 48 | 8 | transaction number: of two valid records the higher one counts |
//! | 56 | 8 | FNV-1a over bytes 0 to 55 |
//!
//! A branch element is (position 4, key size 4, page 8), a leaf element (flags 4, position 4, key size 4, value size
//! 4); positions count from the element itself. Flag 1 of a leaf element marks a bucket, whose value is (root page 8,
//! sequence 8), and, when that root is 0, a whole leaf page after it. The free list is not read: it matters to writers.

use std::{fs::File, io, os::unix::fs::FileExt};
use thiserror::Error;

const MAGIC: u32 = 0xed0c_daed;
const VERSION: u32 = 2;
const PAGE_HEADER: usize = 16;
const META: usize = 64;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
const META_PAGE: u16 = 4;
const IS_BUCKET: u32 = 1;
const ELEMENT: usize = 16;
const BUCKET: usize = 16;
/// Page sizes that occur.
const PAGE_SIZES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];
/// Largest page with its overflow that is read, in bytes. A value that needs more is not one of ours.
const MAX_SPAN: u64 = 16 << 20;
/// Deepest tree that is followed; three levels hold millions of keys.
const MAX_DEPTH: u32 = 32;

/// Why a file could not be read as a bbolt database.
#[derive(Debug, Error)]
pub enum BoltError {
    /// The file itself.
    #[error("the database file cannot be read")]
    Io(#[from] io::Error),
    /// Neither meta page is whole.
    #[error(
        "the file is no bbolt database of version {VERSION}: neither of its two first pages is a valid meta page"
    )]
    NoMeta,
    /// Something in a page is wrong.
    #[error("page {page} of the database is damaged: {what}")]
    Damaged {
        /// Number of the page.
        page: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A bucket where a value was expected.
    #[error("page {page} of the database holds a bucket where this program knows only values")]
    NestedBucket {
        /// Number of the page.
        page: u64,
    },
}

/// Bytes that can be read at any offset.
pub trait ReadAt {
    /// Reads exactly as many bytes as fit the buffer.
    ///
    /// # Errors
    /// Whatever the source says; [`io::ErrorKind::UnexpectedEof`] past its end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(buffer, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        let rest = self.get(start..).ok_or(io::ErrorKind::UnexpectedEof)?;
        let bytes = rest.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }
}

/// A database, as of its last complete transaction.
pub struct Database<R> {
    source: R,
    page_size: u32,
    root: u64,
    pages: u64,
}

/// A bucket of the top level.
pub struct Bucket(Root);

enum Root {
    Page(u64),
    /// The page that holds the bucket's own, and that one's bytes.
    Inline(u64, Vec<u8>),
}

struct Meta {
    page_size: u32,
    root: u64,
    pages: u64,
    transaction: u64,
}

/// Where a walk over one tree stands.
struct Walk {
    visited: u64,
    last_key: Option<Vec<u8>>,
}

/// An element of a leaf.
struct Entry<'a> {
    page: u64,
    is_bucket: bool,
    key: &'a [u8],
    value: &'a [u8],
}

impl<R: ReadAt> Database<R> {
    /// Finds the newest valid meta page.
    ///
    /// # Errors
    /// [`BoltError::NoMeta`] when there is none.
    pub fn open(source: R) -> Result<Self, BoltError> {
        // The second meta page begins where the first ends, and only a valid one says where that is.
        let first = read_meta(&source, 0);
        let second = match &first {
            Some(meta) => read_meta(&source, u64::from(meta.page_size)),
            None => PAGE_SIZES
                .iter()
                .find_map(|size| read_meta(&source, u64::from(*size)).filter(|meta| meta.page_size == *size)),
        };
        let newest = first.into_iter().chain(second).max_by_key(|meta| meta.transaction);
        let Meta { page_size, root, pages, .. } = newest.ok_or(BoltError::NoMeta)?;
        Ok(Self { source, page_size, root, pages })
    }

    /// Finds a bucket by name; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`BoltError`] when the way to it is damaged.
    pub fn bucket(&self, name: &[u8]) -> Result<Option<Bucket>, BoltError> {
        let mut found = None;
        self.entries(&Root::Page(self.root), |entry| {
            if entry.key == name {
                let page = entry.page;
                if !entry.is_bucket {
                    return Err(BoltError::Damaged { page, what: "a bucket's name belongs to a value" });
                }
                found = Some(decode_bucket(&entry)?);
            }
            Ok(())
        })?;
        Ok(found.map(Bucket))
    }

    /// Calls `each` with every key and value of a bucket, in ascending order of keys.
    ///
    /// # Errors
    /// [`BoltError`] when the bucket is damaged or has buckets in it, or what `each` returned.
    pub fn for_each<E: From<BoltError>>(
        &self,
        bucket: &Bucket,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.entries(&bucket.0, |entry| {
            if entry.is_bucket {
                return Err(BoltError::NestedBucket { page: entry.page }.into());
            }
            each(entry.key, entry.value)
        })
    }

    fn entries<E: From<BoltError>>(
        &self,
        root: &Root,
        mut each: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut walk = Walk { visited: 0, last_key: None };
        match root {
            Root::Page(number) => self.visit(*number, MAX_DEPTH, &mut walk, &mut each),
            Root::Inline(number, bytes) => read_leaf(*number, bytes, &mut walk, &mut each),
        }
    }

    fn visit<E: From<BoltError>>(
        &self,
        number: u64,
        depth: u32,
        walk: &mut Walk,
        each: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        walk.visited += 1;
        let Some(depth) = depth.checked_sub(1).filter(|_| walk.visited <= self.pages) else {
            return Err(BoltError::Damaged { page: number, what: "the tree does not end" }.into());
        };
        let page = self.read_page(number)?;
        match kind(&page) {
            LEAF => read_leaf(number, &page, walk, each),
            BRANCH => {
                for index in 0..count(&page) {
                    let child = branch_child(number, &page, index)?;
                    self.visit(child, depth, walk, each)?;
                }
                Ok(())
            }
            _ => Err(BoltError::Damaged { page: number, what: "it is neither branch nor leaf" }.into()),
        }
    }

    /// Reads a page with its overflow.
    fn read_page(&self, number: u64) -> Result<Vec<u8>, BoltError> {
        let damaged = |what| BoltError::Damaged { page: number, what };
        if number < 2 || number >= self.pages {
            return Err(damaged("its number is not one of a page in use"));
        }
        let size = u64::from(self.page_size);
        let offset = number.checked_mul(size).ok_or(damaged("its place is past any file"))?;
        let mut header = [0; PAGE_HEADER];
        self.read(number, &mut header, offset)?;
        if u64_at(&header, 0) != Some(number) {
            return Err(damaged("it says it is another page"));
        }
        let span = u64::from(u32_at(&header, 12).unwrap_or(0)) + 1;
        if span > self.pages - number || span * size > MAX_SPAN {
            return Err(damaged("its overflow is larger than the database or than any value of ours"));
        }
        let length = usize::try_from(span * size).map_err(|_| damaged("it does not fit this machine"))?;
        let mut page = vec![0; length];
        self.read(number, &mut page, offset)?;
        Ok(page)
    }

    fn read(&self, page: u64, buffer: &mut [u8], offset: u64) -> Result<(), BoltError> {
        self.source.read_at(buffer, offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BoltError::Damaged { page, what: "the file ends before it does" },
            _ => BoltError::Io(error),
        })
    }
}

fn read_meta(source: &impl ReadAt, offset: u64) -> Option<Meta> {
    let mut page = [0; PAGE_HEADER + META];
    source.read_at(&mut page, offset).ok()?;
    let meta = page.get(PAGE_HEADER..)?;
    let page_size = u32_at(meta, 8)?;
    let is_valid = kind(&page) == META_PAGE
        && u32_at(meta, 0)? == MAGIC
        && u32_at(meta, 4)? == VERSION
        && PAGE_SIZES.contains(&page_size)
        && u64_at(meta, 56)? == fnv1a(meta.get(..56)?);
    is_valid.then_some(Meta {
        page_size,
        root: u64_at(meta, 16)?,
        pages: u64_at(meta, 40)?,
        transaction: u64_at(meta, 48)?,
    })
}

fn decode_bucket(entry: &Entry<'_>) -> Result<Root, BoltError> {
    let damaged = |what| BoltError::Damaged { page: entry.page, what };
    match u64_at(entry.value, 0) {
        Some(0) => {
            let inline = entry.value.get(BUCKET..).filter(|page| page.len() >= PAGE_HEADER);
            let inline = inline.ok_or(damaged("an inline bucket has no page"))?;
            if kind(inline) != LEAF {
                return Err(damaged("an inline bucket is no leaf"));
            }
            Ok(Root::Inline(entry.page, inline.to_vec()))
        }
        Some(root) if entry.value.len() == BUCKET => Ok(Root::Page(root)),
        Some(_) | None => Err(damaged("a bucket's header has a wrong size")),
    }
}

fn branch_child(number: u64, page: &[u8], index: usize) -> Result<u64, BoltError> {
    let damaged = BoltError::Damaged { page: number, what: "its elements do not fit it" };
    u64_at(page, PAGE_HEADER + index * ELEMENT + 8).ok_or(damaged)
}

fn read_leaf<E: From<BoltError>>(
    number: u64,
    page: &[u8],
    walk: &mut Walk,
    each: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for index in 0..count(page) {
        let entry = leaf_entry(number, page, index)
            .ok_or(BoltError::Damaged { page: number, what: "its elements do not fit it" })?;
        if walk.last_key.as_deref().is_some_and(|last| last >= entry.key) {
            return Err(
                BoltError::Damaged { page: number, what: "its keys are not in ascending order" }.into()
            );
        }
        walk.last_key = Some(entry.key.to_vec());
        each(entry)?;
    }
    Ok(())
}

fn leaf_entry(number: u64, page: &[u8], index: usize) -> Option<Entry<'_>> {
    let element = PAGE_HEADER + index * ELEMENT;
    let size = |offset| usize::try_from(u32_at(page, element + offset)?).ok();
    let start = element.checked_add(size(4)?)?;
    let middle = start.checked_add(size(8)?)?;
    let end = middle.checked_add(size(12)?)?;
    // Keys come after all elements; a position among them would read one element as another's key.
    if start < PAGE_HEADER + count(page) * ELEMENT {
        return None;
    }
    Some(Entry {
        page: number,
        is_bucket: u32_at(page, element)? & IS_BUCKET != 0,
        key: page.get(start..middle)?,
        value: page.get(middle..end)?,
    })
}

fn kind(page: &[u8]) -> u16 {
    u16_at(page, 8).unwrap_or(0)
}

fn count(page: &[u8]) -> usize {
    u16_at(page, 10).map_or(0, usize::from)
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
