//! Who has the right to sign, subject by subject, as far as this instance knows. Being wrong costs time and never a
//! double sign: the engine is asked with every signature.

use super::protocol::{Token, values::Instance};
use btc_staking_eots_manager::{
    records::Subject,
    signer::{Refused, RefusedReason, SignerError},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How it stands with one subject.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Seat {
    /// Not known yet, or nobody has the right.
    #[default]
    Free,
    /// Another instance has it.
    Taken(Instance),
    /// The engine does not know the subject.
    NotInitialised,
    /// We have it.
    Held(Token),
    /// This instance must not sign until it was looked into: the engine and the own sign records do not agree. Ends
    /// with the process.
    Barred(String),
}

/// The seats of this instance.
#[derive(Debug)]
pub struct Seats(Mutex<BTreeMap<Subject, Seat>>);

impl Seats {
    /// Seats of which nothing is known.
    pub fn new(subjects: impl IntoIterator<Item = Subject>) -> Self {
        Self(Mutex::new(subjects.into_iter().map(|subject| (subject, Seat::Free)).collect()))
    }

    /// Whose seats there are.
    pub fn subjects(&self) -> Vec<Subject> {
        self.lock().keys().cloned().collect()
    }

    /// How it stands; free for a subject that has no seat.
    pub fn get(&self, subject: &Subject) -> Seat {
        self.lock().get(subject).cloned().unwrap_or_default()
    }

    /// Notes how it stands, unless this instance is barred, and returns how it stood before.
    pub fn set(&self, subject: &Subject, seat: Seat) -> Seat {
        let mut seats = self.lock();
        let Some(place) = seats.get_mut(subject) else { return Seat::Free };
        if matches!(place, Seat::Barred(_)) { place.clone() } else { std::mem::replace(place, seat) }
    }

    /// Notes that a right was lost, unless it is another by now.
    pub fn lose(&self, subject: &Subject, token: &Token, holder: Option<Instance>) {
        let mut seats = self.lock();
        if let Some(place @ Seat::Held(_)) = seats.get_mut(subject)
            && *place == Seat::Held(token.clone())
        {
            *place = holder.map_or(Seat::Free, Seat::Taken);
        }
    }

    /// The right, or why there is none.
    ///
    /// # Errors
    /// [`SignerError::Standby`], or [`SignerError::Refused`] when waiting will not help.
    pub fn token(&self, subject: &Subject) -> Result<Token, SignerError> {
        match self.get(subject) {
            Seat::Held(token) => Ok(token),
            Seat::Free => Err(SignerError::Standby { holder: None }),
            Seat::Taken(holder) => Err(SignerError::Standby { holder: Some(holder.name.to_string()) }),
            Seat::NotInitialised => Err(refused(
                "etcd has no history of this key on this chain, and an empty one is no history: check ha.prefix and \
                 ha.endpoints; for a key that is new to this cluster run `finality-provider ha init`",
            )),
            Seat::Barred(why) => Err(refused(&why)),
        }
    }

    // A seat is replaced as a whole, so a panic elsewhere cannot leave half of one.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Subject, Seat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn refused(text: &str) -> SignerError {
    Refused { reason: RefusedReason::Other, text: text.to_owned() }.into()
}
