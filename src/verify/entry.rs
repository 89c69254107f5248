//! Reads the entries one after the other: each one's local header, its data, and the bytes up to the
//! next one.

use std::io;

use async_compression::tokio::bufread::DeflateDecoder;
use tokio::io::{AsyncRead, AsyncReadExt as _, copy_buf, sink};

use super::index::Index;
use super::{ReadFailure, Reader, Report, is_read_failure};
use crate::archive::zip::{
    FLAG_DESCRIPTOR, FLAG_ENCRYPTED, Header, LOCAL_LEN, MAX_DESCRIPTOR, ReadError, descriptor_len,
    local_header_size, read_local_header,
};

/// Bytes of content that are decompressed at a time.
const PIECE: usize = 64 << 10;

/// A position in the entries.
pub(super) struct Walk {
    reader: Reader,
    position: u64,
    /// Where the entries end.
    end: u64,
    piece: Vec<u8>,
    sums: Sums,
}

impl Walk {
    pub(super) fn new(reader: Reader, end: u64) -> Self {
        Self {
            reader,
            position: 0,
            end,
            piece: vec![0; PIECE],
            sums: Sums::default(),
        }
    }

    /// Reads the entry at `at`, up to where the next one begins. `blake3` is that of its content, if
    /// it is known.
    pub(super) async fn entry(
        &mut self,
        index: &Index,
        at: usize,
        blake3: Option<[u8; 32]>,
        report: &mut Report,
    ) -> Result<(), ReadFailure> {
        let Some((header, offset)) = index.entry(at) else {
            return Ok(());
        };
        let next = index.entry(at + 1).map_or(self.end, |(_, offset)| offset);
        report.entries += 1;
        let name = Some(header.name);
        if offset < self.position || offset > self.end {
            report.differs(
                name,
                "its local header is inside of another entry or behind them all",
            );
            return Ok(());
        }
        if let Some(unknown) = self.skip_to(offset).await? {
            report.differs(
                name,
                format_args!("{unknown} bytes before it belong to no entry"),
            );
        }
        if let Err(fault) = self.open(&header, next).await {
            report.differs(name, fault.difference()?);
            // Where its data begins is not known, so nothing more of it can be read.
            self.skip_to(next).await?;
            return Ok(());
        }
        match self.content(&header, blake3).await {
            Ok(len) => report.content += len,
            Err(fault) => report.differs(name, fault.difference()?),
        }
        self.after(&header, next, report).await
    }

    /// Reads what is left before the central directory.
    pub(super) async fn rest(&mut self, report: &mut Report) -> Result<(), ReadFailure> {
        if let Some(unknown) = self.skip_to(self.end).await? {
            report.differs(
                None,
                format_args!("{unknown} bytes before the central directory belong to no entry"),
            );
        }
        Ok(())
    }

    /// Reads the local header. A difference means that the entry's data cannot be found.
    async fn open(&mut self, central: &Header<'_>, next: u64) -> Result<(), Fault> {
        let room = next.max(self.position).min(self.end) - self.position;
        let mut bytes = vec![0; LOCAL_LEN];
        if room < LOCAL_LEN as u64 {
            return Err(Fault::Difference("its local header is cut short".into()));
        }
        self.reader.read_exact(&mut bytes).await?;
        self.position += LOCAL_LEN as u64;
        let fixed = bytes.first_chunk().copied().unwrap_or([0; LOCAL_LEN]);
        let size = local_header_size(&fixed)?;
        let with_data = (size as u64).checked_add(central.compressed);
        if with_data.is_none_or(|len| len > room) {
            return Err(Fault::Difference(format!(
                "its header and data take {size} and {} bytes, and there are {room}",
                central.compressed
            )));
        }
        bytes.resize(size, 0);
        self.reader.read_exact(&mut bytes[LOCAL_LEN..]).await?;
        self.position += (size - LOCAL_LEN) as u64;
        match disagreement(&read_local_header(&bytes)?, central) {
            Some(field) => Err(Fault::Difference(format!(
                "its local header has another {field} than the central one"
            ))),
            None => Ok(()),
        }
    }

    /// Reads the data, and compares its content with the header and `blake3`. Returns the content's
    /// length.
    async fn content(
        &mut self,
        header: &Header<'_>,
        blake3: Option<[u8; 32]>,
    ) -> Result<u64, Fault> {
        self.sums.begin(blake3.is_some());
        let mut data = (&mut self.reader).take(header.compressed);
        let (limit, piece, sums) = (header.uncompressed, &mut self.piece, &mut self.sums);
        let read = match header.method {
            _ if header.flags & FLAG_ENCRYPTED != 0 => Err(Fault::Difference(
                "it is encrypted, which no agent reads".into(),
            )),
            0 => read_all(&mut data, limit, piece, sums).await,
            8 => read_all(&mut DeflateDecoder::new(&mut data), limit, piece, sums).await,
            method => Err(Fault::Difference(format!(
                "its compression method is {method}, which the agents do not read"
            ))),
        };
        let rest = copy_buf(&mut data, &mut sink()).await?;
        self.position += header.compressed;
        let len = read?;
        let (crc32, digest) = self.sums.end();
        let difference = if len > limit {
            format!("it has more than the {limit} bytes that were recorded")
        } else if len < limit {
            format!("it has {len} bytes, and {limit} were recorded")
        } else if crc32 != header.crc32 {
            let recorded = header.crc32;
            format!("its CRC-32 is {crc32:08x}, and {recorded:08x} was recorded")
        } else if rest > 0 {
            format!("{rest} bytes come after the end of its data")
        } else if blake3.is_some() && blake3 != digest {
            "its BLAKE3 is not the one in the manifest".to_owned()
        } else {
            return Ok(len);
        };
        Err(Fault::Difference(difference))
    }

    /// Reads the data descriptor, if the entry has one.
    async fn after(
        &mut self,
        header: &Header<'_>,
        next: u64,
        report: &mut Report,
    ) -> Result<(), ReadFailure> {
        if header.flags & FLAG_DESCRIPTOR == 0 {
            return Ok(());
        }
        let room = next.min(self.end).saturating_sub(self.position);
        let mut bytes = Vec::with_capacity(MAX_DESCRIPTOR);
        let most = room.min(MAX_DESCRIPTOR as u64);
        (&mut self.reader)
            .take(most)
            .read_to_end(&mut bytes)
            .await?;
        self.position += bytes.len() as u64;
        if descriptor_len(&bytes, header) != Some(bytes.len()) {
            report.differs(
                Some(header.name),
                "its data descriptor is not what the central directory says",
            );
        }
        Ok(())
    }

    /// Skips the bytes before `offset`, and returns their number unless it is 0.
    async fn skip_to(&mut self, offset: u64) -> Result<Option<u64>, ReadFailure> {
        let len = offset.min(self.end).saturating_sub(self.position);
        copy_buf(&mut (&mut self.reader).take(len), &mut sink()).await?;
        self.position += len;
        Ok(Some(len).filter(|len| *len > 0))
    }
}

/// Why an entry could not be read.
enum Fault {
    /// What is wrong with it. Reading goes on with the next entry.
    Difference(String),
    /// The object cannot be read.
    Object(ReadFailure),
}

impl Fault {
    /// The difference to report.
    fn difference(self) -> Result<String, ReadFailure> {
        match self {
            Self::Difference(what) => Ok(what),
            Self::Object(failure) => Err(failure),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Object(error.into())
    }
}

impl From<ReadError> for Fault {
    fn from(error: ReadError) -> Self {
        Self::Difference(error.to_string())
    }
}

/// Checksums of one content, which is added piece by piece.
#[derive(Default)]
struct Sums {
    crc32: crc32fast::Hasher,
    blake3: Option<blake3::Hasher>,
}

impl Sums {
    fn begin(&mut self, digest: bool) {
        self.crc32.reset();
        match &mut self.blake3 {
            Some(hasher) if digest => {
                hasher.reset();
            }
            blake3 => *blake3 = digest.then(blake3::Hasher::new),
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.crc32.update(bytes);
        if let Some(hasher) = &mut self.blake3 {
            hasher.update(bytes);
        }
    }

    fn end(&self) -> (u32, Option<[u8; 32]>) {
        let digest = self.blake3.as_ref().map(blake3::Hasher::finalize);
        (self.crc32.clone().finalize(), digest.map(Into::into))
    }
}

/// Reads to the end, or until there are more than `limit` bytes. Returns how many were read.
async fn read_all(
    content: &mut (impl AsyncRead + Unpin),
    limit: u64,
    piece: &mut [u8],
    sums: &mut Sums,
) -> Result<u64, Fault> {
    let mut len = 0;
    loop {
        let read = content.read(piece).await.map_err(|error| {
            if is_read_failure(&error) {
                return error.into();
            }
            Fault::Difference(format!("its data cannot be inflated: {error}"))
        })?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        len += read as u64;
        if len > limit {
            break;
        }
        sums.add(bytes);
    }
    Ok(len)
}

/// The first field in which a local header differs from the central one.
fn disagreement(local: &Header<'_>, central: &Header<'_>) -> Option<&'static str> {
    // With a descriptor, the local header was written before these were known.
    let later = central.flags & FLAG_DESCRIPTOR != 0;
    [
        ("name", local.name == central.name),
        ("set of flags", local.flags == central.flags),
        ("method", local.method == central.method),
        ("time", local.dos_time == central.dos_time),
        ("CRC-32", later || local.crc32 == central.crc32),
        (
            "compressed size",
            later || local.compressed == central.compressed,
        ),
        ("size", later || local.uncompressed == central.uncompressed),
    ]
    .into_iter()
    .find_map(|(field, same)| (!same).then_some(field))
}
