//! Reads the protocol buffers of the Go software: field by field, without copies, so that a secret in one is never in
//! memory twice.

use thiserror::Error;

/// Why bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FieldError {
    /// A number or a length runs over the end, or a number does not end.
    #[error("the message is cut short or is no protocol buffer")]
    Malformed,
    /// A field has another wire type than it should.
    #[error("field {0} of the message has a wire type this program does not know there")]
    WireType(u64),
}

/// A field's value.
#[derive(Clone, Copy)]
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Four or eight bytes that no message of ours has.
    Fixed,
}

/// The fields of a message, checked to be well formed to its end.
#[derive(Clone, Copy)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads a message through once.
    ///
    /// # Errors
    /// [`FieldError`].
    pub fn parse(message: &'a [u8]) -> Result<Self, FieldError> {
        let mut rest = message;
        while !rest.is_empty() {
            next(&mut rest)?;
        }
        Ok(Self(message))
    }

    /// The bytes of a field; empty when it is absent. Of a field that occurs again the last counts, as everywhere.
    ///
    /// # Errors
    /// [`FieldError::WireType`] when the field is a number.
    pub fn bytes(&self, field: u64) -> Result<&'a [u8], FieldError> {
        match self.last(field)? {
            None => Ok(&[]),
            Some(Value::Bytes(bytes)) => Ok(bytes),
            Some(Value::Number(_) | Value::Fixed) => Err(FieldError::WireType(field)),
        }
    }

    /// The number in a field; 0 when it is absent.
    ///
    /// # Errors
    /// [`FieldError::WireType`] when the field is bytes.
    pub fn number(&self, field: u64) -> Result<u64, FieldError> {
        match self.last(field)? {
            None => Ok(0),
            Some(Value::Number(number)) => Ok(number),
            Some(Value::Bytes(_) | Value::Fixed) => Err(FieldError::WireType(field)),
        }
    }

    fn last(&self, wanted: u64) -> Result<Option<Value<'a>>, FieldError> {
        let (mut rest, mut found) = (self.0, None);
        while !rest.is_empty() {
            let (field, value) = next(&mut rest)?;
            if field == wanted {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

fn next<'a>(rest: &mut &'a [u8]) -> Result<(u64, Value<'a>), FieldError> {
    let tag = varint(rest)?;
    let value = match tag & 7 {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => {
            let length = usize::try_from(varint(rest)?).map_err(|_| FieldError::Malformed)?;
            Value::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        _ => return Err(FieldError::WireType(tag >> 3)),
    };
    Ok((tag >> 3, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], FieldError> {
    let (bytes, after) = rest.split_at_checked(length).ok_or(FieldError::Malformed)?;
    *rest = after;
    Ok(bytes)
}

/// Takes a varint off the front.
pub fn varint(rest: &mut &[u8]) -> Result<u64, FieldError> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return Err(FieldError::Malformed);
        }
        number |= bits << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(FieldError::Malformed)
}
