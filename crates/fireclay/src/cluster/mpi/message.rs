//! What a process says to the first one.

/// How it goes on after a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It goes on, with this for the others.
    Value(Vec<u8>),
    /// It has done its work.
    Done,
    /// It has failed: its exit code, and why.
    Failed(u8, String),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it did last.
    pub did: String,
    pub says: Says,
}

impl Message {
    /// A byte for the kind, one for the exit code, the length of what it did last, that, and the rest.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, code, rest): (u8, u8, &[u8]) = match &self.says {
            Says::Value(bytes) => (0, 0, bytes),
            Says::Done => (1, 0, &[]),
            Says::Failed(code, why) => (2, *code, why.as_bytes()),
        };
        let length = (self.did.len() as u32).to_le_bytes();
        let head = [kind, code];
        [&head[..], &length[..], self.did.as_bytes(), rest].concat()
    }

    /// None where it is none.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[kind, code], rest) = bytes.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (did, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let says = match kind {
            0 => Says::Value(rest.to_vec()),
            1 => Says::Done,
            2 => Says::Failed(code, text(rest)),
            _ => return None,
        };
        Some(Self {
            did: text(did),
            says,
        })
    }
}

/// Some bytes one after another, each with its length.
pub fn pack(parts: &[Vec<u8>]) -> Vec<u8> {
    let with_length = |part: &Vec<u8>| [&(part.len() as u64).to_le_bytes()[..], part].concat();
    parts.iter().flat_map(with_length).collect()
}

/// What [`pack`] was given; none where it is cut.
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut parts = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (part, rest) = rest.split_at_checked(length)?;
        parts.push(part.to_vec());
        bytes = rest;
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read() {
        let all = [
            Says::Value(vec![0, 1, 2]),
            Says::Value(Vec::new()),
            Says::Done,
            Says::Failed(3, "it diverged".into()),
        ];
        for says in all {
            let message = Message {
                did: "ended the update of step 7".into(),
                says,
            };
            let bytes = message.to_bytes();
            assert_eq!(Message::read(&bytes), Some(message));
            assert_eq!(Message::read(&bytes[..5]), None);
        }
        let parts = vec![vec![1, 2], Vec::new(), vec![3]];
        assert_eq!(unpack(&pack(&parts)), Some(parts.clone()));
        assert_eq!(unpack(&pack(&parts)[..9]), None);
    }
}
